//! What the one writing thread does: batches, single removals, and finding out whether writing
//! works again after it failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::connection::Connection;
use super::crew::Job;
use super::failure::Failure;
use super::queries::{self, Amount, Row};
use super::upkeep::Upkeep;
use super::write_queue::Turn;
use super::{Core, later};
use crate::codec;
use crate::error::LevelError;
use crate::model::{CacheKey, Encoding, Entry};
use crate::settings::EncodingSettings;
use crate::store::record;

/// How long writes are dropped unseen after one has failed: a full disk or a server that is away
/// is tried a few times a second, not at the rate of the traffic.
const PAUSE: Duration = Duration::from_millis(500);
/// Most bytes that one batch compresses: half a second, well within a write's time.
const MOST_SHRUNK_BYTES: usize = 8 << 20;
/// What a statement that writes is said to have waited for.
const WAITED: Duration = Duration::from_millis(100);

/// Numbers of the writing side.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) written: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) expired: AtomicU64,
    pub(super) erased: AtomicU64,
    upkeep_runs: AtomicBool,
    totals: Mutex<Totals>,
}

#[derive(Debug, Default)]
struct Totals {
    amount: Amount,
    is_known: bool,
}

impl Tally {
    /// Returns what is in the table, as far as it is known.
    pub(super) fn totals(&self) -> Amount {
        self.totals.lock().amount
    }

    pub(super) fn set_totals(&self, amount: Amount) {
        *self.totals.lock() = Totals { amount, is_known: true };
    }

    /// Adds to the totals; another gateway's changes come in with the next sweep.
    pub(super) fn grow(&self, by: Amount) {
        let mut totals = self.totals.lock();
        let now = &mut totals.amount;
        now.rows = now.rows.saturating_add(by.rows).max(0);
        now.bytes = now.bytes.saturating_add(by.bytes).max(0);
    }

    pub(super) fn shrink(&self, by: Amount) {
        self.grow(Amount { rows: -by.rows, bytes: -by.bytes });
    }

    pub(super) fn are_totals_known(&self) -> bool {
        self.totals.lock().is_known
    }

    /// Returns false when upkeep was already under way.
    pub(super) fn upkeep_begins(&self) -> bool {
        !self.upkeep_runs.swap(true, Ordering::Relaxed)
    }

    pub(super) fn upkeep_ended(&self) {
        self.upkeep_runs.store(false, Ordering::Relaxed);
    }
}

/// Writes fail at present.
#[derive(Debug)]
pub(super) struct WriteTrouble {
    pub(super) text: String,
    until: Instant,
}

impl Core {
    pub(super) fn put(self: &Arc<Self>, entry: Arc<Entry>) -> Result<(), LevelError> {
        self.check_sound()?;
        let clock = &self.ground.clock;
        if self.trouble.lock().as_ref().is_some_and(|trouble| clock.now() < trouble.until) {
            return Err(LevelError::Skipped("writes to the database fail"));
        }
        let wall_ms = clock.wall_ms();
        let residence_ms = u64::try_from(self.settings.residence.as_millis()).unwrap_or(u64::MAX);
        let row = Row {
            size_bytes: record::encoded_len(&entry),
            stored_at_ms: wall_ms,
            expires_at_ms: wall_ms.saturating_add(residence_ms).max(entry.freshness.over_at_ms()),
            packed: None,
            entry,
        };
        if !self.waiting.push(row) {
            return Err(LevelError::Overloaded("database writes"));
        }
        schedule(self);
        Ok(())
    }

    pub(super) fn writes_work(self: &Arc<Self>) {
        if self.trouble.lock().take().is_some() {
            tracing::info!(level = "L3", "writing to the database works again");
        }
        if !self.tally.are_totals_known() {
            Upkeep::begin(self);
        }
    }

    pub(super) fn writes_fail(&self, failure: &Failure) {
        let text = failure.clone().into_level_error("writing to the database").to_string();
        let until = later(self.ground.clock.now(), PAUSE);
        let before = self.trouble.lock().replace(WriteTrouble { text: text.clone(), until });
        if before.is_none() {
            tracing::warn!(level = "L3", error = text, "writes are dropped");
        }
    }

    fn drop_rows(&self, rows: u64) {
        self.tally.dropped.fetch_add(rows, Ordering::Relaxed);
    }
}

/// Lets the writer take the next batch, if there is one and it is idle.
fn schedule(core: &Arc<Core>) {
    if let Some(turn) = core.waiting.schedule() {
        core.writer.push(Box::new(WriteBatch { core: Arc::clone(core), turn }));
    }
}

