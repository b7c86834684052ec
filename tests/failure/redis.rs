//! L2 fails: callers get their answers all the same, health says so, and it is used again when
//! it returns. FAULTS "Cache backends", the rows of Redis.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::load;
use crate::support::deadline::{self, PATIENCE};
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::support::gateway::{Gateway, actor};
use crate::support::provider::Provider;
use crate::support::redis::{Redis, Reply};

/// A Redis and the way to it.
struct Server {
    redis: Redis,
    proxy: FaultProxy,
}

impl Server {
    fn start() -> Self {
        let redis = Redis::start();
        let proxy = FaultProxy::to(&redis.address());
        Self { redis, proxy }
    }

    fn url(&self) -> String {
        format!("redis://{}", self.proxy.address())
    }
}

/// Runs a load while L2 is broken and mended.
fn outlives(cut: impl FnOnce(&mut Server), mend: impl FnOnce(&mut Server)) {
    let mut server = Server::start();
    assert_eq!(server.redis.command(&["SET", "another's", "value"]), Reply::Line("+OK".into()));
    let provider = load::echo();
    let gateway = load::builder(&provider).env("REDIS_URL", server.url()).start();
    gateway.wait_for_state("l2", "running");
    load::seed(&gateway);
    load::under_load(&gateway, |load| {
        load.wait_for("HIT L2");
        let connections = server.proxy.num_accepted();
        cut(&mut server);
        load::wait_until_degraded(&gateway, "l2");
        load::expect_left_out(&gateway, load, "l2", &["HIT L1", "HIT L3", "MISS"]);
        let tried = server.proxy.num_accepted() - connections;
        // A few probes a second, whatever the load: no storm of connections.
        assert!(tried < 60, "{tried} connections");
        mend(&mut server);
        load::wait_until_back(&gateway, "l2");
        load.wait_for("HIT L2");
        expect_shared(&gateway, &provider, &server);
    });
}

/// What one gateway fetched after the return, another one finds.
#[track_caller]
fn expect_shared(gateway: &Gateway, provider: &Provider, server: &Server) {
    let inserts = load::counter(gateway, "l2", "inserts");
    let request = load::new("after the return");
    load::expect_echo(&gateway.send(&request), "new after the return;");
    gateway.wait_until("the answer in L2", |health| {
        actor(health, "l2").is_some_and(|l2| l2["counters"]["inserts"].as_u64() > Some(inserts))
    });
    let other = load::builder(provider).env("REDIS_URL", server.redis.url()).start();
    other.wait_for_state("l2", "running");
    let found = deadline::poll(PATIENCE, || {
        let response = other.send(&load::new("after the return"));
        (response.cache() == "HIT L2").then_some(response)
    });
    load::expect_echo(&found.expect("a hit"), "new after the return;");
}

#[test]
fn requests_outlive_a_killed_redis() {
    outlives(|server| server.redis.kill9(), |server| server.redis.restart());
}

#[test]
fn requests_outlive_a_stopped_redis_and_late_replies_answer_nobody() {
    outlives(|server| server.redis.stop(), |server| server.redis.resume());
}

/// packets vanish, which is not the same as a refused connection.
#[test]
fn requests_outlive_a_black_holed_redis() {
    outlives(|server| server.proxy.set(Mode::Blackhole), |server| server.proxy.set(Mode::Pass));
}

#[test]
fn requests_outlive_replies_that_come_only_after_the_fault() {
    outlives(|server| server.proxy.set(Mode::NoReply), |server| server.proxy.set(Mode::Pass));
}

/// The breaker counts slow as failed.
#[test]
fn requests_outlive_a_redis_that_takes_three_seconds() {
    let slow = Mode::Delay(Duration::from_secs(3));
    outlives(|server| server.proxy.set(slow), |server| server.proxy.set(Mode::Pass));
}

#[test]
fn requests_outlive_a_redis_that_refuses_connections() {
    outlives(|server| server.proxy.set(Mode::Refuse), |server| server.proxy.set(Mode::Pass));
}

#[test]
fn requests_outlive_a_redis_that_cuts_connections() {
    outlives(|server| server.proxy.set(Mode::Cut), |server| server.proxy.set(Mode::Pass));
}

#[test]
fn requests_outlive_a_redis_that_is_loading_or_busy_or_talks_nonsense() {
    for reply in [
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-BUSY Redis is busy running a script\r\n",
        "\u{16}\u{3}\u{1} this is no Redis\r\n",
    ] {
        let inject = Mode::Inject(reply.as_bytes().to_vec());
        outlives(|server| server.proxy.set(inject), |server| server.proxy.set(Mode::Pass));
    }
}

/// The password is set while the gateway runs: connections from before are cut, new ones refused.
#[test]
fn requests_outlive_a_password_they_do_not_know() {
    outlives(
        |server| {
            server.redis.command(&["CONFIG", "SET", "requirepass", "later"]);
            server.proxy.set(Mode::Cut);
            server.proxy.set(Mode::Pass);
        },
        |server| {
            let mut line = TcpStream::connect(server.redis.address()).expect("a connection");
            line.write_all(b"AUTH later\r\nCONFIG SET requirepass \"\"\r\nQUIT\r\n").expect("sent");
            let mut replies = String::new();
            line.read_to_string(&mut replies).expect("three replies");
            assert_eq!(replies, "+OK\r\n+OK\r\n+OK\r\n");
        },
    );
}

