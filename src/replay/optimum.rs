//! What hindsight would have hit.

use std::collections::{BTreeSet, HashMap};

use super::lifetimes::{Filled, Lifetimes};
use super::trace::{Request, Trace};

/// Never asked for again in time.
const NEVER: u32 = u32::MAX;

/// L. A. Belady's optimum ("A study of replacement algorithms for a virtual-storage computer", IBM
/// Systems Journal 5, 1966), in the form that need not take what it is asked for: the answer goes that
/// is asked for last. A use after the answer's time in L1 counts as none.
#[derive(Debug)]
pub struct Optimum {
    entries: usize,
    lifetimes: Lifetimes,
    /// What lies below: it says how long a fill may stay.
    below: HashMap<u32, Filled>,
    /// The place in the log of the next request for the same key, by place.
    next: Vec<u32>,
    /// When that is, by place.
    at_ms: Vec<u64>,
    /// The next use of what is held, and its key.
    held: BTreeSet<(u32, u32)>,
    until_ms: HashMap<u32, u64>,
    place: u32,
    hits: u64,
}

impl Optimum {
    /// Looks through the whole log; the cache has room for that many entries, over levels
    /// without bound.
    pub fn new(entries: u64, lifetimes: Lifetimes, trace: &Trace) -> Self {
        let requests = trace.requests();
        let mut last = HashMap::new();
        let mut next: Vec<u32> = requests
            .iter()
            .enumerate()
            .rev()
            .map(|(place, request)| {
                let place = u32::try_from(place).unwrap_or(NEVER);
                last.insert(request.key, place).unwrap_or(NEVER)
            })
            .collect();
        next.reverse();
        Self {
            entries: usize::try_from(entries).unwrap_or(usize::MAX),
            lifetimes,
            below: HashMap::new(),
            next,
            at_ms: requests.iter().map(|request| request.at_ms).collect(),
            held: BTreeSet::new(),
            until_ms: HashMap::new(),
            place: 0,
            hits: 0,
        }
    }

    /// Goes on to the next request of the log.
    pub fn ask(&mut self, request: &Request) {
        let (place, key) = (self.place, request.key);
        self.place += 1;
        let until_ms = if self.held.remove(&(place, key)) {
            self.hits += 1;
            self.until_ms.get(&key).copied().unwrap_or(0)
        } else {
            let below = self.below.entry(key).or_default();
            below.look_below(request.at_ms, &self.lifetimes);
            below.l1_until_ms()
        };
        let next = self.next.get(place as usize).copied().unwrap_or(NEVER);
        let is_in_time = self.at_ms.get(next as usize).is_some_and(|at_ms| *at_ms < until_ms);
        if !is_in_time {
            self.until_ms.remove(&key);
            return;
        }
        self.held.insert((next, key));
        self.until_ms.insert(key, until_ms);
        if self.held.len() > self.entries
            && let Some((_, key)) = self.held.pop_last()
        {
            self.until_ms.remove(&key);
        }
    }

    /// Returns the hits so far.
    pub const fn hits(&self) -> u64 {
        self.hits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trace(keys: &[u32]) -> Trace {
        let requests = (0_u64..).zip(keys);
        Trace::of(requests.map(|(at_ms, &key)| Request { at_ms, key, user: None, size_bytes: 0 }))
    }

    fn hits(entries: u64, l1_ms: u64, keys: &[u32]) -> u64 {
        let trace = trace(keys);
        let lifetimes = Lifetimes { l1_ms, ..Lifetimes::NONE };
        let mut optimum = Optimum::new(entries, lifetimes, &trace);
        trace.requests().iter().for_each(|request| optimum.ask(request));
        optimum.hits()
    }

    /// The most hits there can be: every choice of what to hold is tried.
    fn best(entries: usize, keys: &[u32], held: &[u32]) -> u64 {
        let Some((key, rest)) = keys.split_first() else { return 0 };
        let is_hit = held.contains(key);
        let mut choices = vec![held.to_vec()];
        if !is_hit {
            let mut more = held.to_vec();
            more.push(*key);
            if more.len() <= entries {
                choices.push(more.clone());
            }
            for out in 0..held.len() {
                let mut without = more.clone();
                without.remove(out);
                choices.push(without);
            }
        }
        let later = choices.iter().map(|held| best(entries, rest, held)).max();
        u64::from(is_hit) + later.unwrap_or(0)
    }

    #[test]
    fn what_comes_too_late_is_not_held() {
        assert_eq!(hits(2, u64::MAX, &[1, 2, 1, 2]), 2);
        assert_eq!(hits(1, u64::MAX, &[1, 2, 1, 2]), 1);
        assert_eq!(hits(1, 2, &[1, 2, 2, 1, 1]), 2);
        assert_eq!(hits(2, 2, &[1, 2, 1, 2]), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_other_choice_hits_more(keys in proptest::collection::vec(0_u32..4, 0..9)) {
            for entries in 1..3 {
                prop_assert_eq!(hits(entries, u64::MAX, &keys), best(entries as usize, &keys, &[]));
            }
        }
    }
}
