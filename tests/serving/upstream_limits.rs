//! How many calls an upstream gets at once: who waits, for how long, and how the limit moves.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{Connection, Request};
use crate::support::deadline::{PATIENCE, pause, poll};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::over::Over;
use crate::support::process::lock;
use crate::support::provider::{Fault, Gate, Provider, Reply, answer};

/// A gateway whose upstream has these limits, and further settings.
fn limited(provider: &Provider, limit: &str, further: &str) -> Gateway {
    let config = format!(
        "upstreams:\n  default:\n    breaker: {{failures: 0}}\n    retry: {{attempts: 0}}\n    \
         limit: {{{limit}}}\n{further}"
    );
    Gateway::patient().upstream(provider).config(&config).start()
}

fn upstream(gateway: &Gateway) -> Value {
    let seen = gateway.operate(&Request::get("/api/v1/scaling")).expect_status(200).json();
    seen["upstreams"]["default"].clone()
}

/// Waits until so many users and so many in the background wait for their turn.
#[track_caller]
fn wait_for_waiting(gateway: &Gateway, users: u64, background: u64) {
    let mut seen = Value::Null;
    let is_met = poll(PATIENCE, || {
        seen = upstream(gateway)["waiting"].clone();
        (seen["users"] == users && seen["background"] == background).then_some(())
    });
    assert!(is_met.is_some(), "{users} and {background} wait: {seen}\n{}", gateway.log());
}

/// Asks without waiting for the answer.
fn ask(gateway: &Gateway, request: &Request) -> Connection {
    let mut connection = Connection::open(gateway.api());
    connection.ask(request).expect("an open connection");
    connection
}

/// A provider that holds every answer until the gate opens.
fn holding() -> (Provider, Gate) {
    let gate = Gate::closed();
    let held = gate.clone();
    (Provider::scripted(move |call| answer(call).held_by(&held)), gate)
}

#[test]
fn calls_past_the_limit_wait_and_past_the_queue_get_503_in_their_apis_form() {
    let (provider, gate) = holding();
    let gateway = limited(&provider, "least: 1, most: 1, wait: 7s, queue: 1", "");
    let requests = [chat(prompt("first")), chat(prompt("second"))];
    let mut first = ask(&gateway, &requests[0]);
    provider.wait_for_calls(1);
    let mut second = ask(&gateway, &requests[1]);
    wait_for_waiting(&gateway, 1, 0);
    let refused = gateway.chat(prompt("third")).expect_status(503);
    assert_eq!(refused.header("retry-after"), Some("7"), "{refused}");
    assert_eq!(refused.json()["error"]["code"], "upstream_overloaded", "{refused}");
    let messages =
        json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]});
    let refused = gateway.send(&Request::post("/v1/messages", messages)).expect_status(503);
    assert_eq!(refused.header("retry-after"), Some("7"), "{refused}");
    assert_eq!(refused.json()["error"]["type"], "overloaded_error", "{refused}");
    // What goes past the cache stands in the same line.
    let refused = gateway.send(&Request::post("/v1/files", json!({}))).expect_status(503);
    assert_eq!(refused.json()["error"]["code"], "upstream_overloaded", "{refused}");
    let seen = upstream(&gateway);
    assert_eq!((&seen["limit"], &seen["under_way"]), (&json!(1), &json!(1)), "{seen}");
    assert_eq!(seen["refused"], json!({"full": 3, "late": 0}), "{seen}");
    gate.open();
    assert_eq!(first.answer(&requests[0]).expect("an answer").status, 200);
    assert_eq!(second.answer(&requests[1]).expect("an answer").status, 200);
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
    let full = [("upstream", "default"), ("reason", "full")];
    assert_eq!(gateway.metric("anteroom_upstream_calls_refused_total", &full), Some(3.0));
    assert_eq!(gateway.metric("anteroom_upstream_calls_limit", &[]), Some(1.0));
    let counters = gateway.actor("resolver")["counters"].clone();
    let shown = ["origin_limit", "origin_waiting", "origin_waits", "origin_refused"];
    assert_eq!(shown.map(|name| counters[name].as_u64()), [1, 0, 1, 3].map(Some), "{counters}");
}

