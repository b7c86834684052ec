//! L2: answers in Redis, shared by gateways.
//!
//! * Owns: the connections to Redis and the breaker in front of them.
//! * Answers: [`Lookup`], [`Insert`], [`HearPurges`], [`RecordPurges`], [`Claim`], [`Flush`],
//!   [`Ping`]. Takes: [`Renew`], [`Release`].
//! * Sends: [`PurgesChanged`] to the purging actor.
//! * Fails: open. A server that is away, slow or refuses costs a lookup at most its time-out,
//!   and after a few failures nothing: the level is skipped, probed behind, and used again.
//! * Thread: any arbiter; built on it, because it is not `Send`.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, ResponseFuture};
use futures_util::FutureExt as _;
use tokio::task::JoinHandle;

use super::redis_guard::RedisGuard;
use crate::clock::SharedClock;
use crate::error::LevelError;
#[cfg(feature = "fault-injection")]
use crate::message::Panic;
use crate::message::{
    ActorState, Claim, Claimed, Flush, HearPurges, HeardPurges, Insert, InsertOutcome, LevelHandle,
    Lookup, Ping, PurgesChanged, RecordPurges, RecordedPurges, Release, Renew, Report, Slot,
};
use crate::model::{Entry, Purges};
use crate::settings::L2Settings;

/// The cache level in Redis.
pub struct L2Actor {
    redis: Rc<RedisGuard>,
    changed: Slot<PurgesChanged>,
    tasks: Vec<Care>,
}

/// A task that mends connections or listens. Nobody waits for it at shutdown: it owns no data.
struct Care(JoinHandle<()>);

impl Drop for Care {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl L2Actor {
    /// Creates the level. It connects once it is started, behind; until then lookups are skipped.
    /// `changed` is told when another gateway has purged something.
    pub fn new(
        settings: L2Settings,
        purges: Purges,
        changed: Slot<PurgesChanged>,
        clock: SharedClock,
    ) -> Self {
        let redis = Rc::new(RedisGuard::new(&settings, purges, clock));
        Self { redis, changed, tasks: Vec::new() }
    }

    /// Puts the address of a started actor where its askers look for it.
    pub fn connect(addr: &Addr<Self>, handle: &LevelHandle) {
        handle.lookup.put(addr.clone().recipient());
        handle.insert.put(addr.clone().recipient());
        handle.flush.put(addr.clone().recipient());
        handle.hear.put(addr.clone().recipient());
        handle.record.put(addr.clone().recipient());
        handle.claim.put(addr.clone().recipient());
        handle.renew.put(addr.clone().recipient());
        handle.release.put(addr.clone().recipient());
    }
}

impl Actor for L2Actor {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let redis = Rc::clone(&self.redis);
        #[expect(clippy::disallowed_methods, reason = "ends with the actor, see `Care`")]
        let task = tokio::task::spawn_local(async move {
            loop {
                // A panic in a library must not leave the level without care.
                let care = AssertUnwindSafe(redis.care()).catch_unwind();
                if care.await.is_err() {
                    redis.care_broke();
                }
            }
        });
        self.tasks.push(Care(task));
        let (redis, changed) = (Rc::clone(&self.redis), self.changed.clone());
        #[expect(clippy::disallowed_methods, reason = "ends with the actor, see `Care`")]
        let task = tokio::task::spawn_local(async move { redis.listen(&changed).await });
        self.tasks.push(Care(task));
    }
}

impl Handler<Lookup> for L2Actor {
    type Result = ResponseFuture<Result<Option<Arc<Entry>>, LevelError>>;

    fn handle(&mut self, Lookup { key, .. }: Lookup, _: &mut Self::Context) -> Self::Result {
        let redis = Rc::clone(&self.redis);
        Box::pin(async move { redis.lookup(key).await })
    }
}

impl Handler<Insert> for L2Actor {
    type Result = ResponseFuture<Result<InsertOutcome, LevelError>>;

    fn handle(&mut self, Insert { entry, .. }: Insert, _: &mut Self::Context) -> Self::Result {
        let redis = Rc::clone(&self.redis);
        Box::pin(async move { redis.insert(&entry).await })
    }
}

impl Handler<HearPurges> for L2Actor {
    type Result = ResponseFuture<Result<HeardPurges, LevelError>>;

    fn handle(&mut self, _: HearPurges, _: &mut Self::Context) -> Self::Result {
        let redis = Rc::clone(&self.redis);
        Box::pin(async move { redis.hear().await })
    }
}

impl Handler<RecordPurges> for L2Actor {
    type Result = ResponseFuture<Result<RecordedPurges, LevelError>>;

    fn handle(&mut self, purges: RecordPurges, _: &mut Self::Context) -> Self::Result {
        let redis = Rc::clone(&self.redis);
        Box::pin(async move { redis.record(&purges).await })
    }
}

impl Handler<Claim> for L2Actor {
    type Result = ResponseFuture<Result<Claimed, LevelError>>;

    fn handle(&mut self, claim: Claim, _: &mut Self::Context) -> Self::Result {
        let redis = Rc::clone(&self.redis);
        Box::pin(async move { redis.claim(&claim).await })
    }
}

impl Handler<Renew> for L2Actor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, renew: Renew, _: &mut Self::Context) -> Self::Result {
        let redis = Rc::clone(&self.redis);
        Box::pin(async move { redis.renew(&renew).await })
    }
}

impl Handler<Release> for L2Actor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, release: Release, _: &mut Self::Context) -> Self::Result {
        let redis = Rc::clone(&self.redis);
        Box::pin(async move { redis.release(&release).await })
    }
}

impl Handler<Flush> for L2Actor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        let redis = Rc::clone(&self.redis);
        Box::pin(async move { redis.flush().await })
    }
}

impl Handler<Ping> for L2Actor {
    type Result = actix::MessageResult<Ping>;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Self::Result {
        let redis = &self.redis;
        let counters = &redis.counters;
        let degraded = redis.why_degraded();
        let state = if degraded.is_some() { ActorState::Degraded } else { ActorState::Running };
        actix::MessageResult(Report {
            state,
            pending: number(redis.writes_in_flight() + redis.num_doomed()),
            last_error: degraded.or_else(|| redis.last_error()),
            counters: vec![
                ("lookups", counters.lookups.get()),
                ("hits", counters.hits.get()),
                ("misses", counters.misses.get()),
                ("errors", counters.errors.get()),
                ("skipped", counters.skipped.get()),
                ("inserts", counters.inserts.get()),
                ("insert_refusals", counters.insert_refusals.get()),
                ("insert_drops", counters.insert_drops.get()),
                ("damaged", counters.damaged.get()),
                ("purged", counters.purged.get()),
                ("breaker_opened", redis.times_opened()),
                ("connections", number(redis.num_connections())),
                ("writes_in_flight", number(redis.writes_in_flight())),
            ],
        })
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<Panic> for L2Actor {
    type Result = ();

    #[expect(clippy::panic, reason = "what the message asks for, in test builds only")]
    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("L2 was asked to panic");
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
