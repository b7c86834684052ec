//! L3 without its mailbox: the database behind a breaker, and the care for it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Breaker;
use crate::clock::SharedClock;
use crate::error::LevelError;
use crate::message::{HeardPurges, InsertOutcome, RecordPurges, RecordedPurges, next_contact};
use crate::model::{CacheKey, Entry, Purges};
use crate::settings::L3Settings;
use crate::store::{Database, DatabaseSnapshot, record};

/// How often it is looked whether something is due; a probe or a sweep is late by at most this.
const TICK: Duration = Duration::from_millis(100);
/// How often an idle database is tried, so that one that went away shows in health.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Longest wait for queued rows; the shutdown has its own deadline, which is shorter.
const FLUSH_AT_MOST: Duration = Duration::from_secs(30);
/// Longest wait for purges to be read or recorded; past it nobody asks for it any more.
const PURGES_AT_MOST: Duration = Duration::from_secs(2);

/// The database, asked only while it answers. Lives on one thread; no borrow is held across an
/// await.
pub(super) struct DatabaseGuard {
    database: Database,
    settings: L3Settings,
    purges: Purges,
    clock: SharedClock,
    breaker: RefCell<Breaker>,
    read_trouble: RefCell<Option<String>>,
    last_error: RefCell<Option<String>>,
    answered_at: Cell<Option<Instant>>,
    /// Which contact with the database this is: a new one begins when it comes back.
    contact: Cell<u64>,
    /// The last change of its purges that was read.
    purges_read: Cell<i64>,
    pub(super) counters: Counters,
}

/// What L3 has been asked. Every lookup is one of hits, misses, errors and skipped.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) lookups: Cell<u64>,
    pub(super) hits: Cell<u64>,
    pub(super) misses: Cell<u64>,
    pub(super) errors: Cell<u64>,
    pub(super) skipped: Cell<u64>,
    pub(super) damaged: Cell<u64>,
    pub(super) purged: Cell<u64>,
    pub(super) insert_refusals: Cell<u64>,
    /// Dropped before they were queued.
    pub(super) insert_drops: Cell<u64>,
}

impl DatabaseGuard {
    /// Starts the database's threads.
    pub(super) fn new(settings: L3Settings, purges: Purges, clock: SharedClock) -> Self {
        Self {
            database: Database::start(&settings, purges.clone(), Arc::clone(&clock)),
            breaker: RefCell::new(Breaker::new(settings.breaker.clone())),
            settings,
            purges,
            clock,
            read_trouble: RefCell::new(None),
            last_error: RefCell::new(None),
            answered_at: Cell::new(None),
            contact: Cell::new(next_contact()),
            purges_read: Cell::new(0),
            counters: Counters::default(),
        }
    }

    /// Returns the entry of `key` that is of use, fresh or stale, or why there is no telling, within
    /// the level's time-out. What was purged is a miss, and is removed behind.
    pub(super) async fn lookup(&self, key: CacheKey) -> Result<Option<Arc<Entry>>, LevelError> {
        let counters = &self.counters;
        bump(&counters.lookups);
        if !self.breaker.borrow().allows() {
            bump(&counters.skipped);
            return Err(LevelError::Skipped("the database is away"));
        }
        let (asked_at, waited) = (self.clock.now(), self.settings.timeout);
        let answer = tokio::time::timeout(waited, self.database.get(key)).await;
        let timed_out = if self.answered_at.get().is_some_and(|at| at > asked_at) {
            // It answers others: a burst waits for its turn, the database is not away.
            LevelError::Overloaded("lookups in the database")
        } else {
            LevelError::TimedOut { what: "a lookup in the database", waited }
        };
        match answer.unwrap_or(Err(timed_out)) {
            Ok(found) => {
                self.answered();
                let useful = self.useful(found);
                bump(if useful.is_some() { &counters.hits } else { &counters.misses });
                Ok(useful.map(Arc::new))
            }
            Err(error @ LevelError::Damaged(_)) => {
                self.answered();
                bump(&counters.damaged);
                bump(&counters.misses);
                tracing::warn!(level = "L3", ?key, %error, "a damaged record is removed");
                *self.last_error.borrow_mut() = Some(error.to_string());
                self.database.remove(key);
                Ok(None)
            }
            Err(error) => {
                let is_skip = matches!(error, LevelError::Skipped(_));
                bump(if is_skip { &counters.skipped } else { &counters.errors });
                self.failed(&error);
                Err(error)
            }
        }
    }

