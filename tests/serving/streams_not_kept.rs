//! Streams that are not whole are passed on, visibly cut where they were cut, and never kept.
//! A-30; A-34, A-35 and A-37 for streams; rows "stream cut" to "stream stalls" of the faults.

use super::apis::ask_stream;
use crate::support::client::Request;
use crate::support::gateway::Gateway;
use crate::support::provider::{Fault, Gate, Provider, Reply};

fn chunk(delta: &str, reason: &str) -> String {
    format!(r#"data: {{"choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}"#)
}

const DONE: &str = "data: [DONE]";

/// The events of a message up to its end.
fn message(stop_reason: &str) -> Vec<String> {
    let event =
        |name: &str, rest: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{rest}}}");
    vec![
        event("message_start", r#","message":{"usage":{"input_tokens":1,"output_tokens":1}}"#),
        event("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#),
        event("content_block_delta", r#","index":0,"delta":{"type":"text_delta","text":"x"}"#),
        event("content_block_stop", r#","index":0"#),
        event("message_delta", &format!(r#","delta":{{"stop_reason":{stop_reason}}}"#)),
        event("message_stop", ""),
    ]
}

/// Streams that end properly as bodies and are not what their API calls whole.
fn not_whole() -> Vec<(&'static str, &'static str, Vec<String>)> {
    let role = || chunk(r#"{"role":"assistant"}"#, "null");
    let text = |reason: &str| chunk(r#"{"content":"x"}"#, reason);
    let call = r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":"}}]}"#;
    let error = r#"data: {"error":{"message":"overloaded","type":"server_error"}}"#;
    let done = || DONE.to_owned();
    let cut = |mut events: Vec<String>| {
        events.pop();
        events
    };
    let response = |name: &str, response: &str| {
        format!("event: {name}\ndata: {{\"type\":\"{name}\",\"response\":{response}}}")
    };
    vec![
        ("chat/completions", "without [DONE]", vec![role(), text(r#""stop""#)]),
        ("chat/completions", "without a reason", vec![role(), text("null"), done()]),
        ("chat/completions", "length", vec![role(), text(r#""length""#), done()]),
        ("chat/completions", "filter", vec![role(), text(r#""content_filter""#), done()]),
        ("chat/completions", "nothing said", vec![role(), chunk("{}", r#""stop""#), done()]),
        ("chat/completions", "no choices", vec![r#"data: {"choices":[]}"#.into(), done()]),
        ("chat/completions", "an error", vec![role(), error.into(), done()]),
        (
            "chat/completions",
            "bad arguments",
            vec![role(), chunk(call, "null"), chunk("{}", r#""tool_calls""#), done()],
        ),
        ("chat/completions", "only [DONE]", vec![done()]),
        ("chat/completions", "nothing", vec![]),
        ("chat/completions", "no JSON", vec!["data: {\"choices\":[".into(), done()]),
        ("completions", "without [DONE]", vec![r#"data: {"choices":[{"text":"x"}]}"#.into()]),
        ("messages", "without its stop", cut(message(r#""end_turn""#))),
        ("messages", "max_tokens", message(r#""max_tokens""#)),
        ("messages", "a refusal", message(r#""refusal""#)),
        (
            "messages",
            "an error event",
            vec!["event: error\ndata: {\"type\":\"error\",\"error\":{}}".into()],
        ),
        ("responses", "without its end", vec![response("response.created", "{}")]),
        (
            "responses",
            "incomplete",
            vec![response(
                "response.incomplete",
                r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}"#,
            )],
        ),
        (
            "responses",
            "failed",
            vec![response(
                "response.failed",
                r#"{"status":"failed","error":{"code":"server_error"}}"#,
            )],
        ),
    ]
}

#[test]
fn streams_that_their_api_would_not_call_whole_are_passed_on_and_asked_for_again() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for (api, what, events) in not_whole() {
        let request = ask_stream(api, what);
        let whole: String = events.iter().map(|event| format!("{event}\n\n")).collect();
        let calls = provider.num_calls();
        for _ in 0..2 {
            provider.next(Reply::events(&events));
            let answer = gateway.send(&request).expect_status(200);
            assert_eq!((answer.cache().as_str(), answer.text()), ("MISS", whole.clone()), "{what}");
        }
        assert_eq!(provider.num_calls(), calls + 2, "{api}: {what}");
        // It is the answer that was not kept: a whole one to the same request is.
        assert_eq!(gateway.send(&request).expect_status(200).cache(), "MISS", "{api}: {what}");
        assert_eq!(gateway.send(&request).cache(), "HIT L1", "{api}: {what}");
    }
}

#[test]
fn a_stream_that_ends_within_an_event_is_not_kept() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let events = [chunk(r#"{"content":"x"}"#, r#""stop""#), DONE.to_owned()].join("\n\n");
    let request = ask_stream("chat/completions", "no blank line");
    for _ in 0..2 {
        provider.next(Reply::new(200, &[("Content-Type", "text/event-stream")], &events));
        let answer = gateway.send(&request).expect_status(200);
        assert_eq!((answer.cache().as_str(), answer.text()), ("MISS", events.clone()));
    }
}

#[test]
fn a_stream_that_was_cut_is_visibly_cut_and_not_kept() {
    let provider = Provider::start();
    let gateway = Gateway::patient()
        .upstream(&provider)
        .env("ANTEROOM__UPSTREAMS__DEFAULT__IDLE_TIMEOUT", "300ms")
        .start();
    for fault in [Fault::CutStream, Fault::StallStream] {
        let request = ask_stream("chat/completions", &format!("{fault:?}"));
        for _ in 0..2 {
            let gate = Gate::closed();
            provider.next(Reply::from(fault).gated(&gate));
            let mut cut = gateway.open(&request);
            assert_eq!((cut.status, cut.headers.get("x-cache")), (200, Some("MISS")));
            for _ in 0..2 {
                gate.pass_one();
                let event = cut.next_event().expect("what came before the cut");
                assert!(event.starts_with("data: {"), "{event}");
            }
            gate.open();
            let end = cut.try_next();
            assert!(end.is_err(), "{fault:?} ended as if it were whole: {end:?}");
        }
        assert_eq!(gateway.send(&request).expect_status(200).cache(), "MISS", "{fault:?}");
        assert_eq!(gateway.send(&request).expect_status(200).cache(), "HIT L1", "{fault:?}");
    }
    gateway.wait_until("no call goes on", |health| {
        let fetcher = crate::support::gateway::actor(health, "fetch-0");
        fetcher.is_some_and(|fetcher| fetcher["pending"] == 0)
    });
}

#[test]
fn streams_with_an_error_or_a_clean_early_end_are_passed_on_and_not_kept() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for fault in [Fault::CutClean, Fault::StreamError] {
        let request = ask_stream("chat/completions", &format!("{fault:?}"));
        for _ in 0..2 {
            provider.next(fault);
            let answer = gateway.send(&request).expect_status(200);
            assert_eq!(answer.cache(), "MISS", "{answer}");
            assert!(answer.text().starts_with("data: {"), "{answer}");
            let has_error = answer.text().contains("the model failed");
            assert_eq!(has_error, fault == Fault::StreamError, "{answer}");
        }
    }
    assert_eq!(provider.num_calls(), 4);
}

/// What came before the cut is not lost with it, however close behind it the cut is.
#[test]
fn the_last_events_before_a_cut_reach_the_caller() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let events = [chunk(r#"{"role":"assistant"}"#, "null"), chunk(r#"{"content":"x"}"#, "null")];
    let chunks: String =
        events.iter().map(|event| format!("{:x}\r\n{event}\n\n\r\n", event.len() + 2)).collect();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
        Transfer-Encoding: chunked\r\n\r\n";
    for number in 0..10 {
        provider.next(Reply::raw(format!("{head}{chunks}")).then_close());
        // Both ways: by a flight, and past the cache.
        let answer = gateway.send(&match number % 2 {
            0 => ask_stream("chat/completions", &format!("cut {number}")),
            _ => Request::get("/v1/files/events").bearer("k"),
        });
        assert_eq!(answer.status, 200, "{answer}");
        assert!(answer.cut.is_some(), "{answer}");
        assert_eq!(answer.text(), events.join("\n\n") + "\n\n");
    }
}

/// Followers see the same cut as the leader: nobody takes half an answer for a whole one.
#[test]
fn followers_of_a_stream_that_is_cut_see_the_cut() {
    let provider = Provider::start();
    let gate = Gate::closed();
    let gateway = Gateway::patient().upstream(&provider).start();
    provider.next(Reply::from(Fault::CutStream).gated(&gate));
    let request = ask_stream("chat/completions", "cut for all");
    let mut leader = gateway.open(&request);
    gate.pass_one();
    let first = leader.next_event();
    let mut follower = gateway.open(&request);
    assert_eq!(follower.next_event(), first);
    gate.pass_one();
    let second = leader.next_event();
    assert_eq!(follower.next_event(), second);
    gate.open();
    for mut reader in [leader, follower] {
        assert!(reader.try_next().is_err(), "no cut");
    }
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
}
