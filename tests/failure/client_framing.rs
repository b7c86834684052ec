//! Requests that two parsers could read differently: none reaches the provider in two readings.

use std::io::ErrorKind;

use crate::support::client::{Connection, Request};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::Provider;

const BODY: &str = r#"{"model":"m","messages":[{"role":"user","content":"seen"}]}"#;

/// Sends `bytes`; returns the statuses that came until the gateway closed.
fn statuses(gateway: &Gateway, bytes: &str) -> Vec<u16> {
    let mut connection = Connection::open(gateway.api());
    connection.write(bytes.as_bytes()).expect("a listening gateway");
    let request = Request::post("/", "");
    let mut statuses = Vec::new();
    loop {
        match connection.answer(&request) {
            Ok(answer) => statuses.push(answer.status),
            Err(error) => {
                assert_ne!(error.kind(), ErrorKind::WouldBlock, "still open after {bytes}");
                return statuses;
            }
        }
    }
}

#[test]
fn ambiguous_framing_is_refused_and_hides_no_request() {
    let provider = Provider::start();
    // Silent connections close soon, so that a case that does not close at once still ends.
    let gateway = Gateway::builder()
        .upstream(&provider)
        .env("ANTEROOM__SERVER__KEEP_ALIVE", "1s")
        .env("ANTEROOM__SERVER__HEAD_TIMEOUT", "1s")
        .env("ANTEROOM__SERVER__BODY_TIMEOUT", "1s")
        .start();
    let hidden = "POST /v1/hidden HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    let length = BODY.len();
    let chunk = format!("{length:x}\r\n{BODY}\r\n0\r\n\r\n");
    let sized = |line: &str| format!("{line}\r\n\r\n{BODY}{hidden}");
    let chunked = |line: &str| format!("{line}\r\n\r\n{chunk}{hidden}");
    let chunks = |chunks: &str| format!("Transfer-Encoding: chunked\r\n\r\n{chunks}{hidden}");
    let cases = [
        chunked("Content-Length: 5\r\nTransfer-Encoding: chunked"),
        chunked("Transfer-Encoding: chunked\r\nContent-Length: 5"),
        sized(&format!("Content-Length: {length}\r\nTransfer-Encoding: identity")),
        sized(&format!("Content-Length: {length}\r\nContent-Length: 0")),
        sized(&format!("Content-Length: 0\r\nContent-Length: {length}")),
        sized(&format!("Content-Length: {length}, {length}")),
        sized(&format!("Content-Length: +{length}")),
        sized(&format!("Content-Length: -{length}")),
        sized(&format!("Content-Length: 0x{length:x}")),
        sized(&format!("Content-Length: {length} 0")),
        sized("Content-Length: 99999999999999999999"),
        sized("Content-Length:"),
        sized(&format!("Content-Length : {length}")),
        sized(&format!("Content-Length\t: {length}")),
        sized(&format!(" Content-Length: {length}")),
        chunked("Transfer-Encoding : chunked"),
        chunked("Transfer-Encoding:\r\n chunked"),
        chunked("Transfer-Encoding: xchunked"),
        chunked("Transfer-Encoding: chunked, identity"),
        chunked("Transfer-Encoding: chunked, chunked"),
        chunked("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
        chunked("Transfer-Encoding: \x0bchunked"),
        chunked("X: a\0b\r\nTransfer-Encoding: chunked"),
        chunked("X: a\rTransfer-Encoding: chunked"),
        chunks("xyz\r\nno size\r\n0\r\n\r\n"),
        chunks("\r\n\r\n0\r\n\r\n"),
        chunks("-1\r\na\r\n0\r\n\r\n"),
        chunks("0x5\r\n{   }\r\n0\r\n\r\n"),
        chunks("5_0\r\n{   }\r\n0\r\n\r\n"),
        chunks("fffffffffffffffff5\r\n{   }\r\n0\r\n\r\n"),
        chunks("2\r\n{}too long\r\n0\r\n\r\n"),
        chunks("2\n{}\n0\n\n"),
        chunks("2\r\n{}\n0\r\n\r\n"),
        chunks("2;a\nb\r\n{}\r\n0\r\n\r\n"),
    ];
    for case in &cases {
        for path in ["/v1/chat/completions", "/v1/moderations"] {
            let bytes = format!("POST {path} HTTP/1.1\r\nHost: h\r\n{case}");
            let statuses = statuses(&gateway, &bytes);
            let is_refused = statuses.is_empty() || statuses == [400];
            assert!(is_refused, "{statuses:?} to {bytes}\n{}", provider.log());
        }
    }
    let seen = provider.calls().iter().any(|call| call.target.contains("hidden"));
    assert!(!seen, "{}", provider.log());
    gateway.chat(prompt("the next one")).expect_status(200);
}

#[test]
fn a_body_is_never_read_as_the_next_request() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let hidden = "POST /v1/hidden HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    for path in ["/v1/chat/completions", "/v1/moderations", "/nowhere"] {
        let mut connection = Connection::open(gateway.api());
        let request = Request::post(path, hidden);
        let first = connection.send(&request);
        assert!(first.status < 500, "{first}");
        // Refused or passed on; the connection is closed, or in step.
        let next = Request::get("/health/live");
        let head = "GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n";
        if connection.write(head.as_bytes()).is_ok()
            && let Ok(second) = connection.answer(&next)
        {
            assert_eq!(second.json()["status"], "live", "{path}: {second}");
        }
    }
    let is_hidden = |target: &str| target.contains("hidden");
    assert!(!provider.calls().iter().any(|call| is_hidden(&call.target)), "{}", provider.log());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let mut connection = Connection::open(gateway.api());
    let mut bytes = String::new();
    for number in 0..5 {
        let body = prompt(&format!("question {number}")).to_string();
        let length = body.len();
        bytes += &format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}"
        );
    }
    connection.write(bytes.as_bytes()).expect("an open connection");
    let request = Request::post("/v1/chat/completions", "");
    for number in 0..5 {
        let answer = connection.answer(&request).expect("an answer").expect_status(200);
        let alone = Request::post("/v1/chat/completions", prompt(&format!("question {number}")));
        assert_eq!(gateway.send(&alone).body, answer.body, "{number}");
    }
    assert_eq!(provider.num_calls(), 5, "{}", provider.log());
}

