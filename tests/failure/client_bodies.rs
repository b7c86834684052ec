//! Callers send bodies that are too large, or that are no JSON.

use std::io::ErrorKind;

use serde_json::{Value, json};

use crate::support::client::{Connection, Request, Response};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::Provider;

const LIMIT: usize = 64 * 1024;

fn limited(provider: &Provider) -> Gateway {
    Gateway::builder().upstream(provider).env("ANTEROOM__SERVER__MAX_BODY", "64KiB").start()
}

/// Checks an error of the gateway's own in the form of the path's API.
#[track_caller]
fn is_refused(answer: &Response, path: &str, status: u16, code: &str) {
    assert!(answer.cut.is_none(), "{answer}");
    assert_eq!(answer.status, status, "{path}: {answer}");
    let body = answer.json();
    let error = &body["error"];
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
    if path == "/v1/messages" {
        let kind = if status == 413 { "request_too_large" } else { "invalid_request_error" };
        assert_eq!((&body["type"], &error["type"]), (&json!("error"), &json!(kind)), "{answer}");
    } else {
        let form = (&error["type"], &error["code"], &error["param"]);
        let expected = (&json!("invalid_request_error"), &json!(code), &Value::Null);
        assert_eq!(form, expected, "{answer}");
    }
}

/// Sends the bytes and reads the one answer, after which the connection is closed.
#[track_caller]
fn only_answer(gateway: &Gateway, bytes: &[u8]) -> Response {
    let request = Request::post("/", "");
    let mut connection = Connection::open(gateway.api());
    connection.write(bytes).expect("a listening gateway");
    let answer = connection.answer(&request).expect("an answer");
    match connection.answer(&request) {
        Ok(next) => panic!("a second answer: {next}"),
        Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "still open after {answer}"),
    }
    answer
}

#[test]
fn a_body_that_is_announced_as_too_large_is_refused_before_it_comes() {
    let provider = Provider::start();
    let gateway = limited(&provider);
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let head = |length: usize| {
            format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n")
        };
        let answer = only_answer(&gateway, head(LIMIT + 1).as_bytes());
        is_refused(&answer, path, 413, "body_too_large");
        assert_eq!(answer.header("connection"), Some("close"), "{answer}");
        let answer = only_answer(&gateway, head(usize::MAX).as_bytes());
        is_refused(&answer, path, 413, "body_too_large");
    }
    assert_eq!(provider.num_calls(), 0, "{}", provider.log());
}

#[test]
fn a_body_in_chunks_is_refused_at_its_first_byte_too_many() {
    let provider = Provider::start();
    let gateway = limited(&provider);
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        let half = LIMIT / 2;
        let chunk = format!("{half:x}\r\n{}\r\n", " ".repeat(half));
        let answer = only_answer(&gateway, format!("{head}{chunk}{chunk}1\r\n \r\n").as_bytes());
        is_refused(&answer, path, 413, "body_too_large");
    }
    assert_eq!(provider.num_calls(), 0, "{}", provider.log());
}

#[test]
fn a_body_of_exactly_the_limit_is_taken_whole_and_in_chunks() {
    let provider = Provider::start();
    let gateway = limited(&provider);
    let mut body = prompt("a question").to_string();
    body.push_str(&" ".repeat(LIMIT - body.len()));
    gateway.chat(&body).expect_status(200);
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let request = chat("").header("Transfer-Encoding", "chunked").body(chunked);
    let answer = gateway.send(&request).expect_status(200);
    // The bytes are the same, so the question is.
    assert_eq!(answer.cache(), "HIT L1", "{answer}");
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
}

#[test]
fn bodies_past_the_cache_may_be_larger_and_stream_through() {
    let provider = Provider::start();
    let gateway = limited(&provider);
    let body = vec![b'f'; 24 << 20];
    let request = Request::new("POST", "/v1/files").body(body).header("Content-Type", "text/plain");
    let before = gateway.rss_bytes();
    gateway.send(&request).expect_status(200);
    let chunked: Vec<u8> =
        [b"1000000\r\n".as_slice(), &vec![b'f'; 1 << 24], b"\r\n0\r\n\r\n"].concat();
    let request = Request::new("PUT", "/v1/files").header("Transfer-Encoding", "chunked");
    gateway.send(&request.body(chunked)).expect_status(200);
    let lengths: Vec<_> = provider.calls().iter().map(|call| call.body.len()).collect();
    assert_eq!(lengths, [24 << 20, 1 << 24]);
    let grown = gateway.rss_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "grew by {grown} bytes");
}