/// Writes are refused, reads go on: OOM and READONLY. A-53: the answers are whole all the same.
#[test]
fn a_redis_that_refuses_writes_is_still_read() {
    for (cut, mend) in [
        (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
        (["REPLICAOF", "127.0.0.1", "1", ""], ["REPLICAOF", "NO", "ONE", ""]),
    ] {
        let words = |line: [&'static str; 4]| line.into_iter().filter(|word| !word.is_empty());
        let redis = Redis::start();
        let provider = load::echo();
        let gateway = load::builder(&provider).redis(&redis).start();
        gateway.wait_for_state("l2", "running");
        load::seed(&gateway);
        load::under_load(&gateway, |load| {
            load.wait_for("HIT L2");
            let before = gateway.actor("l2")["counters"].clone();
            redis.command(&words(cut).collect::<Vec<_>>());
            load.wait_for_more(10);
            let answers = load.wait_for_more(60);
            load::expect_each(&answers, &["HIT L1", "HIT L2", "MISS"]);
            let l2 = gateway.actor("l2");
            assert!(l2["counters"]["insert_drops"].as_u64() > before["insert_drops"].as_u64());
            let error = l2["last_error"].as_str().unwrap_or_default();
            assert!(error.contains("OOM") || error.contains("READONLY"), "{l2}");
            redis.command(&words(mend).collect::<Vec<_>>());
            let inserts = load::counter(&gateway, "l2", "inserts");
            gateway.wait_until("writes again", |health| {
                actor(health, "l2")
                    .is_some_and(|l2| l2["counters"]["inserts"].as_u64() > Some(inserts + 5))
            });
        });
    }
}

/// Redis is away at the start, in both ways; the gateway serves, and uses it once it
/// is there.
#[test]
fn a_gateway_starts_without_redis_and_uses_it_later() {
    for away in [Mode::Refuse, Mode::Blackhole] {
        let mut server = Server::start();
        server.proxy.set(away.clone());
        let provider = load::echo();
        let since = deadline::now();
        let gateway = load::builder(&provider).env("REDIS_URL", server.url()).start();
        assert!(since.elapsed() < Duration::from_secs(15), "{away:?}: {:?}", since.elapsed());
        load::wait_until_degraded(&gateway, "l2");
        load::expect_echo(&gateway.send(&load::new("without")), "new without;");
        server.proxy.set(Mode::Pass);
        load::wait_until_back(&gateway, "l2");
        gateway.send(&load::new("with")).expect_status(200);
        let key = deadline::poll(PATIENCE, || server.redis.keys("anteroom:v1:*").pop());
        assert!(key.is_some(), "{}", gateway.log());
    }
}

/// It also stops in time while Redis swallows everything.
#[test]
fn a_gateway_stops_in_time_while_redis_is_black_holed() {
    let mut server = Server::start();
    let provider = load::echo();
    let mut gateway = load::builder(&provider).env("REDIS_URL", server.url()).start();
    gateway.wait_for_state("l2", "running");
    server.proxy.set(Mode::Blackhole);
    gateway.send(&load::new("last")).expect_status(200);
    let since = deadline::now();
    assert!(gateway.terminate().success(), "{}", gateway.log());
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}\n{}", since.elapsed(), gateway.log());
}

/// A wrong password at the start is no reason to end, and is not told to anybody.
#[test]
fn a_wrong_password_degrades_the_level_and_is_not_logged() {
    let redis = Redis::start();
    redis.command(&["CONFIG", "SET", "requirepass", "right"]);
    let provider = load::echo();
    let url = format!("redis://:wrong-secret@{}", redis.address());
    let gateway = load::builder(&provider).env("REDIS_URL", url).start();
    let error = load::wait_until_degraded(&gateway, "l2");
    assert!(!error.contains("wrong-secret"), "{error}");
    load::expect_echo(&gateway.send(&load::new("served")), "new served;");
    assert!(!gateway.log().contains("wrong-secret"), "{}", gateway.log());
}

/// L2 is down, and many ask for the same at once.
#[test]
fn without_l2_there_is_still_one_call_for_many() {
    let mut server = Server::start();
    let provider = load::echo();
    let gateway = load::builder(&provider).env("REDIS_URL", server.url()).start();
    gateway.wait_for_state("l2", "running");
    for mode in [Mode::Blackhole, Mode::Refuse] {
        server.proxy.set(mode.clone());
        // Once while the fault is news, once while the level is left out.
        for round in ["first", "second"] {
            let said = format!("{mode:?} {round}");
            for response in gateway.send_at_once(40, &load::new(&said)) {
                load::expect_echo(&response, &format!("new {said};"));
            }
            assert_eq!(provider.num_calls_with(&said), 1, "{}", provider.log());
            load::wait_until_degraded(&gateway, "l2");
        }
    }
}

/// one budget for all levels together, not one time-out after another.
#[test]
fn the_levels_share_one_budget() {
    let mut server = Server::start();
    let provider = load::echo();
    let gateway = load::builder(&provider)
        .env("REDIS_URL", server.url())
        .env("ANTEROOM__CACHE__LEVEL_BUDGET", "400ms")
        .env("ANTEROOM__L2__TIMEOUT", "400ms")
        .env("ANTEROOM__L2__BREAKER__FAILURES", 1_000)
        .start();
    gateway.wait_for_state("l2", "running");
    gateway.wait_for_state("l3", "running");
    let asked = load::counter(&gateway, "l3", "lookups");
    server.proxy.set(Mode::NoReply);
    let response = gateway.send(&load::new("slow"));
    load::expect_echo(&response, "new slow;");
    // L2 has used the budget up, so L3 is not asked any more.
    assert_eq!(load::counter(&gateway, "l3", "lookups"), asked, "{response}");
    assert!(load::part_ms(&response, "cache") >= 350.0, "{response}");
}