#[test]
fn nobody_waits_for_longer_than_the_settings_say() {
    let (provider, gate) = holding();
    let gateway = limited(&provider, "least: 1, most: 1, wait: 50ms, queue: 9", "");
    let request = chat(prompt("first"));
    let mut first = ask(&gateway, &request);
    provider.wait_for_calls(1);
    let refused = gateway.chat(prompt("second")).expect_status(503);
    assert_eq!(refused.header("retry-after"), Some("1"), "{refused}");
    assert_eq!(upstream(&gateway)["refused"], json!({"full": 0, "late": 1}));
    gate.open();
    assert_eq!(first.answer(&request).expect("an answer").status, 200);
    gateway.chat(prompt("second")).expect_status(200);
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
}

#[test]
fn a_caller_that_leaves_frees_its_place_in_line() {
    let (provider, gate) = holding();
    let gateway = limited(&provider, "least: 1, most: 1, wait: 10m, queue: 1", "");
    let requests = [chat(prompt("first")), chat(prompt("gone")), chat(prompt("third"))];
    let mut first = ask(&gateway, &requests[0]);
    provider.wait_for_calls(1);
    for path in ["/v1/chat/completions", "/v1/files"] {
        let leaves = ask(&gateway, &Request::post(path, prompt("gone")));
        wait_for_waiting(&gateway, 1, 0);
        drop(leaves);
        wait_for_waiting(&gateway, 0, 0);
    }
    let mut third = ask(&gateway, &requests[2]);
    wait_for_waiting(&gateway, 1, 0);
    gate.open();
    assert_eq!(first.answer(&requests[0]).expect("an answer").status, 200);
    assert_eq!(third.answer(&requests[2]).expect("an answer").status, 200);
    assert_eq!(provider.num_calls_with("gone"), 0, "{}", provider.log());
}

/// A stream holds its place to its end, and so does an answer whose callers have left.
#[test]
fn a_place_is_held_to_the_end_of_the_answer() {
    let gate = Gate::closed();
    let provider = Provider::start();
    let mut body = prompt("stream");
    body["stream"] = json!(true);
    let gateway = limited(&provider, "least: 1, most: 1, wait: 10m, queue: 9", "");
    let held = gate.clone();
    provider.script(move |call| answer(call).gated(&held));
    gate.pass_one();
    let mut stream = gateway.open(&chat(body));
    assert!(stream.next().is_some(), "its beginning");
    let request = chat(prompt("next"));
    let mut next = ask(&gateway, &request);
    wait_for_waiting(&gateway, 1, 0);
    assert_eq!(provider.num_calls(), 1);
    gate.open();
    stream.response();
    assert_eq!(next.answer(&request).expect("an answer").status, 200);
}

#[test]
fn what_is_done_behind_users_backs_waits_behind_them() {
    let gate = Gate::closed();
    let provider = Provider::start();
    let routes = "routes:\n  - {name: chat, methods: [POST], path: /v1/chat/completions, profile: \
         chat, cache: true, lifetime: 1s, stale_while_revalidate: 1h, stale_if_error: 0s}\n\
         warming: {enabled: false}\n";
    let gateway = limited(&provider, "least: 1, most: 1, wait: 10m, queue: 9", routes);
    gateway.chat(prompt("stale")).expect_status(200);
    let held = gate.clone();
    provider.script(move |call| answer(call).held_by(&held));
    let requests = [chat(prompt("first")), chat(prompt("user"))];
    let mut first = ask(&gateway, &requests[0]);
    provider.wait_for_calls(2);
    let stale = poll(PATIENCE, || {
        let answer = gateway.chat(prompt("stale")).expect_status(200);
        answer.cache().starts_with("STALE").then_some(())
    });
    assert!(stale.is_some(), "it turns stale");
    wait_for_waiting(&gateway, 0, 1);
    let mut user = ask(&gateway, &requests[1]);
    wait_for_waiting(&gateway, 1, 1);
    gate.open();
    assert_eq!(first.answer(&requests[0]).expect("an answer").status, 200);
    assert_eq!(user.answer(&requests[1]).expect("an answer").status, 200);
    provider.wait_for_calls(4);
    let calls: Vec<String> = provider.calls().iter().map(|call| call.text()).collect();
    for (call, text) in calls.iter().zip(["stale", "first", "user", "stale"]) {
        assert!(call.contains(text), "{text}: {}", provider.log());
    }
}

