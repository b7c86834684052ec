//! Callers who hang up: nothing of them stays.

use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::upstream_outcome::is_at_rest;
use crate::support::client::{Connection, Request};
use crate::support::deadline::{self, PATIENCE};
use crate::support::gateway::{Gateway, actor, prompt};
use crate::support::process::lock;
use crate::support::provider::{Gate, Provider, Reply, answer};

/// Callers at a time.
const CALLERS: usize = 16;

fn open_files(gateway: &Gateway) -> usize {
    fs::read_dir(format!("/proc/{}/fd", gateway.id())).expect("a running process").count()
}

/// Waits until the gateway has at most `most` files open.
#[track_caller]
fn files_come_down_to(gateway: &Gateway, most: usize) {
    let mut last = 0;
    let down = deadline::poll(PATIENCE, || {
        last = open_files(gateway);
        (last <= most).then_some(())
    });
    assert!(down.is_some(), "{last} files are open, not {most}\n{}", gateway.log());
}

/// Waits until nobody waits any more, and returns how many flights go on.
fn flights_once_nobody_waits(gateway: &Gateway) -> u64 {
    let health = gateway.wait_until("nobody waiting", |_| {
        gateway.metric("anteroom_requests_waiting", &[]) == Some(0.0)
    });
    actor(&health, "resolver").expect("a resolver")["counters"]["flights"]
        .as_u64()
        .expect("a count")
}

fn call(path: &str, text: &str, is_stream: bool) -> Request {
    let mut body = prompt(text);
    body["stream"] = json!(is_stream);
    Request::post(path, body)
}

/// Sends a request, reads nothing of the answer, and returns the connection.
fn send_only(gateway: &Gateway, request: &Request) -> Connection {
    let mut connection = Connection::open(gateway.api());
    let head = format!("POST {} HTTP/1.1\r\nHost: h\r\n", request.target);
    let length = format!("Content-Length: {}\r\n\r\n", request.body.len());
    connection.write(&[head.as_bytes(), length.as_bytes(), &request.body].concat()).expect("open");
    connection
}

/// Warms connections up to what the rounds need, and returns how many files are open then.
fn warm(gateway: &Gateway, provider: &Provider, path: &str) -> usize {
    let gate = Gate::closed();
    let held = gate.clone();
    provider.script(move |call| answer(call).held_by(&held));
    std::thread::scope(|scope| {
        for number in 0..CALLERS {
            let request = call(path, &format!("warm {number}"), false);
            scope.spawn(move || gateway.send(&request).expect_status(200));
        }
        let before = provider.num_calls();
        provider.wait_for_calls(before.max(CALLERS));
        gate.open();
    });
    provider.answer_well();
    is_at_rest(gateway);
    open_files(gateway)
}

#[test]
fn callers_who_leave_before_the_answer_leave_nothing_behind() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let path = "/v1/chat/completions";
    let files = warm(&gateway, &provider, path);
    for round in 0..3 {
        let gate = Gate::closed();
        let held = gate.clone();
        provider.script(move |call| answer(call).held_by(&held));
        let before = provider.num_calls();
        let requests: Vec<_> =
            (0..CALLERS).map(|number| call(path, &format!("{round} {number}"), false)).collect();
        let waiting: Vec<_> = requests.iter().map(|one| send_only(&gateway, one)).collect();
        provider.wait_for_calls(before + CALLERS);
        drop(waiting);
        // The calls are paid for: they go on, and are kept.
        assert_eq!(flights_once_nobody_waits(&gateway), u64::try_from(CALLERS).expect("a few"));
        gate.open();
        is_at_rest(&gateway);
        provider.answer_well();
        for request in &requests {
            gateway.wait_until("kept", |_| gateway.send(request).header("x-cache") == Some("HIT"));
        }
        assert_eq!(provider.num_calls(), before + CALLERS, "{}", provider.log());
        files_come_down_to(&gateway, files);
    }
}

#[test]
fn callers_who_leave_within_a_stream_leave_nothing_behind() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let path = "/v1/chat/completions";
    let files = warm(&gateway, &provider, path);
    for round in 0..3 {
        // A gate for each call, which lets its first event through.
        let gates = Arc::new(Mutex::new(Vec::new()));
        let made = gates.clone();
        provider.script(move |call| {
            let gate = Gate::closed();
            gate.pass_one();
            lock(&made).push(gate.clone());
            answer(call).gated(&gate)
        });
        let streams: Vec<_> = (0..CALLERS)
            .map(|number| {
                let request = call(path, &format!("stream {round} {number}"), true);
                let mut stream = gateway.open(&request);
                assert!(stream.next_event().is_some());
                stream
            })
            .collect();
        drop(streams);
        flights_once_nobody_waits(&gateway);
        lock(&gates).iter().for_each(Gate::open);
        is_at_rest(&gateway);
        files_come_down_to(&gateway, files);
    }
    provider.answer_well();
}

#[test]
fn calls_past_the_cache_end_with_their_callers() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let path = "/v1/threads/runs";
    let files = warm(&gateway, &provider, path);
    for round in 0..3 {
        let before = provider.num_calls();
        // Never opened: only the callers' leaving can end these calls.
        let gate = Gate::closed();
        let held = gate.clone();
        provider.script(move |_| Reply::events(["data: 1", "data: 2"]).gated(&held));
        let streams: Vec<_> = (0..CALLERS)
            .map(|number| {
                let stream = gateway.open(&call(path, &format!("{round} {number}"), true));
                assert_eq!(stream.status, 200);
                stream
            })
            .collect();
        let unanswered = Gate::closed();
        let held = unanswered.clone();
        provider.script(move |call| answer(call).held_by(&held));
        let waiting: Vec<_> =
            (0..CALLERS).map(|_| send_only(&gateway, &call(path, "no head yet", false))).collect();
        provider.wait_for_calls(before + 2 * CALLERS);
        drop((streams, waiting));
        is_at_rest(&gateway);
        files_come_down_to(&gateway, files);
        // Only lets the provider's threads go.
        gate.open();
        unanswered.open();
    }
}

#[test]
fn a_call_nobody_waits_for_is_ended_where_the_settings_say_so() {
    let provider = Provider::start();
    let gateway = Gateway::builder()
        .upstream(&provider)
        .env("ANTEROOM__FLIGHTS__FINISH_AFTER_DISCONNECT", "0s")
        .start();
    let gate = Gate::closed();
    provider.next(Reply::events(["data: 1", "data: 2"]).gated(&gate));
    let request = call("/v1/chat/completions", "a question", true);
    gateway.open(&request).hang_up();
    // The gate is still closed: the gateway itself has ended the call.
    is_at_rest(&gateway);
    gate.open();
    let before = provider.num_calls();
    gateway.send(&request).expect_status(200);
    assert_eq!(provider.num_calls(), before + 1, "{}", provider.log());
}

#[test]
fn half_a_request_body_leaves_no_call_and_no_file_behind() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let files = warm(&gateway, &provider, "/v1/chat/completions");
    let before = provider.num_calls();
    for path in ["/v1/chat/completions", "/v1/files"] {
        for _ in 0..CALLERS {
            let mut connection = Connection::open(gateway.api());
            let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{{");
            connection.write(head.as_bytes()).expect("an open connection");
        }
    }
    is_at_rest(&gateway);
    files_come_down_to(&gateway, files);
    // What came of an upload past the cache was a broken request, which the provider drops.
    assert_eq!(provider.num_calls(), before, "{}", provider.log());
}
