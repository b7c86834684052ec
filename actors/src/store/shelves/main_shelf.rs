//! The main shelf: mini-moka's single-threaded cache, which admits by frequency (TinyLFU) over one
//! list in the order of use.
//!
//! Its capacity is fixed when it is made (DESIGN M3), so it is made as large as it may ever become,
//! and a *ballast* takes the room that is not to be used. Making the ballast heavier evicts the
//! coldest entries and keeps the rest and what is known of frequencies.

use std::hash::{Hash, Hasher};

use mini_moka::unsync::Cache;

use super::account::Held;
use crate::model::BuildKeyHasher;

/// mini-moka weighs in 32 bits; half of that leaves it room to stand over its bound for a moment.
const MOST_UNITS: u64 = 1 << 31;

/// Most entries that the sketch of frequencies is laid out for. It halves its counts after ten
/// times as many requests, so past this number it only forgets sooner.
const MOST_SKETCHED: u64 = 1 << 17;

/// The name of something in the cache.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name<K> {
    Key(K),
    Ballast,
    /// Stands for an entry while the sketch is laid out.
    Filler(u64),
}

impl<K: Hash> Hash for Name<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Key(key) => key.hash(state),
            Self::Ballast => state.write_u64(0x5bd1_e995_9d1b_899f),
            Self::Filler(number) => {
                state.write_u64(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            }
        }
    }
}

/// Small, as mini-moka's table keeps its room once it was full.
struct Item<V> {
    units: u32,
    held: Option<Box<Held<V>>>,
}

/// mini-moka with a limit that can be moved.
pub(super) struct MainShelf<K, V> {
    cache: Cache<Name<K>, Item<V>, BuildKeyHasher>,
    /// Weight of one of mini-moka's units; weights are rounded up to whole ones.
    unit: u64,
    /// mini-moka's own bound, in units.
    most: u32,
    ballast: u32,
    /// Where the next look for what is cold begins, in mini-moka's own order.
    cursor: usize,
}

/// Most entries looked at for what is cold at once, for each that is to go.
const LOOKS: u64 = 8;

impl<K: Copy + Eq + Hash, V> MainShelf<K, V> {
    /// Creates an empty shelf whose limit may be moved up to `ceiling`, where it stands at first;
    /// about `entries` are expected at most.
    pub(super) fn new(ceiling: u64, entries: u64) -> Self {
        let unit = ceiling.div_ceil(MOST_UNITS).max(1);
        let most = u32::try_from(ceiling / unit).unwrap_or(u32::MAX).max(1);
        let cache = Cache::builder()
            .max_capacity(u64::from(most))
            .weigher(|_name, item: &Item<V>| item.units)
            .build_with_hasher(BuildKeyHasher::default());
        let mut shelf = Self { cache, unit, most, ballast: 0, cursor: 0 };
        shelf.lay_out_sketch(entries.clamp(1, MOST_SKETCHED));
        shelf
    }

    /// mini-moka lays out its sketch once, when it becomes half full, for as many entries as it has
    /// then; with the ballast in it that would be at once, and for one.
    fn lay_out_sketch(&mut self, entries: u64) {
        let filler = |number| Name::Filler(number);
        for number in 1..entries {
            self.cache.insert(filler(number), Item { units: 0, held: None });
        }
        self.cache.insert(Name::Ballast, Item { units: self.most, held: None });
        for number in 1..entries {
            self.cache.invalidate(&filler(number));
        }
        self.cache.insert(Name::Ballast, Item { units: 0, held: None });
    }

    /// Moves the limit; what no longer fits goes, coldest first. Takes as long as that is many.
    pub(super) fn set_limit(&mut self, limit: u64) {
        let ballast = self.most.saturating_sub(self.units_in(limit));
        if ballast != self.ballast {
            self.ballast = ballast;
            // An update in place makes it the hottest: it is never among those that go.
            self.cache.insert(Name::Ballast, Item { units: ballast, held: None });
            while self.cache.weighted_size() > u64::from(self.most) {
                // Evicts a batch, then makes the ballast the hottest again.
                let _ = self.cache.get(&Name::Ballast);
            }
        }
    }

