//! The levels on the way to the origin: asked nearest first, under one budget.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::SharedClock;
use crate::message::{Insert, InsertKind, LevelHandle, Lookup, ask};
use crate::model::{CacheKey, Entry, Form, Level, Use, Wants};

/// How long a level may take to accept an entry. Off the response path; L2 waits for its server.
const INSERT_DEADLINE: Duration = Duration::from_secs(5);

/// The three levels, seen from a flight.
#[derive(Debug, Clone)]
pub struct Levels {
    handles: [LevelHandle; 3],
    clock: SharedClock,
    budget: Duration,
    l2_timeout: Duration,
}

/// What the levels had.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// An entry to serve, and where it was.
    pub entry: Option<(Arc<Entry>, Level)>,
    /// Whether a new one is to be fetched behind it.
    pub refresh: bool,
    /// Where there is nothing to serve: a stale entry for the case that the origin fails.
    pub fallback: Option<(Arc<Entry>, Level)>,
    /// How long each level took that was asked.
    pub lookups: [Option<Duration>; 3],
}

impl Levels {
    /// Creates the view: `handles` are L1, L2, L3; `budget` bounds all of them together.
    pub const fn new(
        handles: [LevelHandle; 3],
        clock: SharedClock,
        budget: Duration,
        l2_timeout: Duration,
    ) -> Self {
        Self { handles, clock, budget, l2_timeout }
    }

    /// Asks L1, L2, L3 for `key` until one has what `wants` takes or the budget is spent. A level
    /// that fails is a miss: it counted and logged its failure itself. Where one has a stale entry,
    /// a further one may have a fresh one: another gateway fetched it.
    pub async fn find(&self, key: CacheKey, form: Form, wants: &Wants) -> Found {
        if wants.reload {
            return Found::default();
        }
        let started = self.clock.now();
        let mut found = Found::default();
        for (handle, took) in self.handles.iter().zip(found.lookups.iter_mut()) {
            let asked = self.clock.now();
            let left = self.budget.saturating_sub(asked.duration_since(started));
            if !handle.enabled || left.is_zero() {
                continue;
            }
            let deadline = if handle.level == Level::L2 { left.min(self.l2_timeout) } else { left };
            let answer = ask(&handle.lookup, Lookup { key, form }, deadline).await;
            *took = Some(self.clock.now().duration_since(asked));
            let Ok(Ok(Some(entry))) = answer else { continue };
            let made_wall_ms = entry.freshness.made_wall_ms;
            let newest = [&found.entry, &found.fallback].into_iter().flatten();
            if newest.into_iter().any(|(other, _)| other.freshness.made_wall_ms >= made_wall_ms) {
                continue;
            }
            match wants.judge(&entry.freshness, self.clock.wall_ms()) {
                Use::Serve => {
                    found.entry = Some((entry, handle.level));
                    found.refresh = false;
                    break;
                }
                Use::ServeAndRefresh => {
                    found.entry = Some((entry, handle.level));
                    found.refresh = true;
                }
                Use::Fallback => found.fallback = Some((entry, handle.level)),
                Use::Leave => {}
            }
        }
        found
    }

    /// Gives `entry` to `level`. It is in the level's mailbox when this returns: a heartbeat
    /// asked for later sees it as pending. What is to be used more often first is for L1, which hands
    /// it on; an error is for L1 alone.
    pub fn insert(&self, level: Level, entry: &Arc<Entry>) -> impl Future<Output = ()> + use<> {
        self.give(level, entry, InsertKind::New)
    }

    /// Tells L1, which holds `entry`, that its encodings are there.
    pub fn encoded(&self, entry: &Arc<Entry>) -> impl Future<Output = ()> + use<> {
        self.give(Level::L1, entry, InsertKind::Encoded)
    }

    fn give(
        &self,
        level: Level,
        entry: &Arc<Entry>,
        kind: InsertKind,
    ) -> impl Future<Output = ()> + use<> {
        let is_due = level == Level::L1 || entry.min_uses <= 1 && !entry.is_negative();
        let handle = self.handles.get(level.index()).filter(|handle| handle.enabled && is_due);
        let asked = handle.map(|handle| {
            let insert = Insert { entry: Arc::clone(entry), kind };
            ask(&handle.insert, insert, INSERT_DEADLINE)
        });
        async move {
            if let Some(asked) = asked {
                // The level counts refusals and failures; nobody waits for them.
                let _ = asked.await;
            }
        }
    }
}
