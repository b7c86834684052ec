//! L3's store: a SQLite file of the gateway's own, or a PostgreSQL server.
//!
//! [`Database`] is asked from async code and never blocks. Statements run on its own few
//! threads; writes are gathered while the last ones are being committed.

mod connection;
mod conversation_queries;
mod conversations;
mod crew;
mod failure;
mod postgres;
mod purges;
mod queries;
mod schema;
mod sqlite;
mod upkeep;
mod write_queue;
mod writer;

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use self::connection::{Connection, Opener, Purpose};
pub use self::conversation_queries::Found;
pub use self::conversations::{Conversations, ConversationsSnapshot};
use self::crew::{Crew, Ground, Question};
use self::failure::Failure;
use self::upkeep::Upkeep;
use self::write_queue::WriteQueue;
use self::writer::{Tally, WriteTrouble};
use crate::clock::SharedClock;
use crate::error::LevelError;
use crate::model::{CacheKey, Entry, PurgeRecord, Purges};
use crate::settings::L3Settings;
use crate::store::record;

/// Longest wait for a job of the writer that somebody asked for.
const WRITER_ANSWER: Duration = Duration::from_secs(5);
/// Name of the row that holds the scope secret.
const SCOPE_SECRET: &str = "scope";

/// The store of L3. Dropping it lets its threads write what is queued and end.
pub struct Database {
    core: Arc<Core>,
}

/// What a [`Database`] tells about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatabaseSnapshot {
    /// Rows in the table, expired ones included.
    pub entries: u64,
    /// Bytes of their records.
    pub bytes: u64,
    /// Rows queued and not yet committed.
    pub pending_rows: u64,
    /// Bytes of their records.
    pub pending_bytes: u64,
    /// Rows committed.
    pub written: u64,
    /// Rows that were queued and could not be written.
    pub dropped: u64,
    /// Rows removed to stay below the bound.
    pub evicted: u64,
    /// Rows removed because they had expired.
    pub expired: u64,
    /// Rows removed because they had been purged.
    pub erased: u64,
    /// Threads that hang in a call at present and were replaced.
    pub hanging_threads: u64,
    /// Why the last write failed, until one succeeds.
    pub write_trouble: Option<String>,
    /// Why the file cannot be used until the next start.
    pub damage: Option<String>,
    /// What the operator should know about how the database was found.
    pub notice: Option<String>,
}

struct Core {
    settings: L3Settings,
    ground: Arc<Ground>,
    readers: Crew,
    writer: Crew,
    waiting: WriteQueue,
    tally: Tally,
    trouble: Mutex<Option<WriteTrouble>>,
    next_sweep: Mutex<Instant>,
    /// Of the purges, how much the rows have been held against.
    erased_for: AtomicU64,
}

impl Database {
    /// Starts the threads, which open the database at once. Never waits; a database that cannot
    /// be opened is tried again by whatever is asked next. What is recorded there of purges is in
    /// `purges` before a lookup is answered; rows that `purges` cover are erased behind.
    pub fn start(settings: &L3Settings, purges: Purges, clock: SharedClock) -> Self {
        let now = clock.now();
        let ground = Arc::new(Ground {
            opener: Opener::new(settings),
            clock,
            purges,
            damage: OnceLock::new(),
            abandoned: AtomicUsize::new(0),
        });
        let core = Arc::new(Core {
            readers: Crew::start(Purpose::Reading, settings.readers, Arc::clone(&ground)),
            writer: Crew::start(Purpose::Writing, 1, Arc::clone(&ground)),
            waiting: WriteQueue::new(settings.queue_bytes, settings.batch_records),
            tally: Tally::default(),
            trouble: Mutex::new(None),
            next_sweep: Mutex::new(later(now, settings.sweep_interval)),
            settings: settings.clone(),
            ground,
            erased_for: AtomicU64::new(0),
        });
        Upkeep::begin(&core);
        Self { core }
    }

    /// Returns the entry of `key`, if it is there and has not expired; it may be stale.
    ///
    /// The caller sets the deadline: a job whose asker has gone is skipped.
    ///
    /// # Errors
    ///
    /// Any [`LevelError`]; [`LevelError::Damaged`] is about this one record.
    pub async fn get(&self, key: CacheKey) -> Result<Option<Entry>, LevelError> {
        const WHAT: &str = "a lookup in the database";
        let (wall_ms, settings) = (self.core.ground.clock.wall_ms(), &self.core.settings);
        let (max_bytes, at_most) = (settings.max_record_bytes, settings.timeout);
        let answer = self.ask(&self.core.readers, WHAT, move |open| {
            let found = queries::get(open, &key, wall_ms, max_bytes)
                .map_err(|error| Failure::of_statement(&error, at_most))?;
            // On this thread, because a large record takes a while to be checked.
            found
                .map(|record| record::decode(&key, &Bytes::from(record), max_bytes))
                .transpose()
                .map_err(Failure::RecordDamaged)
        });
        answer.await
    }

    /// Queues `entry` to be written; it expires when its residence and its lifetime are over.
    ///
    /// # Errors
    ///
    /// [`LevelError::Overloaded`] when the queue is full, [`LevelError::Skipped`] when writes
    /// fail at present. The entry is dropped then.
    pub fn put(&self, entry: Arc<Entry>) -> Result<(), LevelError> {
        self.core.put(entry)
    }

    /// Removes the row of `key`, behind; may be lost.
    pub fn remove(&self, key: CacheKey) {
        writer::remove(&self.core, key);
    }

    /// Waits until what is queued now is written or given up. The caller sets the deadline.
    pub async fn flushed(&self) {
        self.core.waiting.flushed().await;
    }

