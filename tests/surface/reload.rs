//! Settings that change while the gateway runs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::client::{Request, Response};
use crate::support::client_keys::{config, key};
use crate::support::deadline::{self, PATIENCE};
use crate::support::gateway::{Gateway, prompt};
use crate::support::over::Over;
use crate::support::provider::Provider;

fn reload(gateway: &Gateway) -> Response {
    gateway.operate(&Request::post("/api/v1/config/reload", "{}"))
}

fn settings(gateway: &Gateway) -> Value {
    gateway.operate(&Request::get("/api/v1/config")).expect_status(200).json()
}

fn ask(gateway: &Gateway, text: &str, name: &str) -> Response {
    gateway.send(&Request::post("/v1/chat/completions", prompt(text)).bearer(&key(name)))
}

/// Returns the remaining lifetime that a hit tells.
fn ttl(answer: &Response) -> i64 {
    let cache = answer.header("cache-status").unwrap_or_default();
    let ttl = cache.split("ttl=").nth(1).and_then(|rest| rest.split(';').next());
    ttl.and_then(|ttl| ttl.trim().parse().ok()).unwrap_or_else(|| panic!("no ttl in {cache}"))
}

/// The one route of these tests, with a lifetime.
fn route(lifetime: &str) -> String {
    format!(
        "routes:\n  - {{name: chat, methods: [POST], path: /v1/chat/completions, profile: chat, \
         cache: true, lifetime: {lifetime}}}\n"
    )
}

#[test]
fn lifetimes_keys_limits_and_the_log_level_change_while_it_serves() {
    let provider = Provider::start();
    let before = config(&provider, &[("gone", "scope: team"), ("stays", "scope: team")]);
    let gateway = Gateway::patient().config(&format!("{before}{}", route("1h"))).start();
    ask(&gateway, "kept", "gone").expect_status(200);
    let kept = ask(&gateway, "kept", "stays").expect_status(200);
    assert!(ttl(&kept) > 600, "{kept}");

    let limited = "scope: team, requests_per_minute: 4";
    let after = config(&provider, &[("stays", limited), ("comes", "scope: team")]);
    gateway.write_config(&format!("log: {{level: debug}}\n{after}{}", route("5m")));
    let told = reload(&gateway).expect_status(200).json();
    assert_eq!(told["outcome"], "applied", "{told}");
    let changed: Vec<&str> = list(&told["changed"]).filter_map(|it| it["key"].as_str()).collect();
    let expected = [
        "auth.keys[comes]",
        "auth.keys[gone]",
        "auth.keys[stays].position",
        "auth.keys[stays].requests_per_minute",
        "log.level",
        "routes[chat].lifetime",
    ];
    assert_eq!(changed, expected, "{told}");
    assert_eq!(told["needs_restart"], json!([]));

    ask(&gateway, "kept", "gone").expect_status(401);
    ask(&gateway, "kept", "comes").expect_status(200);
    let still = ask(&gateway, "kept", "stays").expect_status(200);
    assert!(still.cache().starts_with("HIT") && ttl(&still) > 600, "kept as it was made: {still}");
    assert_eq!(provider.num_calls(), 1, "the cache is as it was");
    ask(&gateway, "new", "stays").expect_status(200);
    let new = ask(&gateway, "new", "stays").expect_status(200);
    assert!((1..=300).contains(&ttl(&new)), "{new}");
    ask(&gateway, "new", "stays").expect_status(200);
    ask(&gateway, "new", "stays").expect_status(429);
    wait_for_log(&gateway, "a key's limit is used up");
}

