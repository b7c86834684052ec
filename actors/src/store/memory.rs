//! L1's store: mini-moka's single-threaded cache, bounded by entries and bytes at once.
//!
//! mini-moka's own lifetimes and predicate invalidation stay unused: they never lower its weight
//! (DESIGN M2). An entry carries the instant at which it leaves; a queue in the order of filling,
//! which is the order of leaving, finds those that nobody asks for any more.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use mini_moka::unsync::Cache;

use crate::model::{BuildKeyHasher, CacheKey, Entry, Form, Purges, Versions};
use crate::settings::L1Settings;

/// Most hits of one key counted at a time: mini-moka's frequencies are four bits wide.
const MOST_COUNTED: u32 = 15;

/// What became of an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is held.
    Yes,
    /// Not admitted: too large, or asked for less often than what it would displace.
    Refused,
    /// One as new is held already, or one that is worth more.
    Present,
}

/// Bytes and entries really held, counted by their birth and death: nothing that mini-moka does
/// silently (it has no eviction listener) can make the account wrong.
#[derive(Debug, Default)]
struct Ledger {
    bytes: Cell<u64>,
    entries: Cell<u64>,
}

/// An entry in the cache, on the account while it lives.
struct Held {
    entry: Arc<Entry>,
    leaves_at: Instant,
    weight_bytes: u64,
    /// Uses so far; its making is the first.
    uses: Cell<u32>,
    /// Whether it has gone on to the further levels, or need not.
    handed_on: Cell<bool>,
    ledger: Rc<Ledger>,
    alive: Rc<Cell<bool>>,
}

impl Held {
    fn new(entry: Arc<Entry>, leaves_at: Instant, ledger: &Rc<Ledger>) -> Self {
        let weight_bytes = u64::try_from(entry.weight_bytes()).unwrap_or(u64::MAX);
        ledger.bytes.set(ledger.bytes.get().saturating_add(weight_bytes));
        ledger.entries.set(ledger.entries.get().saturating_add(1));
        let handed_on = Cell::new(entry.min_uses <= 1 || entry.is_negative());
        Self {
            entry,
            leaves_at,
            weight_bytes,
            uses: Cell::new(1),
            handed_on,
            ledger: Rc::clone(ledger),
            alive: Rc::new(Cell::new(true)),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.alive.set(false);
        self.ledger.bytes.set(self.ledger.bytes.get().saturating_sub(self.weight_bytes));
        self.ledger.entries.set(self.ledger.entries.get().saturating_sub(1));
    }
}

/// A place in the queue of leaving; `alive` tells whether its entry is still held.
struct Leaving {
    at: Instant,
    key: CacheKey,
    alive: Rc<Cell<bool>>,
}

/// The entries of one L1. Lives on one thread: no lock is the point.
pub struct MemoryStore {
    cache: Cache<CacheKey, Held, BuildKeyHasher>,
    ledger: Rc<Ledger>,
    leaving: VecDeque<Leaving>,
    settings: L1Settings,
    purges: Purges,
    versions: Versions,
    evictions: u64,
    expired: u64,
    purged: u64,
}

impl MemoryStore {
    /// Creates an empty store. What `purges` covers is not served; `versions` hears of entries that
    /// are replaced.
    pub fn new(settings: L1Settings, purges: Purges, versions: Versions) -> Self {
        // One bound serves both: no entry weighs less than its share of the bytes, so that
        // `max_entries` of them fill the whole.
        let least = settings.max_bytes / settings.max_entries.max(1);
        let cache = Cache::builder()
            .max_capacity(settings.max_bytes)
            .weigher(move |_key, held: &Held| {
                u32::try_from(held.weight_bytes.max(least)).unwrap_or(u32::MAX)
            })
            .build_with_hasher(BuildKeyHasher::default());
        Self {
            cache,
            ledger: Rc::default(),
            leaving: VecDeque::new(),
            settings,
            purges,
            versions,
            evictions: 0,
            expired: 0,
            purged: 0,
        }
    }

    /// Returns the entry of `key` in the form asked for, else in the one it came in, if one is held,
    /// may stay, is of use and was not purged; one that may not stay leaves.
    pub fn get(
        &mut self,
        key: &CacheKey,
        form: Form,
        now: Instant,
        wall_ms: u64,
    ) -> Option<Arc<Entry>> {
        let kept = self.look_at(key, now, wall_ms)?;
        if kept.form == form {
            return Some(kept);
        }
        let converted = self.look_at(&form.place(key), now, wall_ms);
        // Made from this one, not from one before it.
        let is_of_kept =
            |other: &Arc<Entry>| other.freshness.made_wall_ms == kept.freshness.made_wall_ms;
        Some(converted.filter(is_of_kept).unwrap_or(kept))
    }

    fn look_at(&mut self, place: &CacheKey, now: Instant, wall_ms: u64) -> Option<Arc<Entry>> {
        let held = self.cache.get(place)?;
        let entry = &held.entry;
        let is_purged = self.purges.covers(&entry.key, &entry.labels);
        if held.leaves_at > now && entry.freshness.is_of_use(wall_ms) && !is_purged {
            return Some(Arc::clone(entry));
        }
        self.cache.invalidate(place);
        if is_purged {
            self.purged += 1;
        } else {
            self.expired += 1;
        }
        None
    }

