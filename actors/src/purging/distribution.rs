//! Purging without its mailbox: what is purged here goes to the levels, what others purged comes from
//! them.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join;
use tokio::sync::Mutex;

use super::Ledger;
use crate::clock::SharedClock;
use crate::message::{HearPurges, LevelHandle, Place, Purged, RecordPurges, ask};
use crate::model::{Label, PurgeRecord, Purges};
use crate::settings::PurgeSettings;

/// Most purges recorded by one message.
const BATCH: usize = 1_000;
/// Most batches offered in one round; the rest waits for the next.
const BATCHES_A_ROUND: usize = 100;
/// How often purges that cover nothing any more are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// The purges of this gateway and the two places that hold them for others. Lives on one thread; no
/// borrow is held across an await.
pub(super) struct Distribution {
    purges: Purges,
    l2: Spot,
    l3: Spot,
    settings: PurgeSettings,
    clock: SharedClock,
    next_forget: Cell<Instant>,
    applied: Cell<u64>,
}

/// A level that records purges.
struct Spot {
    level: LevelHandle,
    ledger: RefCell<Ledger>,
    /// Held during a round: one at a time.
    round: Mutex<()>,
    /// Whether something was called out during the round.
    again: Cell<bool>,
    trouble: RefCell<Option<String>>,
}

impl Spot {
    fn new(level: LevelHandle) -> Self {
        Self {
            level,
            ledger: RefCell::default(),
            round: Mutex::new(()),
            again: Cell::new(false),
            trouble: RefCell::default(),
        }
    }

    fn num_lacking(&self) -> usize {
        self.ledger.borrow().num_lacking()
    }
}

impl Distribution {
    pub(super) fn new(
        purges: Purges,
        [l2, l3]: [LevelHandle; 2],
        settings: PurgeSettings,
        clock: SharedClock,
    ) -> Self {
        let next_forget = Cell::new(later(clock.now(), FORGET_EVERY));
        let (l2, l3) = (Spot::new(l2), Spot::new(l3));
        Self { purges, l2, l3, settings, clock, next_forget, applied: Cell::new(0) }
    }

    /// Purges `labels` here, then where others look; says where it holds.
    pub(super) async fn purge(&self, labels: &[Label]) -> Purged {
        self.applied.set(self.applied.get().saturating_add(1));
        let (purged, latest) = self.purge_at(labels, self.clock.wall_ms()).await;
        if latest <= purged.generation {
            return purged;
        }
        // Another gateway, whose clock is ahead, had purged something this one had not heard of. What
        // was made there since counts as later than this purge, though it need not be: purge again.
        let (purged, _) = self.purge_at(labels, latest.saturating_add(1)).await;
        purged
    }

    /// Returns where it holds, and the latest generation that either place knows.
    async fn purge_at(&self, labels: &[Label], wall_ms: u64) -> (Purged, u64) {
        let records: Arc<[PurgeRecord]> =
            labels.iter().map(|label| self.purges.purge(*label, wall_ms)).collect();
        let generation = records.iter().map(|record| record.generation).max().unwrap_or_default();
        let (l2, l3) = join(self.record(&self.l2, &records), self.record(&self.l3, &records)).await;
        let latest = [&l2, &l3].into_iter().flatten().flatten().max().copied().unwrap_or_default();
        (Purged { generation, l2: place(l2), l3: place(l3) }, latest)
    }

    /// Has a place record purges; returns the latest generation it knows then, nothing for a level
    /// that is off.
    async fn record(
        &self,
        spot: &Spot,
        records: &Arc<[PurgeRecord]>,
    ) -> Result<Option<u64>, String> {
        if !spot.level.enabled {
            return Ok(None);
        }
        let record =
            RecordPurges { records: Arc::clone(records), forget_before: self.forget_before() };
        let outcome = match ask(&spot.level.record, record, self.settings.record_timeout).await {
            Ok(Ok(recorded)) => {
                spot.ledger.borrow_mut().note(recorded.contact, records);
                Ok(Some(recorded.latest))
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let before = spot.trouble.replace(outcome.as_ref().err().cloned());
        if let (None, Err(error)) = (before, &outcome) {
            tracing::warn!(level = %spot.level.level, error, "purges are not recorded yet");
        }
        outcome
    }

    /// Hears what others purged from both places, and offers them what they lack; skips a place whose
    /// last round is not over.
    pub(super) async fn poll(&self) {
        join(self.try_round(&self.l2), self.try_round(&self.l3)).await;
        self.forget();
    }

    /// As [`Self::poll`], for L2 alone: something was called out there.
    pub(super) async fn poll_l2(&self) {
        self.l2.again.set(true);
        self.try_round(&self.l2).await;
    }

    /// As [`Self::poll`], after rounds that are under way.
    pub(super) async fn catch_up(&self) {
        let round = async |spot: &Spot| {
            let _alone = spot.round.lock().await;
            self.round(spot).await;
        };
        join(round(&self.l2), round(&self.l3)).await;
    }

    async fn try_round(&self, spot: &Spot) {
        let Ok(_alone) = spot.round.try_lock() else { return };
        loop {
            spot.again.set(false);
            self.round(spot).await;
            if !spot.again.get() {
                return;
            }
        }
    }

    async fn round(&self, spot: &Spot) {
        if !spot.level.enabled {
            return;
        }
        let asked = ask(&spot.level.hear, HearPurges, self.settings.record_timeout);
        let Ok(Ok(heard)) = asked.await else {
            // The count for health is of now, though nobody can be offered anything.
            spot.ledger.borrow_mut().lacking(&self.purges, 0);
            return;
        };
        self.purges.merge_all(&heard.records);
        spot.ledger.borrow_mut().heard(&heard);
        for _ in 0..BATCHES_A_ROUND {
            let lacking = spot.ledger.borrow_mut().lacking(&self.purges, BATCH);
            if lacking.is_empty() || self.record(spot, &lacking.into()).await.is_err() {
                return;
            }
        }
    }

    fn forget_before(&self) -> u64 {
        let keep_ms = self.settings.keep_for.as_millis();
        self.purges.forgettable_before(self.clock.wall_ms().saturating_sub(keep_ms))
    }

    fn forget(&self) {
        let now = self.clock.now();
        if now >= self.next_forget.get() {
            self.next_forget.set(later(now, FORGET_EVERY));
            self.purges.forget_before(self.forget_before());
        }
    }

    /// Returns how many purges wait to be recorded, in either place.
    pub(super) fn num_lacking(&self) -> usize {
        self.l2.num_lacking().saturating_add(self.l3.num_lacking())
    }

    /// Returns why purges wait to be recorded, if any do.
    pub(super) fn why_degraded(&self) -> Option<String> {
        [&self.l2, &self.l3].into_iter().filter(|spot| spot.num_lacking() > 0).find_map(|spot| {
            let trouble = spot.trouble.borrow();
            trouble.as_ref().map(|error| format!("purges wait for {}: {error}", spot.level.level))
        })
    }

    pub(super) fn applied(&self) -> u64 {
        self.applied.get()
    }

    pub(super) const fn purges(&self) -> &Purges {
        &self.purges
    }

    pub(super) const fn poll_interval(&self) -> Duration {
        self.settings.poll_interval
    }
}

fn place(recorded: Result<Option<u64>, String>) -> Place {
    match recorded {
        Ok(Some(_)) => Place::Seen,
        Ok(None) => Place::Off,
        Err(error) => Place::Failed(error),
    }
}

/// Adds, and stays where it is if the sum is past what an instant can hold.
fn later(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait).unwrap_or(now)
}
