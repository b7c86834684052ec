//! L3: answers in a database, which survive restarts.
//!
//! * Owns: the database's threads and the breaker in front of them.
//! * Answers: [`Lookup`], [`Insert`], [`HearPurges`], [`RecordPurges`], [`Flush`], [`Ping`].
//! * Sends: nothing.
//! * Fails: open. A database that is away or hangs costs a lookup at most its time-out, and after
//!   a few failures nothing: the level is skipped, probed behind, and used again. Writes that
//!   fail are dropped and counted.
//! * Thread: any arbiter; statements run on threads of the database's own, so nothing here waits.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, MessageResult, ResponseFuture};
use futures_util::FutureExt as _;
use tokio::task::JoinHandle;

use super::database_guard::DatabaseGuard;
use crate::clock::SharedClock;
use crate::error::LevelError;
#[cfg(feature = "fault-injection")]
use crate::message::Panic;
use crate::message::{
    ActorState, Flush, HearPurges, HeardPurges, Insert, InsertOutcome, LevelHandle, Lookup, Ping,
    RecordPurges, RecordedPurges, Report,
};
use crate::model::{Entry, Purges};
use crate::settings::L3Settings;

/// The cache level in a database.
pub struct L3Actor {
    database: Rc<DatabaseGuard>,
    care: Option<Care>,
}

/// The task that probes and tends. Nobody waits for it at shutdown: it owns no data.
struct Care(JoinHandle<()>);

impl Drop for Care {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl L3Actor {
    /// Creates the level and starts its threads. They open the database at once, behind; one
    /// that is away is used when it comes.
    pub fn new(settings: L3Settings, purges: Purges, clock: SharedClock) -> Self {
        Self { database: Rc::new(DatabaseGuard::new(settings, purges, clock)), care: None }
    }

    /// Puts the address of a started actor where its askers look for it.
    pub fn connect(addr: &Addr<Self>, handle: &LevelHandle) {
        handle.lookup.put(addr.clone().recipient());
        handle.insert.put(addr.clone().recipient());
        handle.flush.put(addr.clone().recipient());
        handle.hear.put(addr.clone().recipient());
        handle.record.put(addr.clone().recipient());
    }
}

impl Actor for L3Actor {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let database = Rc::clone(&self.database);
        #[expect(clippy::disallowed_methods, reason = "ends with the actor, see `Care`")]
        let task = tokio::task::spawn_local(async move {
            // A panic must not leave the level without care; each round begins with a pause.
            loop {
                if AssertUnwindSafe(database.care()).catch_unwind().await.is_err() {
                    tracing::error!(level = "L3", "the care for the database failed, goes on");
                }
            }
        });
        self.care = Some(Care(task));
    }
}

impl Handler<Lookup> for L3Actor {
    type Result = ResponseFuture<Result<Option<Arc<Entry>>, LevelError>>;

    fn handle(&mut self, Lookup { key, .. }: Lookup, _: &mut Self::Context) -> Self::Result {
        let database = Rc::clone(&self.database);
        Box::pin(async move { database.lookup(key).await })
    }
}

impl Handler<Insert> for L3Actor {
    type Result = Result<InsertOutcome, LevelError>;

    fn handle(&mut self, Insert { entry, .. }: Insert, _: &mut Self::Context) -> Self::Result {
        self.database.insert(entry)
    }
}

impl Handler<HearPurges> for L3Actor {
    type Result = ResponseFuture<Result<HeardPurges, LevelError>>;

    fn handle(&mut self, _: HearPurges, _: &mut Self::Context) -> Self::Result {
        let database = Rc::clone(&self.database);
        Box::pin(async move { database.hear().await })
    }
}

impl Handler<RecordPurges> for L3Actor {
    type Result = ResponseFuture<Result<RecordedPurges, LevelError>>;

    fn handle(&mut self, purges: RecordPurges, _: &mut Self::Context) -> Self::Result {
        let database = Rc::clone(&self.database);
        Box::pin(async move { database.record(purges).await })
    }
}

impl Handler<Flush> for L3Actor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        let database = Rc::clone(&self.database);
        Box::pin(async move { database.flush().await })
    }
}

impl Handler<Ping> for L3Actor {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Self::Result {
        let (guard, counters) = (&self.database, &self.database.counters);
        let database = guard.snapshot();
        let degraded = guard.why_degraded(&database);
        let state = if degraded.is_some() { ActorState::Degraded } else { ActorState::Running };
        MessageResult(Report {
            state,
            pending: database.pending_rows,
            last_error: degraded.or_else(|| guard.last_error(&database)),
            counters: vec![
                ("lookups", counters.lookups.get()),
                ("hits", counters.hits.get()),
                ("misses", counters.misses.get()),
                ("errors", counters.errors.get()),
                ("skipped", counters.skipped.get()),
                ("inserts", database.written),
                ("insert_refusals", counters.insert_refusals.get()),
                ("insert_drops", counters.insert_drops.get().saturating_add(database.dropped)),
                ("damaged", counters.damaged.get()),
                ("purged", counters.purged.get()),
                ("evictions", database.evicted),
                ("expired", database.expired),
                ("erased", database.erased),
                ("entries", database.entries),
                ("bytes", database.bytes),
                ("pending_writes", database.pending_rows),
                ("pending_bytes", database.pending_bytes),
                ("hanging_threads", database.hanging_threads),
                ("breaker_opened", guard.times_opened()),
            ],
        })
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<Panic> for L3Actor {
    type Result = ();

    #[expect(clippy::panic, reason = "what the message asks for, in test builds only")]
    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("L3 was asked to panic");
    }
}

#[cfg(test)]
mod tests;
