//! `/api/v1/performance`: the whole system in one document.

use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Gateway, prompt};
use crate::support::provider::{Fault, Provider};
use crate::support::redis::Redis;

fn document(gateway: &Gateway, window: &str) -> Value {
    gateway
        .operate(&Request::get(&format!("/api/v1/performance{window}")))
        .expect_status(200)
        .json()
}

/// Asks until `is_met` holds: workers report in batches.
fn wait(gateway: &Gateway, is_met: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let met = poll(PATIENCE, || {
        last = document(gateway, "?window=1m");
        is_met(&last).then(|| last.clone())
    });
    met.unwrap_or_else(|| panic!("never met\n{last:#}\n{}", gateway.log()))
}

#[test]
fn one_document_has_the_whole_system() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let gateway = Gateway::patient().upstream(&provider).redis(&redis).start();
    for _ in 0..5 {
        gateway.chat(prompt("again and again")).expect_status(200);
    }
    provider.next(Fault::Close);
    gateway.chat(prompt("failed")).expect_status(502);
    gateway.send(&Request::get("/v1/files")).expect_status(200);
    let shown = wait(&gateway, |shown| shown["requests"]["total"] == 7);
    for (pointer, value) in [
        ("/status", json!("ok")),
        ("/ill", json!([])),
        ("/window/name", json!("1m")),
        ("/requests/status", json!("ok")),
        ("/requests/outcomes/hit_l1", json!(4)),
        ("/requests/outcomes/miss", json!(1)),
        ("/requests/outcomes/error", json!(1)),
        ("/requests/outcomes/bypass", json!(1)),
        ("/requests/hit_ratio", json!(0.8)),
        ("/requests/missing", json!(0)),
        ("/response_times/all/count", json!(7)),
        ("/levels/l1/status", json!("ok")),
        // The failed request was a lookup, too.
        ("/levels/l1/asked", json!(6)),
        ("/levels/l1/hits", json!(4)),
        ("/levels/l1/counters/entries", json!(1)),
        ("/levels/l2/status", json!("ok")),
        ("/levels/l2/asked", json!(2)),
        ("/levels/l3/hits", json!(0)),
        ("/upstream/failed", json!(1)),
        ("/upstream/failures/no_answer", json!(1)),
        ("/upstream/upstreams/0/breaker_open", json!(false)),
        ("/memory/pressure", json!("nominal")),
        ("/warming/status", json!("ok")),
        ("/warming/paused", json!(false)),
        ("/scaling/mode", json!("on")),
        ("/savings/total/calls", json!(4)),
        ("/savings/window/calls", json!(4)),
    ] {
        assert_eq!(shown.pointer(pointer), Some(&value), "{pointer}\n{shown:#}");
    }
    let number = |pointer: &str| shown.pointer(pointer).and_then(Value::as_f64).unwrap_or(-1.0);
    for pointer in [
        "/memory/resident_bytes",
        "/memory/limit_bytes",
        "/compression/original_bytes",
        "/payload/original_bytes",
        "/window/seconds",
        "/response_times/all/p50_ms",
    ] {
        assert!(number(pointer) > 0.0, "{pointer}\n{shown:#}");
    }
    let rows = shown["response_times"]["by_route"].as_array().unwrap();
    let hits = rows.iter().find(|row| row["route"] == "chat" && row["outcome"] == "hit_l1");
    let hits = hits.unwrap_or_else(|| panic!("{rows:?}"));
    let of = |name: &str| hits[name].as_f64().unwrap();
    let names = ["p50_ms", "p90_ms", "p95_ms", "p99_ms", "p99_9_ms", "max_ms"];
    assert_eq!(hits["count"], 4);
    assert!(names.map(of).is_sorted() && of("p50_ms") > 0.0, "{hits}");
    let names: Vec<_> =
        shown["actors"].as_array().unwrap().iter().map(|own| &own["name"]).collect();
    for name in ["l1", "l2", "l3", "resolver", "fetch-0", "memory", "recorder", "scaler"] {
        assert!(names.iter().any(|own| **own == name), "{name} {names:?}");
    }
    // The same traffic in the longer windows.
    for (query, name) in [("", "5m"), ("?window=5m", "5m"), ("?window=1h", "1h")] {
        let longer = document(&gateway, query);
        assert_eq!(longer["window"]["name"], name);
        assert_eq!(longer["requests"]["total"], 7, "{longer:#}");
    }
}

#[test]
fn what_is_off_or_ill_says_so_and_the_rest_is_there() {
    let (provider, mut redis) = (Provider::start(), Redis::start());
    let gateway = Gateway::patient()
        .upstream(&provider)
        .redis(&redis)
        .env("AUTO_SCALING_ENABLED", "false")
        .env("CACHE_WARMING_ENABLED", "false")
        .env("ANTEROOM__L3__ENABLED", "false")
        .env("ENABLE_RESPONSE_COMPRESSION", "false")
        .env("OPTIMIZE_JSON_PAYLOAD", "false")
        .start();
    let shown = document(&gateway, "");
    assert_eq!((&shown["status"], &shown["ill"]), (&json!("ok"), &json!([])));
    for part in ["/scaling", "/warming", "/levels/l3", "/compression", "/payload"] {
        let part = shown.pointer(part).unwrap();
        assert_eq!(part["status"], "disabled", "{part}");
        assert!(part["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{part}");
    }
    redis.stop();
    gateway.chat(prompt("asks all levels")).expect_status(200);
    let shown = wait(&gateway, |shown| shown["status"] == "degraded");
    assert_eq!(shown["levels"]["l2"]["status"], "degraded", "{shown:#}");
    assert!(shown["levels"]["l2"]["reason"].is_string(), "{shown:#}");
    assert!(shown["ill"].as_array().unwrap().contains(&json!("l2")), "{shown:#}");
    assert_eq!(shown["levels"]["l1"]["status"], "ok", "{shown:#}");
}

#[test]
fn a_query_that_is_wrong_is_told_which_field_and_what_is_allowed() {
    let gateway = Gateway::patient().start();
    for (query, field, said) in
        [("window=2m", "window", "1m, 5m, 1h"), ("widow=1m", "widow", "window")]
    {
        let refused = gateway.operate(&Request::get(&format!("/api/v1/performance?{query}")));
        let error = &refused.expect_status(400).json()["error"];
        assert_eq!(
            (&error["param"], &error["type"]),
            (&json!(field), &json!("invalid_request_error"))
        );
        assert!(error["message"].as_str().unwrap().contains(said), "{error}");
    }
    gateway.operate(&Request::post("/api/v1/performance", json!({}))).expect_status(404);
}

#[test]
fn a_recorder_that_died_is_back_with_windows_that_begin_anew() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    gateway.chat(prompt("before")).expect_status(200);
    wait(&gateway, |shown| shown["requests"]["total"] == 1);
    gateway.make_panic("recorder");
    gateway.wait_until("the recorder is back", |health| {
        crate::support::gateway::actor(health, "recorder")
            .is_some_and(|actor| actor["restarts"] == 1 && actor["state"] == "running")
    });
    gateway.chat(prompt("before")).expect_status(200);
    wait(&gateway, |shown| shown["requests"]["total"] == 1 && shown["status"] == "ok");
}
