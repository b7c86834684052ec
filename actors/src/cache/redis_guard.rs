//! L2 without its mailbox: Redis behind a breaker, and the care for its connections.

mod claims;
mod counters;
mod purges;

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};

use self::counters::{Counters, count};
use super::Breaker;
use crate::clock::SharedClock;
use crate::codec;
use crate::error::LevelError;
use crate::message::{InsertOutcome, next_contact};
use crate::model::{CacheKey, Encoding, Entry, Level, Purges};
use crate::settings::{EncodingSettings, L2Settings};
use crate::store::redis::{PurgeCursor, RedisStore, Written};

/// How often idle connections are tried, so that a server that went away without a request
/// noticing shows in health.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Longest pause of the care; a probe is late by at most this and its jitter.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// Bodies from this size on are compressed on another thread: it takes a millisecond and more.
const PACK_ELSEWHERE_FROM: usize = 8 * 1024;
/// Most damaged records waiting to be removed; past it they are replaced or expire.
const MAX_DOOMED: usize = 64;

/// Redis, asked only while it answers. Lives on one thread; no borrow is held across an await.
pub(super) struct RedisGuard {
    store: RedisStore,
    settings: L2Settings,
    breaker: RefCell<Breaker>,
    purges: Purges,
    /// Which contact with the server this is: a new one begins where there was no connection.
    contact: Cell<u64>,
    purges_read: Cell<PurgeCursor>,
    first_contact: Notify,
    disconnected: Notify,
    clock: SharedClock,
    connect_pause: Duration,
    next_connect: Cell<Instant>,
    next_check: Cell<Instant>,
    is_up: Cell<Option<bool>>,
    last_error: RefCell<Option<String>>,
    doomed: RefCell<Vec<CacheKey>>,
    encoding: EncodingSettings,
    writes: Semaphore,
    max_writes: u32,
    work: Notify,
    pub(super) counters: Counters,
}

impl RedisGuard {
    pub(super) fn new(settings: &L2Settings, purges: Purges, clock: SharedClock) -> Self {
        let now = clock.now();
        let max_writes = u32::try_from(settings.max_writes_in_flight).unwrap_or(u32::MAX).max(1);
        Self {
            store: RedisStore::new(settings),
            settings: settings.clone(),
            breaker: RefCell::new(Breaker::new(settings.breaker.clone())),
            purges,
            contact: Cell::new(0),
            purges_read: Cell::default(),
            first_contact: Notify::new(),
            disconnected: Notify::new(),
            clock,
            connect_pause: settings.breaker.probe_after,
            next_connect: Cell::new(now),
            next_check: Cell::new(now),
            is_up: Cell::new(None),
            last_error: RefCell::default(),
            doomed: RefCell::default(),
            encoding: settings.encoding,
            writes: Semaphore::new(usize::try_from(max_writes).unwrap_or(1)),
            max_writes,
            work: Notify::new(),
            counters: Counters::default(),
        }
    }

    /// Returns the entry of `key` that is of use, fresh or stale. What was purged, or is no record
    /// of `key`, is a miss, and is removed behind.
    pub(super) async fn lookup(&self, key: CacheKey) -> Result<Option<Arc<Entry>>, LevelError> {
        count(&self.counters.lookups);
        if !self.breaker.borrow().allows() {
            count(&self.counters.skipped);
            return Err(LevelError::Skipped("the breaker is open"));
        }
        let found = self.store.get(&key).await;
        self.judge(&found);
        match found {
            Ok(Some(entry)) if self.purges.covers(&key, &entry.labels) => {
                count(&self.counters.misses);
                count(&self.counters.purged);
                self.doom(key);
                Ok(None)
            }
            Ok(Some(entry)) if entry.freshness.is_of_use(self.clock.wall_ms()) => {
                count(&self.counters.hits);
                Ok(Some(Arc::new(entry)))
            }
            Ok(_) => {
                count(&self.counters.misses);
                Ok(None)
            }
            Err(LevelError::Damaged(_)) => {
                count(&self.counters.misses);
                count(&self.counters.damaged);
                self.doom(key);
                Ok(None)
            }
            Err(error) => {
                let skipped = matches!(error, LevelError::Skipped(_));
                count(if skipped { &self.counters.skipped } else { &self.counters.errors });
                Err(error)
            }
        }
    }