/// What is guessed stands back while users wait for an upstream.
#[test]
fn warming_may_use_nothing_of_its_budget_while_users_wait_for_the_upstream() {
    let (provider, gate) = holding();
    let gateway =
        limited(&provider, "least: 1, most: 1, wait: 10m, queue: 9", "scaler: {interval: 1s}\n");
    let share = |page: &str| {
        let seen = gateway.operate(&Request::get(page)).expect_status(200).json();
        let shown = [&seen["warming"]["budget_share"], &seen["budget"]["share"]];
        shown.into_iter().find_map(Value::as_f64)
    };
    assert_eq!(share("/api/v1/scaling"), Some(1.0));
    let requests = [chat(prompt("first")), chat(prompt("second"))];
    let asked = requests.each_ref().map(|request| ask(&gateway, request));
    wait_for_waiting(&gateway, 1, 0);
    let is = |part: f64| {
        let pages = ["/api/v1/scaling", "/api/v1/warming"];
        poll(PATIENCE, || pages.iter().all(|page| share(page) == Some(part)).then_some(()))
    };
    assert!(is(0.0).is_some(), "{}", gateway.log());
    gate.open();
    for (mut connection, request) in asked.into_iter().zip(&requests) {
        assert_eq!(connection.answer(request).expect("an answer").status, 200);
    }
    assert!(is(1.0).is_some(), "{}", gateway.log());
}

/// A user who wants what is being warmed must not wait in the last place for it.
#[test]
fn what_is_done_in_the_background_is_a_users_once_a_user_joins() {
    let (provider, gate) = holding();
    let gateway = limited(&provider, "least: 1, most: 1, wait: 10m, queue: 9", "");
    let first_request = chat(prompt("first"));
    let mut first = ask(&gateway, &first_request);
    provider.wait_for_calls(1);
    let wanted = Request::post("/v1/chat/completions", prompt("warm"));
    let warmed = json!({"requests": [{"path": wanted.target, "body": prompt("warm")}]});
    gateway.operate(&Request::post("/api/v1/warming", warmed)).expect_status(202);
    wait_for_waiting(&gateway, 0, 1);
    let mut user = ask(&gateway, &wanted);
    wait_for_waiting(&gateway, 1, 0);
    gate.open();
    assert_eq!(first.answer(&first_request).expect("an answer").status, 200);
    assert_eq!(user.answer(&wanted).expect("an answer").status, 200);
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
}

/// Serves so many calls at once, each in 10 ms; all others queue.
struct Queueing {
    free: Mutex<usize>,
    changed: Condvar,
}

impl Queueing {
    fn provider(at_once: usize) -> Provider {
        let queue = Arc::new(Self { free: Mutex::new(at_once), changed: Condvar::new() });
        Provider::scripted(move |call| {
            let mut free = lock(&queue.free);
            while *free == 0 {
                free = queue.changed.wait(free).expect("no poison here");
            }
            *free -= 1;
            drop(free);
            pause(Duration::from_millis(10));
            *lock(&queue.free) += 1;
            queue.changed.notify_one();
            answer(call)
        })
    }
}

