//! One answer, both forms: `stream: true` and `stream: false` share an entry and a call.

use serde_json::{Value, json};

use super::apis::{ask, ask_stream, ask_stream_with_usage};
use crate::support::client::{Request, Response};
use crate::support::gateway::Gateway;
use crate::support::provider::{self, Gate, Provider, Reply};

const CONVERTED: [&str; 2] = ["chat/completions", "completions"];

/// Returns the chunks of a stream, which must end with `[DONE]`.
fn chunks(answer: &Response) -> Vec<Value> {
    let text = answer.text();
    let data: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let (last, chunks) = data.split_last().unwrap_or_else(|| panic!("no events\n{answer}"));
    assert_eq!(*last, "[DONE]", "{answer}");
    let chunk = |text: &&str| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}"));
    chunks.iter().map(chunk).collect()
}

/// Returns what a stream says, put together.
fn said(answer: &Response) -> String {
    let chunks = chunks(answer);
    let texts = chunks.iter().filter_map(|chunk| {
        let choice = &chunk["choices"][0];
        choice["delta"]["content"].as_str().or_else(|| choice["text"].as_str())
    });
    texts.collect()
}

fn object_text(answer: &Response) -> String {
    let choice = answer.json()["choices"][0].clone();
    let text = choice["message"]["content"].as_str().or_else(|| choice["text"].as_str());
    text.unwrap_or_else(|| panic!("no text\n{answer}")).to_owned()
}

/// A-22, A-27: an object answers a stream, marked as a hit, with the same words, and the reverse.
#[test]
fn an_answer_of_one_form_is_a_hit_for_the_other() {
    let provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).start();
    for api in CONVERTED {
        let object = gateway.send(&ask(api, "object first")).expect_status(200);
        let stream = gateway.send(&ask_stream(api, "object first")).expect_status(200);
        assert_eq!(stream.cache(), "HIT L1", "{stream}");
        assert!(stream.header("content-type").unwrap().starts_with("text/event-stream"));
        assert_eq!(said(&stream), object_text(&object), "{stream}");
        assert!(chunks(&stream).iter().all(|chunk| chunk.get("usage").is_none()), "{stream}");
        let with_usage =
            gateway.send(&ask_stream_with_usage(api, "object first")).expect_status(200);
        let usage = chunks(&with_usage).pop().expect("a last chunk");
        assert_eq!(usage["usage"], object.json()["usage"], "{with_usage}");

        let stream = gateway.send(&ask_stream(api, "stream first")).expect_status(200);
        assert_eq!(stream.cache(), "MISS", "{stream}");
        let object = gateway.send(&ask(api, "stream first")).expect_status(200);
        assert_eq!(object.cache(), "HIT L1", "{object}");
        assert_eq!(object.header("content-type"), Some("application/json"));
        assert_eq!(object_text(&object), said(&stream), "{object}");
        // Once more, from L1, which holds both; and after a restart, from what is on disk.
        assert_eq!(gateway.send(&ask(api, "stream first")).body, object.body);
        gateway.wait_for_writes();
        gateway.restart();
        let again = gateway.send(&ask(api, "stream first")).expect_status(200);
        assert_eq!((again.cache().as_str(), &again.body), ("HIT L3", &object.body), "{again}");
    }
    assert_eq!(provider.num_calls(), CONVERTED.len() * 2);
}

/// A-25: usage is asked for in any case, is part of what is kept, and is seen by those who asked.
#[test]
fn usage_is_asked_for_and_hidden_from_who_did_not_ask() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let api = "chat/completions";
    let miss = gateway.send(&ask_stream(api, "usage")).expect_status(200);
    let call: Value = serde_json::from_slice(&provider.calls()[0].body).unwrap();
    assert_eq!(call["stream_options"]["include_usage"], true, "{call}");
    assert!(chunks(&miss).iter().all(|chunk| chunk.get("usage").is_none()), "{miss}");
    let hit = gateway.send(&ask_stream(api, "usage"));
    assert_eq!((hit.cache().as_str(), &hit.body), ("HIT L1", &miss.body), "{hit}");
    let asked = gateway.send(&ask_stream_with_usage(api, "usage"));
    assert_eq!(asked.cache(), "HIT L1", "{asked}");
    let last = chunks(&asked).pop().expect("a last chunk");
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(21)));
    let object = gateway.send(&ask(api, "usage"));
    assert_eq!(object.json()["usage"]["total_tokens"], 21, "{object}");
    assert_eq!(provider.num_calls(), 1);
}

