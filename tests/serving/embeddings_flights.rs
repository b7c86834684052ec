//! The missing part of a list of inputs to embed: who shares its call, what becomes of it, who pays.

use serde_json::{Value, json};

use super::apis::KEY;
use super::embeddings::{by_number, embed, last_inputs, numbers, status, texts};
use crate::support::client::{Connection, Request};
use crate::support::client_keys::{config, key};
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::Gateway;
use crate::support::provider::{Gate, Provider, Reply};

/// Those who miss the same share one call, whatever each of them knows beside it.
#[test]
fn equal_missing_parts_share_one_call() {
    let gate = Gate::closed();
    gate.open();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| by_number(call).held_by(&held));
    let gateway = Gateway::patient().upstream(&provider).start();
    gateway.send(&embed(["item 1", "item 2"])).expect_status(200);
    gate.close();
    let lists = [["item 1", "item 3", "item 4"], ["item 3", "item 2", "item 4"]];
    std::thread::scope(|scope| {
        let gateway = &gateway;
        let callers = lists.map(|list| scope.spawn(move || gateway.send(&embed(list))));
        gateway.wait_until("both in one flight", |_| {
            gateway.actor("resolver")["counters"]["joined"] == 1
        });
        gate.open();
        let answers = callers.map(|caller| caller.join().expect("its panic stands above"));
        assert_eq!(answers.each_ref().map(numbers), [[1, 3, 4], [3, 2, 4]]);
        let mut caches = answers.each_ref().map(|answer| answer.cache());
        caches.sort();
        assert_eq!(caches, ["COALESCED", "MISS"]);
    });
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
}

/// Stale items stand in for a failing provider, and are asked for again in one call where it is well.
#[test]
fn stale_items_are_asked_again_together_or_stand_in() {
    let mut provider = Provider::scripted(by_number);
    let route = "routes:\n  - {name: embeddings, methods: [POST], path: /v1/embeddings, profile: \
                 embeddings, cache: true, lifetime: 1s, stale_while_revalidate: 1h, \
                 stale_if_error: 1h}\nupstreams: {default: {retry: {attempts: 0}}}\n";
    let gateway = Gateway::patient().upstream(&provider).config(route).start();
    let list = embed(["item 1", "item 2"]);
    gateway.send(&list).expect_status(200);
    provider.script(|_| Reply::new(503, &[], "{}"));
    let stale = poll(PATIENCE, || {
        let answer = gateway.send(&list).expect_status(200);
        // In its last millisecond it may be found fresh and turn stale on the way.
        let is_asked = answer.cache().starts_with("STALE") && status(&answer).contains("fwd=");
        is_asked.then_some(answer)
    });
    let stale = stale.expect("it turns stale");
    assert_eq!(numbers(&stale), [1, 2]);
    assert!(status(&stale).contains("fwd=stale; fwd-status=503; ttl=-"), "{stale}");
    provider.stop();
    let stale = gateway.send(&list).expect_status(200);
    assert!(status(&stale).contains("detail=stale-if-error-connect"), "{stale}");
    gateway.send(&embed(["item 1", "item 2", "item 3"])).expect_status(502);
    provider.resume();
    provider.script(by_number);
    let before = provider.num_calls();
    let fresh = gateway.send(&list).expect_status(200);
    assert_eq!((fresh.cache().as_str(), numbers(&fresh)), ("MISS", vec![1, 2]), "{fresh}");
    assert_eq!(provider.num_calls(), before + 1);
}

/// A caller who leaves has paid: what the call brings is kept item by item all the same.
#[test]
fn items_of_a_caller_who_left_are_kept() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| by_number(call).held_by(&held));
    let gateway = Gateway::patient().upstream(&provider).start();
    let body = json!({"model": "test-embedding", "input": ["item 1", "item 2"]}).to_string();
    let head = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer";
    let length = body.len();
    let request = format!("{head} {KEY}\r\nContent-Length: {length}\r\n\r\n{body}");
    let mut left = Connection::open(gateway.api());
    left.write(request.as_bytes()).expect("sent");
    provider.wait_for_calls(1);
    drop(left);
    gate.open();
    gateway.wait_until("the answer kept", |_| gateway.actor("l1")["counters"]["entries"] == 2);
    let hit = gateway.send(&embed("item 2")).expect_status(200);
    assert_eq!((hit.cache(), numbers(&hit)), ("HIT L1".into(), vec![2]), "{hit}");
}