/// Asks new things, so many at once, until `is_met`.
#[track_caller]
fn load_until(gateway: &Gateway, at_once: usize, is_met: impl Fn(&Value) -> bool) -> Value {
    let is_over = AtomicBool::new(false);
    let serial = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                let mut connection = Connection::open(gateway.api());
                while !is_over.load(Ordering::Relaxed) {
                    let number = serial.fetch_add(1, Ordering::Relaxed);
                    connection.send(&chat(prompt(&format!("{at_once} at once: {number}"))));
                }
            });
        }
        let _over = Over(&is_over);
        let mut seen = Value::Null;
        let met = poll(PATIENCE, || {
            seen = gateway.operate(&Request::get("/api/v1/scaling")).expect_status(200).json();
            is_met(&seen).then(|| seen.clone())
        });
        met.unwrap_or_else(|| panic!("never: {seen:#}\n{}", gateway.log()))
    })
}

fn limit(seen: &Value) -> u64 {
    seen["upstreams"]["default"]["limit"].as_u64().expect("a limit")
}

/// Returns the latest decision on calls at once with this reason.
fn decision<'a>(seen: &'a Value, reason: &str) -> Option<&'a Value> {
    let decisions = seen["decisions"].as_array()?;
    decisions
        .iter()
        .rev()
        .find(|decision| decision["of"] == "origin_calls" && decision["reason"] == reason)
}

#[test]
fn the_limit_falls_where_a_provider_slows_down_under_load_and_says_why() {
    let provider = Queueing::provider(4);
    let gateway =
        limited(&provider, "least: 2, most: 64, wait: 10m", "warming: {enabled: false}\n");
    // What is usual, from one at a time.
    load_until(&gateway, 1, |seen| !seen["upstreams"]["default"]["usual_seconds"].is_null());
    let seen = load_until(&gateway, 48, |seen| limit(seen) < 40);
    let fallen = decision(&seen, "slower").unwrap_or_else(|| panic!("{seen:#}"));
    assert_eq!((&fallen["applied"], &fallen["upstream"]), (&json!(true), &json!("default")));
    assert!(fallen["after"].as_u64() < fallen["before"].as_u64(), "{fallen}");
    let evidence = &fallen["evidence"];
    let slower = evidence["seconds"].as_f64() > evidence["usual_seconds"].as_f64().map(|s| s * 2.0);
    assert!(slower, "{fallen}");
    assert!(gateway.whole_log().contains("another number of calls at once"));
    assert_ne!(gateway.actor("scaler")["counters"]["limits_set"], 0);
}

#[test]
fn refusals_lower_the_limit_and_it_rises_again_once_there_are_none() {
    let provider = Provider::scripted(|_| Fault::Status(503).into());
    let gateway = limited(&provider, "least: 2, most: 16", "warming: {enabled: false}\n");
    let seen = load_until(&gateway, 16, |seen| limit(seen) <= 4);
    assert_eq!(decision(&seen, "refusals").map(|fallen| &fallen["applied"]), Some(&json!(true)));
    provider.answer_well();
    let seen = load_until(&gateway, 16, |seen| limit(seen) == 16);
    assert!(decision(&seen, "well").is_some(), "{seen:#}");
}

#[test]
fn advice_is_not_followed_and_off_leaves_the_most() {
    let provider = Provider::scripted(|_| Reply::new(529, &[], "{}"));
    let advise = "warming: {enabled: false}\nscaler: {mode: advise}\n";
    let gateway = limited(&provider, "least: 2, most: 16", advise);
    let seen = load_until(&gateway, 16, |seen| decision(seen, "refusals").is_some());
    assert_eq!(decision(&seen, "refusals").map(|fallen| &fallen["applied"]), Some(&json!(false)));
    let shown = &seen["upstreams"]["default"];
    assert!(shown["limit"] == 16 && shown["advised"].as_u64() < Some(16), "{shown}");

    let off = "warming: {enabled: false}\nscaler: {mode: \"off\"}\n";
    let gateway = limited(&provider, "least: 2, most: 16", off);
    for number in 0..100 {
        gateway.chat(prompt(&format!("refused {number}"))).expect_status(529);
    }
    let shown = upstream(&gateway);
    assert_eq!((&shown["limit"], &shown["advised"]), (&json!(16), &Value::Null), "{shown}");
}
