//! Conversations: the history goes along, turns are ordered and durable, and each caller sees its
//! own alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, chat};
use crate::support::postgres;
use crate::support::provider::{Call, Fault, Gate, Provider, Reply};

/// Answers with what it was sent: the texts of all messages, in order.
fn listener() -> Provider {
    Provider::scripted(|call| heard(call).into())
}

fn texts(messages: &Value) -> Vec<String> {
    let messages = messages.as_array().expect("messages");
    messages.iter().map(|message| message["content"].as_str().unwrap_or("-").to_owned()).collect()
}

fn heard(call: &Call) -> Value {
    let body: Value = serde_json::from_slice(&call.body).expect("JSON");
    let said = texts(&body["messages"]).join("|");
    answer(&format!("<{}>", said.len()), "stop")
}

fn answer(text: &str, reason: &str) -> Value {
    json!({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}]})
}

fn events(text: &str, end: &[&str]) -> Reply {
    let chunk = |delta: Value, reason: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        format!(
            "data: {}",
            json!({"id": "1", "object": "chat.completion.chunk", "created": 1,
            "model": "m", "choices": [choice]})
        )
    };
    let mut all = vec![
        chunk(json!({"role": "assistant", "content": text}), Value::Null),
        chunk(json!({}), json!("stop")),
    ];
    all.extend(end.iter().map(|event| (*event).to_owned()));
    Reply::events(all)
}

fn body(messages: Value) -> Value {
    json!({"model": "m", "messages": messages})
}

fn say(name: &str, text: &str) -> Request {
    said(name, body(json!([{"role": "user", "content": text}])))
}

fn said(name: &str, body: Value) -> Request {
    chat(body).header("X-Conversation-Id", name)
}

fn path(name: &str) -> String {
    format!("/api/v1/conversations/{name}")
}

fn shown(gateway: &Gateway, name: &str) -> Response {
    gateway.send(&Request::get(&path(name)).bearer("sk-test"))
}

#[track_caller]
fn expect_history(gateway: &Gateway, name: &str, expected: &[&str]) {
    let history = shown(gateway, name).expect_status(200).json();
    assert_eq!(texts(&history["messages"]), expected, "{history}");
}

fn sent(provider: &Provider) -> Vec<String> {
    let calls = provider.calls();
    let body: Value = serde_json::from_slice(&calls.last().expect("a call").body).expect("JSON");
    texts(&body["messages"])
}

#[test]
fn each_turn_sends_the_history_along_and_adds_to_it() {
    let provider = listener();
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let first = gateway.send(&said(
        "c",
        body(json!([
        {"role": "system", "content": "be brief"}, {"role": "user", "content": "one"}])),
    ));
    assert_eq!(first.header("x-conversation-turn"), Some("1"), "{first}");
    let second = gateway.send(&say("c", "two")).expect_status(200);
    assert_eq!(second.header("x-conversation-turn"), Some("2"), "{second}");
    assert_eq!(sent(&provider), ["be brief", "one", "<12>", "two"]);
    let all = ["be brief", "one", "<12>", "two", "<21>"];
    expect_history(&gateway, "c", &all);
    gateway.restart();
    expect_history(&gateway, "c", &all);
    let history = shown(&gateway, "c").json();
    assert_eq!((&history["turns"], &history["id"]), (&json!(2), &json!("c")));
    gateway.send(&chat(body(json!([{"role": "user", "content": "apart"}])))).expect_status(200);
    assert_eq!(sent(&provider), ["apart"], "without the header nothing goes along");
}

/// The key is made of the whole messages: an equal history is a hit, and its answer is a turn, too.
#[test]
fn equal_histories_share_answers_and_others_do_not() {
    let provider = listener();
    let gateway = Gateway::patient().upstream(&provider).start();
    for name in ["a", "b"] {
        gateway.send(&say(name, "one")).expect_status(200);
        gateway.send(&say(name, "two")).expect_status(200);
    }
    assert_eq!(provider.num_calls(), 2);
    expect_history(&gateway, "b", &["one", "<3>", "two", "<11>"]);
    gateway.send(&say("b", "two")).expect_status(200);
    assert_eq!(provider.num_calls(), 3, "the same words after another history are another request");
}

