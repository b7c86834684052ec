//! What is purged is gone: in every level, on every gateway that shares one, and for good.

use anteroom::canonical::ScopeSecret;
use serde_json::{Value, json};

use crate::support::client::{Request, Response};
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Gateway, actor, chat, prompt};
use crate::support::postgres::{self, Postgres};
use crate::support::provider::{Gate, Provider, answer};
use crate::support::redis::{Redis, Reply};

const SECRET: &str = "the gateways' own secret";

fn purge(gateway: &Gateway, body: Value) -> Value {
    let request = Request::post("/api/v1/cache/purge", body);
    gateway.operate(&request).expect_status(200).json()
}

fn complete(gateway: &Gateway, body: Value) {
    let answer = purge(gateway, body);
    assert_eq!(answer["status"], "complete", "{answer}");
}

/// The scope of who shows `Authorization: Bearer sk-test`, as an operator is told it.
fn scope() -> String {
    let key = blake3_key();
    let scope =
        ScopeSecret::new(key).scope([("authorization", &b"Bearer sk-test"[..])].into_iter());
    scope.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn blake3_key() -> [u8; 32] {
    blake3::derive_key("anteroom 2026-11 scope secret", SECRET.as_bytes())
}

fn tagged(text: &str) -> Request {
    chat(prompt(text)).header("X-Cache-Tags", "tag-a, tag-b").header("X-Cache-Namespace", "space")
}

/// Asks again and again until the kept answer is gone; returns the new one.
fn until_gone(gateway: &Gateway, request: &Request) -> Response {
    let gone = poll(PATIENCE, || {
        let answer = gateway.send(request).expect_status(200);
        (answer.cache() == "MISS").then_some(answer)
    });
    gone.unwrap_or_else(|| panic!("it is still kept\n{}", gateway.log()))
}

fn wait_for_l2(gateway: &Gateway, inserts: u64) {
    gateway.wait_until("written to L2", |health| {
        let l2 = actor(health, "l2").and_then(|l2| l2["counters"]["inserts"].as_u64());
        l2.is_some_and(|written| written >= inserts)
    });
}

/// Each way of naming what `tagged` asks for, but for its key.
fn each_name() -> [Value; 7] {
    [
        json!({"route": "chat"}),
        json!({"model": "test-model"}),
        json!({"scope": scope()}),
        json!({"tag": "tag-a"}),
        json!({"tag": "tag-b"}),
        json!({"namespace": "space"}),
        json!({"all": true}),
    ]
}

/// what A purges is gone on B, whatever it is named by, and another thing stays.
fn what_one_purges_is_gone_on_the_other(one: &Gateway, other: &Gateway, provider: &Provider) {
    let request = tagged("shared");
    let bystander = Request::post("/v1/embeddings", json!({"model": "other", "input": "x"}));
    let bystander = bystander.bearer("sk-other");
    for name in each_name() {
        for gateway in [one, other] {
            gateway.send(&bystander).expect_status(200);
            // Once to have it, once from its own memory.
            gateway.send(&request).expect_status(200);
            assert_eq!(gateway.send(&request).cache(), "HIT L1", "before {name}");
            gateway.wait_for_writes();
        }
        let olds = [one, other].map(|gateway| gateway.send(&request).body);
        complete(one, name.clone());
        let calls = provider.num_calls();
        let new = until_gone(other, &request);
        assert_eq!(provider.num_calls(), calls + 1, "{name}");
        assert_eq!(other.send(&request).body, new.body, "what came after the purge is kept");
        let on_one = one.send(&request).expect_status(200).body;
        assert!(!olds.contains(&on_one), "{name}");
        let is_gone = name.get("all").is_some();
        assert_eq!(other.send(&bystander).cache() == "MISS", is_gone, "{name}");
    }
}

/// over Redis. Each has its own SQLite, so nothing else is shared.
#[test]
fn a_purge_on_one_gateway_is_seen_on_another_that_shares_redis() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let start = || {
        let gateway = Gateway::patient().env("ANTEROOM_SECRET", SECRET).sqlite();
        gateway.upstream(&provider).redis(&redis).start()
    };
    let (one, other) = (start(), start());
    what_one_purges_is_gone_on_the_other(&one, &other, &provider);
    assert!(other.actor("purging")["counters"]["heard"].as_u64() >= Some(6));
}

/// over PostgreSQL alone, by polling.
#[test]
fn a_purge_on_one_gateway_is_seen_on_another_that_shares_postgres_only() {
    let provider = Provider::start();
    let url = postgres::shared().create_database();
    let start = || {
        let gateway = Gateway::patient().env("ANTEROOM_SECRET", SECRET);
        gateway.upstream(&provider).database(&url).start()
    };
    let (one, other) = (start(), start());
    what_one_purges_is_gone_on_the_other(&one, &other, &provider);
}

