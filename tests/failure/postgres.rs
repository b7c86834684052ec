//! L3 on PostgreSQL fails: callers get their answers all the same, health says so, and it is used
//! again when it returns. FAULTS "Cache backends", the rows of PostgreSQL.

use std::time::Duration;

use super::load;
use crate::support::deadline;
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::support::gateway::{Gateway, actor};
use crate::support::postgres::{self, Postgres};
use crate::support::redis::Redis;

/// Longest time for a start or an end while the database swallows everything.
const START_OR_END: Duration = Duration::from_secs(15);

/// Runs a load while the database at `url` is broken and mended; L2 stands beside it.
fn outlives(url: &str, cut: impl FnOnce(), mend: impl FnOnce()) {
    let provider = load::echo();
    let redis = Redis::start();
    let gateway = load::builder(&provider).redis(&redis).database(url).start();
    gateway.wait_for_state("l2", "running");
    gateway.wait_for_state("l3", "running");
    load::seed(&gateway);
    load::under_load(&gateway, |load| {
        load.wait_for("HIT L2");
        cut();
        load::wait_until_degraded(&gateway, "l3");
        load::expect_left_out(&gateway, load, "l3", &["HIT L1", "HIT L2", "MISS"]);
        mend();
        load::wait_until_back(&gateway, "l3");
        expect_kept(&gateway);
        redis.command(&["FLUSHALL"]);
        load.wait_for("HIT L3");
    });
}

/// Waits until rows are committed again.
#[track_caller]
fn expect_kept(gateway: &Gateway) {
    let before = load::counter(gateway, "l3", "inserts");
    gateway.wait_until("rows written again", |health| {
        actor(health, "l3").is_some_and(|l3| l3["counters"]["inserts"].as_u64() > Some(before))
    });
}

#[test]
fn requests_outlive_a_postgres_that_is_stopped_and_one_that_is_killed() {
    let mut server = Postgres::start();
    let url = server.create_database();
    outlives(&url, || server.stop(), || server.resume());
    // Both ends of the fault change the server.
    let server = std::cell::RefCell::new(&mut server);
    let url = server.borrow().create_database();
    outlives(&url, || server.borrow_mut().kill9(), || server.borrow_mut().restart());
}

/// Runs a load while the way to the run's PostgreSQL is broken.
fn outlives_on_the_way(mode: Mode) {
    let (address, url) = {
        let server = postgres::shared();
        (server.address(), server.create_database())
    };
    let proxy = std::cell::RefCell::new(FaultProxy::to(&address));
    let url = url.replace(&address, &proxy.borrow().address());
    outlives(&url, || proxy.borrow_mut().set(mode), || proxy.borrow_mut().set(Mode::Pass));
}

#[test]
fn requests_outlive_a_black_holed_postgres() {
    outlives_on_the_way(Mode::Blackhole);
}

#[test]
fn requests_outlive_a_postgres_that_refuses_connections() {
    outlives_on_the_way(Mode::Refuse);
}

#[test]
fn requests_outlive_a_postgres_that_takes_three_seconds() {
    outlives_on_the_way(Mode::Delay(Duration::from_secs(3)));
}

#[test]
fn requests_outlive_a_postgres_that_talks_nonsense() {
    outlives_on_the_way(Mode::Inject(b"\x16\x03\x01 this is no PostgreSQL\r\n".to_vec()));
}

/// Writes are refused, reads go on.
#[test]
fn a_read_only_postgres_is_still_read() {
    let server = Postgres::start();
    let url = server.create_database();
    let provider = load::echo();
    let gateway = load::builder(&provider).database(&url).start();
    gateway.wait_for_state("l3", "running");
    load::seed(&gateway);
    let read_only = |value: &str| {
        let sql = format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
        server.query("postgres", "SET default_transaction_read_only = off");
        server.query("postgres", &sql);
        server.query("postgres", "SELECT pg_reload_conf()");
    };
    load::under_load(&gateway, |load| {
        load.wait_for("HIT L3");
        read_only("on");
        let error = load::wait_until_degraded(&gateway, "l3");
        assert!(error.contains("read-only"), "{error}");
        let answers = load.wait_for_more(60);
        load::expect_each(&answers, &["HIT L1", "HIT L3", "MISS"]);
        read_only("off");
        load::wait_until_back(&gateway, "l3");
        expect_kept(&gateway);
    });
}

/// the database is away at the start, in both ways, and comes later.
#[test]
fn a_gateway_starts_without_postgres_and_uses_it_later() {
    let (address, url) = {
        let server = postgres::shared();
        (server.address(), server.create_database())
    };
    for away in [Mode::Refuse, Mode::Blackhole] {
        let mut proxy = FaultProxy::to(&address);
        proxy.set(away.clone());
        let provider = load::echo();
        let since = deadline::now();
        let url = url.replace(&address, &proxy.address());
        // Without a secret of its own: the start asks the database for the shared one.
        let gateway = load::builder(&provider).database(&url).env("ANTEROOM_SECRET", "").start();
        assert!(since.elapsed() < START_OR_END, "{away:?}: {:?}", since.elapsed());
        load::wait_until_degraded(&gateway, "l3");
        load::expect_echo(&gateway.send(&load::new("without")), "new without;");
        proxy.set(Mode::Pass);
        load::wait_until_back(&gateway, "l3");
        gateway.send(&load::new("with")).expect_status(200);
        expect_written(&gateway);
    }
}

#[track_caller]
fn expect_written(gateway: &Gateway) {
    gateway.wait_until("a row", |health| {
        actor(health, "l3").is_some_and(|l3| l3["counters"]["inserts"].as_u64() > Some(0))
    });
}

/// A libpq call that hangs does not hold up the exit.
#[test]
fn a_gateway_stops_in_time_while_postgres_is_black_holed() {
    let (address, url) = {
        let server = postgres::shared();
        (server.address(), server.create_database())
    };
    let mut proxy = FaultProxy::to(&address);
    let provider = load::echo();
    let mut gateway =
        load::builder(&provider).database(&url.replace(&address, &proxy.address())).start();
    gateway.wait_for_state("l3", "running");
    proxy.set(Mode::Blackhole);
    for number in 0..5 {
        gateway.send(&load::new(&number.to_string())).expect_status(200);
    }
    let since = deadline::now();
    assert!(gateway.terminate().success(), "{}", gateway.log());
    assert!(since.elapsed() < START_OR_END, "{:?}\n{}", since.elapsed(), gateway.log());
}

/// The server allows no more connections than the gateway has not: FAULTS "connection limit".
#[test]
fn a_role_without_free_connections_is_no_obstacle() {
    let (address, url, name) = {
        let server = postgres::shared();
        let url = server.create_database();
        let name = url.rsplit('/').next().expect("a name").to_owned();
        let role = format!("CREATE ROLE role_{name} LOGIN CONNECTION LIMIT 1");
        server.query(&name, &role);
        server.query(&name, &format!("GRANT ALL ON DATABASE {name} TO role_{name}"));
        server.query(&name, &format!("GRANT ALL ON SCHEMA public TO role_{name}"));
        (server.address(), url, name)
    };
    let provider = load::echo();
    let limited = format!("postgres://role_{name}@{address}/{name}");
    assert_ne!(limited, url);
    let gateway = load::builder(&provider).database(&limited).start();
    for number in 0..20 {
        let said = number.to_string();
        load::expect_echo(&gateway.send(&load::new(&said)), &format!("new {said};"));
    }
}