/// what a list brought is purged item by item: by its own tag, model, or route, and a fill that
/// began before the purge is not kept.
#[test]
fn a_purge_drops_the_items_it_names_from_every_level() {
    let gate = Gate::closed();
    gate.open();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| by_number(call).held_by(&held));
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let purge = |gateway: &Gateway, body: Value| {
        let answer = gateway.operate(&Request::post("/api/v1/cache/purge", body));
        assert_eq!(answer.expect_status(200).json()["status"], "complete");
    };
    let tagged = |numbers: std::ops::Range<usize>, tag: &str| {
        embed(texts(numbers)).header("X-Cache-Tags", tag)
    };
    gateway.send(&tagged(0..3, "a")).expect_status(200);
    gateway.send(&tagged(3..6, "b")).expect_status(200);
    assert_eq!(gateway.send(&embed(texts(0..6))).expect_status(200).cache(), "HIT L1");
    gateway.wait_for_writes();
    purge(&gateway, json!({"tag": "a"}));
    gateway.restart();
    let part = gateway.send(&embed(texts(0..6))).expect_status(200);
    assert!(status(&part).ends_with("detail=partial-3/6"), "{part}");
    assert_eq!((numbers(&part), last_inputs(&provider)), ((0..6).collect(), texts(0..3)));
    purge(&gateway, json!({"model": "test-embedding"}));
    gate.close();
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| gateway.send(&embed(texts(0..6))));
        provider.wait_for_calls(4);
        assert_eq!(last_inputs(&provider), texts(0..6));
        purge(&gateway, json!({"route": "embeddings"}));
        gate.open();
        caller.join().expect("its panic stands above").expect_status(200);
    });
    let anew = gateway.send(&embed(texts(0..6))).expect_status(200);
    assert_eq!((anew.cache().as_str(), provider.num_calls()), ("MISS", 5), "{anew}");
    assert_eq!(status(&anew), "anteroom; fwd=miss; stored");
    assert_eq!(gateway.send(&embed("item 5")).expect_status(200).cache(), "HIT L1");
}

/// a key pays for what was asked upstream; what is known costs it nothing.
#[test]
fn a_key_pays_for_the_missing_part_only() {
    let provider = Provider::scripted(by_number);
    let keys = [("rich", "tokens_per_minute: 1000000")];
    let gateway = Gateway::patient().config(&config(&provider, &keys)).start();
    for (numbers, spent) in [(0..3, 3.0), (0..3, 3.0), (0..5, 5.0), (2..6, 6.0), (0..6, 6.0)] {
        let body = json!({"model": "test-embedding", "input": texts(numbers)});
        let request = Request::post("/v1/embeddings", body).bearer(&key("rich"));
        gateway.send(&request).expect_status(200);
        let counted = gateway.metric("anteroom_client_tokens_total", &[("key", "rich")]);
        assert_eq!(counted, Some(spent));
    }
}

/// A list's answer may be larger than what is kept of one answer: each item is not.
#[test]
fn a_list_larger_than_an_entry_is_kept_by_item() {
    let provider = Provider::scripted(|call| {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let inputs = body["input"].as_array().map_or(1, Vec::len);
        let vector = vec![0.125; 4_000];
        let data = (0..inputs).map(|index| json!({"index": index, "embedding": vector}));
        let data: Vec<_> = data.collect();
        Reply::json(200, &json!({"object": "list", "model": "m", "data": data}))
    });
    let builder = Gateway::patient().upstream(&provider);
    let gateway = builder.env("ANTEROOM__CACHE__MAX_ENTRY", "100KiB").start();
    let list = embed(texts(0..20));
    let miss = gateway.send(&list).expect_status(200);
    assert!(miss.body.len() > 400_000 && status(&miss).ends_with("fwd=miss; stored"), "{miss}");
    let hit = gateway.send(&list).expect_status(200);
    assert_eq!((hit.cache().as_str(), hit.body == miss.body), ("HIT L1", true));
    assert_eq!(provider.num_calls(), 1);
}