    /// Writes `entry`, unless too many writes are under way.
    pub(super) async fn insert(&self, entry: &Arc<Entry>) -> Result<InsertOutcome, LevelError> {
        let written = self.write(entry).await;
        count(match &written {
            Ok(Written::Stored) => &self.counters.inserts,
            Ok(Written::NotWorth) => &self.counters.insert_refusals,
            Err(_) => &self.counters.insert_drops,
        });
        written.map(|written| match written {
            Written::Stored => InsertOutcome::Stored,
            Written::NotWorth => InsertOutcome::Refused,
        })
    }

    async fn write(&self, entry: &Arc<Entry>) -> Result<Written, LevelError> {
        if self.purges.covers(&entry.key, &entry.labels) {
            count(&self.counters.purged);
            return Ok(Written::NotWorth);
        }
        if !self.breaker.borrow().allows() {
            return Err(LevelError::Skipped("the breaker is open"));
        }
        let _place =
            self.writes.try_acquire().map_err(|_| LevelError::Overloaded("writes to Redis"))?;
        let packed = self.packed(entry).await;
        let written = self.store.put(entry, packed.as_ref(), self.clock.wall_ms()).await;
        self.judge(&written);
        written
    }

    /// Returns the body as it is stored; worked out on another thread where that takes longer than
    /// other lookups should wait.
    async fn packed(&self, entry: &Arc<Entry>) -> Option<Bytes> {
        let encoding = self.encoding;
        if entry.body.len() < PACK_ELSEWHERE_FROM || entry.encodings.is_settled(Encoding::Brotli) {
            return codec::packed(entry, &encoding);
        }
        let entry = Arc::clone(entry);
        let packed = tokio::task::spawn_blocking(move || codec::packed(&entry, &encoding)).await;
        // Fails only where the runtime ends: the body is stored as it is then.
        packed.unwrap_or_default()
    }

    /// Waits until no write is under way, at most as long as a write may take.
    pub(super) async fn flush(&self) {
        let all = self.writes.acquire_many(self.max_writes);
        // Past the deadline the writes that are left have failed by themselves.
        drop(tokio::time::timeout(self.store.write_timeout(), all).await);
    }

    /// Mends what is broken, again and again. Ends only by being dropped.
    pub(super) async fn care(&self) {
        loop {
            self.mend().await;
            drop(tokio::time::timeout(self.pause(), self.work.notified()).await);
        }
    }

    async fn mend(&self) {
        let now = self.clock.now();
        if self.breaker.borrow().is_open() {
            if self.breaker.borrow().probe_due(now) {
                self.probe().await;
            }
            return;
        }
        self.remove_doomed().await;
        if now >= self.next_check.get() {
            self.next_check.set(later(now, CHECK_EVERY));
            // Where no sentinel answers, the server may do so all the same.
            drop(self.locate().await);
            if let Err(error) = self.store.check().await {
                self.failed(&error);
            }
        }
        let closed = self.breaker.borrow().allows();
        if closed && self.store.lacks_connections() && now >= self.next_connect.get() {
            match self.connect().await {
                Ok(()) => self.came_up(),
                Err(error) => {
                    self.failed(&error);
                    self.went_down(&error);
                }
            }
        }
    }

    async fn probe(&self) {
        self.breaker.borrow_mut().probe_started();
        // A connection made while the breaker opened has not been tried since.
        self.store.disconnect();
        let outcome = self.connect().await;
        let now = self.clock.now();
        match outcome {
            Ok(()) => {
                self.breaker.borrow_mut().probe_succeeded();
                self.next_check.set(later(now, CHECK_EVERY));
                self.came_up();
            }
            Err(error) => {
                self.breaker.borrow_mut().probe_failed(now);
                self.note(&error);
            }
        }
    }

    /// Opens what connections it can; one is enough to go on. After a time without any, the first
    /// one hears of all purges before a lookup can use it.
    async fn connect(&self) -> Result<(), LevelError> {
        let located = self.locate().await;
        let was_away = self.store.num_connections() == 0;
        let connected = match located {
            Ok(()) => self.store.connect_hearing(&self.purges).await,
            Err(error) => Err(error),
        };
        if was_away && self.store.num_connections() > 0 {
            self.contact.set(next_contact());
            self.purges_read.set(PurgeCursor::default());
        }
        let Err(error) = connected else { return Ok(()) };
        self.next_connect.set(later(self.clock.now(), self.connect_pause));
        if self.store.num_connections() == 0 {
            return Err(error);
        }
        self.note(&error);
        Ok(())
    }

