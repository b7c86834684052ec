//! An answer ages from its making, whatever is done with it: no hit rewrites it, no promotion
//! begins its life again.

use crate::support::client::Response;
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Gateway, actor, chat, prompt};
use crate::support::provider::Provider;
use crate::support::redis::{Redis, Reply};

fn route(lifetime: &str) -> String {
    format!(
        "routes:\n  - {{name: chat, methods: [POST], path: /v1/chat/completions, profile: chat, \
         cache: true, lifetime: {lifetime}, stale_while_revalidate: 0s, stale_if_error: 0s}}\n"
    )
}

fn age(answer: &Response) -> u64 {
    let age = answer.header("age").and_then(|age| age.parse().ok());
    age.unwrap_or_else(|| panic!("no age\n{answer}"))
}

fn ttl(answer: &Response) -> u64 {
    let status = answer.header("cache-status").unwrap_or_default();
    let ttl = status.split("; ").find_map(|part| part.strip_prefix("ttl=")?.parse().ok());
    ttl.unwrap_or_else(|| panic!("no ttl\n{answer}"))
}

fn inserts(gateway: &Gateway, level: &str) -> u64 {
    gateway.actor(level)["counters"]["inserts"].as_u64().expect("a counter")
}

/// what a level holds is the same after many hits, and its age grows meanwhile. A-66: also over a
/// promotion.
#[test]
fn hits_write_nothing_and_age_goes_on() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let mut gateway =
        Gateway::patient().upstream(&provider).redis(&redis).config(&route("60s")).start();
    let request = chat(prompt("ages"));
    gateway.send(&request).expect_status(200);
    gateway.wait_for_writes();
    gateway.wait_until("written to L2", |health| {
        actor(health, "l2").is_some_and(|l2| l2["counters"]["inserts"] == 1)
    });
    let keys = redis.keys("anteroom:v1:*");
    let key = keys.into_iter().find(|key| !key.ends_with(":secret")).expect("a record");
    let record = || redis.command(&["GET", &key]);
    let residence = || match redis.command(&["PTTL", &key]) {
        Reply::Integer(millis) => millis,
        other => panic!("{other:?}"),
    };
    let (first_record, first_residence) = (record(), residence());
    let aged = poll(PATIENCE, || {
        let hit = gateway.send(&request);
        assert_eq!(hit.cache(), "HIT L1", "{hit}");
        assert_eq!(ttl(&hit) + age(&hit), 59, "the whole life is the route's\n{hit}");
        (age(&hit) >= 1).then_some(hit)
    });
    aged.expect("its age grows");
    assert_eq!(["l1", "l2", "l3"].map(|level| inserts(&gateway, level)), [1, 1, 1]);
    // A promotion from L2 fills L1 alone, with the life that is left.
    gateway.restart();
    let promoted = gateway.send(&request);
    assert_eq!((promoted.cache().as_str(), age(&promoted) >= 1), ("HIT L2", true), "{promoted}");
    let hit = gateway.send(&request);
    assert_eq!((hit.cache().as_str(), age(&hit) >= 1), ("HIT L1", true), "{hit}");
    assert_eq!(["l1", "l2", "l3"].map(|level| inserts(&gateway, level)), [1, 0, 0]);
    assert!(record() == first_record, "the record was written again");
    assert!(residence() < first_residence, "its residence began again");
    assert_eq!(provider.num_calls(), 1);
}

/// L1's residence of five minutes does not outlive an answer that came from L3 with a second
/// left.
#[test]
fn a_promoted_answer_ends_with_the_life_it_had_left() {
    let provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).config(&route("3s")).start();
    let request = chat(prompt("short-lived"));
    let miss = gateway.send(&request).expect_status(200);
    gateway.wait_for_writes();
    gateway.restart();
    let mut levels = Vec::new();
    let again = poll(PATIENCE, || {
        let answer = gateway.send(&request).expect_status(200);
        if answer.cache() == "MISS" {
            return Some(answer);
        }
        assert!(age(&answer) < 3, "served past its life\n{answer}");
        assert_eq!(answer.body, miss.body);
        levels.push(answer.cache());
        None
    });
    let again = again.expect("it turns stale");
    levels.dedup();
    assert_eq!(levels, ["HIT L3", "HIT L1"]);
    assert_ne!(again.body, miss.body);
    // Stale, it comes from no level; the new one does.
    assert_eq!(gateway.send(&request).body, again.body);
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
}

/// Residence is the level's, lifetime the route's: what L1 lets go of, L3 still has.
#[test]
fn what_l1_lets_go_of_is_promoted_from_l3_again() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).env("L1_CACHE_TTL", 1).start();
    let request = chat(prompt("resides shortly in L1"));
    gateway.send(&request).expect_status(200);
    gateway.wait_for_writes();
    let left = poll(PATIENCE, || {
        let hit = gateway.send(&request);
        (hit.cache() == "HIT L3").then_some(hit)
    });
    let promoted = left.expect("L1 lets go of it");
    assert!(ttl(&promoted) > 7_000, "{promoted}");
    assert_eq!(gateway.send(&request).cache(), "HIT L1");
    assert_eq!(provider.num_calls(), 1);
}

/// L1 holds so many entries and no more; the others come from L3.
#[test]
fn a_full_l1_evicts_and_l3_still_answers() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).env("L1_CACHE_SIZE", 4).start();
    let requests: Vec<_> = (0..12).map(|number| chat(prompt(&number.to_string()))).collect();
    for request in &requests {
        gateway.send(request).expect_status(200);
    }
    gateway.wait_for_writes();
    for request in &requests {
        let hit = gateway.send(request);
        assert!(hit.cache().starts_with("HIT"), "{hit}");
    }
    let l1 = gateway.actor("l1");
    assert!(l1["counters"]["entries"].as_u64() <= Some(4), "{l1}");
    assert_eq!(provider.num_calls(), requests.len());
}
