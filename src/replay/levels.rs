//! The three levels: L1 by the gateway's own policy, L2 and L3 as lifetimes without a bound.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use anteroom_actors::model::{CacheKey, Entry};
use anteroom_actors::store::departures::{Departures, Stay};
use anteroom_actors::store::shelves::{Plan, Shelves};

use super::lifetimes::{ENDLESS, Filled, Found, Hits, Lifetimes};
use super::trace::Request;

/// Names keys as the gateway does, by digests; the seed decides which key collides with which in
/// mini-moka's sketch, as a hasher's would.
#[derive(Debug, Clone, Copy)]
pub struct Digests {
    seed: u64,
}

impl Digests {
    /// Another seed, other digests.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Returns the name of the log's key with that number.
    pub fn of(self, key: u32) -> CacheKey {
        let mut mixed = u64::from(key).wrapping_add(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let mut digest = [0; CacheKey::LEN];
        let words = [mixed, u64::from(key)];
        for (bytes, word) in digest.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        CacheKey::new(digest)
    }
}

/// Bytes held now and at most.
#[derive(Debug, Default)]
struct Tally {
    now: Cell<u64>,
    peak: Cell<u64>,
}

/// What L1 holds for one key.
struct Answer {
    until_ms: u64,
    bytes: u64,
    tally: Rc<Tally>,
    _stay: Option<Stay>,
}

impl Answer {
    fn new(until_ms: u64, size_bytes: u64, tally: &Rc<Tally>, stay: Option<Stay>) -> Self {
        let bytes = size_bytes.saturating_add(Entry::OVERHEAD_BYTES as u64);
        tally.now.set(tally.now.get().saturating_add(bytes));
        tally.peak.set(tally.peak.get().max(tally.now.get()));
        Self { until_ms, bytes, tally: Rc::clone(tally), _stay: stay }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.tally.now.set(self.tally.now.get().saturating_sub(self.bytes));
    }
}

/// The levels under the log's clock.
pub struct Levels {
    l1: Shelves<CacheKey, Answer>,
    departures: Departures<CacheKey, u64>,
    below: HashMap<u32, Filled>,
    digests: Digests,
    lifetimes: Lifetimes,
    hits: Hits,
    tally: Rc<Tally>,
}

impl Levels {
    /// Creates empty levels; L1 holds `entries`.
    pub fn new(entries: u64, seed: u64, lifetimes: Lifetimes) -> Self {
        Self {
            l1: Shelves::new(Plan::of_entries(entries)),
            departures: Departures::default(),
            below: HashMap::new(),
            digests: Digests::new(seed),
            lifetimes,
            hits: Hits::default(),
            tally: Rc::default(),
        }
    }

    /// Answers a request as the gateway would, and counts where it was found.
    pub fn ask(&mut self, request: &Request) -> Found {
        self.let_go(request.at_ms);
        let key = self.digests.of(request.key);
        let found = self.look(&key, request);
        self.hits.count(found);
        found
    }

    fn look(&mut self, key: &CacheKey, request: &Request) -> Found {
        let now_ms = request.at_ms;
        let is_fresh = |answer: &Answer| (answer.until_ms > now_ms).then_some(());
        if self.l1.get(key, is_fresh).is_some() {
            return Found::L1;
        }
        let below = self.below.entry(request.key).or_default();
        let found = below.look_below(now_ms, &self.lifetimes);
        let until_ms = below.l1_until_ms();
        if until_ms > now_ms {
            let stay = (until_ms != ENDLESS)
                .then(|| self.departures.add(*key, until_ms, self.l1.entries()));
            let answer = Answer::new(until_ms, request.size_bytes, &self.tally, stay);
            self.l1.insert(*key, answer, 1);
        }
        found
    }

    /// Lets go of what nobody asks for any more.
    fn let_go(&mut self, now_ms: u64) {
        while let Some(due) = self.departures.next_due(&now_ms) {
            if let Some(key) = due {
                self.l1.remove(&key);
            }
        }
    }

    /// Returns the hits so far.
    pub const fn hits(&self) -> Hits {
        self.hits
    }

    /// Returns the most bytes that L1 held: answers and what an entry costs beside.
    pub fn peak_bytes(&self) -> u64 {
        self.tally.peak.get()
    }

    /// Returns the share of L1 that its window has.
    pub fn window_share(&self) -> f64 {
        self.l1.window_share()
    }
}
