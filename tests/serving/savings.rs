//! What was saved and what was spent. A-77: no hit is billed, none is counted twice.

use serde_json::{Value, json};

use super::apis::{ask_stream, ask_stream_with_usage};
use crate::support::client::Request;
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::{self, Fault, Gate, Provider};

/// The provider's chats cost 9 tokens in and 12 out: 22.5 + 120 millionths, rounded up.
const PRICES: &str = "prices: {currency: EUR, models: [{model: \"test-*\", input_per_million: \
                      \"2.50\", output_per_million: \"10\"}]}\n";
const A_CHAT: u64 = 143;

fn savings(gateway: &Gateway) -> Value {
    gateway.operate(&Request::get("/api/v1/savings")).expect_status(200).json()
}

fn micros(money: &Value) -> u64 {
    let digits: String = money.as_str().unwrap_or_default().split('.').collect();
    digits.parse().unwrap_or_else(|error| panic!("{money}: {error}"))
}

/// Waits until so many calls were saved and spent in all; returns everything.
#[track_caller]
fn wait_for(gateway: &Gateway, saved: u64, spent: u64) -> Value {
    let mut last = Value::Null;
    let met = poll(PATIENCE, || {
        last = savings(gateway);
        let total = &last["total"];
        (total["saved"]["calls"] == saved && total["spent"]["calls"] == spent).then(|| last.clone())
    });
    met.unwrap_or_else(|| panic!("never {saved} saved and {spent} spent: {last:#}"))
}

#[track_caller]
fn expect_money(all: &Value, saved: u64, spent: u64) {
    let total = &all["total"];
    assert_eq!(micros(&total["saved"]["money"]), saved * A_CHAT, "{all:#}");
    assert_eq!(micros(&total["spent"]["money"]), spent * A_CHAT, "{all:#}");
    assert_eq!(total["saved"]["input_tokens"], saved * 9, "{all:#}");
    assert_eq!(total["saved"]["output_tokens"], saved * 12, "{all:#}");
}

/// n hits save n times the call and spend nothing; streams, objects, and from disk too.
#[test]
fn hits_save_what_the_call_cost_and_spend_nothing() {
    let provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).config(PRICES).start();
    let object = chat(prompt("an object"));
    let stream = ask_stream_with_usage("chat/completions", "a stream");
    for request in [&object, &stream] {
        assert_eq!(gateway.send(request).expect_status(200).cache(), "MISS");
    }
    expect_money(&wait_for(&gateway, 0, 2), 0, 2);
    for _ in 0..10 {
        for request in [&object, &stream] {
            assert_eq!(gateway.send(request).expect_status(200).cache(), "HIT L1");
        }
    }
    let all = wait_for(&gateway, 20, 2);
    expect_money(&all, 20, 2);
    assert_eq!(all["currency"], "EUR");
    assert!(all["total"]["saved"]["seconds"].as_f64() > Some(0.0), "{all:#}");
    let models = all["models"].as_array().expect("a list");
    assert_eq!(models.len(), 1, "{all:#}");
    assert_eq!((&models[0]["route"], &models[0]["model"]), (&json!("chat"), &json!("test-model")));
    let labels = [("route", "chat"), ("model", "test-model")];
    let money = [labels[0], labels[1], ("currency", "EUR")];
    let close = |metric: &str, labels: &[(&str, &str)], expected: f64| {
        let value = gateway.metric(metric, labels).unwrap_or_default();
        assert!((value - expected).abs() < 1e-9, "{metric}: {value}");
    };
    close("anteroom_saved_calls_total", &labels, 20.0);
    close("anteroom_saved_tokens_total", &[("direction", "input")], 180.0);
    close("anteroom_saved_tokens_total", &[("direction", "output")], 240.0);
    close("anteroom_saved_money_total", &money, 0.00286);
    close("anteroom_spent_money_total", &money, 0.000286);
    // The other form is a hit as well, and L3 remembers what a call had cost.
    gateway.wait_for_writes();
    gateway.restart();
    assert!(savings(&gateway)["since_unix_ms"].as_u64() > all["since_unix_ms"].as_u64());
    for (request, level) in [(&object, "HIT L3"), (&stream, "HIT L3"), (&object, "HIT L1")] {
        assert_eq!(gateway.send(request).expect_status(200).cache(), level);
    }
    let other_form = gateway.send(&ask_stream("chat/completions", "a stream")).expect_status(200);
    assert_eq!(other_form.cache(), "HIT L1", "{other_form}");
    expect_money(&wait_for(&gateway, 4, 0), 4, 0);
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
}

