//! One scaled-down copy of L1: its own policy, of another size, fed a part of the keys.

use crate::store::departures::{Departures, Stay};
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

struct Held {
    until_ms: u64,
    _stay: Option<Stay>,
}

/// An L1 that holds no answers: it knows what it would have held.
pub(super) struct Copy {
    shelves: Shelves<u64, Held>,
    departures: Departures<u64, u64>,
}

impl Copy {
    /// Creates an empty copy of that capacity, in weight, that will hold about `entries`.
    pub(super) fn new(capacity: u64, entries: u64) -> Self {
        let entries = entries.clamp(1, MOST_SKETCHED);
        Self {
            shelves: Shelves::new(Plan { capacity, ceiling: capacity, entries }),
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
            let stay = (asked.until_ms != ENDLESS)
                .then(|| self.departures.add(asked.key, asked.until_ms, self.shelves.entries()));
            let held = Held { until_ms: asked.until_ms, _stay: stay };
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