/// The writer hangs and was replaced: its batch counts as dropped, the next one goes on.
pub(super) fn give_up_turn(core: &Arc<Core>) {
    core.drop_rows(core.waiting.give_up_turn());
    core.writes_fail(&Failure::Busy(WAITED));
    schedule(core);
}

/// Works out the stored form of `rows`, on this thread, where nobody waits for it. Past a bound the rest
/// is stored as it is.
fn shrink(rows: &mut [Row], encoding: &EncodingSettings) {
    let mut left = MOST_SHRUNK_BYTES;
    for Row { entry, packed, .. } in rows {
        let is_done = entry.encodings.is_settled(Encoding::Brotli);
        let work = if is_done { 0 } else { entry.body.len() };
        if let Some(after) = left.checked_sub(work) {
            left = after;
            *packed = codec::packed(entry, encoding);
        }
    }
}

/// Commits one batch; its end, however it comes, schedules the next.
struct WriteBatch {
    core: Arc<Core>,
    turn: Turn,
}

impl Job for WriteBatch {
    fn run(self: Box<Self>, connection: Result<&mut Connection, Failure>) -> Result<(), Failure> {
        let core = &self.core;
        let mut rows = core.waiting.take(self.turn);
        if rows.is_empty() {
            return Ok(());
        }
        shrink(&mut rows, &core.settings.encoding);
        let outcome = connection.and_then(|open| {
            queries::put(open, &rows).map_err(|error| Failure::of_statement(&error, WAITED))
        });
        match outcome {
            Ok(grown) => {
                core.tally.written.fetch_add(core.waiting.settle(self.turn), Ordering::Relaxed);
                core.tally.grow(grown);
                core.writes_work();
                if Upkeep::is_too_much(core) {
                    Upkeep::begin(core);
                }
                Ok(())
            }
            Err(failure) => {
                core.drop_rows(core.waiting.settle(self.turn));
                core.writes_fail(&failure);
                Err(failure)
            }
        }
    }
}

impl Drop for WriteBatch {
    fn drop(&mut self) {
        // Nothing is left to settle but after a panic.
        self.core.drop_rows(self.core.waiting.settle(self.turn));
        self.core.waiting.end(self.turn);
        schedule(&self.core);
    }
}

/// Removes one row, behind.
pub(super) fn remove(core: &Arc<Core>, key: CacheKey) {
    core.writer.push(Box::new(Behind {
        core: Arc::clone(core),
        work: move |open: &mut Connection, core: &Core| {
            core.tally.shrink(queries::remove(open, &key)?);
            Ok(())
        },
    }));
}

/// Tries whether writing works, when it did not and nothing waits that would find out.
pub(super) fn try_again(core: &Arc<Core>) {
    let now = core.ground.clock.now();
    let is_due = match core.trouble.lock().as_mut() {
        Some(trouble) if now >= trouble.until => {
            trouble.until = later(now, PAUSE);
            true
        }
        _ => false,
    };
    if is_due {
        core.writer.push(Box::new(Behind {
            core: Arc::clone(core),
            work: |open: &mut Connection, _: &Core| queries::try_writing(open),
        }));
    }
}

/// A small write nobody waits for.
struct Behind<F> {
    core: Arc<Core>,
    work: F,
}

impl<F> Job for Behind<F>
where
    F: FnOnce(&mut Connection, &Core) -> diesel::QueryResult<()> + Send,
{
    fn run(self: Box<Self>, connection: Result<&mut Connection, Failure>) -> Result<(), Failure> {
        let Self { core, work } = *self;
        let outcome = connection.and_then(|open| {
            work(open, &core).map_err(|error| Failure::of_statement(&error, WAITED))
        });
        match &outcome {
            Ok(()) => core.writes_work(),
            Err(failure) => core.writes_fail(failure),
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::Header;

    #[test]
    fn a_batch_compresses_so_much_and_no_more() {
        let row = |length: usize| {
            let name = "content-type".into();
            let headers = vec![Header { name, value: Bytes::from_static(b"text/plain") }];
            let body = Bytes::from(vec![b'a'; length]);
            let entry = Arc::new(Entry { headers: headers.into(), body, ..Entry::default() });
            Row { entry, packed: None, stored_at_ms: 0, expires_at_ms: 0, size_bytes: length }
        };
        let mut rows = [1_000, MOST_SHRUNK_BYTES, 1_000, 1].map(row);
        shrink(&mut rows, &EncodingSettings::default());
        assert_eq!(rows.each_ref().map(|row| row.packed.is_some()), [true, false, true, false]);
    }
}