#[test]
fn a_conversation_belongs_to_its_caller_alone() {
    let provider = listener();
    let gateway = Gateway::patient().upstream(&provider).start();
    gateway.send(&say("c", "secret")).expect_status(200);
    let other = Request::get(&path("c")).bearer("sk-other");
    gateway.send(&other).expect_status(404);
    gateway.send(&Request::new("DELETE", &path("c")).bearer("sk-other")).expect_status(404);
    gateway.send(&Request::get(&path("c"))).expect_status(404);
    let foreign =
        Request::post("/v1/chat/completions", body(json!([{"role": "user", "content": "x"}])))
            .bearer("sk-other")
            .header("X-Conversation-Id", "c");
    gateway.send(&foreign).expect_status(200);
    assert_eq!(sent(&provider), ["x"]);
    let removed = gateway.send(&Request::new("DELETE", &path("c")).bearer("sk-test"));
    assert_eq!(removed.expect_status(200).json()["deleted"], true);
    shown(&gateway, "c").expect_status(404);
    gateway.send(&say("c", "anew")).expect_status(200);
    assert_eq!(sent(&provider), ["anew"]);
}

#[test]
fn the_history_is_bounded_and_never_begins_with_a_tools_answer() {
    let provider = listener();
    let gateway = Gateway::patient().upstream(&provider).env("MAX_CONVERSATION_HISTORY", 4).start();
    gateway.send(&say("c", "one")).expect_status(200);
    provider.next(Reply::json(
        200,
        &json!({"choices": [{"index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": null, "tool_calls": [
            {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}]}),
    ));
    gateway.send(&say("c", "two")).expect_status(200);
    let result = body(json!([{"role": "tool", "tool_call_id": "t", "content": "done"}]));
    gateway.send(&said("c", result)).expect_status(200);
    assert_eq!(sent(&provider), ["one", "<3>", "two", "-", "done"]);
    gateway.send(&say("c", "three")).expect_status(200);
    let sent_now = sent(&provider);
    assert_eq!(sent_now[..3], ["two", "-", "done"], "{sent_now:?}");
    gateway.send(&say("c", "four")).expect_status(200);
    let sent_now = sent(&provider);
    assert_eq!(sent_now[0], "three", "the call and its answer leave together: {sent_now:?}");
    assert_eq!(sent_now.len(), 3);
}

#[test]
fn what_failed_or_was_cut_short_adds_nothing() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for reply in [
        Reply::json(400, &json!({"error": {"message": "no"}})),
        Reply::json(200, &answer("half an ans", "length")),
        Reply::json(200, &json!({"error": {"message": "in a 200"}})),
    ] {
        provider.next(reply);
        let response = gateway.send(&say("c", "one"));
        assert_eq!(response.header("x-conversation-turn"), None, "{response}");
    }
    shown(&gateway, "c").expect_status(404);
}

#[test]
fn a_streamed_turn_is_there_once_its_terminal_event_is() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let streamed = |text: &str| {
        said(
            "c",
            json!({"model": "m", "stream": true,
            "messages": [{"role": "user", "content": text}]}),
        )
    };
    provider.next(events("hello", &["data: [DONE]"]));
    let response = gateway.send(&streamed("one")).expect_status(200);
    assert!(response.text().ends_with("data: [DONE]\n\n"), "{response}");
    assert_eq!(response.header("x-conversation-turn"), Some("1"));
    expect_history(&gateway, "c", &["one", "hello"]);
    // One that never says that it is done is none.
    provider.next(events("hello", &[]));
    gateway.send(&streamed("two"));
    expect_history(&gateway, "c", &["one", "hello"]);
}

