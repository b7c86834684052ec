//! L1's store: entries on [`Shelves`], bounded by entries and bytes at once.
//!
//! An entry carries the instant at which it leaves; a queue in the order of filling, which is the
//! order of leaving, finds those that nobody asks for any more.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::departures::Departures;
use super::idle::{Idle, LARGE_FROM};
pub use super::shelves::Stored;
use super::shelves::{Plan, Shelf, Shelves};
use crate::model::{CacheKey, Entry, Form, Purges, Versions};
use crate::settings::L1Settings;

/// Most hits of one key counted at a time: mini-moka's frequencies are four bits wide.
const MOST_COUNTED: u32 = 15;

/// How many times as large as at the start L1 may be made while it runs.
const MOST_GROWTH: u64 = 16;

/// Up to how many bytes it may grow so far: mini-moka's weights have 32 bits, so that those of a larger
/// range would be coarse.
const MOST_GROWN_BYTES: u64 = 64 << 30;

/// Steps of shrinking taken at a heartbeat.
const STEPS_A_HEARTBEAT: usize = 8;

/// Bytes really held, counted by their birth and death.
#[derive(Debug, Default)]
struct Ledger {
    bytes: Cell<u64>,
}

/// The bytes of one entry, on the account while it lives.
struct Bytes {
    count: u64,
    ledger: Rc<Ledger>,
}

impl Bytes {
    fn of(entry: &Entry, ledger: &Rc<Ledger>) -> Self {
        let count = u64::try_from(entry.weight_bytes()).unwrap_or(u64::MAX);
        ledger.bytes.set(ledger.bytes.get().saturating_add(count));
        Self { count, ledger: Rc::clone(ledger) }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.ledger.bytes.set(self.ledger.bytes.get().saturating_sub(self.count));
    }
}

/// What stays with an entry while it is held, however often it is weighed; it is over with it.
struct Course {
    leaves_at: Instant,
    /// Uses so far; its making is the first.
    uses: Cell<u32>,
    /// Whether it has gone on to the further levels, or need not.
    handed_on: Cell<bool>,
    /// Whether it was used since it was last looked at.
    asked: Cell<bool>,
}

/// An entry on the shelves.
struct Held {
    entry: Arc<Entry>,
    _bytes: Bytes,
    course: Rc<Course>,
}

/// The entries of one L1. Lives on one thread: no lock is the point.
pub struct MemoryStore {
    shelves: Shelves<CacheKey, Held>,
    /// No entry weighs less, so that one bound serves both bytes and entries.
    least_weight: u64,
    ledger: Rc<Ledger>,
    leaving: Departures<CacheKey, Instant, Course>,
    idle: Idle<CacheKey, Course>,
    settings: L1Settings,
    purges: Purges,
    versions: Versions,
    expired: u64,
    idled: u64,
    purged: u64,
}

