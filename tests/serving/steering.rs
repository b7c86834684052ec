//! Callers steer the cache: `Cache-Control`, `Pragma`, `X-Cache-TTL`, `X-Cache-Namespace`.

use serde_json::json;

use super::apis::{STREAMED, ask, ask_stream};
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::Provider;

fn ttl(answer: &Response) -> i64 {
    let status = answer.header("cache-status").unwrap_or_default();
    let ttl = status.split("; ").find_map(|part| part.strip_prefix("ttl=")?.parse().ok());
    ttl.unwrap_or_else(|| panic!("no ttl\n{answer}"))
}

/// RFC 9111 §5.2.1.4: in every API, `no-cache` gets a new answer, which the next request
/// then hits; so does `Pragma` where nothing else is said (§5.4).
#[test]
fn no_cache_brings_a_new_answer_which_replaces_the_kept_one() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for api in STREAMED {
        for steer in [("Cache-Control", "no-cache"), ("Pragma", "no-cache")] {
            let request = ask(api, steer.0);
            let first = gateway.send(&request).expect_status(200);
            let second = gateway.send(&request.clone().header(steer.0, steer.1));
            assert_eq!(second.cache(), "MISS", "{second}");
            assert_ne!(second.body, first.body, "{api}: a new answer");
            let third = gateway.send(&request);
            assert_eq!((third.cache().as_str(), &third.body), ("HIT L1", &second.body), "{third}");
        }
    }
    assert_eq!(provider.num_calls(), STREAMED.len() * 4);
}

/// A-72; RFC 9111 §5.2.1.5: `no-store` keeps nothing of this request; what is kept may answer it.
#[test]
fn no_store_keeps_nothing() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for request in [ask("chat/completions", "no-store"), ask_stream("messages", "no-store")] {
        let private = request.clone().header("Cache-Control", "no-store");
        let first = gateway.send(&private).expect_status(200);
        assert_eq!(first.cache(), "MISS", "{first}");
        let second = gateway.send(&private);
        assert_eq!(second.cache(), "MISS", "{second}");
        assert_ne!(second.body, first.body);
        let kept = gateway.send(&request);
        assert_eq!(kept.cache(), "MISS", "nothing was kept\n{kept}");
        assert_eq!(gateway.send(&private).cache(), "HIT L1");
    }
    assert_eq!(provider.num_calls(), 6);
    let l3 = gateway.actor("l3");
    assert!(l3["counters"]["entries"].as_u64() <= Some(2), "{l3}");
}

/// RFC 9111 §5.2.1.7: nothing but what is kept, else 504 in the API's own form.
#[test]
fn only_if_cached_never_reaches_the_provider() {
    let provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let only = |request: &Request| request.clone().header("Cache-Control", "only-if-cached");
    let (chat, message) = (ask("chat/completions", "kept?"), ask("messages", "kept?"));
    let refused = gateway.send(&only(&chat)).expect_status(504);
    assert_eq!(refused.json()["error"]["code"], "only_if_cached", "{refused}");
    let refused = gateway.send(&only(&message)).expect_status(504);
    assert_eq!(refused.json()["type"], "error", "{refused}");
    assert_eq!(provider.num_calls(), 0);
    let miss = gateway.send(&chat).expect_status(200);
    gateway.wait_for_writes();
    assert_eq!(gateway.send(&only(&chat)).cache(), "HIT L1");
    gateway.restart();
    let hit = gateway.send(&only(&chat));
    assert_eq!((hit.cache().as_str(), &hit.body), ("HIT L3", &miss.body), "{hit}");
    assert_eq!(provider.num_calls(), 1);
}

/// RFC 9111 §5.2.1.1, §5.2.1.3: a request may want a younger or a longer fresh answer than the kept one.
#[test]
fn max_age_and_min_fresh_pick_among_what_is_kept() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let request = chat(prompt("how old?"));
    let steered = |value: &str| gateway.send(&request.clone().header("Cache-Control", value));
    gateway.send(&request).expect_status(200);
    assert_eq!(steered("max-age=3600").cache(), "HIT L1");
    assert_eq!(steered("min-fresh=60").cache(), "HIT L1");
    let longer = steered("min-fresh=7300");
    assert_eq!(longer.cache(), "MISS", "it is fresh for two hours\n{longer}");
    assert_eq!(provider.num_calls(), 2);
    assert_eq!(steered("max-age=60, max-stale=5").body, longer.body);
}

/// many SDKs always send `no-cache`; a route may not care.
#[test]
fn a_route_may_ignore_cache_control_of_callers() {
    let provider = Provider::start();
    let gateway = Gateway::patient()
        .upstream(&provider)
        .config(
            "routes:\n  - {name: chat, methods: [POST], path: /v1/chat/completions, profile: chat, \
             cache: true, ignore_client_cache_control: true}\n",
        )
        .start();
    let request = chat(prompt("always no-cache")).header("Cache-Control", "no-cache");
    gateway.send(&request).expect_status(200);
    assert_eq!(gateway.send(&request).cache(), "HIT L1");
    assert_eq!(gateway.send(&chat(prompt("always no-cache"))).cache(), "HIT L1");
    assert_eq!(provider.num_calls(), 1);
}

