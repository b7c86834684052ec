//! What the gateway does not cache it passes on untouched, body and all.

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};

use super::apis::{KEY, post};
use crate::support::client::{Connection, Request};
use crate::support::deadline::PATIENCE;
use crate::support::gateway::Gateway;
use crate::support::listener::Listener;
use crate::support::provider::{Call, Provider, Reply};
use crate::support::wire::{Framing, Wire};

fn echo(call: &Call) -> Reply {
    let kind = call.headers.get("content-type").unwrap_or("text/plain");
    let headers = [
        ("Content-Type", kind),
        ("X-Method", call.method.as_str()),
        ("X-Dup", "1"),
        ("X-Dup", "2"),
    ];
    Reply::new(207, &headers, &call.body)
}

#[test]
fn other_paths_under_v1_pass_with_method_query_headers_and_body_and_are_never_kept() {
    let provider = Provider::scripted(echo);
    let gateway = Gateway::patient().upstream(&provider).start();
    let mut calls = 0;
    for (method, target) in [
        ("GET", "/v1/files?limit=2&after=%2Fa%20b&after=c"),
        ("POST", "/v1/files"),
        ("DELETE", "/v1/files/file-1"),
        ("PUT", "/v1/x;y=1/z%2e%2e//w"),
        ("PATCH", "/v1/threads/1"),
        ("GET", "/v1/chat/completions"),
        ("GET", "/v1/responses/resp_1"),
    ] {
        let body: &[u8] =
            if method == "GET" { b"" } else { b"\x00 any \xff bytes { \"a\" : 1.0 }" };
        let request = Request::new(method, target)
            .bearer(KEY)
            .header("Content-Type", "application/x-any")
            .header("X-Of-The-Caller", "kept")
            .header("Cookie", "a=b")
            .body(body);
        for _ in 0..2 {
            let answer = gateway.send(&request).expect_status(207);
            assert_eq!(answer.body, body, "{answer}");
            assert_eq!(answer.header("x-cache"), None, "{answer}");
            assert_eq!(answer.header("cache-status"), None, "{answer}");
            assert_eq!(answer.header("x-method"), Some(method), "{answer}");
            assert_eq!(answer.headers.all("x-dup"), ["1", "2"], "{answer}");
            calls += 1;
            let seen = provider.calls().pop().expect("a call");
            assert_eq!((provider.num_calls(), seen.target.as_str()), (calls, target));
            for (name, value) in &request.headers.0 {
                assert_eq!(seen.headers.all(name), [value], "{}", provider.log());
            }
        }
    }
}

#[test]
fn a_head_request_passes_without_a_body() {
    let provider = Provider::scripted(|_| {
        Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nX-Of-Head: yes\r\n\r\n")
    });
    let gateway = Gateway::patient().upstream(&provider).start();
    let answer = gateway.send(&Request::new("HEAD", "/v1/files/file-1")).expect_status(200);
    assert_eq!(answer.header("x-of-head"), Some("yes"), "{answer}");
    assert_eq!(answer.header("content-length"), Some("12345"), "{answer}");
    assert_eq!(provider.calls()[0].method, "HEAD");
}

/// A provider of its own: it tells how many bytes of a body it has read, while it comes.
fn counting(counts: Sender<usize>) -> Listener {
    let counts = Mutex::new(counts);
    Listener::open(move |stream: TcpStream| {
        let counts = counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut wire = Wire::new(stream);
        let Ok(Some(head)) = wire.head() else { return };
        let mut framing = Framing::of_request(&head.headers);
        let mut total = 0;
        while let Ok(Some(piece)) = wire.piece(&mut framing) {
            total += piece.len();
            let _ = counts.send(total);
        }
        let text = total.to_string();
        let _ = write!(
            wire.stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
    })
}

#[test]
fn a_large_upload_reaches_the_provider_while_it_is_still_coming() {
    const PIECE: usize = 1 << 20;
    const PIECES: usize = 6;
    const HELD_BACK: usize = 64 << 10;
    let (sender, counts) = mpsc::channel();
    let provider = counting(sender);
    // The bound on bodies is for those that are read whole.
    let gateway = Gateway::patient()
        .env("ANTEROOM_UPSTREAM_URL", format!("http://{}", provider.address()))
        .env("ANTEROOM__SERVER__MAX_BODY", "64KiB")
        .start();
    let head = |framing: &str| {
        format!(
            "POST /v1/files HTTP/1.1\r\nHost: localhost\r\n{framing}\r\nConnection: close\r\n\r\n"
        )
    };
    for is_chunked in [false, true] {
        let framing = match is_chunked {
            true => "Transfer-Encoding: chunked".to_owned(),
            false => format!("Content-Length: {}", PIECE * PIECES),
        };
        let mut connection = Connection::open(gateway.api());
        connection.write(head(&framing).as_bytes()).expect("open");
        for sent in 1..=PIECES {
            let piece = vec![b'u'; PIECE];
            if is_chunked {
                connection.write(format!("{PIECE:x}\r\n").as_bytes()).expect("open");
            }
            connection.write(&piece).expect("open");
            if is_chunked {
                connection.write(b"\r\n").expect("open");
            }
            // The next piece is sent only once this one has arrived, but for what the client
            // library holds back until its buffer is full or the body ends.
            let arrived = sent * PIECE - HELD_BACK;
            while counts.recv_timeout(PATIENCE).expect("the upload is held up") < arrived {}
        }
        if is_chunked {
            connection.write(b"0\r\n\r\n").expect("open");
        }
        let answer = connection.answer(&Request::new("POST", "/v1/files")).expect("an answer");
        assert_eq!(answer.text(), (PIECE * PIECES).to_string(), "{answer}");
    }
    let whole = post("chat/completions", "x".repeat(65 << 10));
    let refused = gateway.send(&whole).expect_status(413);
    assert_eq!(refused.json()["error"]["code"], "body_too_large", "{refused}");
}

#[test]
fn a_large_download_passes_whole() {
    let body = vec![b'd'; 12 << 20];
    let sent = body.clone();
    let provider = Provider::scripted(move |_| {
        Reply::new(200, &[("Content-Type", "application/octet-stream")], &sent)
    });
    let gateway = Gateway::patient().upstream(&provider).start();
    let answer = gateway.send(&Request::get("/v1/files/f/content").bearer(KEY)).expect_status(200);
    assert!(answer.body == body, "{} bytes of {}", answer.body.len(), body.len());
}