/// a stale copy is purged as a fresh one is, wherever it lies.
#[test]
fn a_purge_takes_the_stale_copy_too() {
    let provider = Provider::start();
    let routes = "routes:\n  - {name: chat, methods: [POST], path: /v1/chat/completions, \
        profile: chat, cache: true, lifetime: 1s, stale_while_revalidate: 0s, stale_if_error: 1h}\n\
        upstreams:\n  default:\n    retry: {attempts: 0}\n";
    let mut gateway = Gateway::patient().upstream(&provider).config(routes).start();
    let request = chat(prompt("stale"));
    gateway.send(&request).expect_status(200);
    provider.script(|_call| crate::support::provider::Reply::new(503, &[], "{}"));
    let stale = poll(PATIENCE, || {
        let answer = gateway.send(&request);
        (answer.cache() == "STALE L1").then_some(answer)
    });
    assert!(stale.is_some(), "it turns stale");
    gateway.wait_for_writes();
    complete(&gateway, json!({"route": "chat"}));
    assert_eq!(gateway.send(&request).status, 503, "no stale copy is left");
    gateway.restart();
    assert_eq!(gateway.send(&request).status, 503, "nor on the disk");
}

/// an answer whose call began before the purge reaches its caller and is not kept.
#[test]
fn a_fill_that_began_before_a_purge_is_not_kept_anywhere() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let gate = Gate::closed();
    let held = gate.clone();
    provider.script(move |call| answer(call).held_by(&held));
    let start = || Gateway::patient().upstream(&provider).redis(&redis).sqlite().start();
    let (one, other) = (start(), start());
    let request = chat(prompt("under way"));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| other.send(&request).expect_status(200));
        provider.wait_for_calls(1);
        complete(&one, json!({"route": "chat"}));
        other.wait_until("heard", |health| {
            actor(health, "purging").is_some_and(|purging| purging["counters"]["heard"] == 1)
        });
        gate.open();
        let answered = asked.join().expect("its panic stands above");
        assert_eq!(answered.cache(), "MISS", "{answered}");
    });
    let again = other.send(&request).expect_status(200);
    assert_eq!((again.cache().as_str(), provider.num_calls()), ("MISS", 2), "{again}");
    assert_eq!(other.send(&request).cache(), "HIT L1", "this one began after it");
}

/// Redis is away while something is purged. The answer says so; when Redis is back with all it
/// had, the answer that was purged does not come back from it, for anybody.
#[test]
fn a_level_that_missed_a_purge_brings_nothing_back() {
    for is_restarted in [false, true] {
        let (provider, mut redis) = (Provider::start(), Redis::start());
        let start = |redis: &Redis| {
            let gateway = Gateway::patient().env("ANTEROOM_SECRET", SECRET).sqlite();
            let gateway = gateway.env("ANTEROOM__PURGE__RECORD_TIMEOUT", "200ms");
            gateway.upstream(&provider).redis(redis).start()
        };
        let mut one = start(&redis);
        let request = tagged("comes back?");
        let first = one.send(&request).expect_status(200);
        wait_for_l2(&one, 1);
        one.wait_for_writes();
        redis.stop();
        let partial = purge(&one, json!({"tag": "tag-a"}));
        assert_eq!(partial["status"], "partial", "{partial}");
        assert_eq!(partial["places"]["redis"]["state"], "failed", "{partial}");
        assert_eq!(partial["places"]["database"]["state"], "seen", "{partial}");
        let waiting = one.wait_until("a purge that waits", |health| {
            actor(health, "purging").is_some_and(|purging| purging["pending"] == 1)
        });
        assert!(waiting.to_string().contains("purges wait for L2"), "{waiting}");
        if is_restarted {
            // The purge is on the disk, and nowhere else.
            one.kill9();
        }
        redis.resume();
        if is_restarted {
            one.restart();
        }
        one.wait_until("recorded", |health| {
            actor(health, "purging")
                .is_some_and(|purging| purging["pending"] == 0 && purging["state"] == "running")
                && actor(health, "l2").is_some_and(|l2| l2["state"] == "running")
        });
        let recorded = redis.command(&["ZCARD", "anteroom:v1:purges"]);
        assert_eq!(recorded, Reply::Integer(1));
        // One that starts now has nothing of its own, and Redis still holds the old record.
        let other = start(&redis);
        other.wait_for_state("l2", "running");
        let new = other.send(&request).expect_status(200);
        assert_eq!(new.cache(), "MISS", "{new}");
        assert_ne!(new.body, first.body);
        assert_ne!(one.send(&request).body, first.body);
    }
}