    /// Leaves a server that is no longer the master.
    async fn locate(&self) -> Result<(), LevelError> {
        if self.store.locate().await? {
            // The subscription is still with the one before.
            self.disconnected.notify_one();
        }
        Ok(())
    }

    /// The care ended in a panic (a TLS library without a provider, say): that is a failure too.
    pub(super) fn care_broke(&self) {
        let error =
            LevelError::Unreachable { what: "Redis", reason: "connecting broke off".to_owned() };
        let was_open = self.breaker.borrow().is_open();
        if was_open {
            self.breaker.borrow_mut().probe_failed(self.clock.now());
            self.note(&error);
        } else {
            self.next_connect.set(later(self.clock.now(), self.connect_pause));
            self.failed(&error);
            self.went_down(&error);
        }
    }

    /// Tells the breaker how a command went.
    fn judge<T>(&self, outcome: &Result<T, LevelError>) {
        match outcome {
            Err(error) if error.trips_breaker() => self.failed(error),
            // Nothing was asked: says nothing about the server.
            Err(LevelError::Skipped(_) | LevelError::Overloaded(_)) => {}
            Err(error) => {
                self.note(error);
                self.breaker.borrow_mut().succeeded();
            }
            Ok(_) => self.breaker.borrow_mut().succeeded(),
        }
    }

    fn failed(&self, error: &LevelError) {
        self.note(error);
        let opened = self.breaker.borrow_mut().failed(self.clock.now());
        if opened {
            self.store.disconnect();
            // A subscription over the same way may have gone silent.
            self.disconnected.notify_one();
            self.went_down(error);
        }
        self.work.notify_one();
    }

    fn doom(&self, key: CacheKey) {
        let mut doomed = self.doomed.borrow_mut();
        if doomed.len() < MAX_DOOMED && !doomed.contains(&key) {
            doomed.push(key);
            self.work.notify_one();
        }
    }

    async fn remove_doomed(&self) {
        let doomed = self.doomed.take();
        for key in doomed {
            if self.breaker.borrow().is_open() {
                return;
            }
            let removed = self.store.delete(&key).await;
            self.judge(&removed);
        }
    }

    fn note(&self, error: &LevelError) {
        self.last_error.replace(Some(error.to_string()));
    }

    fn went_down(&self, error: &LevelError) {
        self.first_contact.notify_waiters();
        if self.is_up.replace(Some(false)) != Some(false) {
            tracing::warn!(level = %Level::L2, %error, "level degraded");
        }
    }

    fn came_up(&self) {
        // It may have opened while a connection was made.
        let closed = self.breaker.borrow().allows();
        if closed && self.is_up.replace(Some(true)) != Some(true) {
            tracing::info!(level = %Level::L2, "level in use");
        }
        self.first_contact.notify_waiters();
    }

    /// Returns why the level is not used, if it is not.
    pub(super) fn why_degraded(&self) -> Option<String> {
        let open = self.breaker.borrow().is_open();
        if !open && self.store.num_connections() > 0 {
            return None;
        }
        let reason = self.last_error();
        Some(reason.unwrap_or_else(|| "not connected yet".to_owned()))
    }

    pub(super) fn last_error(&self) -> Option<String> {
        self.last_error.borrow().clone()
    }

    pub(super) fn times_opened(&self) -> u64 {
        self.breaker.borrow().times_opened()
    }

    pub(super) fn num_connections(&self) -> usize {
        self.store.num_connections()
    }

    pub(super) fn writes_in_flight(&self) -> usize {
        usize::try_from(self.max_writes)
            .unwrap_or(usize::MAX)
            .saturating_sub(self.writes.available_permits())
    }

    pub(super) fn num_doomed(&self) -> usize {
        self.doomed.borrow().len()
    }

    /// Returns how long to wait before looking again: up to a quarter longer than the shortest
    /// wait there is, at random, so that many gateways do not probe in step.
    fn pause(&self) -> Duration {
        let pause = self.connect_pause.clamp(Duration::from_millis(10), LONGEST_PAUSE);
        // The hasher's own seed is the random number at hand.
        let random = RandomState::new().build_hasher().finish();
        let quarter_ms = u64::try_from(pause.as_millis() / 4).unwrap_or(0).max(1);
        pause + Duration::from_millis(random % quarter_ms)
    }
}

/// Adds, and stays where it is if the sum is past what an instant can hold.
fn later(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait).unwrap_or(now)
}
