//! Streams pass event by event, are recorded whole, and come back as they were.
//! A-22 (events, not an object), A-23 (fields nobody knows), A-24 (each API), A-25 (usage),
//! A-26 (odd events), A-28 (nothing is held back).

use serde_json::json;

use super::apis::{STREAMED, ask, ask_stream, ask_stream_with_usage, body, post};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, chat};
use crate::support::provider::{self, Gate, Provider, Reply};

/// One route for an API that nobody knows.
const GENERIC: &str = "
routes:
  - {name: unknown, methods: [POST, GET], path: /v1/unknown, cache: true}
";

/// Events as providers really send them: a role alone, comments, keep-alives, fields of their own,
/// usage at the end, several lines of data.
const ODD: [&str; 12] = [
    r#"data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}"#,
    ": OPENROUTER PROCESSING",
    ":",
    r#"data: {"choices":[{"index":0,"delta":{"content":null,"reasoning_content":"Hm. "}}],"x":1.50}"#,
    r#"data: {"choices":[{"index":0,"delta":{"content":""}}]}"#,
    "id: 7\nretry: 3000\ndata: {\"choices\":[{\"index\":0,\n\
        data: \"delta\":{\"content\":\"caf\u{e9} \u{1f600}\"}}]}",
    r#"data: {"choices":[]}"#,
    "event: ping\ndata: ",
    ": keep-alive",
    r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop","stop_reason":null}]}"#,
    r#"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5,"cost":1e-07}}"#,
    "data: [DONE]",
];

fn text_of(events: &[&str]) -> String {
    events.iter().map(|event| format!("{event}\n\n")).collect()
}

#[test]
fn each_event_reaches_the_caller_before_the_provider_sends_the_next() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| provider::answer(call).gated(&held));
    let gateway = Gateway::patient().upstream(&provider).start();
    for api in STREAMED {
        let mut miss = gateway.open(&ask_stream(api, "one by one"));
        assert_eq!(miss.headers.get("x-cache"), Some("MISS"), "{:?}", miss.headers);
        let mut events = Vec::new();
        // The last one is followed by the end of the body, which waits at the gate, too.
        while events.last().is_none_or(|event: &String| !is_last(event)) {
            gate.pass_one();
            events.push(miss.next_event().expect("an event"));
        }
        assert!(events.len() > 4, "{api}: {events:?}");
        gate.pass_one();
        assert_eq!(miss.next_event(), None);
        let hit = gateway.send(&ask_stream(api, "one by one")).expect_status(200);
        assert_eq!(hit.cache(), "HIT L1", "{hit}");
        assert_eq!(hit.text(), events.join("\n\n") + "\n\n", "{api}");
        assert!(hit.header("content-type").unwrap_or_default().starts_with("text/event-stream"));
    }
}

fn is_last(event: &str) -> bool {
    event == "data: [DONE]"
        || event.starts_with("event: response.completed")
        || event.starts_with("event: message_stop")
}

/// A-23, A-25, A-26.
#[test]
fn odd_but_whole_streams_pass_and_are_replayed_byte_for_byte() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |_| Reply::events(ODD).gated(&held));
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let request = ask_stream_with_usage("chat/completions", "odd");
    let mut miss = gateway.open(&request);
    for event in ODD {
        gate.pass_one();
        assert_eq!(miss.next_event().as_deref(), Some(event));
    }
    gate.open();
    assert_eq!(miss.next_event(), None);
    let hit = gateway.send(&request).expect_status(200);
    assert_eq!((hit.cache(), hit.text()), ("HIT L1".into(), text_of(&ODD)), "{hit}");
    gateway.wait_for_writes();
    gateway.restart();
    let hit = gateway.send(&request).expect_status(200);
    assert_eq!((hit.cache(), hit.text()), ("HIT L3".into(), text_of(&ODD)), "{hit}");
    assert_eq!(provider.num_calls(), 1);
}

/// Chunks of the connection need not be events: what is cut anywhere is put together again.
#[test]
fn a_stream_that_comes_in_pieces_of_any_size_is_the_same_stream() {
    let whole = text_of(&ODD);
    let pieces: Vec<String> = whole
        .as_bytes()
        .chunks(7)
        .map(|piece| format!("{:x}\r\n{}\r\n", piece.len(), lossless(piece)))
        .collect();
    let body = pieces.concat() + "0\r\n\r\n";
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
        Transfer-Encoding: chunked\r\n\r\n";
    let bytes = unlossless(&(head.to_owned() + &body));
    let provider = Provider::scripted(move |_| Reply::raw(bytes.clone()));
    let gateway = Gateway::patient().upstream(&provider).start();
    for cache in ["MISS", "HIT L1"] {
        let answer =
            gateway.send(&ask_stream_with_usage("chat/completions", "pieces")).expect_status(200);
        assert_eq!((answer.cache().as_str(), answer.text()), (cache, whole.clone()));
    }
}

/// Bytes as text of one character each, as pieces may cut a character of UTF-8 in two.
fn lossless(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn unlossless(text: &str) -> Vec<u8> {
    text.chars().map(|sign| u8::try_from(u32::from(sign)).expect("a byte")).collect()
}

/// A-24: of an API that nobody knows, a clean end of the body is the end.
#[test]
fn a_stream_of_an_unknown_api_is_kept_as_opaque_events() {
    let events = ["event: delta\ndata: not JSON at all", ": note", "data: 1\ndata: 2", "data: end"];
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |_| Reply::events(events).gated(&held));
    let gateway = Gateway::patient().upstream(&provider).config(GENERIC).start();
    let request = Request::post("/v1/unknown", r#"{"any":["thing"]}"#).bearer("k");
    let mut miss = gateway.open(&request);
    for event in events {
        gate.pass_one();
        assert_eq!(miss.next_event().as_deref(), Some(event));
    }
    gate.open();
    assert_eq!(miss.next_event(), None);
    let hit = gateway.send(&request).expect_status(200);
    assert_eq!((hit.cache(), hit.text()), ("HIT L1".into(), text_of(&events)), "{hit}");
}

/// A-22: neither form is given where the other was asked for.
#[test]
fn neither_form_is_given_where_the_other_is_asked_for() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for api in STREAMED {
        for _ in 0..2 {
            let object = gateway.send(&ask(api, "both forms")).expect_status(200);
            assert_eq!(object.header("content-type"), Some("application/json"), "{object}");
            object.json();
            let stream = gateway.send(&ask_stream(api, "both forms")).expect_status(200);
            assert!(stream.text().contains("data: {"), "{stream}");
        }
        // Not streaming is the same as not saying so.
        let mut said = body(api, "both forms");
        said["stream"] = json!(false);
        assert_eq!(gateway.send(&post(api, said)).cache(), "HIT L1");
    }
    // Two of the four have answers that convert: one call serves both forms.
    assert_eq!(provider.num_calls(), 6, "{}", provider.log());
}

/// A-25: options of a stream change what comes, and not what is asked for.
#[test]
fn a_stream_with_usage_and_one_without_are_one_call() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let ask = |with_usage: bool| {
        gateway.send(&chat(json!({"model": "m", "messages": [{"role": "user", "content": "u"}],
            "stream": true, "stream_options": {"include_usage": with_usage}})))
    };
    let (with, without) = (ask(true), ask(false));
    assert_eq!((with.cache().as_str(), without.cache().as_str()), ("MISS", "HIT L1"));
    assert!(with.text().contains("total_tokens") && !without.text().contains("total_tokens"));
    assert_eq!(ask(true).body, with.body);
    assert_eq!(ask(false).body, without.body);
    assert_eq!(provider.num_calls(), 1);
}
