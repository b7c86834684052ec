//! `/metrics` holds what the table of names says, and its numbers move as the table says.

use std::collections::BTreeMap;

use anteroom::telemetry::names::{ACTOR_NUMBERS, Kind, METRICS, is_present_value};
use serde_json::json;

use crate::support::client::Request;
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::{Fault, Provider};
use crate::support::redis::Redis;

/// What actix-web-prom counts of the operations listener itself.
const OF_THE_LIBRARY: [(&str, &str); 2] = [
    ("anteroom_operations_http_requests_duration_seconds", "histogram"),
    ("anteroom_operations_http_requests_total", "counter"),
];

fn text(gateway: &Gateway) -> String {
    let metrics = gateway.operate(&Request::get("/metrics")).expect_status(200);
    let kind = metrics.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    metrics.text()
}

/// One request of each outcome, one failed call, one answer not kept.
pub(super) fn some_of_everything(gateway: &Gateway, provider: &Provider) {
    for _ in 0..3 {
        gateway.chat(prompt("counted")).expect_status(200);
    }
    provider.next(Fault::Html);
    gateway.chat(prompt("discarded")).expect_status(200);
    provider.next(Fault::Close);
    gateway.chat(prompt("failed")).expect_status(502);
    let background = json!({"model": "m", "input": "x", "background": true});
    gateway.send(&Request::post("/v1/responses", background)).expect_status(200);
    gateway.send(&Request::get("/v1/files")).expect_status(200);
}

/// The workers report in batches: waits until so many requests are counted.
pub(super) fn wait_for_requests(gateway: &Gateway, count: f64) {
    gateway.wait_until(&format!("{count} requests counted"), |_| {
        gateway.metric("anteroom_requests_total", &[]) == Some(count)
    });
}

#[test]
fn the_metrics_are_those_of_the_table_with_its_kinds_and_help_texts() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    some_of_everything(&gateway, &provider);
    wait_for_requests(&gateway, 7.0);
    let text = text(&gateway);
    let lines = |word: &str| -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(&format!("# {word} ")));
        let pairs = lines.map(|line| line.split_once(' ').expect("a name and a text"));
        pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    };
    let kind = |kind| match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    // Those of client keys are there with the first key; `access.rs` reads them.
    let without_keys = METRICS.iter().filter(|metric| metric.labels.first() != Some(&"key"));
    let own =
        without_keys.clone().map(|metric| (metric.name.to_owned(), kind(metric.kind).to_owned()));
    let library = OF_THE_LIBRARY.iter().map(|(name, kind)| ((*name).into(), (*kind).into()));
    let promised: BTreeMap<String, String> = own.chain(library).collect();
    assert_eq!(lines("TYPE"), promised);
    let help = lines("HELP");
    for metric in without_keys {
        assert_eq!(help.get(metric.name).map(String::as_str), Some(metric.help));
        let labelled = |line: &&str| line.starts_with(&format!("{}{{", metric.name));
        if let Some(line) = text.lines().find(labelled) {
            for label in metric.labels {
                assert!(line.contains(&format!("{label}=\"")), "{line}");
            }
        }
    }
}

#[test]
fn each_request_is_counted_once_by_route_and_outcome() {
    let provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).start();
    some_of_everything(&gateway, &provider);
    wait_for_requests(&gateway, 7.0);
    let requests = |route: &str, outcome: &str| {
        let labels = [("route", route), ("outcome", outcome)];
        gateway.metric("anteroom_requests_total", &labels)
    };
    for (route, outcome, count) in [
        ("chat", "hit_l1", 2.0),
        ("chat", "miss", 2.0),
        ("chat", "error", 1.0),
        ("chat", "hit_l3", 0.0),
        ("chat", "coalesced", 0.0),
        ("chat", "bypass", 0.0),
        ("responses", "bypass", 1.0),
        ("passthrough", "bypass", 1.0),
        ("messages", "miss", 0.0),
    ] {
        assert_eq!(requests(route, outcome), Some(count), "{route} {outcome}");
    }
    for (name, labels, count) in [
        ("anteroom_request_duration_seconds_count", &[("route", "chat")][..], 5.0),
        ("anteroom_upstream_duration_seconds_count", &[("route", "chat")], 2.0),
        ("anteroom_upstream_errors_total", &[("route", "chat"), ("error", "no_answer")], 1.0),
        ("anteroom_discards_total", &[("route", "chat"), ("reason", "not-json")], 1.0),
        ("anteroom_level_lookup_duration_seconds_count", &[("level", "l3")], 3.0),
        ("anteroom_samples_dropped_total", &[], 0.0),
        ("anteroom_requests_waiting", &[], 0.0),
        ("anteroom_actor_state", &[("actor", "l1"), ("state", "running")], 1.0),
        ("anteroom_actor_state", &[("actor", "l2"), ("state", "disabled")], 1.0),
        ("anteroom_actor_state", &[("actor", "l1"), ("state", "degraded")], 0.0),
        ("anteroom_actor_restarts_total", &[], 0.0),
    ] {
        assert_eq!(gateway.metric(name, labels), Some(count), "{name} {labels:?}");
    }
    gateway.wait_for_writes();
    gateway.restart();
    gateway.chat(prompt("counted")).expect_status(200);
    wait_for_requests(&gateway, 1.0);
    let hits = [("route", "chat"), ("outcome", "hit_l3")];
    assert_eq!(gateway.metric("anteroom_requests_total", &hits), Some(1.0));
}

