//! What is kept, and for how long.

use std::time::Duration;

use anteroom_actors::error::LevelError;
use anteroom_actors::message::InsertOutcome;
use anteroom_actors::store::redis::RedisStore;
use bytes::Bytes;

use super::level::{TestLevel, counter, entry, name, settings};
use super::server::Server;

#[actix::test]
async fn what_one_gateway_keeps_another_finds_whole() {
    let server = Server::started().await;
    let first = TestLevel::connected(settings(server.url())).await;
    let second = TestLevel::connected(settings(server.url())).await;
    let kept = entry(1);
    assert_eq!(first.lookup(kept.key).await, Ok(None));
    assert_eq!(first.insert(&kept).await, Ok(InsertOutcome::Stored));
    let found = second.lookup(kept.key).await.unwrap().expect("a hit");
    assert_eq!(*found, kept);

    first.flush().await;
    let report = first.report().await;
    for (name, value) in [("lookups", 1), ("misses", 1), ("inserts", 1), ("hits", 0)] {
        assert_eq!(counter(&report, name), value, "{name}");
    }
    assert_eq!(second.counter("hits").await, 1);
}

// CASES A-66: no level keeps an answer longer than it may be served.
#[actix::test]
async fn a_record_expires_with_its_lifetime_or_residence_whichever_is_shorter() {
    let server = Server::started().await;
    let level = TestLevel::connected(settings(server.url())).await;
    for (number, age_s, lifetime_s, most_s) in
        [(1, 0, 30, 30), (2, 0, 3_600, 60), (3, 20, 30, 10), (4, 3_000, 3_600, 60)]
    {
        let mut kept = entry(number);
        kept.freshness.made_wall_ms -= age_s * 1_000;
        kept.freshness.lifetime = Duration::from_secs(lifetime_s).into();
        assert_eq!(level.insert(&kept).await, Ok(InsertOutcome::Stored));
        let left_ms: i64 = server.say(&["PTTL", &name(kept.key)]).await;
        let most_ms = most_s * 1_000;
        assert!(left_ms > most_ms - 9_000 && left_ms <= most_ms, "{number}: {left_ms} ms");
    }
}

#[actix::test]
async fn what_is_stale_or_too_large_is_not_written() {
    let server = Server::started().await;
    let level = TestLevel::connected(settings(server.url())).await;
    let mut stale = entry(1);
    stale.freshness.made_wall_ms -= 30_000;
    assert_eq!(level.insert(&stale).await, Ok(InsertOutcome::Refused));
    let mut large = entry(2);
    large.body = Bytes::from(vec![b'x'; 64 * 1024]);
    assert_eq!(level.insert(&large).await, Ok(InsertOutcome::Refused));
    assert_eq!(server.say::<i64>(&["DBSIZE"]).await, 0);
    assert_eq!(level.counter("insert_refusals").await, 2);
}

#[actix::test]
async fn gateways_of_one_redis_share_the_first_secret_proposed() {
    let server = Server::started().await;
    let first = RedisStore::new(&settings(server.url()));
    let second = RedisStore::new(&settings(server.url()));
    assert_eq!(first.shared_secret([1; 32]).await, Ok([1; 32]));
    assert_eq!(second.shared_secret([2; 32]).await, Ok([1; 32]));
    // A replica that takes no writes still tells it.
    server.say::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let third = RedisStore::new(&settings(server.url()));
    assert_eq!(third.shared_secret([3; 32]).await, Ok([1; 32]));
}

#[actix::test]
async fn a_secret_of_another_form_is_refused_and_left_alone() {
    let server = Server::started().await;
    server.say::<()>(&["SET", "anteroom:v1:secret", "short"]).await;
    let store = RedisStore::new(&settings(server.url()));
    let answer = store.shared_secret([1; 32]).await;
    assert!(matches!(answer, Err(LevelError::Damaged(_))), "{answer:?}");
    assert_eq!(server.say::<String>(&["GET", "anteroom:v1:secret"]).await, "short");
}
