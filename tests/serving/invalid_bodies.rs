//! A body without one meaning is refused before anyone is asked.

use super::apis::{ask, post};
use crate::support::client::{Connection, Request};
use crate::support::gateway::Gateway;
use crate::support::provider::Provider;

fn bodies_without_one_meaning() -> Vec<(&'static str, Vec<u8>)> {
    let deep =
        |open: &str, close: &str| (open.repeat(100_000) + &close.repeat(100_000)).into_bytes();
    vec![
        ("two members of one name", br#"{"model":"a","messages":[],"model":"b"}"#.to_vec()),
        ("the same, escaped", br#"{"model":"a","\u006dodel":"b"}"#.to_vec()),
        (
            "the same, deeper",
            br#"{"model":"a","messages":[{"role":"user","role":"system"}]}"#.to_vec(),
        ),
        ("the same, uncounted", br#"{"model":"a","user":"a","user":"b"}"#.to_vec()),
        ("NaN", br#"{"temperature":NaN}"#.to_vec()),
        ("Infinity", br#"{"temperature":-Infinity}"#.to_vec()),
        ("a leading nought", br#"{"temperature":01}"#.to_vec()),
        ("100,000 arrays", deep("[", "]")),
        ("100,000 objects", deep(r#"{"a":"#, "}")),
        ("a byte order mark", b"\xef\xbb\xbf{\"model\":\"a\"}".to_vec()),
        ("invalid UTF-8", b"{\"model\":\"\xff\"}".to_vec()),
        ("a cut body", br#"{"model":"a","messages":["#.to_vec()),
        ("a second value", br#"{"model":"a"} {"model":"b"}"#.to_vec()),
        ("a comma too many", br#"{"model":"a",}"#.to_vec()),
        ("a control character", b"{\"model\":\"a\nb\"}".to_vec()),
        ("a comment", br#"{"model":"a" /* b */}"#.to_vec()),
        ("no JSON", b"model=a".to_vec()),
        ("only space", b"  ".to_vec()),
    ]
}

#[test]
fn bodies_without_one_meaning_are_refused_in_the_form_of_the_api() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for (what, body) in bodies_without_one_meaning() {
        for api in ["chat/completions", "messages", "embeddings"] {
            let request = post(api, "").body(body.clone());
            let refused = gateway.send(&request);
            assert_eq!(refused.status, 400, "{api}: {what}\n{}", refused.text());
            let answer = refused.json();
            assert_eq!(answer["error"]["type"], "invalid_request_error", "{what}: {answer}");
            let message = answer["error"]["message"].as_str().unwrap_or_default();
            assert!(message.contains("JSON") && message.contains("byte"), "{what}: {answer}");
            if api == "messages" {
                assert_eq!(answer["type"], "error", "{what}: {answer}");
            } else {
                assert_eq!(answer["error"]["code"], "invalid_json", "{what}: {answer}");
            }
            assert_eq!(refused.header("x-cache"), Some("BYPASS"), "{what}");
        }
    }
    assert_eq!(provider.num_calls(), 0, "{}", provider.log());
    gateway.send(&ask("chat/completions", "still well")).expect_status(200);
}

#[test]
fn a_body_over_the_bound_is_refused_whether_its_length_is_said_or_not() {
    let provider = Provider::start();
    let gateway =
        Gateway::patient().upstream(&provider).env("ANTEROOM__SERVER__MAX_BODY", "4KiB").start();
    let said = gateway.send(&ask("messages", &"x".repeat(5_000))).expect_status(413);
    assert_eq!(said.json()["error"]["type"], "request_too_large", "{said}");
    assert_eq!(said.header("connection"), Some("close"), "{said}");
    let request = Request::new("POST", "/v1/chat/completions");
    let mut connection = Connection::open(gateway.api());
    let mut chunked = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\
        Transfer-Encoding: chunked\r\n\r\n"
        .to_vec();
    chunked.extend(format!("{:x}\r\n{}\r\n", 5_000, "x".repeat(5_000)).bytes());
    connection.write(&chunked).expect("open");
    let unsaid = connection.answer(&request).expect("an answer").expect_status(413);
    assert_eq!(unsaid.json()["error"]["code"], "body_too_large", "{unsaid}");
    assert_eq!(provider.num_calls(), 0);
    gateway.send(&ask("messages", "small")).expect_status(200);
}
