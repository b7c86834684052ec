//! Gateways that share Redis share their answers.

use crate::support::deadline::{self, PATIENCE};
use crate::support::gateway::{Gateway, actor, chat, prompt};
use crate::support::provider::Provider;
use crate::support::redis::Redis;

fn wait_for_l2_inserts(gateway: &Gateway, count: u64) {
    gateway.wait_until("written to L2", |health| {
        let inserts = actor(health, "l2").and_then(|l2| l2["counters"]["inserts"].as_u64());
        inserts.is_some_and(|inserts| inserts >= count)
    });
}

#[test]
fn what_one_gateway_fetched_the_other_answers_from_l2_then_from_l1() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let start = || Gateway::patient().upstream(&provider).redis(&redis).start();
    let (one, other) = (start(), start());
    let request = chat(prompt("fetched by one"));
    let miss = one.send(&request).expect_status(200);
    assert_eq!(miss.cache(), "MISS", "{miss}");
    wait_for_l2_inserts(&one, 1);
    for level in ["HIT L2", "HIT L1"] {
        let hit = other.send(&request).expect_status(200);
        assert_eq!((hit.cache(), &hit.body), (level.into(), &miss.body), "{hit}");
    }
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
    // What is shared has its scope: another credential finds nothing of it.
    let stranger = other.send(&request.clone().header("X-Api-Key", "another")).expect_status(200);
    assert_eq!(stranger.cache(), "MISS", "{stranger}");
}

/// A Redis without persistence forgets the secret that makes scopes, too.
#[test]
fn gateways_that_start_after_redis_came_back_empty_share_as_before() {
    let (provider, mut redis) = (Provider::start(), Redis::start());
    let one = Gateway::patient().upstream(&provider).redis(&redis).start();
    redis.kill9();
    redis.restart();
    let offered = deadline::poll(PATIENCE, || redis.keys("anteroom:v1:secret").first().cloned());
    assert!(offered.is_some(), "the running gateway offers its secret again\n{}", one.log());
    one.wait_for_state("l2", "running");
    let other = Gateway::patient().upstream(&provider).redis(&redis).start();
    let request = chat(prompt("still shared"));
    one.send(&request).expect_status(200);
    wait_for_l2_inserts(&one, 1);
    let hit = other.send(&request).expect_status(200);
    assert_eq!(hit.cache(), "HIT L2", "{hit}");
}

/// a key is 256 bits, and holds nothing of the prompt.
#[test]
fn keys_in_redis_are_digests_of_one_length() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let gateway = Gateway::patient().upstream(&provider).redis(&redis).start();
    for text in ["short", &"a long prompt ".repeat(10_000)] {
        gateway.chat(prompt(text)).expect_status(200);
    }
    wait_for_l2_inserts(&gateway, 2);
    let mut keys = redis.keys("*");
    // The claims of the two calls may not be gone yet.
    keys.retain(|key| key != "anteroom:v1:secret" && !key.contains(":flight:"));
    assert_eq!(keys.len(), 2, "{keys:?}");
    for key in keys {
        let digest = key.strip_prefix("anteroom:v1:").unwrap_or_default();
        assert!(digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()), "{key}");
    }
}

/// which provider answers is part of the key, also where its name in the settings is the same.
#[test]
fn an_answer_of_one_provider_is_not_given_for_another() {
    let (one, other, redis) = (Provider::start(), Provider::start(), Redis::start());
    let first = Gateway::patient().upstream(&one).redis(&redis).start();
    let request = chat(prompt("whose answer"));
    first.send(&request).expect_status(200);
    wait_for_l2_inserts(&first, 1);
    let second = Gateway::patient().upstream(&other).redis(&redis).start();
    let answer = second.send(&request).expect_status(200);
    assert_eq!(answer.cache(), "MISS", "the other provider's answer\n{answer}");
    assert_eq!((one.num_calls(), other.num_calls()), (1, 1));
}

/// what the built-in model said while no provider was set is not the provider's word.
#[test]
fn a_gateway_turned_to_a_provider_forgets_what_the_built_in_model_said() {
    let provider = Provider::start();
    let builder = Gateway::patient();
    let mut gateway =
        builder.env("ANTEROOM__UPSTREAMS__DEFAULT__THINK_TIME_PER_TOKEN", "0s").start();
    let request = chat(prompt("Summarise this. It has two sentences."));
    let builtin = gateway.send(&request).expect_status(200);
    assert_eq!(builtin.json()["model"], "anteroom-builtin", "{builtin}");
    gateway.wait_for_writes();
    gateway.set_env("ANTEROOM_UPSTREAM_URL", provider.url());
    gateway.restart();
    let answer = gateway.send(&request).expect_status(200);
    assert_eq!((answer.cache().as_str(), provider.num_calls()), ("MISS", 1), "{answer}");
}
