//! The provider's streams break: cut, stalled, wrongly framed, ended too early, or with an error.

use serde_json::json;

use super::upstream_outcome::{SECRET, is_at_rest};
use crate::support::client::{Incoming, Request};
use crate::support::gateway::{Gateway, prompt};
use crate::support::provider::{Fault, Gate, Provider, Reply};

/// The routes with streams, and one past the cache.
const PATHS: [&str; 5] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/threads/runs",
];

fn call(path: &str, text: &str) -> Request {
    let mut body = prompt(text);
    body["stream"] = json!(true);
    Request::post(path, body).bearer(SECRET)
}

/// Two events that begin a stream of the path's API.
fn beginning(path: &str) -> [String; 2] {
    match path {
        "/v1/messages" => [
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}".to_owned(),
            "event: ping\ndata: {\"type\":\"ping\"}".to_owned(),
        ],
        "/v1/responses" => ["created", "in_progress"].map(|kind| {
            format!("event: response.{kind}\ndata: {{\"type\":\"response.{kind}\",\"response\":{{}}}}")
        }),
        _ => ["one", "two"].map(|word| {
            format!("data: {{\"choices\":[{{\"index\":0,\"text\":\"{word}\",\"delta\":{{\"content\":\"{word}\"}}}}]}}")
        }),
    }
}

fn head() -> String {
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        .to_owned()
}

fn chunk(event: &str) -> String {
    format!("{:x}\r\n{event}\n\n\r\n", event.len() + 2)
}

/// A stream that begins well; `rest` follows as it is, then the connection closes.
fn broken(path: &str, rest: &str) -> Reply {
    let events: String = beginning(path).iter().map(|event| chunk(event)).collect();
    Reply::raw(format!("{}{events}{rest}", head())).then_close()
}