#[test]
fn turns_at_the_same_time_come_one_after_another_or_are_refused() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| Reply::from(heard(call)).held_by(&held));
    let gateway = Gateway::patient()
        .upstream(&provider)
        .env("ANTEROOM__CONVERSATION__TURN_TIMEOUT", "300ms")
        .start();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| gateway.send(&say("c", "one")));
        provider.wait_for_calls(1);
        let refused = gateway.send(&say("c", "two")).expect_status(409);
        assert_eq!(refused.json()["error"]["code"], "conversation_busy");
        gate.open();
        first.join().expect("no panic").expect_status(200);
    });
    let answers = std::thread::scope(|scope| {
        let say = |number: usize| gateway.send(&say("d", &format!("word {number}")));
        let all: Vec<_> = (0..8).map(|number| scope.spawn(move || say(number))).collect();
        all.into_iter().map(|caller| caller.join().expect("no panic")).collect::<Vec<_>>()
    });
    let mut turns: Vec<_> =
        answers.iter().filter_map(|it| it.header("x-conversation-turn")).collect();
    turns.sort_unstable();
    let expected: Vec<_> = (1..=turns.len()).map(|number| number.to_string()).collect();
    assert_eq!(turns, expected);
    let history = shown(&gateway, "d").json();
    assert_eq!(texts(&history["messages"]).len(), turns.len() * 2, "{history}");
}

#[test]
fn a_request_that_cannot_be_a_turn_says_why() {
    let provider = listener();
    let gateway = Gateway::patient()
        .upstream(&provider)
        .env("ANTEROOM__CONVERSATION__MAX_SIZE", "1KiB")
        .start();
    let long = "x".repeat(129);
    for name in ["", "a/b", "ä", long.as_str()] {
        let refused = gateway.send(&say(name, "one")).expect_status(400);
        assert!(refused.text().contains("X-Conversation-Id"), "{refused}");
    }
    gateway.send(&said("c", body(json!([])))).expect_status(400);
    gateway.send(&say("c", "one").header("X-Fields", "id")).expect_status(400);
    let past = json!({"model": "m", "messages": [{"role": "user", "content": "one"}],
        "stream_options": {"include_usage": true}});
    let refused = gateway.send(&said("c", past)).expect_status(400);
    assert_eq!(refused.json()["error"]["code"], "conversation_not_possible");
    assert_eq!(provider.num_calls(), 0);
    gateway.send(&say("c", &"x".repeat(1_024))).expect_status(200);
    let full = gateway.send(&say("c", "more")).expect_status(413);
    assert_eq!(full.json()["error"]["code"], "conversation_full");
}

/// L3 off and the cache's own state do not matter.
#[test]
fn conversations_are_there_without_l3_and_restart_with_their_actor() {
    let provider = listener();
    let gateway =
        Gateway::patient().upstream(&provider).sqlite().env("ANTEROOM__L3__ENABLED", false).start();
    gateway.send(&say("c", "one")).expect_status(200);
    gateway.make_panic("conversations");
    gateway.wait_until("re-created", |health| {
        crate::support::gateway::actor(health, "conversations")
            .is_some_and(|it| it["restarts"] == 1 && it["state"] == "running")
    });
    expect_history(&gateway, "c", &["one", "<3>"]);
}

/// The file cannot be made: conversations say so, everything else goes on.
#[test]
fn a_turn_that_cannot_be_kept_is_an_error_and_nothing_else_is() {
    let provider = listener();
    let gateway = Gateway::patient()
        .upstream(&provider)
        .sqlite()
        .env("ANTEROOM_SECRET", "a secret of at least thirty-two bytes for tests")
        .env("ANTEROOM__DATA_DIR", "/dev/null/data")
        .start();
    let refused = gateway.send(&say("c", "one")).expect_status(503);
    assert_eq!(refused.json()["error"]["code"], "conversations_unavailable");
    shown(&gateway, "c").expect_status(503);
    gateway.send(&chat(body(json!([{"role": "user", "content": "apart"}])))).expect_status(200);
}