/// What the actors count is on both pages, under the same names.
#[test]
fn the_numbers_of_the_actors_are_the_same_on_both_pages() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let gateway = Gateway::patient().upstream(&provider).redis(&redis).start();
    gateway.chat(prompt("a")).expect_status(200);
    gateway.wait_for_writes();
    let health = gateway.health();
    for actor in health["actors"].as_array().expect("a list") {
        let name = actor["name"].as_str().expect("a name");
        for counter in actor["counters"].as_object().expect("counters").keys() {
            let (metric, label) = match is_present_value(counter) {
                true => ("anteroom_actor_values", "value"),
                false => ("anteroom_actor_events_total", "event"),
            };
            let labels = [("actor", name), (label, counter.as_str())];
            assert!(gateway.metric(metric, &labels).is_some(), "{metric} {labels:?}");
        }
    }
    let mut promised: Vec<(&str, &str)> = ACTOR_NUMBERS
        .iter()
        .flat_map(|number| number.actors.iter().map(|actor| (*actor, number.name)))
        .collect();
    let mut shown: Vec<(String, String)> = Vec::new();
    for actor in health["actors"].as_array().expect("a list") {
        let name = actor["name"].as_str().expect("a name").replace("fetch-0", "fetch");
        let counters = actor["counters"].as_object().expect("counters");
        shown.extend(counters.keys().map(|counter| (name.clone(), counter.clone())));
    }
    promised.sort_unstable();
    shown.sort_unstable();
    assert!(
        promised.iter().copied().eq(shown.iter().map(|(a, c)| (a.as_str(), c.as_str()))),
        "promised {promised:?}\nshown {shown:?}"
    );
    // What can shrink is no counter.
    for (actor, value, count) in [
        ("l1", "entries", 1.0),
        ("l2", "writes_in_flight", 0.0),
        ("l2", "connections", 2.0),
        ("l3", "pending_writes", 0.0),
        ("l3", "pending_bytes", 0.0),
        ("l3", "hanging_threads", 0.0),
        ("fetch-0", "orphans", 0.0),
        ("resolver", "flights", 0.0),
    ] {
        let labels = [("actor", actor), ("value", value)];
        assert_eq!(
            gateway.metric("anteroom_actor_values", &labels),
            Some(count),
            "{actor} {value}"
        );
    }
    for (actor, event, count) in
        [("l1", "inserts", 1.0), ("l3", "inserts", 1.0), ("resolver", "led", 1.0)]
    {
        let labels = [("actor", actor), ("event", event)];
        let events = gateway.metric("anteroom_actor_events_total", &labels);
        assert_eq!(events, Some(count), "{actor} {event}");
    }
    let bytes = gateway.metric("anteroom_actor_values", &[("actor", "l1"), ("value", "bytes")]);
    assert!(bytes.is_some_and(|bytes| bytes > 200.0), "{bytes:?}");
}

/// Paths, methods and prompts are no labels: callers cannot make series. Models are labels of what
/// they saved and cost, once the provider has answered for them, and up to the ledger's bound.
#[test]
fn callers_cannot_make_series() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let ask = |number: usize| {
        gateway.send(&Request::new("POST", &format!("/v1/unheard/of/{number}")));
        gateway.send(&Request::new(&format!("M{number}"), "/v1/files"));
        gateway.send(&Request::get(&format!("/nowhere/{number}")));
        gateway.send(&chat(json!({"model": format!("model-{number}"), "messages": []})));
        gateway.operate(&Request::get(&format!("/nowhere/{number}")));
    };
    ask(0);
    wait_for_requests(&gateway, 3.0);
    let is_by_model = |line: &&str| {
        ["anteroom_saved_", "anteroom_spent_"].iter().any(|own| line.starts_with(own))
    };
    let series = || {
        let text = text(&gateway);
        let by_model = text.lines().filter(is_by_model).count();
        (text.lines().count() - by_model, by_model)
    };
    let before = series();
    (1..6).for_each(ask);
    wait_for_requests(&gateway, 18.0);
    assert_eq!(series(), (before.0, before.1 + 5 * 6));
}