    /// Tells whether the database answers. The caller sets the deadline.
    ///
    /// # Errors
    ///
    /// What keeps it from answering.
    pub async fn probe(&self) -> Result<(), LevelError> {
        self.core.replace_stuck();
        let at_most = self.core.settings.timeout;
        let nobody = CacheKey::new([0; CacheKey::LEN]);
        let answer = self.ask(&self.core.readers, "a probe of the database", move |open| {
            queries::get(open, &nobody, 0, 0)
                .map(|_| ())
                .map_err(|error| Failure::of_statement(&error, at_most))
        });
        answer.await
    }

    /// Does what is due at this moment: replaces threads that hang, sweeps, tries whether
    /// writing works again. To be called a few times a second; returns at once.
    pub fn tend(&self) {
        let core = &self.core;
        core.replace_stuck();
        let now = core.ground.clock.now();
        let mut next_sweep = core.next_sweep.lock();
        let may_erase = Upkeep::has_to_erase(core) && core.trouble.lock().is_none();
        if now >= *next_sweep || may_erase {
            *next_sweep = later(now, core.settings.sweep_interval);
            Upkeep::begin(core);
        }
        drop(next_sweep);
        writer::try_again(core);
    }

    /// Returns the purges recorded by changes after `change`, and the number of the last. The caller
    /// sets the deadline.
    ///
    /// # Errors
    ///
    /// What keeps them from being read.
    pub async fn purges_since(&self, change: i64) -> Result<(Vec<PurgeRecord>, i64), LevelError> {
        let at_most = self.core.settings.timeout;
        let answer = self.ask(&self.core.readers, "a read of the purges", move |open| {
            purges::since(open, change).map_err(|error| Failure::of_statement(&error, at_most))
        });
        answer.await
    }

    /// Records purges, to stay also when the server or the machine fails, and removes those before
    /// `forget_before`. Returns the latest generation that is recorded then. The caller sets the
    /// deadline.
    ///
    /// # Errors
    ///
    /// What keeps them from being recorded.
    pub async fn record_purges(
        &self,
        records: Arc<[PurgeRecord]>,
        forget_before: u64,
    ) -> Result<u64, LevelError> {
        let answer = self.ask(&self.core.writer, "a record of purges", move |open| {
            purges::record(open, &records, forget_before)
                .map_err(|error| Failure::of_statement(&error, WRITER_ANSWER))
        });
        answer.await
    }

    /// Returns the secret that all gateways on this database share: `proposal`, if there was
    /// none before.
    ///
    /// # Errors
    ///
    /// What kept it from being read, at the latest after 5 s.
    pub async fn shared_secret(&self, proposal: [u8; 32]) -> Result<[u8; 32], LevelError> {
        const WHAT: &str = "reading the shared secret";
        let answer = self.ask(&self.core.writer, WHAT, move |open| {
            let value = queries::secret(open, SCOPE_SECRET, &proposal)
                .map_err(|error| Failure::of_statement(&error, WRITER_ANSWER))?;
            value.try_into().map_err(|_| {
                Failure::Refused("the stored secret does not have 32 bytes".to_owned())
            })
        });
        match tokio::time::timeout(WRITER_ANSWER, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(LevelError::TimedOut { what: WHAT, waited: WRITER_ANSWER }),
        }
    }

    /// Returns the present numbers.
    pub fn snapshot(&self) -> DatabaseSnapshot {
        let core = &self.core;
        let (pending_rows, pending_bytes) = core.waiting.pending();
        let totals = core.tally.totals();
        let hanging = core.ground.abandoned.load(Ordering::Relaxed);
        DatabaseSnapshot {
            entries: totals.rows.try_into().unwrap_or(0),
            bytes: totals.bytes.try_into().unwrap_or(0),
            pending_rows,
            pending_bytes,
            written: core.tally.written.load(Ordering::Relaxed),
            dropped: core.tally.dropped.load(Ordering::Relaxed),
            evicted: core.tally.evicted.load(Ordering::Relaxed),
            expired: core.tally.expired.load(Ordering::Relaxed),
            erased: core.tally.erased.load(Ordering::Relaxed),
            hanging_threads: hanging.try_into().unwrap_or(u64::MAX),
            write_trouble: core.trouble.lock().as_ref().map(|trouble| trouble.text.clone()),
            damage: core.ground.damage.get().cloned(),
            notice: core.ground.opener.notice(),
        }
    }

    async fn ask<T, F>(&self, crew: &Crew, what: &'static str, work: F) -> Result<T, LevelError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    {
        self.core.check_sound()?;
        let (reply, answer) = oneshot::channel();
        if !crew.push(Box::new(Question { reply, work })) {
            return Err(LevelError::Overloaded("the database threads"));
        }
        match answer.await {
            Ok(answer) => answer.map_err(|failure| failure.into_level_error(what)),
            Err(_) => Err(LevelError::Refused { what, reason: "its thread failed".to_owned() }),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.core.readers.close();
        self.core.writer.close();
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("snapshot", &self.snapshot()).finish()
    }
}

impl Core {
    fn check_sound(&self) -> Result<(), LevelError> {
        match self.ground.damage.get() {
            Some(_) => Err(LevelError::Skipped("the database file is damaged")),
            None => Ok(()),
        }
    }

    fn replace_stuck(self: &Arc<Self>) {
        self.readers.replace_stuck();
        if self.writer.replace_stuck() > 0 {
            writer::give_up_turn(self);
            self.tally.upkeep_ended();
        }
    }
}

/// Adds; an interval past what an instant can hold means never, which here is a year.
fn later(now: Instant, wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);
    now.checked_add(wait.min(YEAR)).unwrap_or(now)
}

#[cfg(test)]
mod tests;