impl MemoryStore {
    /// Creates an empty store. What `purges` covers is not served; `versions` hears of entries that
    /// are replaced.
    pub fn new(settings: L1Settings, purges: Purges, versions: Versions) -> Self {
        let most = settings.max_bytes;
        let ceiling = most.saturating_mul(MOST_GROWTH).min(MOST_GROWN_BYTES).max(most);
        Self {
            shelves: Shelves::new(Plan { capacity: most, ceiling, entries: settings.max_entries }),
            least_weight: most / settings.max_entries.max(1),
            ledger: Rc::default(),
            leaving: Departures::default(),
            idle: Idle::default(),
            settings,
            purges,
            versions,
            expired: 0,
            idled: 0,
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
        let (purges, purged, expired) = (&self.purges, &mut self.purged, &mut self.expired);
        self.shelves.get(place, |held| {
            if purges.covers(&held.entry.key, &held.entry.labels) {
                *purged += 1;
            } else if held.course.leaves_at <= now || !held.entry.freshness.is_of_use(wall_ms) {
                *expired += 1;
            } else {
                held.course.asked.set(true);
                return Some(Arc::clone(&held.entry));
            }
            None
        })
    }

    /// Returns what [`Self::get`] would for a whole answer; no request for it. Only mini-moka takes
    /// it for one.
    pub fn peek(&mut self, key: &CacheKey, now: Instant, wall_ms: u64) -> Option<Arc<Entry>> {
        let held = self.shelves.peek(key)?;
        let is_purged = self.purges.covers(&held.entry.key, &held.entry.labels);
        let is_of_use = held.course.leaves_at > now && held.entry.freshness.is_of_use(wall_ms);
        (is_of_use && !is_purged).then(|| Arc::clone(&held.entry))
    }

    /// Tells whether an entry is held under `key`, of whatever age. No use of it.
    pub fn holds(&mut self, key: &CacheKey) -> bool {
        self.shelves.contains(key)
    }

    /// Counts `hits` that were answered elsewhere: recency and frequency stay true.
    ///
    /// An entry that has now been used as often as it wants to be goes to `hand_on`; again at each
    /// later use while `hand_on` says that nobody took it.
    pub fn touch(&mut self, key: &CacheKey, hits: u32, hand_on: impl FnOnce(&Arc<Entry>) -> bool) {
        let _ = self.shelves.touch(key, hits.min(MOST_COUNTED), |held| {
            let Course { uses, handed_on, asked, .. } = &*held.course;
            asked.set(true);
            if !handed_on.get() {
                uses.set(uses.get().saturating_add(hits));
                if uses.get() >= u32::from(held.entry.min_uses) {
                    handed_on.set(hand_on(&held.entry));
                }
            }
            Some(())
        });
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

    /// Holds `entry`, which nobody has asked for here, in the room that is kept for such; in the place
    /// of the one that is held, where there is one.
    pub fn warm(&mut self, entry: Arc<Entry>, now: Instant) -> Stored {
        let key = entry.key;
        let is_held = match self.can_take(&key, &entry) {
            Ok(is_held) => is_held,
            Err(stored) => return stored,
        };
        let (held, weight) = self.arrive(key, entry, now);
        if !is_held {
            return self.shelves.warm(key, held, weight);
        }
        let stored = self.shelves.replace(key, held, weight);
        self.tell_replaced(&key, stored);
        stored
    }

    /// Takes down what `entry` weighs by now, if this very entry is still held. Nothing else about it
    /// changes.
    pub fn weigh_again(&mut self, entry: &Arc<Entry>) -> Stored {
        for place in [entry.key, entry.form.place(&entry.key)] {
            let same = self.shelves.peek(&place).filter(|held| Arc::ptr_eq(&held.entry, entry));
            let Some(course) = same.map(|held| Rc::clone(&held.course)) else { continue };
            let bytes = Bytes::of(entry, &self.ledger);
            let weight = bytes.count.max(self.least_weight);
            let held = Held { entry: Arc::clone(entry), _bytes: bytes, course };
            return self.shelves.replace(place, held, weight);
        }
        Stored::Refused
    }

    fn insert_at(&mut self, key: CacheKey, entry: Arc<Entry>, now: Instant) -> Stored {
        let is_held = match self.can_take(&key, &entry) {
            Ok(is_held) => is_held,
            Err(stored) => return stored,
        };
        let base = entry.key;
        let (held, weight) = self.arrive(key, entry, now);
        let stored = self.shelves.insert(key, held, weight);
        if is_held {
            self.tell_replaced(&base, stored);
        }
        stored
    }

    /// Tells whether one is held in the place of which `entry` may come, or why it may not.
    fn can_take(&mut self, key: &CacheKey, entry: &Entry) -> Result<bool, Stored> {
        if self.purges.covers(&entry.key, &entry.labels) {
            self.purged += 1;
            return Err(Stored::Refused);
        }
        match self.shelves.peek(key) {
            Some(held) if stands_against(&held.entry, entry) => Err(Stored::Present),
            held => Ok(held.is_some()),
        }
    }

    /// Makes ready what is to be held, and its weight.
    fn arrive(&mut self, key: CacheKey, entry: Arc<Entry>, now: Instant) -> (Held, u64) {
        let leaves_at = now + self.settings.residence;
        let course = Rc::new(Course {
            leaves_at,
            uses: Cell::new(1),
            handed_on: Cell::new(entry.min_uses <= 1 || entry.is_negative()),
            asked: Cell::new(false),
        });
        let entries = self.shelves.entries();
        self.leaving.add(key, leaves_at, &course, entries);
        let bytes = Bytes::of(&entry, &self.ledger);
        if bytes.count >= LARGE_FROM {
            self.idle.add(key, now, &course, entries);
        }
        let weight = bytes.count.max(self.least_weight);
        (Held { entry, _bytes: bytes, course }, weight)
    }

    /// Leases of the one before must end. Where the new one was refused nothing has taken its place.
    fn tell_replaced(&self, key: &CacheKey, stored: Stored) {
        if stored == Stored::Yes {
            self.versions.changed(key);
        }
    }

    /// Lets go of entries whose residence has ended; looks at `at_most` places of the queue.
    pub fn sweep(&mut self, now: Instant, at_most: usize) {
        for _ in 0..at_most {
            let Some(due) = self.leaving.next_due(&now) else { break };
            if due.is_some_and(|key| self.shelves.remove(&key)) {
                self.expired += 1;
            }
        }
    }

    /// Lets go of large entries that nobody has asked for of late and that the further levels were
    /// given.
    pub fn let_idle_go(&mut self, now: Instant) {
        while let Some(key) = self.idle.next(now, |course| course.asked.replace(false)) {
            let is_elsewhere =
                self.shelves.peek(&key).is_some_and(|held| held.course.handed_on.get());
            if is_elsewhere && self.shelves.remove(&key) {
                self.idled += 1;
            }
        }
    }

    /// Sets how many bytes may be held; the bound on entries moves with it. More is there at once,
    /// less is reached step by step, with each operation and at [`Self::settle`], the coldest going
    /// first. Returns what it is set to: at most sixteen times what it was at the start.
    pub fn resize(&mut self, max_bytes: u64) -> u64 {
        self.shelves.resize(max_bytes);
        self.shelves.capacity_wanted()
    }

    /// Goes some bounded steps towards the size wanted.
    pub fn settle(&mut self) {
        for _ in 0..STEPS_A_HEARTBEAT {
            if self.shelves.step() {
                break;
            }
        }
    }

    /// Lets go of the coldest entries, one bounded step towards `target_bytes`; returns the bytes
    /// freed. None means that it is reached.
    pub fn shed(&mut self, target_bytes: u64) -> u64 {
        let before = self.bytes();
        if before > target_bytes {
            // In weight, of which small entries have more than bytes.
            let part = u128::from(self.shelves.weight()) * u128::from(target_bytes);
            let target = u64::try_from(part / u128::from(before)).unwrap_or(u64::MAX);
            self.shelves.shed(target);
        }
        before.saturating_sub(self.bytes())
    }

    /// Sets which share of the room warmed entries may take until their first use; 0 for none.
    pub fn set_warm_share(&mut self, share: f64) {
        self.shelves.set_warm_share(share);
    }

    /// Returns the weight held on one shelf, in bytes; an entry weighs at least its share of the whole.
    pub fn weight_of(&self, shelf: Shelf) -> u64 {
        self.shelves.weight_of(shelf)
    }

    /// Returns the window's share, in thousandths.
    pub fn window_permille(&self) -> u64 {
        permille(self.shelves.window_share())
    }

    /// Returns how many bytes may be held.
    pub const fn max_bytes(&self) -> u64 {
        self.shelves.capacity_wanted()
    }

    /// Returns the bytes held: bodies, headers and overhead.
    pub fn bytes(&self) -> u64 {
        self.ledger.bytes.get()
    }

    /// Returns how many entries are held.
    pub fn entries(&self) -> u64 {
        self.shelves.entries()
    }

    /// Returns how many entries left to make room.
    pub const fn evictions(&self) -> u64 {
        self.shelves.evictions()
    }

    /// Returns how many large entries left because nobody asked for them.
    pub const fn idled(&self) -> u64 {
        self.idled
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

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share lies between 0 and 1"
)]
fn permille(share: f64) -> u64 {
    (share * 1_000.0).round() as u64
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
