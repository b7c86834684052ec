//! The pages of the operations listener, and who may read them.

use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::Provider;
use crate::support::redis::Redis;

#[test]
fn live_and_ready_are_on_both_listeners_and_the_rest_on_one() {
    let gateway = Gateway::patient().start();
    for listener in [gateway.api(), gateway.operations()] {
        let live = Request::get("/health/live").send(listener).expect_status(200);
        assert_eq!(live.json(), json!({"status": "live"}));
        let ready = Request::get("/health/ready").send(listener).expect_status(200);
        assert_eq!(ready.json(), json!({"status": "ready", "degraded": [], "restarting": []}));
    }
    for page in ["/health/actors", "/metrics"] {
        Request::get(page).send(gateway.operations()).expect_status(200);
        Request::get(page).send(gateway.api()).expect_status(404);
    }
    let lost = gateway.operate(&Request::get("/v1/models")).expect_status(404);
    assert!(lost.json()["error"]["message"].is_string(), "{lost}");
}

#[test]
fn every_actor_is_shown_with_all_that_is_promised() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let gateway = Gateway::patient().upstream(&provider).redis(&redis).start();
    gateway.chat(prompt("seen")).expect_status(200);
    let health = gateway.health();
    let actors = health["actors"].as_array().expect("a list");
    let mut names: Vec<_> = actors.iter().filter_map(|actor| actor["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "conversations",
            "fetch-0",
            "l1",
            "l2",
            "l3",
            "memory",
            "models",
            "purging",
            "recorder",
            "resolver",
            "scaler",
            "sentinel",
            "warming"
        ]
    );
    for actor in actors {
        let members = actor.as_object().expect("an object");
        let mut keys: Vec<_> = members.keys().map(String::as_str).collect();
        keys.sort_unstable();
        let promised =
            ["counters", "heartbeat_age_ms", "last_error", "name", "pending", "restarts", "state"];
        assert_eq!(keys, promised, "{actor}");
        assert_eq!(actor["state"], "running", "{actor}");
        assert_eq!(
            (&actor["restarts"], &actor["last_error"]),
            (&json!(0), &Value::Null),
            "{actor}"
        );
        assert!(actor["heartbeat_age_ms"].is_u64() && actor["pending"].is_u64(), "{actor}");
        let counters = actor["counters"].as_object().expect("counters");
        assert!(!counters.is_empty() && counters.values().all(Value::is_u64), "{actor}");
    }
}

#[test]
fn a_level_that_is_off_is_disabled_and_one_that_is_away_degraded_yet_the_gateway_ready() {
    let gateway = Gateway::patient().env("ANTEROOM__L3__ENABLED", "false").sqlite().start();
    for level in ["l2", "l3"] {
        assert_eq!(gateway.actor(level)["state"], "disabled", "{level}");
    }
    let mut redis = Redis::start();
    redis.kill9();
    let gateway = Gateway::patient().redis(&redis).start();
    gateway.wait_for_state("l2", "degraded");
    assert!(gateway.actor("l2")["last_error"].is_string());
    let ready = gateway.operate(&Request::get("/health/ready")).expect_status(200);
    assert_eq!(
        (&ready.json()["status"], &ready.json()["degraded"]),
        (&json!("ready"), &json!(["l2"]))
    );
}

/// Without a token the listener is on loopback; a page of another site must not reach it through
/// the operator's browser, neither by its own origin nor by a name that leads to loopback.
#[test]
fn without_a_token_only_requests_for_loopback_are_answered() {
    let gateway = Gateway::patient().start();
    let ask = |headers: &[(&str, &str)]| {
        let request = Request::get("/health/actors");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        gateway.operate(&request)
    };
    for headers in [
        &[("Host", "127.0.0.1:9901")][..],
        &[("Host", "localhost")],
        &[("Host", "[::1]:9901")],
        &[("Host", "localhost"), ("Origin", "http://localhost:3000")],
        &[("Host", "localhost"), ("Origin", "http://127.0.0.1")],
    ] {
        ask(headers).expect_status(200);
    }
    for headers in [
        &[("Host", "rebound.example")][..],
        &[("Host", "rebound.example:9901")],
        &[("Host", "localhost.rebound.example")],
        &[("Host", "localhost"), ("Origin", "http://evil.example")],
        &[("Host", "localhost"), ("Origin", "http://localhost.evil.example")],
        &[("Host", "localhost"), ("Origin", "null")],
        &[("Host", "")],
    ] {
        let refused = ask(headers).expect_status(403);
        assert!(!refused.text().contains("actors"), "{refused}");
    }
}

#[test]
fn with_a_token_only_those_who_show_it_see_more_than_live_and_ready() {
    let gateway = Gateway::patient().env("ANTEROOM__ADMIN__TOKEN", "the token").start();
    for page in ["/health/actors", "/metrics"] {
        let none = gateway.operate(&Request::get(page)).expect_status(401);
        assert_eq!(none.header("www-authenticate"), Some("Bearer"), "{none}");
        for wrong in ["", "the", "the token s", "The token"] {
            gateway.operate(&Request::get(page).bearer(wrong)).expect_status(401);
        }
        let basic = Request::get(page).header("Authorization", "Basic the token");
        gateway.operate(&basic).expect_status(401);
        let right = Request::get(page).bearer("the token").header("Host", "gateway.example");
        gateway.operate(&right).expect_status(200);
    }
    for page in ["/health/live", "/health/ready"] {
        gateway.operate(&Request::get(page).header("Host", "gateway.example")).expect_status(200);
    }
    // The token opens nothing on the API, and is not wanted there.
    gateway.send(&Request::get("/health/live")).expect_status(200);
    let builtin = gateway.send(&chat(prompt("Two sentences. Here."))).expect_status(200);
    assert!(!builtin.text().contains("the token"), "{builtin}");
}

/// P1: actix-web-prom has a series for each method as it came.
#[test]
fn methods_that_no_page_has_are_refused_before_they_are_counted() {
    let gateway = Gateway::patient().start();
    for method in ["FOO", "BAZ1", "DELETE"] {
        gateway.operate(&Request::new(method, "/health/live")).expect_status(405);
        let series =
            gateway.metric("anteroom_operations_http_requests_total", &[("method", method)]);
        assert_eq!(series, None, "{method}");
    }
}