/// seconds are seconds, and what is out of bounds is refused by name.
#[test]
fn a_caller_sets_the_time_to_live_within_bounds() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let request = chat(prompt("a minute")).header("X-Cache-TTL", "60");
    gateway.send(&request).expect_status(200);
    let hit = gateway.send(&request);
    assert!(ttl(&hit) <= 60 && ttl(&hit) > 30, "{hit}");
    let again = gateway.send(&chat(prompt("a minute")));
    assert!(again.cache().starts_with("HIT") && ttl(&again) <= 60, "{again}");
    for value in ["0", "-5", "1h", "99999999999"] {
        let refused = gateway.send(&chat(prompt("x")).header("X-Cache-TTL", value));
        let refused = refused.expect_status(400);
        assert_eq!(refused.json()["error"]["code"], "invalid_header", "{refused}");
        let message = refused.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains("x-cache-ttl") && message.contains("2592000"), "{message}");
    }
    assert_eq!(provider.num_calls(), 1);
}

/// a namespace lies inside a scope: it neither mixes nor widens, and within it there are hits.
#[test]
fn a_namespace_keeps_answers_apart_within_a_scope() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let ask = |key: &str, namespace: Option<&str>| {
        let request = Request::post("/v1/chat/completions", prompt("where?")).bearer(key);
        match namespace {
            Some(name) => gateway.send(&request.header("X-Cache-Namespace", name)),
            None => gateway.send(&request),
        }
    };
    let mut bodies = Vec::new();
    for (key, namespace) in
        [("a", None), ("a", Some("one")), ("a", Some("two")), ("b", None), ("b", Some("one"))]
    {
        let miss = ask(key, namespace);
        assert_eq!(miss.cache(), "MISS", "{key} {namespace:?}\n{miss}");
        let hit = ask(key, namespace);
        assert_eq!((hit.cache().as_str(), &hit.body), ("HIT L1", &miss.body), "{hit}");
        bodies.push(miss.body);
    }
    bodies.sort();
    bodies.dedup();
    assert_eq!((bodies.len(), provider.num_calls()), (5, 5));
}

/// answers to requests that the deployer does not want kept go past the cache.
#[test]
fn a_route_keeps_only_what_its_rules_allow() {
    let provider = Provider::start();
    let gateway = Gateway::patient()
        .upstream(&provider)
        .config(
            "routes:\n  - {name: chat, methods: [POST], path: /v1/chat/completions, profile: chat, \
             cache: true, max_temperature: 0.5, max_choices: 1, keep_tools: false}\n",
        )
        .start();
    let body = |field: &str, value: serde_json::Value| {
        let mut body = prompt("rules");
        body["temperature"] = json!(0);
        body[field] = value;
        body
    };
    for (field, value, detail) in [
        ("temperature", json!(0.9), "detail=temperature"),
        ("n", json!(2), "detail=choices"),
        ("tools", json!([{"type": "function"}]), "detail=tools"),
    ] {
        let request = chat(body(field, value));
        for _ in 0..2 {
            let answer = gateway.send(&request).expect_status(200);
            assert_eq!(answer.cache(), "BYPASS", "{answer}");
            assert!(answer.header("cache-status").unwrap_or_default().contains(detail), "{answer}");
        }
    }
    let request = chat(body("n", json!(1)));
    gateway.send(&request).expect_status(200);
    assert_eq!(gateway.send(&request).cache(), "HIT L1");
    assert_eq!(provider.num_calls(), 7);
}

/// with the deployer's leave a client that spells out the API's defaults hits what one that does
/// not got.
#[test]
fn spelled_out_defaults_may_be_left_out_of_the_key() {
    let provider = Provider::start();
    let config = |leave_out: bool| {
        format!(
            "routes:\n  - {{name: chat, methods: [POST], path: /v1/chat/completions, profile: chat, \
             cache: true, leave_out_defaults: {leave_out}}}\n"
        )
    };
    let mut spelled = prompt("defaults");
    spelled["n"] = json!(1);
    spelled["top_p"] = json!(1.0);
    for (leave_out, cache) in [(true, "HIT L1"), (false, "MISS")] {
        let gateway = Gateway::patient().upstream(&provider).config(&config(leave_out)).start();
        gateway.chat(prompt("defaults")).expect_status(200);
        assert_eq!(gateway.chat(&spelled).cache(), cache);
        spelled["n"] = json!(2);
        assert_eq!(gateway.chat(&spelled).cache(), "MISS");
        spelled["n"] = json!(1);
    }
}
