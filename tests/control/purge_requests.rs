//! The page that purges: what it takes, what it says, who may ask.

use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::Provider;

const PURGE: &str = "/api/v1/cache/purge";

fn purge(gateway: &Gateway, body: Value) -> Value {
    gateway.operate(&Request::post(PURGE, body)).expect_status(200).json()
}

/// by each kind of name, several at once, and all; the answer says what and where.
#[test]
fn a_purge_says_what_was_purged_and_where_it_holds() {
    let gateway = Gateway::patient().start();
    let hex = "ab".repeat(32);
    let mut last = 0;
    for (kind, value) in [
        ("key", hex.as_str()),
        ("tag", "t"),
        ("model", "gpt-4o"),
        ("namespace", "n"),
        ("scope", &hex),
        ("route", "chat"),
    ] {
        let answer = purge(&gateway, json!({kind: value}));
        assert_eq!(answer["purged"], json!([{"kind": kind, "value": value}]), "{answer}");
        let places = json!({
            "memory": {"state": "seen"}, "redis": {"state": "off"}, "database": {"state": "seen"},
        });
        assert_eq!((&answer["status"], &answer["places"]), (&json!("complete"), &places));
        let generation = answer["generation"].as_u64().expect("a number");
        assert!(generation > last, "{answer}");
        last = generation;
    }
    let several = purge(&gateway, json!({"tag": "a", "model": "b"}));
    assert_eq!(several["purged"].as_array().map(Vec::len), Some(2), "{several}");
    let all = purge(&gateway, json!({"all": true}));
    assert_eq!(all["purged"], json!([{"kind": "all", "value": "*"}]), "{all}");
    let purging = gateway.actor("purging");
    assert_eq!(purging["counters"]["applied"], 8, "{purging}");
    assert_eq!((&purging["pending"], &purging["state"]), (&json!(0), &json!("running")));
}

#[test]
fn a_wrong_purge_is_refused_and_purges_nothing() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let request = chat(prompt("stays"));
    gateway.send(&request).expect_status(200);
    for (body, status, named) in [
        (json!({"tags": "a", "all": true}), 400, "tags"),
        (json!({}), 400, "nothing is named"),
        (json!({"all": false}), 400, "all"),
        (json!({"key": "abc"}), 400, "key"),
        (json!({"route": "no-such"}), 404, "no-such"),
        (json!([null, null, null, null, null, null, true]), 400, "object"),
    ] {
        let answer = gateway.operate(&Request::post(PURGE, &body)).expect_status(status);
        let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(named), "{body}: {message}");
    }
    let all = json!({"all": true}).to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let form = Request::new("POST", PURGE).header("Content-Type", kind).body(all.clone());
        gateway.operate(&form).expect_status(415);
    }
    for (method, status) in [("GET", 405), ("HEAD", 405), ("DELETE", 405), ("PUT", 405)] {
        assert_eq!(gateway.operate(&Request::new(method, PURGE)).status, status, "{method}");
    }
    let huge = Request::post(PURGE, json!({"tag": "x".repeat(70_000)}));
    gateway.operate(&huge).expect_status(413);
    // The page is not on the API's listener, where it would be the provider's.
    assert_eq!(Request::post(PURGE, &all).send(gateway.api()).status, 404);
    assert_eq!(gateway.send(&request).cache(), "HIT L1");
    assert_eq!(gateway.actor("purging")["counters"]["applied"], 0);
}

#[test]
fn a_purge_wants_the_token_and_leaves_a_line_in_the_log_without_the_names() {
    let gateway = Gateway::patient().env("ANTEROOM__ADMIN__TOKEN", "operators-token").start();
    let request = Request::post(PURGE, json!({"tag": "customer-4711", "route": "chat"}));
    gateway.operate(&request).expect_status(401);
    gateway.operate(&request.clone().bearer("another")).expect_status(401);
    gateway.operate(&request.bearer("operators-token")).expect_status(200);
    let line = poll(PATIENCE, || {
        let log = gateway.whole_log();
        log.lines().find(|line| line.contains("purged=")).map(str::to_owned)
    });
    let (line, log) = (line.expect("a line in the log"), gateway.whole_log());
    assert_eq!(log.matches("purged=").count(), 1, "{log}");
    assert!(line.contains("with_token=true") && line.contains("route"), "{line}");
    assert!(!log.contains("customer-4711") && !log.contains("operators-token"), "{log}");
}

/// A browser's page cannot purge: no form is JSON, and a foreign origin is told off.
#[test]
fn a_page_of_another_origin_cannot_purge() {
    let gateway = Gateway::patient().start();
    let request = Request::post(PURGE, json!({"all": true}));
    let foreign = request.clone().header("Origin", "https://example.org");
    gateway.operate(&foreign).expect_status(403);
    gateway.operate(&request.header("Host", "example.org:9901")).expect_status(403);
    assert_eq!(gateway.actor("purging")["counters"]["applied"], 0);
}
