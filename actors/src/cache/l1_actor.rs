//! The actor of L1, memory.
//!
//! Owns: its [`MemoryStore`], alone, without a lock. Answers: `Lookup`, `LookupMany`, `Peek`, `Insert`,
//! `Holds`, `ObserveEvictions`, `Resize`, `CleanUp`, `Flush`, `Ping`; takes `Touched`, `WarmRoom`. Sends: `Insert` to L2 and L3, of entries that had to be used first.
//! Fails how: it dies only by a bug; its entries are lost then.
//! Thread: an arbiter of its own.

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, MessageResult};

use crate::clock::SharedClock;
use crate::error::LevelError;
use crate::message::{
    ActorState, CleanUp, Flush, Holds, Insert, InsertKind, InsertOutcome, LevelHandle, Lookup,
    LookupMany, ObserveEvictions, Peek, Ping, Report, Resize, Slot, Touched, WarmRoom,
};
use crate::model::{CacheKey, Entry, Form, Purges, Versions};
use crate::settings::L1Settings;
use crate::store::memory::{MemoryStore, Stored};
use crate::store::shelves::Shelf;

/// Batches of touches that may wait; past it they are dropped and counted by their sender.
const MAILBOX: usize = 256;

/// Places of the queue of leaving looked at by one message: keeps every message short.
const SWEEP_A_MESSAGE: usize = 8;

/// Places looked at by one heartbeat.
const SWEEP_A_HEARTBEAT: usize = 4_096;

/// L1.
pub struct L1Actor {
    store: MemoryStore,
    further: [LevelHandle; 2],
    clock: SharedClock,
    lookups: u64,
    hits: u64,
    touches: u64,
    inserts: u64,
    refusals: u64,
}

impl L1Actor {
    /// Creates an empty L1; `further` are L2 and L3.
    pub fn new(
        settings: L1Settings,
        further: [LevelHandle; 2],
        purges: Purges,
        versions: Versions,
        clock: SharedClock,
    ) -> Self {
        Self {
            store: MemoryStore::new(settings, purges, versions),
            further,
            clock,
            lookups: 0,
            hits: 0,
            touches: 0,
            inserts: 0,
            refusals: 0,
        }
    }

    fn look_up(&mut self, key: &CacheKey, form: Form) -> Option<Arc<Entry>> {
        self.lookups += 1;
        let (now, wall_ms) = (self.clock.now(), self.clock.wall_ms());
        let found = self.store.get(key, form, now, wall_ms);
        self.hits += u64::from(found.is_some());
        if found.as_ref().is_some_and(|entry| entry.min_uses > 1) {
            self.touch(key, 1);
        }
        found
    }

    /// Puts this actor's address where its askers look.
    pub fn connect(addr: &Addr<Self>, handle: &LevelHandle, touched: &Slot<Touched>) {
        handle.lookup.put(addr.clone().recipient());
        handle.lookup_many.put(addr.clone().recipient());
        handle.peek.put(addr.clone().recipient());
        handle.holds.put(addr.clone().recipient());
        handle.insert.put(addr.clone().recipient());
        handle.flush.put(addr.clone().recipient());
        handle.resize.put(addr.clone().recipient());
        handle.clean_up.put(addr.clone().recipient());
        handle.warm_room.put(addr.clone().recipient());
        handle.evictions.put(addr.clone().recipient());
        touched.put(addr.clone().recipient());
    }
}

impl L1Actor {
    /// Counts hits; what has been used often enough goes on. A level whose mailbox is full is given
    /// it at the next use.
    fn touch(&mut self, key: &CacheKey, hits: u32) {
        let further = &self.further;
        self.store.touch(key, hits, |entry| {
            further.iter().filter(|level| level.enabled).fold(true, |all, level| {
                let insert = Insert { entry: Arc::clone(entry), kind: InsertKind::New };
                level.insert.tell(insert) && all
            })
        });
    }
}

impl Actor for L1Actor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Lookup> for L1Actor {
    type Result = Result<Option<Arc<Entry>>, LevelError>;

    fn handle(&mut self, message: Lookup, _ctx: &mut Self::Context) -> Self::Result {
        Ok(self.look_up(&message.key, message.form))
    }
}

impl Handler<LookupMany> for L1Actor {
    type Result = MessageResult<LookupMany>;

    fn handle(&mut self, message: LookupMany, _ctx: &mut Self::Context) -> Self::Result {
        let found = message.keys.iter().map(|key| self.look_up(key, message.form));
        MessageResult(found.collect())
    }
}

impl Handler<Peek> for L1Actor {
    type Result = MessageResult<Peek>;