/// Reads the events up to the end; returns them, and whether the end was a proper one.
fn read(mut stream: Incoming) -> (Vec<String>, bool) {
    let mut body = Vec::new();
    let is_whole = loop {
        match stream.try_next() {
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    let text = String::from_utf8(body).expect("events are UTF-8");
    (text.split_terminator("\n\n").map(str::to_owned).collect(), is_whole)
}

fn impatient(provider: &Provider) -> Gateway {
    Gateway::builder()
        .upstream(provider)
        .env("ANTEROOM__UPSTREAMS__DEFAULT__IDLE_TIMEOUT", "400ms")
        .start()
}

/// Asks again: the provider is called, and its answer comes whole.
fn is_not_replayed(gateway: &Gateway, provider: &Provider, request: &Request, what: &str) {
    let before = provider.num_calls();
    let (events, is_whole) = read(gateway.open(request));
    assert!(is_whole && events.len() > 4, "{what}: {events:?}");
    assert_eq!(provider.num_calls(), before + 1, "{what}: {}", provider.log());
}

#[test]
fn a_stream_that_breaks_is_seen_to_break_after_its_last_event_and_is_not_replayed() {
    let provider = Provider::start();
    let gateway = impatient(&provider);
    let cases = [
        ("closed before the last chunk", ""),
        ("closed within a chunk", "40\r\ndata: {"),
        ("a chunk size that is no number", "xyz\r\nno size\r\n0\r\n\r\n"),
        ("a chunk longer than its size", "2\r\ndata: more\r\n0\r\n\r\n"),
        ("a chunk size beyond all numbers", "fffffffffffffffff\r\ndata\r\n0\r\n\r\n"),
    ];
    for path in PATHS.iter().filter(|path| **path != "/v1/threads/runs") {
        for (what, rest) in cases {
            let request = call(path, what);
            provider.next(broken(path, rest));
            let stream = gateway.open(&request);
            assert_eq!(stream.status, 200, "{path}: {what}");
            let (events, is_whole) = read(stream);
            assert!(!is_whole, "{path}: {what} seems whole: {events:?}");
            assert_eq!(events.get(..2), Some(&beginning(path)[..]), "{path}: {what}");
        }
    }
    is_at_rest(&gateway);
    gateway.wait_for_writes();
    for path in PATHS.iter().filter(|path| **path != "/v1/threads/runs") {
        for (what, _) in cases {
            is_not_replayed(&gateway, &provider, &call(path, what), &format!("{path}: {what}"));
        }
    }
}

#[test]
fn a_stream_past_the_cache_that_breaks_is_seen_to_break_too() {
    let provider = Provider::start();
    let gateway = impatient(&provider);
    for rest in ["", "40\r\ndata: {", "xyz\r\nno size\r\n0\r\n\r\n"] {
        provider.next(broken("/v1/threads/runs", rest));
        let (events, is_whole) = read(gateway.open(&call("/v1/threads/runs", rest)));
        assert!(!is_whole, "{rest:?}: {events:?}");
        assert_eq!(events.get(..2), Some(&beginning("/v1/threads/runs")[..]), "{rest:?}");
    }
    is_at_rest(&gateway);
}

#[test]
fn a_reset_stream_is_cut_for_everyone_who_reads_it() {
    let provider = Provider::start();
    let gateway = impatient(&provider);
    let gate = Gate::closed();
    let path = "/v1/chat/completions";
    let request = call(path, "read by three");
    provider.next(broken(path, "40\r\ndata: {").gated(&gate));
    std::thread::scope(|scope| {
        let readers: Vec<_> =
            (0..3).map(|_| scope.spawn(|| read(gateway.open(&request)))).collect();
        provider.wait_for_calls(1);
        gateway.wait_until("all three on one flight", |health| {
            let resolver = crate::support::gateway::actor(health, "resolver");
            resolver.is_some_and(|actor| actor["counters"]["joined"] == 2)
        });
        gate.open();
        for reader in readers {
            let (events, is_whole) = reader.join().expect("its panic stands above");
            assert!(!is_whole, "{events:?}");
        }
    });
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
    is_at_rest(&gateway);
    is_not_replayed(&gateway, &provider, &request, "after the cut");
}

#[test]
fn a_stream_that_stalls_is_cut_after_the_idle_time_out_and_frees_its_place() {
    let provider = Provider::start();
    let gateway = impatient(&provider);
    for path in PATHS {
        let request = call(path, "stalls");
        provider.next(Fault::StallStream);
        let (events, is_whole) = read(gateway.open(&request));
        assert!(!is_whole, "{path}: {events:?}");
        assert_eq!(events.len(), 2, "{path}: {events:?}");
        is_at_rest(&gateway);
        is_not_replayed_or_object(&gateway, &provider, &request, path);
    }
}

/// The route past the cache answers with an object here, the others with streams.
fn is_not_replayed_or_object(
    gateway: &Gateway,
    provider: &Provider,
    request: &Request,
    path: &str,
) {
    if path == "/v1/threads/runs" {
        gateway.send(request).expect_status(200);
    } else {
        is_not_replayed(gateway, provider, request, path);
    }
}

#[test]
fn a_stream_that_ends_properly_without_its_terminal_event_is_passed_on_and_not_kept() {
    let provider = Provider::start();
    let gateway = impatient(&provider);
    for path in PATHS.iter().filter(|path| **path != "/v1/threads/runs") {
        let request = call(path, "ends early");
        provider.next(Reply::events(beginning(path)));
        let (events, is_whole) = read(gateway.open(&request));
        assert!(is_whole, "{path}");
        assert_eq!(events, beginning(path), "{path}");
        gateway.wait_for_writes();
        is_not_replayed(&gateway, &provider, &request, path);
    }
}

#[test]
fn a_stream_with_an_error_event_is_passed_on_and_not_kept() {
    let provider = Provider::start();
    let gateway = impatient(&provider);
    for path in PATHS.iter().filter(|path| **path != "/v1/threads/runs") {
        let error = match *path {
            "/v1/messages" => {
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}"
            }
            "/v1/responses" => "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\"}",
            _ => "data: {\"error\":{\"message\":\"failed\",\"code\":\"server_error\"}}",
        };
        let [first, _] = beginning(path);
        // Proper in everything else: the terminal event comes after all.
        let end = match *path {
            "/v1/messages" => "event: message_stop\ndata: {\"type\":\"message_stop\"}",
            "/v1/responses" => "event: response.completed\ndata: {\"type\":\"response.completed\"}",
            _ => "data: [DONE]",
        };
        let sent = [first.as_str(), error, end];
        let request = call(path, "fails within");
        provider.next(Reply::events(sent));
        let (events, is_whole) = read(gateway.open(&request));
        assert!(is_whole, "{path}");
        assert_eq!(events, sent, "{path}");
        gateway.wait_for_writes();
        is_not_replayed(&gateway, &provider, &request, path);
    }
}

#[test]
fn an_error_in_place_of_a_stream_is_passed_on_unchanged() {
    let provider = Provider::start();
    let gateway = impatient(&provider);
    for path in PATHS {
        for fault in [Fault::RateLimited(7), Fault::Status(529), Fault::Status(500)] {
            let request = call(path, &format!("refused with {fault:?}"));
            let direct = Provider::start();
            direct.next(fault);
            let expected = request.send(&direct.address());
            provider.next(fault);
            let answer = gateway.send(&request);
            super::upstream_outcome::same_as_direct(
                &expected,
                &answer,
                &format!("{path} {fault:?}"),
            );
        }
    }
}
