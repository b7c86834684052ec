//! One scaled-down copy of L1: its own policy, of another size, fed a part of the keys.

use std::rc::Rc;

use crate::model::{Access, Entry, Level, Outcome};
use crate::store::departures::Departures;
use crate::store::shelves::{Plan, Shelves};

/// A fill that nothing ends but its eviction.
pub const ENDLESS: u64 = u64::MAX;

/// Most entries that the sketch of frequencies of a copy is laid out for.
const MOST_SKETCHED: u64 = 4_096;

/// One request as the copies see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Eight bytes of the answer's key: a digest already.
    pub key: u64,
    /// When, in milliseconds of any clock that does not go back.
    pub at_ms: u64,
    /// Until when a fill at that time would hold, by the same clock; [`ENDLESS`] for no end.
    pub until_ms: u64,
    /// What the answer weighs in L1, in bytes; `None` where that is not known yet.
    pub weight: Option<u64>,
    /// Whether L1 had it.
    pub is_hit: bool,
}

impl Asked {
    /// Returns what L1's size could change of a request that was answered; `residence_ms` is how long L1
    /// keeps a fill, `at_ms` goes by a clock that does not go back, `wall_ms` by the one that freshness
    /// does.
    pub fn of(access: &Access, residence_ms: u64, at_ms: u64, wall_ms: u64) -> Option<Self> {
        let is_hit = match access.outcome {
            Outcome::Hit(Level::L1) => true,
            Outcome::Hit(_) | Outcome::Stale | Outcome::Miss | Outcome::Coalesced => false,
            Outcome::Bypass | Outcome::Error => return None,
        };
        let fresh_for = access.fresh_until_ms.saturating_sub(wall_ms);
        let good_for = if fresh_for == 0 { residence_ms } else { residence_ms.min(fresh_for) };
        let weight = (access.size_bytes > 0)
            .then(|| u64::from(access.size_bytes).saturating_add(Entry::OVERHEAD_BYTES as u64));
        let until_ms = at_ms.saturating_add(good_for);
        Some(Self { key: access.key.word(), at_ms, until_ms, weight, is_hit })
    }
}

struct Held {
    until_ms: u64,
    /// Its place in the queue of leaving is void once this is gone.
    _life: Option<Rc<()>>,
}

/// An L1 that holds no answers: it knows what it would have held.
pub(super) struct Copy {
    shelves: Shelves<u64, Held>,
    departures: Departures<u64, u64, ()>,
}

impl Copy {
    /// Creates an empty copy of that capacity, in weight, that will hold about `entries`.
    pub(super) fn new(capacity: u64, entries: u64) -> Self {
        let entries = entries.clamp(1, MOST_SKETCHED);
        Self {
            shelves: Shelves::coarse(Plan { capacity, ceiling: capacity, entries }),
            departures: Departures::default(),
        }
    }

    /// Answers as L1 of this size would: true for a hit; what is missing is filled in.
    pub(super) fn ask(&mut self, asked: &Asked, weight: u64) -> bool {
        while let Some(due) = self.departures.next_due(&asked.at_ms) {
            if let Some(key) = due {
                self.shelves.remove(&key);
            }
        }
        let is_fresh = |held: &Held| (held.until_ms > asked.at_ms).then_some(());
        let is_hit = self.shelves.get(&asked.key, is_fresh).is_some();
        if !is_hit && asked.until_ms > asked.at_ms {
            let life = (asked.until_ms != ENDLESS).then(Rc::default);
            if let Some(life) = &life {
                self.departures.add(asked.key, asked.until_ms, life, self.shelves.entries());
            }
            let held = Held { until_ms: asked.until_ms, _life: life };
            self.shelves.insert(asked.key, held, weight);
        }
        is_hit
    }

    /// Returns how many entries it holds.
    pub(super) fn entries(&self) -> u64 {
        self.shelves.entries()
    }

    /// Returns which part of its capacity is taken, from 0 to 1.
    pub(super) fn fill(&self) -> f64 {
        super::ratio(self.shelves.weight(), self.shelves.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CacheKey;

    #[test]
    fn a_request_is_told_with_how_long_its_fill_would_hold() {
        let overhead = Entry::OVERHEAD_BYTES as u64;
        for (outcome, fresh_until_ms, size_bytes, expected) in [
            (Outcome::Hit(Level::L1), 9_000, 100, Some((true, 600, Some(100 + overhead)))),
            (Outcome::Hit(Level::L3), 5_200, 100, Some((false, 300, Some(100 + overhead)))),
            (Outcome::Stale, 4_000, 100, Some((false, 600, Some(100 + overhead)))),
            (Outcome::Miss, 0, 0, Some((false, 600, None))),
            (Outcome::Coalesced, 9_000, 0, Some((false, 600, None))),
            (Outcome::Bypass, 9_000, 100, None),
            (Outcome::Error, 9_000, 100, None),
        ] {
            let key = CacheKey::new([7; 32]);
            let access = Access { key, scope: 0, session: 0, fresh_until_ms, size_bytes, outcome };
            let asked = Asked::of(&access, 500, 100, 5_000);
            let seen = asked.map(|asked| (asked.is_hit, asked.until_ms, asked.weight));
            assert_eq!(seen, expected, "{outcome:?}");
        }
    }
}
