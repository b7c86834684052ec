//! The size that pays: what operators see of it, and what becomes of L1.

use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::{Gate, Provider, answer};

fn scaling(gateway: &Gateway) -> Value {
    gateway.operate(&Request::get("/api/v1/scaling")).expect_status(200).json()
}

/// Twenty prompts in turn, more than L1 has room for, until the scaler has decided something.
fn loop_until_decided(gateway: &Gateway) -> Value {
    let mut seen = Value::Null;
    for round in 0..60 {
        for number in 0..20 {
            gateway.chat(prompt(&format!("prompt {number}"))).expect_status(200);
        }
        seen = scaling(gateway);
        if round >= 25 && seen["decisions"].as_array().is_some_and(|list| !list.is_empty()) {
            return seen;
        }
    }
    let decided = poll(PATIENCE, || {
        seen = scaling(gateway);
        seen["decisions"].as_array().is_some_and(|list| !list.is_empty()).then(|| seen.clone())
    });
    decided.unwrap_or_else(|| panic!("never decided: {seen:#}\n{}", gateway.log()))
}

fn small(mode: &str) -> (Provider, Gateway) {
    let provider = Provider::start();
    let gateway = Gateway::patient()
        .upstream(&provider)
        .env("L1_CACHE_SIZE", "8")
        .env("CACHE_WARMING_ENABLED", "false")
        .env("ANTEROOM__L1__MAX_BYTES", "8MiB")
        .env("ANTEROOM__SCALER__MODE", mode)
        .env("ANTEROOM__SCALER__INTERVAL", "1s")
        .start();
    (provider, gateway)
}

#[test]
fn l1_grows_where_more_of_it_would_hit_and_says_why() {
    let (_provider, gateway) = small("on");
    let before = 8 << 20;
    let seen = loop_until_decided(&gateway);
    assert_eq!(seen["mode"], "on");
    let decision = &seen["decisions"][0];
    assert_eq!((&decision["of"], &decision["applied"]), (&json!("l1_bytes"), &json!(true)));
    assert_eq!((&decision["before"], &decision["reason"]), (&json!(before), &json!("growth_pays")));
    assert!(decision["gain"].as_f64().unwrap() > 0.01, "{decision}");
    assert!(decision["evidence"]["requests"].as_u64().unwrap() >= 500, "{decision}");
    let curve = seen["curve"].as_array().unwrap();
    assert_eq!((curve.len(), &curve[7]["bytes"]), (8, &json!(before * 8)));
    assert!(curve[0]["hit_ratio"].as_f64() < curve[7]["hit_ratio"].as_f64(), "{curve:?}");
    let grown = poll(PATIENCE, || {
        let l1 = &gateway.actor("l1")["counters"]["max_bytes"];
        l1.as_u64().filter(|bytes| *bytes > before)
    });
    assert_eq!(grown, decision["after"].as_u64(), "{}", gateway.log());
    assert_eq!(gateway.actor("scaler")["counters"]["resizes"], 1);
    let evicted = poll(PATIENCE, || {
        let traffic = &scaling(&gateway)["traffic"];
        traffic["evictions"].as_u64().filter(|evictions| *evictions > 0)
    });
    assert!(evicted.is_some(), "{}", scaling(&gateway));
}

#[test]
fn advice_is_shown_and_not_followed() {
    let (_provider, gateway) = small("advise");
    let seen = loop_until_decided(&gateway);
    let decision = &seen["decisions"][0];
    assert_eq!((&seen["mode"], &decision["applied"]), (&json!("advise"), &json!(false)));
    assert_eq!(gateway.actor("l1")["counters"]["max_bytes"], 8 << 20);
}

#[test]
fn it_can_be_off() {
    let gateway = Gateway::patient().env("AUTO_SCALING_ENABLED", "false").start();
    assert_eq!(scaling(&gateway), json!({"mode": "off", "upstreams": {}}));
    assert_eq!(gateway.actor("scaler")["state"], "disabled");
    assert_eq!(gateway.metric("anteroom_scaler_wanted_replicas", &[]), None);
    gateway.operate(&Request::post("/api/v1/scaling", json!({}))).expect_status(404);
}

#[test]
fn a_gateway_with_many_requests_under_way_wants_more_of_its_kind() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| answer(call).held_by(&held));
    let gateway = Gateway::patient()
        .upstream(&provider)
        .env("ANTEROOM__SERVER__MAX_IN_FLIGHT", 10)
        .env("ANTEROOM__SCALER__INTERVAL", "1s")
        .env("ANTEROOM__SCALER__REPLICA_TARGET", 50)
        .start();
    let requests: Vec<_> = (0..10).map(|number| chat(prompt(&format!("held {number}")))).collect();
    let asked = gateway.ask_all(&requests);
    provider.wait_for_calls(10);
    // All of ten places, of which half should be taken.
    let wanted = poll(PATIENCE, || {
        let wanted = gateway.metric("anteroom_scaler_wanted_replicas", &[])?;
        (wanted > 1.9).then_some(wanted)
    });
    assert!(wanted.is_some_and(|wanted| wanted <= 2.0), "{wanted:?}: {:#}", scaling(&gateway));
    let shown = &scaling(&gateway)["replicas"];
    assert_eq!((&shown["bound_by"], &shown["target"]), (&json!("requests"), &json!(0.5)));
    let requests = gateway.metric("anteroom_scaler_saturation", &[("resource", "requests")]);
    assert!(requests > Some(0.95), "{requests:?}");
    drop(asked);
    gate.open();
}

#[test]
fn a_scaler_that_died_is_back_and_goes_on() {
    let (_provider, gateway) = small("on");
    gateway.make_panic("scaler");
    let health = poll(PATIENCE, || {
        let actor = gateway.actor("scaler");
        (actor["restarts"] == 1 && actor["state"] == "running").then_some(actor)
    });
    assert!(health.is_some(), "{}", gateway.log());
    loop_until_decided(&gateway);
}