    /// Lets go of about `weight` of what is used least, where `all` is to go in the end, step by step
    /// and once around: mini-moka itself would go by the last use alone, and lose what is asked for
    /// often but not just now.
    pub(super) fn drop_coldest(&mut self, weight: u64, all: u64) {
        let held = self.weight();
        // That part of each slice goes; hashes order the entries, so one slice is as any other.
        let slice = u128::from(weight) * u128::from(held) / u128::from(all.max(1));
        let slice = u64::try_from(slice).unwrap_or(u64::MAX).min(weight.saturating_mul(LOOKS));
        let mut entries = Vec::new();
        let (mut looked_at, mut places) = (0_u64, 0_usize);
        for (name, item) in self.cache.iter().skip(self.cursor) {
            places += 1;
            if let (Name::Key(key), Some(held)) = (name, &item.held) {
                entries.push((held.warmth(), held.weight, *key));
                looked_at = looked_at.saturating_add(held.weight);
            }
            if looked_at >= slice {
                break;
            }
        }
        entries.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let part = u128::from(looked_at) * u128::from(all) / u128::from(held.max(1));
        let mut rest = u64::try_from(part).unwrap_or(u64::MAX);
        for (_, weight, key) in entries {
            if rest == 0 {
                break;
            }
            rest = rest.saturating_sub(weight);
            self.cache.invalidate(&Name::Key(key));
            places = places.saturating_sub(1);
        }
        self.cursor = if looked_at < slice { 0 } else { self.cursor + places };
    }

    /// Returns what is held, in whole units.
    fn weight(&self) -> u64 {
        self.taken().saturating_mul(self.unit)
    }

    /// Whole units that `limit` has room for.
    fn units_in(&self, limit: u64) -> u32 {
        u32::try_from(limit / self.unit).unwrap_or(u32::MAX)
    }

    pub(super) fn contains(&mut self, key: &K) -> bool {
        self.cache.contains_key(&Name::Key(*key))
    }

    /// Counts a request for `key` and returns its value if it is here.
    pub(super) fn get(&mut self, key: &K) -> Option<&Held<V>> {
        self.cache.get(&Name::Key(*key))?.held.as_deref()
    }

    /// Tells whether a value of `weight` fits beside all that is here.
    pub(super) fn has_room(&self, weight: u64) -> bool {
        self.taken().saturating_add(weight.div_ceil(self.unit)) <= u64::from(self.limit())
    }

    const fn limit(&self) -> u32 {
        self.most - self.ballast
    }

    fn taken(&self) -> u64 {
        self.cache.weighted_size().saturating_sub(u64::from(self.ballast))
    }

    /// Takes a value that is not here yet, if there is room or if it is asked for more often than
    /// what would have to go for it. Tells whether it did; if not, it is gone.
    pub(super) fn offer(&mut self, key: K, held: Held<V>) -> bool {
        let units = u32::try_from(held.weight.div_ceil(self.unit)).unwrap_or(u32::MAX);
        let has_room = self.has_room(held.weight);
        // mini-moka frees as much as comes in, whatever is free already. Where all that is here
        // weighs less it would go on to the ballast.
        if units > self.limit() || !has_room && self.taken() < u64::from(units) {
            return false;
        }
        if !has_room {
            // The hottest again, so that all others come before it.
            self.cache.insert(Name::Ballast, Item { units: self.ballast, held: None });
        }
        self.cache.insert(Name::Key(key), Item { units, held: Some(Box::new(held)) });
        has_room || self.contains(&key)
    }

    /// Lets go of a value and tells whether it was here.
    pub(super) fn remove(&mut self, key: &K) -> bool {
        let is_here = self.contains(key);
        self.cache.invalidate(&Name::Key(*key));
        is_here
    }
}
