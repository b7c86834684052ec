//! L2's Redis is found by Redis Sentinel: a failover costs no request, and L2 is used again through
//! the server that has become the master. Issue "Access".

use super::load;
use crate::support::client::Request;
use crate::support::deadline::{self, PATIENCE};
use crate::support::gateway::{Gateway, actor};
use crate::support::provider::Provider;
use crate::support::redis::{Redis, Reply};
use crate::support::redis_sentinel::{Told, Watched};

fn start(provider: &Provider, url: &str) -> Gateway {
    let gateway = load::builder(provider).env("REDIS_URL", url).start();
    gateway.wait_for_state("l2", "running");
    gateway
}

/// What `one` fetches, `other` finds in L2, until `one` purges it.
#[track_caller]
fn expect_shared_and_purged(one: &Gateway, other: &Gateway, said: &str) {
    let request = load::new(said).header("X-Cache-Tags", "shared");
    one.send(&request).expect_status(200);
    // L2 is written behind the answer.
    let hit = deadline::poll(PATIENCE, || {
        let unasked = request.clone().header("Cache-Control", "only-if-cached");
        Some(other.send(&unasked)).filter(|answer| answer.cache() == "HIT L2")
    });
    load::expect_echo(&hit.expect("a hit of L2"), &format!("new {said};"));
    let purge = Request::post("/api/v1/cache/purge", r#"{"tag": "shared"}"#);
    let heard = load::counter(other, "purging", "heard");
    let purged = one.operate(&purge).expect_status(200).json();
    assert_eq!(purged["status"], "complete", "{purged:#}");
    other.wait_until("the purge heard", |health| {
        actor(health, "purging").is_some_and(|it| it["counters"]["heard"].as_u64() > Some(heard))
    });
    assert_eq!(other.send(&request).expect_status(200).cache(), "MISS");
}

/// Returns how many connections of gateways there are: for commands, and for what is called out.
fn clients(redis: &Redis) -> (usize, usize) {
    let list = redis.command(&["CLIENT", "LIST"]);
    let Reply::Bytes(Some(list)) = list else { panic!("{list:?}") };
    let list = String::from_utf8_lossy(&list).into_owned();
    let all = list.lines().filter(|line| {
        ["name=sentinel-", "cmd=client", " flags=S", " flags=M"].iter().all(|it| !line.contains(it))
    });
    let (listening, asking): (Vec<_>, Vec<_>) = all.partition(|line| line.contains(" sub=1 "));
    (asking.len(), listening.len())
}

/// Waits until so many gateways have all their connections to `redis`.
#[track_caller]
fn wait_for_gateways(redis: &Redis, count: usize) {
    let there = deadline::poll(PATIENCE, || (clients(redis) == (2 * count, count)).then_some(()));
    assert!(there.is_some(), "{:?} at {}", clients(redis), redis.address());
}

#[track_caller]
fn wait_for_records(redis: &Redis) {
    let found = deadline::poll(PATIENCE, || redis.keys("anteroom:v1:*").pop());
    assert!(found.is_some(), "no record at {}", redis.address());
}

/// The master and the sentinel that is asked first die together.
#[test]
fn requests_outlive_a_killed_master_and_l2_goes_on_with_its_replica() {
    let mut watched = Watched::start();
    let provider = load::echo();
    let [one, other] = [(); 2].map(|()| start(&provider, &watched.url()));
    expect_shared_and_purged(&one, &other, "before");
    load::seed(&one);
    load::under_load(&one, |load| {
        load.wait_for("HIT L2");
        watched.kill_first_sentinel();
        watched.first.kill9();
        load::wait_until_degraded(&one, "l2");
        load.wait_for_more(60);
        watched.wait_until_promoted();
        load::wait_until_back(&one, "l2");
        load::wait_until_back(&other, "l2");
        load.wait_for("HIT L2");
    });
    expect_shared_and_purged(&one, &other, "after");
    expect_shared_and_purged(&other, &one, "the other way");
    // One that starts now finds its way past the dead, too.
    let late = start(&provider, &watched.url());
    expect_shared_and_purged(&late, &one, "late");
}

/// The sentinels fail over on demand: the old master goes on, as a replica.
#[test]
fn requests_outlive_a_failover_to_a_replica_while_the_master_lives() {
    let watched = Watched::start();
    let provider = load::echo();
    let [one, other] = [(); 2].map(|()| start(&provider, &watched.url()));
    load::seed(&one);
    load::under_load(&one, |load| {
        load.wait_for("HIT L2");
        watched.fail_over();
        watched.wait_until_promoted();
        wait_for_gateways(&watched.second, 2);
        load::wait_until_back(&one, "l2");
        load.wait_for("HIT L2");
    });
    load::wait_until_back(&other, "l2");
    expect_shared_and_purged(&one, &other, "after");
}

/// Cut off from the sentinels, a master may go on as if nothing were: it is left all the same.
#[test]
fn a_server_that_is_no_longer_named_is_left_although_it_answers() {
    let (old, new) = (Redis::start(), Redis::start());
    let told = Told::of(&old.address());
    let url = format!(
        "redis+sentinel://127.0.0.1:1,{}/main/3?sentinel_user=watch&sentinel_password=hid%64en",
        told.address()
    );
    let provider = load::echo();
    let [one, other] = [(); 2].map(|()| start(&provider, &url));
    expect_shared_and_purged(&one, &other, "old");
    told.name(&new.address());
    wait_for_gateways(&new, 2);
    wait_for_gateways(&old, 0);
    for gateway in [&one, &other] {
        gateway.wait_for_state("l2", "running");
    }
    expect_shared_and_purged(&one, &other, "new");
    for question in ["AUTH watch hidden", "SENTINEL get-master-addr-by-name main"] {
        assert!(told.heard().iter().any(|words| words == question), "{:?}", told.heard());
    }
    for gateway in [&one, &other] {
        let texts = format!("{}\n{}", gateway.health(), gateway.whole_log());
        assert!(!texts.contains("hid%64en") && !texts.contains("hidden"), "{texts}");
    }
}

/// The old master has become a replica, and the sentinels do not say so yet: it is not used.
#[test]
fn a_named_server_that_is_a_replica_is_left_out_until_another_is_named() {
    let (old, new) = (Redis::start(), Redis::start());
    let told = Told::of(&old.address());
    let provider = load::echo();
    let url = format!("redis+sentinel://{}/main", told.address());
    let gateway = start(&provider, &url);
    let ok = Reply::Line("+OK".to_owned());
    assert_eq!(old.command(&["REPLICAOF", "127.0.0.1", "1"]), ok);
    let error = load::wait_until_degraded(&gateway, "l2");
    assert!(error.contains("READONLY"), "{error}");
    load::expect_echo(&gateway.send(&load::new("without")), "new without;");
    told.name(&new.address());
    load::wait_until_back(&gateway, "l2");
    gateway.send(&load::new("with")).expect_status(200);
    wait_for_records(&new);
}
