//! Gateways on one Redis.

use std::time::Duration;

use anteroom_actors::message::{ActorState, Place};
use anteroom_actors::model::{Label, PurgeRecord};
use anteroom_actors::store::redis::{PurgeCursor, RedisStore};

use super::stage::{Start, slow_clock, tag};
use crate::redis::level::{counter, eventually, settings};
use crate::redis::server::Server;

const NEVER: Duration = Duration::from_secs(3_600);

fn on(redis: &Server) -> Start<'_> {
    Start { redis: Some(redis), ..Start::default() }
}

/// by polling alone, and by being called alone.
#[actix::test]
async fn a_purge_is_heard_of_by_polling_and_by_being_called() {
    let server = Server::started().await;
    let one = on(&server).start().await;
    for poll_interval in [Duration::from_millis(20), NEVER] {
        let other = Start { poll_interval, ..on(&server) }.start().await;
        if poll_interval == NEVER {
            // Only then does it hear what is called out.
            eventually("a subscription", async || {
                let subscribed: Vec<(String, i64)> =
                    server.say(&["PUBSUB", "NUMSUB", "anteroom:v1:purges"]).await;
                if subscribed[0].1 >= 3 { Ok(()) } else { Err(format!("{subscribed:?}")) }
            })
            .await;
        }
        let purged = one.purge("a").await;
        assert_eq!((&purged.l2, &purged.l3), (&Place::Seen, &Place::Off));
        other.hears_of("a", purged.generation).await;
    }
}

/// what Redis holds is known before the first lookup is answered from it.
#[actix::test]
async fn purges_are_known_before_the_level_is_trusted() {
    let server = Server::started().await;
    let one = on(&server).start().await;
    let old = one.made_now(1, "a");
    one.keep(&one.l2, &old).await;
    assert!(one.has(&one.l2, 1).await);
    let purged = one.purge("a").await;
    // As if it had not been removed behind.
    let other = Start { poll_interval: NEVER, ..on(&server) }.start().await;
    assert_eq!(other.purges.generation(), purged.generation);
    assert!(!other.has(&other.l2, 1).await);
    let new = other.made_now(2, "a");
    other.keep(&other.l2, &new).await;
    assert!(one.has(&one.l2, 2).await, "made since");
}

/// a Redis that lost its purges gets them again from those who know them.
#[actix::test]
async fn a_redis_that_came_back_empty_is_told_all_purges_again() {
    let mut server = Server::started().await;
    let one = on(&server).start().await;
    let before = one.purge("a").await;
    server.kill();
    let away = one.purge("b").await;
    assert!(matches!(away.l2, Place::Failed(_)) && !away.is_complete(), "{away:?}");
    eventually("to be degraded", async || {
        let report = one.report().await;
        let is_so = report.state == ActorState::Degraded && counter(&report, "unrecorded") >= 1;
        if is_so { Ok(()) } else { Err(format!("{report:?}")) }
    })
    .await;
    server.start().await;
    let other = on(&server).start().await;
    other.hears_of("a", before.generation).await;
    other.hears_of("b", away.generation).await;
    one.has_nothing_waiting().await;
    assert_eq!(one.report().await.state, ActorState::Running);
    assert_eq!(server.say::<i64>(&["ZCARD", "anteroom:v1:purges"]).await, 2);
}

/// Two gateways whose clocks differ: a purge by the slow one covers what was made under a later
/// generation, because it is made again, later than that.
#[actix::test]
async fn a_purge_by_a_gateway_whose_clock_is_slow_is_as_good() {
    let server = Server::started().await;
    let ahead = Start { poll_interval: NEVER, ..on(&server) }.start().await;
    let behind = Start { poll_interval: NEVER, clock: slow_clock(), ..on(&server) }.start().await;
    // Not called out to it: only recorded, as in the moment before the call arrives.
    let store = RedisStore::new(&settings(server.url()));
    store.connect().await.unwrap();
    let later = PurgeRecord { label: tag("else"), generation: 1 << 50 };
    ahead.purges.merge(later);
    let made = ahead.made_now(1, "a");
    ahead.keep(&ahead.l2, &made).await;
    store.record_purges(&[later], 0).await.unwrap();
    let purged = behind.purge("a").await;
    assert!(purged.is_complete() && purged.generation > later.generation, "{purged:?}");
    assert!(!behind.has(&behind.l2, 1).await);
}

/// A record below what readers have seen is not overlooked: they read the whole anew.
#[actix::test]
async fn a_record_that_comes_late_is_found() {
    let server = Server::started().await;
    let store = RedisStore::new(&settings(server.url()));
    store.connect().await.unwrap();
    let record = |label: u64, generation| PurgeRecord { label: Label::from_u64(label), generation };
    assert_eq!(store.record_purges(&[record(1, 500)], 0).await, Ok(500));
    let (seen, cursor) = store.purges_since(PurgeCursor::default()).await.unwrap();
    assert_eq!(seen, [record(1, 500)]);
    assert_eq!(store.purges_since(cursor).await, Ok((Vec::new(), cursor)));
    assert_eq!(store.record_purges(&[record(2, 400)], 0).await, Ok(500));
    let (seen, cursor) = store.purges_since(cursor).await.unwrap();
    assert_eq!(seen, [record(2, 400), record(1, 500)]);
    assert_eq!(store.purges_since(cursor).await, Ok((Vec::new(), cursor)));
    // The later of two stays, and what is too old goes.
    assert_eq!(store.record_purges(&[record(1, 300)], 0).await, Ok(500));
    assert_eq!(store.record_purges(&[record(3, 600)], 450).await, Ok(600));
    let (all, _) = store.purges_since(PurgeCursor::default()).await.unwrap();
    assert_eq!(all, [record(1, 500), record(3, 600)]);
}

#[actix::test]
async fn many_purges_are_read_in_pages() {
    let server = Server::started().await;
    let store = RedisStore::new(&settings(server.url()));
    store.connect().await.unwrap();
    // Some pages of different generations, and more than one page of the same.
    let records: Vec<_> = (0..4_500_u64)
        .map(|number| PurgeRecord {
            label: Label::from_u64(number),
            generation: 1 + number.min(2_400),
        })
        .collect();
    for batch in records.chunks(1_000) {
        store.record_purges(batch, 0).await.unwrap();
    }
    let (mut read, _) = store.purges_since(PurgeCursor::default()).await.unwrap();
    read.sort_by_key(|record| (record.generation, record.label));
    read.dedup();
    let distinct: Vec<_> = records.iter().filter(|record| record.generation <= 2_400).collect();
    assert!(distinct.iter().all(|record| read.contains(record)), "{}", read.len());
}
