//! A repeated call comes from the cache, from the nearest level that has it.

use super::apis::{STREAMED, ask, ask_stream};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::Provider;

#[test]
fn a_repeat_is_a_hit_also_after_a_kill_first_from_l3_then_from_l1() {
    let provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let request = chat(prompt("twice, and after a kill"));
    let miss = gateway.send(&request).expect_status(200);
    assert_eq!(miss.cache(), "MISS", "{miss}");
    let hit = gateway.send(&request).expect_status(200);
    assert_eq!((hit.cache(), &hit.body), ("HIT L1".into(), &miss.body), "{hit}");
    gateway.wait_for_writes();
    gateway.kill9();
    gateway.restart();
    for level in ["HIT L3", "HIT L1", "HIT L1"] {
        let hit = gateway.send(&request).expect_status(200);
        assert_eq!((hit.cache(), &hit.body), (level.into(), &miss.body), "{hit}");
    }
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
}

#[test]
fn streams_and_objects_of_each_api_survive_a_kill_byte_for_byte() {
    let provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let requests = STREAMED.map(|api| [ask(api, "kept"), ask_stream(api, "kept as events")]);
    let misses: Vec<_> = requests.iter().flatten().map(|request| gateway.send(request)).collect();
    gateway.wait_for_writes();
    gateway.restart();
    for (request, miss) in requests.iter().flatten().zip(&misses) {
        let hit = gateway.send(request).expect_status(200);
        assert_eq!((hit.cache(), &hit.body), ("HIT L3".into(), &miss.body), "{hit}");
        assert_eq!(hit.header("content-type"), miss.header("content-type"), "{hit}");
    }
    assert_eq!(provider.num_calls(), requests.len() * 2, "{}", provider.log());
}

#[test]
fn without_a_provider_kept_answers_are_still_given() {
    let mut provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let request = chat(prompt("while the provider is down"));
    let miss = gateway.send(&request).expect_status(200);
    gateway.wait_for_writes();
    provider.stop();
    assert_eq!(gateway.send(&request).expect_status(200).cache(), "HIT L1");
    gateway.restart();
    let hit = gateway.send(&request).expect_status(200);
    assert_eq!((hit.cache(), &hit.body), ("HIT L3".into(), &miss.body), "{hit}");
    gateway.chat(prompt("something new")).expect_status(502);
}

#[test]
fn repeats_hit_with_recall_switched_off_too() {
    let provider = Provider::start();
    for (name, value) in
        [("ANTEROOM__CACHE__RECALL_ENTRIES", "0"), ("ANTEROOM__CACHE__RECALL_LEASE", "0s")]
    {
        // a nought is a setting, not the lack of one.
        let gateway = Gateway::patient().upstream(&provider).env(name, value).start();
        let request = chat(prompt(name));
        let miss = gateway.send(&request).expect_status(200);
        for _ in 0..3 {
            let hit = gateway.send(&request).expect_status(200);
            assert_eq!((hit.cache(), &hit.body), ("HIT L1".into(), &miss.body), "{hit}");
        }
        assert_eq!(gateway.actor("l1")["counters"]["hits"], 3, "L1 itself was asked");
    }
}

#[test]
fn a_large_answer_is_kept_up_to_the_bound_and_only_passed_on_past_it() {
    let provider = Provider::scripted(|call| {
        let text = "x".repeat(if call.text().contains("small") { 500 << 10 } else { 3 << 20 });
        let whole = serde_json::json!({"choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text}}]});
        crate::support::provider::Reply::json(200, &whole)
    });
    let builder = Gateway::patient().upstream(&provider);
    let gateway = builder.env("ANTEROOM__CACHE__MAX_ENTRY", "1MiB").start();
    let small = gateway.chat(prompt("small")).expect_status(200);
    let repeated = gateway.chat(prompt("small")).expect_status(200);
    assert_eq!((repeated.cache(), &repeated.body), ("HIT L1".into(), &small.body));
    for _ in 0..2 {
        let large = gateway.chat(prompt("large")).expect_status(200);
        assert_eq!(large.cache(), "MISS", "{:?}", large.headers);
        assert!(large.body.len() > 3 << 20);
        let status = large.header("cache-status").unwrap_or_default();
        assert!(status.ends_with("; detail=too-large"), "{status}");
    }
    assert_eq!(provider.num_calls(), 3);
}