#[test]
fn what_is_no_json_is_refused_and_never_sent_on() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let deep = "[".repeat(100_000);
    let cases: [(&str, &[u8]); 10] = [
        ("a cut object", b"{\"model\":\"m\",\"messages\":["),
        ("text", b"what is the capital of France?"),
        ("two values", b"{} {}"),
        ("NaN", b"{\"temperature\":NaN}"),
        ("infinity", b"{\"temperature\":-Infinity}"),
        ("a trailing comma", b"{\"model\":\"m\",}"),
        ("single quotes", b"{'model':'m'}"),
        ("a byte that is no UTF-8", b"{\"model\":\"\xff\"}"),
        ("a raw control character", b"{\"model\":\"a\nb\"}"),
        ("a hundred thousand brackets", deep.as_bytes()),
    ];
    for path in ["/v1/chat/completions", "/v1/messages", "/v1/embeddings"] {
        for (what, body) in cases {
            let request = Request::post(path, "").bearer("sk-test").body(body);
            let answer = gateway.send(&request);
            is_refused(&answer, path, 400, "invalid_json");
            assert_eq!(answer.cache(), "BYPASS", "{what}: {answer}");
            assert!(!answer.text().contains("capital"), "prompts are not repeated: {answer}");
        }
    }
    let whole = format!("{deep}{}", "]".repeat(100_000));
    is_refused(&gateway.chat(whole), "/v1/chat/completions", 400, "invalid_json");
    assert_eq!(provider.num_calls(), 0, "{}", provider.log());
    gateway.chat(prompt("the process lives")).expect_status(200);
}

#[test]
fn members_that_come_twice_have_no_single_meaning() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    for body in [
        r#"{"model":"a","messages":[],"model":"b"}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"x","content":"y"}]}"#,
        r#"{"model":"a","messages":[],"mode\u006c":"b"}"#,
    ] {
        let answer = gateway.chat(body);
        is_refused(&answer, "/v1/chat/completions", 400, "invalid_json");
    }
    assert_eq!(provider.num_calls(), 0, "{}", provider.log());
}

#[test]
fn numbers_go_upstream_digit_for_digit_and_never_share_a_key() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let numbers = [
        "18446744073709551616",
        "18446744073709551617",
        "0.1",
        "0.1000000000000000055511151231257827",
        "1e400",
        "1e401",
        "-0.0000000000000000000000000000001",
        "123456789012345678901234567890.5",
    ];
    for number in numbers {
        let body = format!(r#"{{"model":"m","messages":[],"seed":{number}}}"#);
        let answer = gateway.chat(&body).expect_status(200);
        assert_eq!(answer.cache(), "MISS", "{number}: {answer}");
        assert_eq!(provider.calls().last().expect("a call").text(), body);
    }
    assert_eq!(provider.num_calls(), numbers.len(), "{}", provider.log());
}

#[test]
fn a_body_that_is_not_what_its_encoding_says_is_refused_and_past_the_cache_sent_on_as_it_is() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let packed = b"\x1f\x8b\x08 whatever this is".to_vec();
    let request = chat("").header("Content-Encoding", "gzip").body(packed.clone());
    for _ in 0..2 {
        let refused = gateway.send(&request).expect_status(400);
        assert_eq!(refused.json()["error"]["code"], "compressed_body_damaged", "{refused}");
    }
    assert_eq!(provider.num_calls(), 0, "{}", provider.log());
    let uncached = Request { target: "/v1/files".to_owned(), ..request };
    gateway.send(&uncached).expect_status(200);
    let call = provider.calls().pop().expect("a call");
    assert_eq!((call.body, call.headers.get("content-encoding")), (packed, Some("gzip")));
}