/// of those who wait for one call, one pays.
#[test]
fn coalesced_requests_save_what_their_leader_spends() {
    for stream in [false, true] {
        let gate = Gate::closed();
        let held = gate.clone();
        let provider = Provider::scripted(move |call| provider::answer(call).held_by(&held));
        let gateway = Gateway::patient().upstream(&provider).config(PRICES).start();
        let request = if stream {
            ask_stream_with_usage("chat/completions", "together")
        } else {
            chat(prompt("together"))
        };
        std::thread::scope(|scope| {
            let callers = scope.spawn(|| gateway.send_at_once(5, &request));
            provider.wait_for_calls(1);
            gateway.wait_until("all five in one flight", |_| {
                gateway.actor("resolver")["counters"]["joined"] == 4
            });
            gate.open();
            let answers = callers.join().expect("its panic stands above");
            let led = answers.iter().filter(|answer| answer.cache() == "MISS").count();
            assert_eq!(led, 1, "stream: {stream}");
        });
        let all = wait_for(&gateway, 4, 1);
        expect_money(&all, 4, 1);
        assert!(all["total"]["saved"]["seconds"].as_f64() > Some(0.0), "{all:#}");
    }
}

/// Calls past the cache cost what they say; what is not kept costs, too; failures cost nothing.
#[test]
fn every_answered_call_is_charged_kept_or_not() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).config(PRICES).start();
    let background = json!({"model": "test-model", "input": "x", "background": true});
    gateway.send(&Request::post("/v1/responses", background)).expect_status(200);
    expect_money(&wait_for(&gateway, 0, 1), 0, 1);
    let no_store = chat(prompt("not kept")).header("Cache-Control", "no-store");
    gateway.send(&no_store).expect_status(200);
    gateway.send(&no_store).expect_status(200);
    expect_money(&wait_for(&gateway, 0, 3), 0, 3);
    for fault in [Fault::Status(500), Fault::Status(400), Fault::Close] {
        provider.next(fault);
        gateway.chat(prompt("fails"));
    }
    gateway.send(&Request::get("/v1/files")).expect_status(200);
    gateway.chat(prompt("well")).expect_status(200);
    let unpriced = json!({"model": "other", "messages": [{"role": "user", "content": "x"}]});
    gateway.chat(&unpriced).expect_status(200);
    gateway.chat(&unpriced).expect_status(200);
    let all = wait_for(&gateway, 1, 5);
    assert_eq!(micros(&all["total"]["spent"]["money"]), 4 * A_CHAT, "{all:#}");
    assert_eq!(micros(&all["total"]["saved"]["money"]), 0, "{all:#}");
}

/// A stale answer is a hit; the call that refreshes it is charged when it lands.
#[test]
fn a_refresh_is_charged_once_and_its_hits_are_hits() {
    let provider = Provider::start();
    let route = "routes:\n  - {name: chat, methods: [POST], path: /v1/chat/completions, profile: \
                 chat, cache: true, lifetime: 1s, stale_while_revalidate: 1h}\n";
    let config = format!("{PRICES}{route}");
    let gateway = Gateway::patient().upstream(&provider).config(&config).start();
    let request = chat(prompt("refreshed"));
    let mut hits = 0;
    let stale = poll(PATIENCE, || {
        let answer = gateway.send(&request).expect_status(200);
        hits += u64::from(answer.cache() != "MISS");
        answer.cache().starts_with("STALE").then_some(())
    });
    stale.expect("it turns stale");
    provider.wait_for_calls(2);
    expect_money(&wait_for(&gateway, hits, 2), hits, 2);
}
