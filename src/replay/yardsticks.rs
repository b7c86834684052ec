//! What other caches would have hit: a plain LRU as large as L1, and levels without any bound.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::lifetimes::{Filled, Found, Hits, Lifetimes};
use super::trace::Request;

/// Levels with the same lifetimes that never have to make room: no cache hits more without asking
/// ahead.
#[derive(Debug)]
pub struct Unbounded {
    answers: HashMap<u32, Filled>,
    lifetimes: Lifetimes,
    hits: Hits,
}

impl Unbounded {
    /// Creates empty levels.
    pub fn new(lifetimes: Lifetimes) -> Self {
        Self { answers: HashMap::new(), lifetimes, hits: Hits::default() }
    }

    /// Counts where a request finds its answer.
    pub fn ask(&mut self, request: &Request) -> Found {
        let answer = self.answers.entry(request.key).or_default();
        let found = answer.look(request.at_ms, &self.lifetimes);
        self.hits.count(found);
        found
    }

    /// Returns the hits so far.
    pub const fn hits(&self) -> Hits {
        self.hits
    }
}

#[derive(Debug, Clone, Copy)]
struct Place {
    used: u64,
    until_ms: u64,
}

/// A cache that lets go of what was used longest ago.
#[derive(Debug)]
pub struct PlainLru {
    entries: usize,
    lifetimes: Lifetimes,
    /// What lies below: it says how long a fill may stay.
    below: HashMap<u32, Filled>,
    places: HashMap<u32, Place>,
    by_use: BTreeMap<u64, u32>,
    leaving: VecDeque<(u64, u32)>,
    uses: u64,
    hits: u64,
}

impl PlainLru {
    /// Creates an empty L1 of that many entries over levels without bound.
    pub fn new(entries: u64, lifetimes: Lifetimes) -> Self {
        Self {
            entries: usize::try_from(entries).unwrap_or(usize::MAX),
            lifetimes,
            below: HashMap::new(),
            places: HashMap::new(),
            by_use: BTreeMap::new(),
            leaving: VecDeque::new(),
            uses: 0,
            hits: 0,
        }
    }

    /// Counts whether a request finds its answer, and fills it in if not.
    pub fn ask(&mut self, request: &Request) {
        let (key, now_ms) = (request.key, request.at_ms);
        while let Some((until_ms, due)) = self.leaving.pop_front_if(|(at, _)| *at <= now_ms) {
            // Unless it was filled in again since.
            if self.places.get(&due).is_some_and(|place| place.until_ms == until_ms) {
                self.remove(due);
            }
        }
        self.uses += 1;
        if let Some(place) = self.places.get_mut(&key) {
            self.hits += 1;
            self.by_use.remove(&place.used);
            place.used = self.uses;
            self.by_use.insert(self.uses, key);
            return;
        }
        let below = self.below.entry(key).or_default();
        below.look_below(now_ms, &self.lifetimes);
        let until_ms = below.l1_until_ms();
        if until_ms <= now_ms {
            return;
        }
        self.places.insert(key, Place { used: self.uses, until_ms });
        self.by_use.insert(self.uses, key);
        self.leaving.push_back((until_ms, key));
        if self.places.len() > self.entries
            && let Some((_, coldest)) = self.by_use.pop_first()
        {
            self.places.remove(&coldest);
        }
    }

    fn remove(&mut self, key: u32) {
        if let Some(place) = self.places.remove(&key) {
            self.by_use.remove(&place.used);
        }
    }

    /// Returns the hits so far.
    pub const fn hits(&self) -> u64 {
        self.hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(entries: u64, l1_ms: u64, requests: &[(u64, u32)]) -> u64 {
        let mut lru = PlainLru::new(entries, Lifetimes { l1_ms, ..Lifetimes::NONE });
        for &(at_ms, key) in requests {
            lru.ask(&Request { at_ms, key, user: None, size_bytes: 0 });
        }
        lru.hits()
    }

    #[test]
    fn the_one_used_longest_ago_goes_and_so_does_what_is_too_old() {
        let course = [(0, 1), (1, 2), (2, 1), (3, 3), (4, 1), (5, 2)];
        assert_eq!(hits(2, u64::MAX, &course), 2);
        assert_eq!(hits(3, u64::MAX, &course), 3);
        // The first was filled in at 0 and again at 4.
        assert_eq!(hits(3, 4, &course), 1);
    }
}