    /// Counts `hits` that were answered elsewhere: recency and frequency stay true.
    ///
    /// An entry that has now been used as often as it wants to be goes to `hand_on`; again at each
    /// later use while `hand_on` says that nobody took it.
    pub fn touch(&mut self, key: &CacheKey, hits: u32, hand_on: impl FnOnce(&Arc<Entry>) -> bool) {
        for _ in 1..hits.min(MOST_COUNTED) {
            let _ = self.cache.get(key);
        }
        let Some(held) = self.cache.get(key).filter(|held| !held.handed_on.get()) else { return };
        held.uses.set(held.uses.get().saturating_add(hits));
        if held.uses.get() >= u32::from(held.entry.min_uses) {
            held.handed_on.set(hand_on(&held.entry));
        }
    }

    /// Holds `entry` from `now` on for the settings' residence, if it is admitted and was not purged
    /// while it was made.
    pub fn insert(&mut self, entry: Arc<Entry>, now: Instant) -> Stored {
        let key = entry.key;
        self.insert_at(key, entry, now)
    }

    /// Holds another form of what is held already, made from it.
    pub fn insert_converted(&mut self, entry: Arc<Entry>, now: Instant) -> Stored {
        let place = entry.form.place(&entry.key);
        self.insert_at(place, entry, now)
    }

    /// Takes down what `entry` weighs by now, if this very entry is still held.
    pub fn weigh_again(&mut self, entry: &Arc<Entry>) -> Stored {
        for place in [entry.key, entry.form.place(&entry.key)] {
            let same = self.cache.get(&place).filter(|held| Arc::ptr_eq(&held.entry, entry));
            let Some(leaves_at) = same.map(|held| held.leaves_at) else { continue };
            let stored = self.hold(place, Arc::clone(entry), leaves_at);
            self.evictions += u64::from(stored == Stored::Refused);
            return stored;
        }
        Stored::Refused
    }

    fn insert_at(&mut self, key: CacheKey, entry: Arc<Entry>, now: Instant) -> Stored {
        if self.purges.covers(&entry.key, &entry.labels) {
            self.purged += 1;
            return Stored::Refused;
        }
        let present = self.cache.get(&key).map(|held| stands_against(&held.entry, &entry));
        if present == Some(true) {
            return Stored::Present;
        }
        if present.is_some() {
            self.versions.changed(&entry.key);
        }
        self.hold(key, entry, now + self.settings.residence)
    }

    fn hold(&mut self, key: CacheKey, entry: Arc<Entry>, leaves_at: Instant) -> Stored {
        // An update in place would stand over the bound until the next operation.
        self.cache.invalidate(&key);
        let before = self.ledger.entries.get();
        let held = Held::new(entry, leaves_at, &self.ledger);
        let alive = Rc::clone(&held.alive);
        self.cache.insert(key, held);
        let stored = alive.get();
        self.evictions += (before + u64::from(stored)).saturating_sub(self.ledger.entries.get());
        if !stored {
            return Stored::Refused;
        }
        self.leaving.push_back(Leaving { at: leaves_at, key, alive });
        self.compact();
        Stored::Yes
    }

    /// Lets go of entries whose residence has ended; looks at `at_most` places of the queue.
    pub fn sweep(&mut self, now: Instant, at_most: usize) {
        for _ in 0..at_most {
            let Some(place) = self.leaving.pop_front_if(|place| place.at <= now) else { break };
            if place.alive.get() {
                self.cache.invalidate(&place.key);
                self.expired += 1;
            }
        }
    }

    /// Keeps the queue of leaving at most about twice as long as there are entries: places whose
    /// entry was evicted or replaced go, at a cost of one look a fill on average.
    fn compact(&mut self) {
        let entries = usize::try_from(self.ledger.entries.get()).unwrap_or(usize::MAX);
        if self.leaving.len() > entries.saturating_mul(2).saturating_add(1_024) {
            self.leaving.retain(|place| place.alive.get());
        }
    }

    /// Returns the bytes held: bodies, headers and overhead.
    pub fn bytes(&self) -> u64 {
        self.ledger.bytes.get()
    }

    /// Returns how many entries are held.
    pub fn entries(&self) -> u64 {
        self.ledger.entries.get()
    }

    /// Returns how many entries left to make room.
    pub const fn evictions(&self) -> u64 {
        self.evictions
    }

    /// Returns how many entries left because their time was over.
    pub const fn expired(&self) -> u64 {
        self.expired
    }

    /// Returns how many entries left, or were not taken, because they had been purged.
    pub const fn purged(&self) -> u64 {
        self.purged
    }
}

/// Tells whether `present` stays though `new` has come: it is newer, or `new` only says that the origin
/// is in trouble, for which `present` can stand in.
fn stands_against(present: &Entry, new: &Entry) -> bool {
    let made_wall_ms = new.freshness.made_wall_ms;
    let is_trouble = new.status >= 500 && !present.is_negative();
    present.freshness.made_wall_ms > made_wall_ms
        || is_trouble && present.freshness.is_of_use(made_wall_ms)
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