    fn useful(&self, found: Option<Entry>) -> Option<Entry> {
        let entry = found?;
        if self.purges.covers(&entry.key, &entry.labels) {
            bump(&self.counters.purged);
            self.database.remove(entry.key);
            return None;
        }
        entry.freshness.is_of_use(self.clock.wall_ms()).then_some(entry)
    }

    /// Queues `entry` to be written behind.
    pub(super) fn insert(&self, entry: Arc<Entry>) -> Result<InsertOutcome, LevelError> {
        let is_purged = self.purges.covers(&entry.key, &entry.labels);
        self.counters.purged.set(self.counters.purged.get() + u64::from(is_purged));
        let is_kept = record::encoded_len(&entry) <= self.settings.max_record_bytes
            && entry.freshness.is_of_use(self.clock.wall_ms())
            && !is_purged;
        if !is_kept {
            bump(&self.counters.insert_refusals);
            return Ok(InsertOutcome::Refused);
        }
        let queued = if self.breaker.borrow().allows() {
            self.database.put(entry)
        } else {
            Err(LevelError::Skipped("the database is away"))
        };
        if queued.is_err() {
            bump(&self.counters.insert_drops);
        }
        queued.map(|()| InsertOutcome::Queued)
    }

    /// Waits until what is queued now is written or given up.
    pub(super) async fn flush(&self) {
        if tokio::time::timeout(FLUSH_AT_MOST, self.database.flushed()).await.is_err() {
            tracing::warn!(level = "L3", "queued rows were not written in time");
        }
    }

    /// Looks after the database for ever: upkeep, threads that hang, probes.
    pub(super) async fn care(&self) {
        let tend = async {
            loop {
                tokio::time::sleep(TICK).await;
                self.database.tend();
            }
        };
        let check = async {
            loop {
                tokio::time::sleep(TICK).await;
                self.check().await;
            }
        };
        // A check may wait for a thread that only the tending replaces.
        let ((), ()) = futures_util::future::join(tend, check).await;
    }

    /// Probes a database that is left out when that is due, and checks one that nobody has asked
    /// for a while, or ever.
    async fn check(&self) {
        let now = self.clock.now();
        let is_left_out = self.breaker.borrow().is_open();
        let is_due = if is_left_out {
            self.breaker.borrow().probe_due(now)
        } else {
            self.answered_at.get().is_none_or(|at| now.saturating_duration_since(at) >= CHECK_EVERY)
        };
        if !is_due {
            return;
        }
        self.breaker.borrow_mut().probe_started();
        // Far longer than a lookup waits, because it may have to connect; yet bounded, because
        // its thread may hang.
        let waited = self.settings.connect_timeout.saturating_add(Duration::from_secs(1));
        let timed_out = LevelError::TimedOut { what: "a probe of the database", waited };
        let probe = async {
            self.database.probe().await?;
            // What was purged while it was away is known before a lookup is answered.
            if is_left_out { self.catch_up().await } else { Ok(()) }
        };
        match tokio::time::timeout(waited, probe).await.unwrap_or(Err(timed_out)) {
            Ok(()) => {
                self.answered();
                if self.breaker.borrow().is_open() {
                    self.contact.set(next_contact());
                    self.purges_read.set(0);
                    self.breaker.borrow_mut().probe_succeeded();
                    tracing::info!(level = "L3", "the database answers again");
                }
            }
            Err(error) => {
                self.failed(&error);
                let now = self.clock.now();
                let mut breaker = self.breaker.borrow_mut();
                breaker.probe_failed(now);
                // What does not answer a probe answers no lookup.
                while breaker.allows() {
                    breaker.failed(now);
                }
            }
        }
    }