    fn handle(&mut self, message: Peek, _ctx: &mut Self::Context) -> Self::Result {
        let (now, wall_ms) = (self.clock.now(), self.clock.wall_ms());
        MessageResult(self.store.peek(&message.key, now, wall_ms))
    }
}

impl Handler<ObserveEvictions> for L1Actor {
    type Result = u64;

    fn handle(&mut self, _message: ObserveEvictions, _ctx: &mut Self::Context) -> Self::Result {
        self.store.evictions()
    }
}

impl Handler<Holds> for L1Actor {
    type Result = bool;

    fn handle(&mut self, message: Holds, _ctx: &mut Self::Context) -> Self::Result {
        self.store.holds(&message.key)
    }
}

impl Handler<Insert> for L1Actor {
    type Result = Result<InsertOutcome, LevelError>;

    fn handle(&mut self, message: Insert, _ctx: &mut Self::Context) -> Self::Result {
        let now = self.clock.now();
        self.store.sweep(now, SWEEP_A_MESSAGE);
        self.inserts += u64::from(message.kind != InsertKind::Encoded);
        let stored = match message.kind {
            InsertKind::New => self.store.insert(message.entry, now),
            InsertKind::Converted => self.store.insert_converted(message.entry, now),
            InsertKind::Encoded => self.store.weigh_again(&message.entry),
            InsertKind::Warmed => self.store.warm(message.entry, now),
        };
        match stored {
            Stored::Yes | Stored::Present => Ok(InsertOutcome::Stored),
            Stored::Refused => {
                self.refusals += 1;
                Ok(InsertOutcome::Refused)
            }
        }
    }
}

impl Handler<Resize> for L1Actor {
    type Result = MessageResult<Resize>;

    fn handle(&mut self, message: Resize, _ctx: &mut Self::Context) -> Self::Result {
        MessageResult(self.store.resize(message.max_bytes))
    }
}

impl Handler<CleanUp> for L1Actor {
    type Result = MessageResult<CleanUp>;

    fn handle(&mut self, message: CleanUp, _ctx: &mut Self::Context) -> Self::Result {
        let before = self.store.bytes();
        self.store.sweep(self.clock.now(), SWEEP_A_HEARTBEAT);
        if self.further.iter().any(|level| level.insert.is_open()) {
            self.store.let_idle_go(self.clock.now());
        }
        if message.target_bytes > 0 {
            self.store.shed(before.saturating_sub(message.target_bytes));
        }
        MessageResult(before.saturating_sub(self.store.bytes()))
    }
}

impl Handler<WarmRoom> for L1Actor {
    type Result = ();

    fn handle(&mut self, message: WarmRoom, _ctx: &mut Self::Context) {
        self.store.set_warm_share(message.share);
    }
}

impl Handler<Touched> for L1Actor {
    type Result = ();

    fn handle(&mut self, message: Touched, _ctx: &mut Self::Context) {
        for (key, hits) in &message.hits {
            self.touches += u64::from(*hits);
            self.touch(key, *hits);
        }
    }
}

impl Handler<Flush> for L1Actor {
    type Result = ();

    fn handle(&mut self, _message: Flush, _ctx: &mut Self::Context) {}
}

impl Handler<Ping> for L1Actor {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, _message: Ping, _ctx: &mut Self::Context) -> Self::Result {
        self.store.sweep(self.clock.now(), SWEEP_A_HEARTBEAT);
        self.store.settle();
        MessageResult(Report {
            state: ActorState::Running,
            pending: 0,
            last_error: None,
            counters: vec![
                ("lookups", self.lookups),
                ("hits", self.hits),
                ("touches", self.touches),
                ("misses", self.lookups - self.hits),
                ("inserts", self.inserts),
                ("insert_refusals", self.refusals),
                ("evictions", self.store.evictions()),
                ("expired", self.store.expired()),
                ("idled", self.store.idled()),
                ("purged", self.store.purged()),
                ("entries", self.store.entries()),
                ("bytes", self.store.bytes()),
                ("max_bytes", self.store.max_bytes()),
                ("window_bytes", self.store.weight_of(Shelf::Window)),
                ("main_bytes", self.store.weight_of(Shelf::Main)),
                ("warm_bytes", self.store.weight_of(Shelf::Warm)),
                ("window_permille", self.store.window_permille()),
            ],
        })
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<crate::message::Panic> for L1Actor {
    type Result = ();

    #[expect(clippy::panic, reason = "a test asked for it")]
    fn handle(&mut self, _message: crate::message::Panic, _ctx: &mut Self::Context) {
        panic!("a test asked L1 to panic");
    }
}

#[cfg(test)]
mod tests;