/// A follower in the other form joins the call under way.
#[test]
fn both_forms_join_one_call() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| provider::answer(call).held_by(&held));
    let gateway = Gateway::patient().upstream(&provider).start();
    let api = "chat/completions";
    for (topic, first, second) in [
        ("stream leads", ask_stream as fn(&str, &str) -> Request, ask as fn(&str, &str) -> Request),
        ("object leads", ask, ask_stream),
    ] {
        gate.close();
        let calls = provider.num_calls();
        let (one, other) = std::thread::scope(|scope| {
            let leader = scope.spawn(|| gateway.send(&first(api, topic)));
            provider.wait_for_calls(calls + 1);
            let follower = scope.spawn(|| gateway.send(&second(api, topic)));
            gateway.wait_until("joined", |health| {
                let joined =
                    &crate::support::gateway::actor(health, "resolver").unwrap()["counters"];
                joined["joined"].as_u64() >= Some(1 + u64::from(topic == "object leads"))
            });
            gate.open();
            (leader.join().expect("an answer"), follower.join().expect("an answer"))
        });
        assert_eq!(one.cache(), "MISS", "{one}");
        assert_eq!(other.cache(), "COALESCED", "{other}");
        let (stream, object) = if topic == "stream leads" { (one, other) } else { (other, one) };
        assert_eq!(said(&stream), object_text(&object));
        assert_eq!(provider.num_calls(), calls + 1);
    }
}

/// What cannot be converted is asked for in its own form; nobody gets the wrong one.
#[test]
fn what_cannot_be_converted_is_asked_for_in_its_own_form() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let odd = r#"{"object":"text_completion","choices":[{"index":0,"finish_reason":"stop"}]}"#;
    provider.next(Reply::new(200, &[], odd));
    let object = gateway.send(&ask("completions", "odd")).expect_status(200);
    assert_eq!(object.text(), odd);
    let stream = gateway.send(&ask_stream("completions", "odd")).expect_status(200);
    assert_eq!(stream.cache(), "MISS", "{stream}");
    assert!(!said(&stream).is_empty());
    assert_eq!(provider.num_calls(), 2);
}

/// Errors have one form; a follower in the other form gets them as they are.
#[test]
fn errors_are_the_same_in_both_forms() {
    let provider = Provider::scripted(|_| Reply::new(400, &[], r#"{"error":{"message":"no"}}"#));
    let gateway = Gateway::patient().upstream(&provider).start();
    for request in [ask("chat/completions", "bad"), ask_stream("chat/completions", "bad")] {
        let refused = gateway.send(&request).expect_status(400);
        assert_eq!(refused.json()["error"]["message"], "no", "{refused}");
    }
    assert_eq!(provider.num_calls(), 2);
}

/// A route may pace the replay of a kept stream; its bytes are the same.
#[test]
fn a_replay_may_be_paced() {
    let provider = Provider::start();
    let gateway = Gateway::patient()
        .upstream(&provider)
        .config(
            "routes:\n  - {name: chat, methods: [POST], path: /v1/chat/completions, profile: chat, \
             cache: true, replay_interval: 1ms}\n",
        )
        .start();
    let request = ask_stream("chat/completions", "paced");
    let miss = gateway.send(&request).expect_status(200);
    for _ in 0..2 {
        let mut hit = gateway.open(&request);
        assert_eq!(hit.headers.get("x-cache"), Some("HIT"));
        let mut pieces = Vec::new();
        while let Some(piece) = hit.next() {
            pieces.push(piece);
        }
        assert!(pieces.len() > 3, "{pieces:?}");
        assert_eq!(pieces.concat(), miss.body);
    }
}