    async fn catch_up(&self) -> Result<(), LevelError> {
        let (records, _) = self.database.purges_since(0).await?;
        self.purges.merge_all(&records);
        Ok(())
    }

    /// Returns the purges recorded since the last call, after the database came back all of them.
    pub(super) async fn hear(&self) -> Result<HeardPurges, LevelError> {
        let (contact, read) = (self.contact.get(), self.purges_read.get());
        let (records, last) = self.while_it_answers(self.database.purges_since(read)).await?;
        // It may have come back meanwhile, and is then read anew.
        if contact == self.contact.get() {
            self.purges_read.set(last);
        }
        Ok(HeardPurges { contact, records })
    }

    /// Records purges for other gateways and later starts.
    pub(super) async fn record(&self, purges: RecordPurges) -> Result<RecordedPurges, LevelError> {
        let contact = self.contact.get();
        let recorded = self.database.record_purges(purges.records, purges.forget_before);
        Ok(RecordedPurges { contact, latest: self.while_it_answers(recorded).await? })
    }

    /// A failure is the lookups' and the checks' to judge: they have shorter time-outs.
    async fn while_it_answers<T>(
        &self,
        asked: impl Future<Output = Result<T, LevelError>>,
    ) -> Result<T, LevelError> {
        if !self.breaker.borrow().allows() {
            return Err(LevelError::Skipped("the database is away"));
        }
        let late = LevelError::TimedOut { what: "purges in the database", waited: PURGES_AT_MOST };
        tokio::time::timeout(PURGES_AT_MOST, asked).await.unwrap_or(Err(late))
    }

    /// Returns why the level does less than it should.
    pub(super) fn why_degraded(&self, database: &DatabaseSnapshot) -> Option<String> {
        let damage = database.damage.as_ref();
        damage
            .map(|why| format!("off until the next start, the database file is damaged: {why}"))
            .or_else(|| self.read_trouble.borrow().clone())
            .or_else(|| self.breaker.borrow().is_open().then(|| "the database is away".to_owned()))
            .or_else(|| database.write_trouble.clone())
    }

    /// Returns what last went wrong, or what the operator should know.
    pub(super) fn last_error(&self, database: &DatabaseSnapshot) -> Option<String> {
        self.last_error.borrow().clone().or_else(|| database.notice.clone())
    }

    /// Returns the database's own numbers.
    pub(super) fn snapshot(&self) -> DatabaseSnapshot {
        self.database.snapshot()
    }

    /// Returns how often the breaker has opened.
    pub(super) fn times_opened(&self) -> u64 {
        self.breaker.borrow().times_opened()
    }

    fn answered(&self) {
        self.answered_at.set(Some(self.clock.now()));
        self.breaker.borrow_mut().succeeded();
        self.read_trouble.borrow_mut().take();
    }

    fn failed(&self, error: &LevelError) {
        let text = error.to_string();
        *self.last_error.borrow_mut() = Some(text.clone());
        if matches!(error, LevelError::Overloaded(_) | LevelError::Skipped(_)) {
            return;
        }
        let before = self.read_trouble.borrow_mut().replace(text);
        if before.is_none() {
            tracing::warn!(level = "L3", %error, "the database fails");
        }
        let counts = matches!(error, LevelError::TimedOut { .. } | LevelError::Unreachable { .. });
        if counts && self.breaker.borrow_mut().failed(self.clock.now()) {
            tracing::warn!(level = "L3", %error, "the database is left out");
        }
    }
}

fn bump(counter: &Cell<u64>) {
    counter.set(counter.get().saturating_add(1));
}