#[test]
fn headers_of_one_connection_stay_on_it_and_connection_removes_nothing_that_counts() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let named = "close, X-Private, Authorization, Host, Content-Length, Content-Type, X-Api-Key";
    for path in ["/v1/chat/completions", "/v1/moderations"] {
        let request = Request::post(path, BODY)
            .bearer("sk-test")
            .header("X-Api-Key", "key")
            .header("Connection", named)
            .header("X-Private", "of this connection")
            .header("X-Own", "of the caller")
            .header("Keep-Alive", "timeout=5")
            .header("TE", "trailers")
            .header("Trailer", "X-Late")
            .header("Proxy-Authorization", "Basic c2VjcmV0")
            .header("Proxy-Connection", "keep-alive")
            .header("X-Forwarded-Host", "evil.example");
        gateway.send(&request).expect_status(200);
        let call = provider.calls().pop().expect("a call");
        for gone in [
            "x-private",
            "keep-alive",
            "te",
            "trailer",
            "proxy-authorization",
            "proxy-connection",
            "transfer-encoding",
        ] {
            assert_eq!(call.headers.get(gone), None, "{path}: {gone}: {:?}", call.headers);
        }
        assert_eq!(call.headers.all("host"), [provider.address()], "{path}");
        assert_eq!(call.headers.all("content-length"), [BODY.len().to_string()], "{path}");
        assert_eq!(call.headers.all("authorization"), ["Bearer sk-test"], "{path}");
        assert_eq!(call.headers.all("x-api-key"), ["key"], "{path}");
        assert_eq!(call.headers.all("content-type"), ["application/json"], "{path}");
        assert_eq!(call.text(), BODY, "{path}");
        // What is not in the key does not reach the provider of a cached route.
        let own = call.headers.get("x-own");
        let forwarded = call.headers.get("x-forwarded-host");
        if path == "/v1/moderations" {
            assert_eq!(own, Some("of the caller"));
        } else {
            assert_eq!((own, forwarded), (None, None), "{:?}", call.headers);
        }
    }
}

#[test]
fn expect_is_answered_by_the_gateway_and_not_sent_on() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    for path in ["/v1/chat/completions", "/v1/moderations"] {
        let mut connection = Connection::open(gateway.api());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            BODY.len()
        );
        connection.write(head.as_bytes()).expect("an open connection");
        let request = Request::post(path, "");
        let interim = connection.answer(&request).expect("an interim answer");
        assert_eq!(interim.status, 100, "{interim}");
        connection.write(BODY.as_bytes()).expect("an open connection");
        connection.answer(&request).expect("an answer").expect_status(200);
        let call = provider.calls().pop().expect("a call");
        assert_eq!(call.headers.get("expect"), None, "{:?}", call.headers);
    }
    let unknown = chat(prompt("a question")).header("Expect", "the-unexpected");
    assert!(gateway.send(&unknown).status < 500);
}
