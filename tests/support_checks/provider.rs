//! The provider and the client.

use std::io::ErrorKind;

use serde_json::json;

use crate::support::client::{Connection, Request};
use crate::support::gateway::{chat, prompt};
use crate::support::provider::{Gate, Provider, Reply};

#[test]
fn two_calls_get_different_answers_and_are_counted() {
    let provider = Provider::start();
    let mut connection = Connection::open(&provider.address());
    let first = connection.send(&chat(prompt("one"))).expect_status(200);
    let second = connection.send(&chat(prompt("two"))).expect_status(200);
    assert_ne!(first.json()["choices"], second.json()["choices"]);
    assert_eq!(provider.num_calls_to("/v1/chat/completions"), 2);
    assert_eq!(provider.num_calls_with("two"), 1);
    assert_eq!(provider.calls()[0].headers.get("AUTHORIZATION"), Some("Bearer sk-test"));
    assert!(provider.log().contains("the provider saw 2 calls"));
}

#[test]
fn each_api_is_answered_in_its_own_form() {
    let provider = Provider::start();
    let cases = [
        ("/v1/chat/completions", "chat.completion", "data: [DONE]"),
        ("/v1/completions", "text_completion", "data: [DONE]"),
        ("/v1/responses", "response", "event: response.completed\n"),
        ("/v1/messages", "message", "event: message_stop\n"),
    ];
    for (path, kind, last) in cases {
        let whole = Request::post(path, json!({})).send(&provider.address()).json();
        assert!(whole["object"] == kind || whole["type"] == kind, "{path}: {whole}");
        let mut stream = Request::post(path, json!({"stream": true})).open(&provider.address());
        let events: Vec<_> = std::iter::from_fn(|| stream.next_event()).collect();
        assert!(events.len() > 4, "{path}: {events:?}");
        assert!(events.iter().rev().take(1).all(|event| event.starts_with(last.trim_end())));
    }
    let body = json!({"input": ["a", "b"], "encoding_format": "base64"});
    let vectors = Request::post("/v1/embeddings", body).send(&provider.address()).json();
    // 900.0, 0.5, -0.25 as little-endian floats.
    assert_eq!(vectors["data"][0]["embedding"], "AABhRAAAAD8AAIC+");
    assert_eq!(vectors["data"][1]["index"], 1);
    let models = Request::get("/v1/models").send(&provider.address()).json();
    assert_eq!(models["data"][0]["id"], "test-model");
}

#[test]
fn a_gated_stream_comes_event_by_event() {
    let provider = Provider::start();
    let gate = Gate::closed();
    provider.next(Reply::events(["data: 1", "data: 2", "data: [DONE]"]).gated(&gate));
    let mut stream = Request::post("/v1/anything", "{}").open(&provider.address());
    assert_eq!(stream.status, 200);
    for expected in ["data: 1", "data: 2", "data: [DONE]"] {
        gate.pass_one();
        assert_eq!(stream.next_event().as_deref(), Some(expected));
    }
    gate.wait_for_someone();
    gate.open();
    assert_eq!(stream.next_event(), None);
}

#[test]
fn a_held_answer_waits_and_its_caller_may_leave() {
    let provider = Provider::start();
    let gate = Gate::closed();
    provider.next(Reply::from(json!({"held": true})).held_by(&gate));
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| Request::post("/v1/x", "{}").send(&provider.address()));
        gate.wait_for_someone();
        provider.wait_for_calls(1);
        assert!(!caller.is_finished());
        gate.open();
        assert_eq!(caller.join().expect("an answer").json(), json!({"held": true}));
    });
    provider.next(Reply::events(["data: 1"; 3]).gated(&Gate::closed()));
    Request::post("/v1/x", "{}").open(&provider.address()).hang_up();
    assert_eq!(Request::post("/v1/x", "{}").send(&provider.address()).status, 200);
}

#[test]
fn a_stopped_provider_refuses_and_comes_back_on_its_port() {
    let mut provider = Provider::start();
    let address = provider.address();
    let mut connection = Connection::open(&address);
    connection.send(&Request::get("/v1/models")).expect_status(200);
    provider.stop();
    let refused = Request::get("/v1/models").try_open(&address).err().map(|error| error.kind());
    assert_eq!(refused, Some(ErrorKind::ConnectionRefused));
    let closed = connection.write(b"GET / HTTP/1.1\r\n\r\n");
    let answer = closed.and_then(|()| connection.answer(&Request::get("/")));
    assert!(answer.is_err(), "the open connection was closed too");
    provider.resume();
    Request::get("/v1/models").send(&address).expect_status(200);
    assert_eq!(provider.num_calls(), 2);
}
