//! The page that shows one answer.

use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::gateway::{Gateway, actor, chat, prompt};
use crate::support::provider::Provider;
use crate::support::redis::Redis;

fn entry(gateway: &Gateway, key: &str, status: u16) -> Value {
    let page = Request::get(&format!("/api/v1/cache/entry/{key}"));
    gateway.operate(&page).expect_status(status).json()
}

/// an operator finds an answer by its key, and can purge it by that.
#[test]
fn an_entry_is_shown_without_its_body_and_purged_by_its_key() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let gateway = Gateway::patient().upstream(&provider).redis(&redis).start();
    let request = chat(prompt("the secret prompt"));
    let answer = gateway.send(&request).expect_status(200);
    gateway.wait_for_writes();
    gateway.wait_until("written to L2", |health| {
        actor(health, "l2").is_some_and(|l2| l2["counters"]["inserts"] == 1)
    });
    let mut keys = redis.keys("anteroom:v1:*");
    keys.retain(|key| key.len() == "anteroom:v1:".len() + 64);
    let key = keys.first().and_then(|key| key.strip_prefix("anteroom:v1:")).expect("a record");
    let shown = entry(&gateway, key, 200);
    assert_eq!(shown["key"], key);
    for level in ["l1", "l2", "l3"] {
        let held = &shown[level];
        assert_eq!((&held["state"], &held["status"]), (&json!("held"), &json!(200)), "{shown}");
        assert_eq!(held["standing"], "fresh", "{shown}");
        assert_eq!(held["body_bytes"].as_u64(), Some(answer.body.len() as u64), "{shown}");
        assert_eq!(held["model"], "test-model", "{shown}");
        assert!(held["labels"].as_u64() >= Some(3), "route, scope, model: {shown}");
        assert!(held["ttl_ms"].as_u64() > Some(7_000_000), "{shown}");
        assert!(held["headers"].as_array().is_some_and(|names| !names.is_empty()), "{shown}");
    }
    let text = shown.to_string();
    assert!(!text.contains("answer number") && !text.contains("secret"), "{text}");

    let purge = Request::post("/api/v1/cache/purge", json!({"key": key}));
    let purged = gateway.operate(&purge).expect_status(200).json();
    assert_eq!(purged["status"], "complete", "{purged}");
    let gone = entry(&gateway, key, 404);
    for level in ["l1", "l2", "l3"] {
        assert_eq!(gone[level]["state"], "absent", "{gone}");
    }
    assert_eq!(gateway.send(&request).cache(), "MISS");
}

#[test]
fn what_is_no_key_is_refused_and_an_unknown_one_is_nowhere() {
    let gateway = Gateway::patient().start();
    entry(&gateway, "abc", 400);
    let nowhere = entry(&gateway, &"0".repeat(64), 404);
    let absent = json!({"state": "absent"});
    assert_eq!((&nowhere["l1"], &nowhere["l3"]), (&absent, &absent), "{nowhere}");
    assert_eq!(nowhere["l2"], json!({"state": "off"}), "{nowhere}");
}