/// what was purged stays so over a kill and a restart, though its row was not yet erased.
#[test]
fn a_purge_survives_the_gateway() {
    let provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let (purged, kept) = (tagged("purged"), chat(prompt("kept")));
    let first = gateway.send(&purged).expect_status(200);
    gateway.send(&kept).expect_status(200);
    gateway.wait_for_writes();
    complete(&gateway, json!({"tag": "tag-b"}));
    gateway.restart();
    let new = gateway.send(&purged).expect_status(200);
    assert_eq!(new.cache(), "MISS", "{new}");
    assert_ne!(new.body, first.body);
    assert_eq!(gateway.send(&kept).cache(), "HIT L3");
}

/// Purged rows are erased behind: the disk holds nothing of them.
#[test]
fn purged_rows_are_erased_behind() {
    let provider = Provider::start();
    let gateway =
        Gateway::patient().upstream(&provider).env("ANTEROOM__L3__SWEEP_BATCH", 3).start();
    for number in 0..20 {
        gateway.send(&tagged(&format!("purged {number}"))).expect_status(200);
        gateway.chat(prompt(&format!("kept {number}"))).expect_status(200);
    }
    gateway.wait_for_writes();
    complete(&gateway, json!({"tag": "tag-a"}));
    gateway.wait_until("erased", |health| {
        actor(health, "l3")
            .is_some_and(|l3| l3["counters"]["erased"] == 20 && l3["counters"]["entries"] == 20)
    });
    complete(&gateway, json!({"all": true}));
    let empty = gateway.wait_until("empty", |health| {
        actor(health, "l3").is_some_and(|l3| l3["counters"]["entries"] == 0)
    });
    assert_eq!(actor(&empty, "l3").expect("l3")["counters"]["bytes"], 0, "{empty}");
}

/// a flush touches nothing that is not ours, and sends no command that searches.
#[test]
fn a_purge_of_all_leaves_foreign_keys_and_searches_nothing() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let foreign = ["anteroom", "anteroom:v0:x", "anteroom:v1", "session:1", "{anteroom:v1:}x"];
    for key in foreign {
        redis.command(&["SET", key, "foreign"]);
    }
    redis.command(&["ZADD", "purges", "1", "member"]);
    let gateway = Gateway::patient().upstream(&provider).redis(&redis).start();
    for number in 0..5 {
        gateway.send(&tagged(&number.to_string())).expect_status(200);
    }
    wait_for_l2(&gateway, 5);
    for name in each_name() {
        complete(&gateway, name);
    }
    for number in 0..5 {
        assert_eq!(gateway.send(&tagged(&number.to_string())).cache(), "MISS");
    }
    for key in foreign {
        let value = redis.command(&["GET", key]);
        assert_eq!(value, Reply::Bytes(Some(b"foreign".to_vec())), "{key}");
    }
    assert_eq!(redis.command(&["ZSCORE", "purges", "member"]), Reply::Bytes(Some(b"1".to_vec())));
    let Reply::Bytes(Some(sent)) = redis.command(&["INFO", "commandstats"]) else { panic!("info") };
    let sent = String::from_utf8_lossy(&sent).into_owned();
    for command in ["keys", "scan", "flushdb", "flushall", "randomkey", "mget", "unlink"] {
        assert!(!sent.contains(&format!("cmdstat_{command}:")), "{command} was sent\n{sent}");
    }
    assert!(sent.contains("cmdstat_zadd:"), "{sent}");
}

/// PostgreSQL is away during a purge and for a while; then all is as it should be.
#[test]
fn a_purge_while_postgres_is_away_is_recorded_when_it_is_back() {
    let provider = Provider::start();
    let mut server = Postgres::start();
    let url = server.create_database();
    let start = || {
        let gateway = Gateway::patient().env("ANTEROOM_SECRET", SECRET);
        let gateway = gateway.env("ANTEROOM__PURGE__RECORD_TIMEOUT", "200ms");
        gateway.upstream(&provider).database(&url).start()
    };
    let (one, other) = (start(), start());
    let request = tagged("away");
    let first = one.send(&request).expect_status(200);
    one.wait_for_writes();
    assert_eq!(other.send(&request).expect_status(200).cache(), "HIT L3");
    server.kill9();
    let partial = purge(&one, json!({"namespace": "space"}));
    assert_eq!(partial["status"], "partial", "{partial}");
    assert_ne!(one.send(&request).expect_status(200).body, first.body);
    server.restart();
    until_gone(&other, &request);
    one.wait_until("recorded", |health| {
        actor(health, "purging").is_some_and(|purging| purging["pending"] == 0)
    });
    let late = start();
    assert_ne!(late.send(&request).expect_status(200).body, first.body);
}
