//! Callers who are slow, or silent.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::support::client::{Connection, Request};
use crate::support::deadline::PATIENCE;
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::Provider;

const HEAD: &str = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n";

fn impatient(provider: &Provider) -> Gateway {
    Gateway::builder()
        .upstream(provider)
        .env("ANTEROOM__SERVER__HEAD_TIMEOUT", "1s")
        .env("ANTEROOM__SERVER__BODY_TIMEOUT", "300ms")
        .env("ANTEROOM__SERVER__KEEP_ALIVE", "1s")
        .start()
}

/// Writes `bytes`, serves others meanwhile, and returns all that came until the gateway closed.
fn said_until_closed(gateway: &Gateway, bytes: &str) -> String {
    let mut stream = TcpStream::connect(gateway.api()).expect("a listening gateway");
    stream.set_read_timeout(Some(PATIENCE)).expect("a wait above zero");
    stream.write_all(bytes.as_bytes()).expect("an open connection");
    gateway.chat(prompt("others are served")).expect_status(200);
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            panic!("still open after {bytes:?}: {:?}", String::from_utf8_lossy(&said))
        }
        Ok(_) | Err(_) => String::from_utf8_lossy(&said).into_owned(),
    }
}

#[test]
fn a_head_that_does_not_come_is_given_up() {
    let provider = Provider::start();
    let gateway = impatient(&provider);
    let parts = ["", "P", "POST /v1/chat/completions HTTP/1.1\r\n", HEAD, "GET / HTTP/1.1\r\nHo"];
    let gateway = &gateway;
    std::thread::scope(|scope| {
        for part in parts {
            scope.spawn(move || {
                let said = said_until_closed(gateway, part);
                assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{part:?}: {said}");
            });
        }
    });
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
}

#[test]
fn a_connection_without_another_request_is_closed() {
    let provider = Provider::start();
    let gateway = impatient(&provider);
    let mut connection = Connection::open(gateway.api());
    let request = Request::get("/health/live");
    connection.send(&request).expect_status(200);
    let closed = connection.answer(&request).expect_err("no answer without a request");
    assert_ne!(closed.kind(), io::ErrorKind::WouldBlock, "still open");
}

#[test]
fn a_body_that_does_not_come_is_a_408_and_the_connection_closes() {
    let provider = Provider::start();
    let gateway = impatient(&provider);
    let framings = ["Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a"];
    let gateway = &gateway;
    std::thread::scope(|scope| {
        for path in ["/v1/chat/completions", "/v1/messages", "/v1/files"] {
            for framing in framings {
                scope.spawn(move || a_late_body_is_a_408(gateway, path, framing));
            }
        }
    });
    let errors = gateway.metric("anteroom_upstream_errors_total", &[]).unwrap_or(0.0);
    assert_eq!(errors, 0.0, "not the provider's fault");
    super::upstream_outcome::is_at_rest(gateway);
}

fn a_late_body_is_a_408(gateway: &Gateway, path: &str, framing: &str) {
    let said = said_until_closed(gateway, &format!("POST {path} HTTP/1.1\r\nHost: h\r\n{framing}"));
    assert!(said.starts_with("HTTP/1.1 408"), "{path} {framing:?}: {said}");
    let body = said.split("\r\n\r\n").nth(1).unwrap_or_default();
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    if path == "/v1/messages" {
        assert_eq!(body["type"], "error", "{said}");
    } else {
        assert_eq!(body["error"]["code"], "body_timed_out", "{said}");
    }
}

#[test]
fn many_idle_connections_keep_nobody_waiting() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let before = gateway.rss_bytes();
    let idle: Vec<_> = (0..500).map(|_| Connection::open(gateway.api())).collect();
    gateway.chat(prompt("a question")).expect_status(200);
    let mut kept = Connection::open(gateway.api());
    kept.send(&Request::get("/health/live")).expect_status(200);
    kept.send(&chat(prompt("a question"))).expect_status(200);
    let each = gateway.rss_bytes().saturating_sub(before) / 500;
    assert!(each < 30 * 1024, "{each} bytes a connection");
    drop(idle);
}

#[test]
fn a_reader_who_reads_nothing_holds_up_nobody_and_leaves_when_it_leaves() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let large = crate::support::provider::Fault::Huge(4 << 20);
    provider.next(large);
    let mut silent = Connection::open(gateway.api());
    let body = prompt("a large question").to_string();
    let head = format!("{HEAD}Content-Length: {}\r\n\r\n{body}", body.len());
    silent.write(head.as_bytes()).expect("an open connection");
    provider.wait_for_calls(1);
    for number in 0..4 {
        gateway.chat(prompt(&format!("question {number}"))).expect_status(200);
    }
    // Without a credential, as the silent one.
    let again = Request::post("/v1/chat/completions", body);
    gateway.wait_until("the large answer kept", |health| {
        let l1 = crate::support::gateway::actor(health, "l1").expect("L1");
        l1["counters"]["entries"] == 5
    });
    assert_eq!(gateway.send(&again).expect_status(200).cache(), "HIT L1");
    drop(silent);
    super::upstream_outcome::is_at_rest(&gateway);
}