#[track_caller]
fn wait_for_log(gateway: &Gateway, text: &str) {
    let told = deadline::poll(PATIENCE, || gateway.whole_log().contains(text).then_some(()));
    assert!(told.is_some(), "the log never says {text}\n{}", gateway.log());
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

#[test]
fn settings_with_a_mistake_are_refused_whole_with_key_value_and_range() {
    let provider = Provider::start();
    let start = config(&provider, &[("a", "")]);
    let gateway = Gateway::patient().config(&format!("{start}{}", route("1h"))).start();
    gateway.write_config(&format!(
        "log: {{level: debug}}\nserver: {{max_in_flight: 0}}\nl2: {{url: nonsense-hunter2}}\n\
         {start}{}",
        route("2h")
    ));
    let refused = reload(&gateway).expect_status(422).json();
    assert_eq!(refused["outcome"], "refused");
    let problems: Vec<&Value> = list(&refused["problems"]).collect();
    assert_eq!(problems[0]["key"], "server.max_in_flight", "{refused}");
    assert_eq!(problems[0]["value"], "0");
    assert_eq!(problems[0]["allowed"], "1–1000000");
    assert_eq!(problems[0]["source"], "from config.yaml");
    assert_eq!(problems[1]["key"], "l2.url", "{refused}");
    assert!(!refused.to_string().contains("hunter2"), "{refused}");
    for text in ["server.max_in_flight = 0", "1–1000000", "those in force stay"] {
        wait_for_log(&gateway, text);
    }
    let now = settings(&gateway);
    assert_eq!((&now["epoch"], &now["settings"]["log"]["level"]), (&json!(0), &json!("info")));
    assert_eq!(now["settings"]["routes"][0]["lifetime"], "1h");
    assert_eq!(now["history"][0]["outcome"], "refused");
    assert_eq!(now["history"][0]["trigger"], "operator");
    gateway.write_config("routes: [");
    let torn = reload(&gateway).expect_status(422).json();
    assert!(torn["problems"][0]["reason"].as_str().is_some_and(|text| text.contains("line 1")));
    ask(&gateway, "served", "a").expect_status(200);
    let counted =
        |outcome| gateway.metric("anteroom_config_reloads_total", &[("outcome", outcome)]);
    assert_eq!((counted("refused"), counted("applied")), (Some(2.0), Some(0.0)));
}

#[test]
fn what_needs_a_restart_is_named_and_secrets_are_masked() {
    let provider = Provider::start();
    let start = config(&provider, &[("a", "")]);
    let gateway = Gateway::patient().config(&start).env("ANTEROOM_SECRET", "x".repeat(40)).start();
    gateway.write_config(&format!("server: {{workers: 3, max_body: 1MiB}}\n{start}"));
    let told = reload(&gateway).expect_status(200).json();
    assert_eq!(
        told["changed"],
        json!([{"key": "server.max_body", "from": "\"32MiB\"", "to": "\"1MiB\""}])
    );
    let waits = json!([{"key": "server.workers", "from": "0", "to": "3"}]);
    assert_eq!(told["needs_restart"], waits);
    let now = settings(&gateway);
    assert_eq!(now["needs_restart"], waits);
    assert_eq!(now["settings"]["server"]["workers"], 0, "what is in force");
    assert_eq!(now["settings"]["cache"]["secret"], "***");
    assert_eq!(now["settings"]["auth"]["keys"][0]["digest"], "***");
    assert_eq!(now["sources"]["cache.secret"], "from ANTEROOM_SECRET");
    assert_eq!(now["sources"]["server.max_body"], "from config.yaml");
    assert!(!now.to_string().contains("sk-of-the-gateway"), "{now}");
    assert_eq!(gateway.metric("anteroom_config_needs_restart", &[]), Some(1.0));
    wait_for_log(&gateway, "server.workers");
    // Back as it was: nothing waits any more.
    gateway.write_config(&start);
    assert_eq!(reload(&gateway).expect_status(200).json()["needs_restart"], json!([]));
    assert_eq!(gateway.metric("anteroom_config_needs_restart", &[]), Some(0.0));
    gateway.operate(&Request::get("/api/v1/config/reload")).expect_status(405);
    let form = Request::new("POST", "/api/v1/config/reload").body("{}");
    gateway.operate(&form).expect_status(415);
}

#[test]
fn a_signal_and_a_changed_file_have_the_settings_read() {
    let provider = Provider::start();
    let start = |more: &str| format!("admin: {{watch_config: {more}}}\n{}", config(&provider, &[]));
    let start = |more: &str| start(more).replace("auth:\n  keys:\n", "");
    let mut gateway = Gateway::patient().config(&start("0s")).start();
    let wait_for = |gateway: &Gateway, epoch: u64| {
        let met = deadline::poll(PATIENCE, || {
            let now = settings(gateway);
            let latest = &now["history"][0];
            (latest["epoch"] == epoch).then(|| latest["trigger"].clone())
        });
        met.unwrap_or_else(|| panic!("never epoch {epoch}\n{}", gateway.log()))
    };
    gateway.write_config(&format!("{}log: {{level: debug}}\n", start("20ms")));
    gateway.signal(libc::SIGHUP);
    assert_eq!(wait_for(&gateway, 1), "signal");
    gateway.write_config(&format!("{}log: {{level: warn}}\n", start("20ms")));
    assert_eq!(wait_for(&gateway, 2), "file");
    gateway.chat(prompt("served")).expect_status(200);
}

/// Issue: a hundred reloads under load, one in three of them invalid.
#[test]
fn a_hundred_reloads_under_load_fail_no_request() {
    let provider = Provider::start();
    let start = config(&provider, &[("a", "")]);
    let yaml = |lifetime: &str| format!("{start}{}", route(lifetime));
    let gateway = Gateway::patient().config(&yaml("1h")).start();
    ask(&gateway, "kept from the start", "a").expect_status(200);
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut applied, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        for caller in 0..4 {
            let (gateway, is_over, answered) = (&gateway, &is_over, &answered);
            scope.spawn(move || {
                for number in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    // Nine hits and a miss.
                    let text = match number % 10 {
                        0 => format!("{caller} asks {number}"),
                        other => format!("known {other}"),
                    };
                    ask(gateway, &text, "a").expect_status(200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _over = Over(&is_over);
        for number in 0..100 {
            let before = answered.load(Ordering::Relaxed);
            if number % 3 == 2 {
                gateway.write_config(&yaml("0s"));
                let problems = reload(&gateway).expect_status(422).json()["problems"].clone();
                assert_eq!(problems[0]["key"], "routes[0].lifetime", "{problems}");
                assert_eq!(problems[0]["value"], "\"0s\"");
                assert_eq!(problems[0]["allowed"], "1s–365d");
                refused += 1;
            } else {
                gateway.write_config(&yaml(&format!("{}s", 600 + number)));
                reload(&gateway).expect_status(200);
                applied += 1;
            }
            let served = || (answered.load(Ordering::Relaxed) > before).then_some(());
            assert!(deadline::poll(PATIENCE, served).is_some(), "{}", gateway.log());
        }
    });
    assert_eq!((applied, refused), (67, 33));
    let now = settings(&gateway);
    assert_eq!(now["epoch"], applied);
    assert_eq!(now["history"].as_array().map(Vec::len), Some(50));
    assert_eq!(now["settings"]["routes"][0]["lifetime"], "699s");
    let kept = ask(&gateway, "kept from the start", "a").expect_status(200);
    assert!(kept.cache().starts_with("HIT"), "{kept}");
}