/// A key that the provider refuses now hits no more, in a conversation as elsewhere, until the provider
/// takes it again; a refused turn adds nothing.
#[test]
fn a_revoked_key_gets_no_kept_answer_in_a_conversation() {
    let provider = listener();
    let gateway = Gateway::patient().upstream(&provider).start();
    let forget_e = || {
        let forget = Request::new("DELETE", &path("e")).bearer("sk-test");
        gateway.send(&forget).expect_status(200);
    };
    gateway.send(&say("a", "kept")).expect_status(200);
    assert_eq!(gateway.send(&say("b", "kept")).expect_status(200).cache(), "HIT L1");
    for status in [401, 403] {
        provider.next(Fault::Status(status));
        gateway.send(&say("c", &format!("new {status}"))).expect_status(status);
        provider.next(Fault::Status(status));
        gateway.send(&say("d", "kept")).expect_status(status);
        shown(&gateway, "d").expect_status(404);
        let taken = gateway.send(&say("e", "kept")).expect_status(200);
        assert_eq!(taken.cache(), "MISS", "the provider is asked: {taken}");
        forget_e();
        assert_eq!(gateway.send(&say("e", "kept")).expect_status(200).cache(), "HIT L1");
        forget_e();
    }
    assert_eq!(provider.num_calls(), 7, "{}", provider.log());
}

/// An event without an end is not held for ever: it ends the stream with an error, and adds no turn.
#[test]
fn an_endless_event_is_not_held() {
    let endless = format!("data: {}", "x".repeat(64 * 1024));
    let headers = [("content-type", "text/event-stream")];
    let provider = Provider::scripted(move |_| Reply::new(200, &headers, &endless));
    let gateway =
        Gateway::patient().upstream(&provider).config("cache: {max_entry: 16KiB}").start();
    let mut asked = body(json!([{"role": "user", "content": "one"}]));
    asked["stream"] = json!(true);
    let told = gateway.send(&said("c", asked)).expect_status(200).text();
    assert!(told.contains("\"error\"") && told.len() < 1_024, "{} bytes", told.len());
    shown(&gateway, "c").expect_status(404);
}

/// Two gateways on one server, each with the conversation in memory: the turns are in the order of their
/// numbers, and a turn that another gateway has come before is refused, not written beside it.
#[test]
fn turns_of_two_gateways_on_one_database_stay_in_order() {
    let url = postgres::shared().create_database();
    let provider = listener();
    let start = || Gateway::patient().upstream(&provider).database(&url).start();
    let gateways = [start(), start()];
    // In turn: each hears what was said on the other.
    for number in 0..6 {
        let response = gateways[number % 2].send(&say("c", &format!("word {number}")));
        let turn = (number + 1).to_string();
        let told = response.expect_status(200);
        assert_eq!(told.header("x-conversation-turn"), Some(turn.as_str()));
        assert_eq!(sent(&provider).len(), 2 * number + 1);
    }
    let forget = Request::new("DELETE", &path("c")).bearer("sk-test");
    gateways[0].send(&forget).expect_status(200);
    shown(&gateways[1], "c").expect_status(404);
    // At once.
    let said = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8_usize)
            .map(|caller| {
                let gateway = &gateways[caller % 2];
                scope.spawn(move || {
                    let words = (0..6).map(|word| format!("{caller}.{word}"));
                    words
                        .filter_map(|word| {
                            let response = gateway.send(&say("d", &word));
                            if response.status == 409 {
                                let code = response.json()["error"]["code"].clone();
                                assert_eq!(code, "conversation_changed", "{response}");
                                return None;
                            }
                            let response = response.expect_status(200);
                            let turn = response.header("x-conversation-turn").expect("its number");
                            Some((turn.parse::<usize>().expect("a number"), word))
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().expect("no panic")).collect::<Vec<_>>()
    });
    let in_order: BTreeMap<usize, String> = said.iter().cloned().collect();
    assert_eq!(in_order.len(), said.len(), "no number twice: {said:?}");
    assert!(in_order.keys().copied().eq(1..=said.len()), "none is missing: {said:?}");
    for gateway in &gateways {
        let history = shown(gateway, "d").json();
        let words: Vec<_> = texts(&history["messages"]).into_iter().step_by(2).collect();
        let latest: Vec<_> = in_order.values().rev().take(25).rev().cloned().collect();
        assert_eq!(words, latest, "{history}");
    }
}
