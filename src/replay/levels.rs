//! The three levels: L1 by the gateway's own policy, L2 and L3 as lifetimes without a bound.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use anteroom_actors::model::{CacheKey, Entry};
use anteroom_actors::store::departures::Departures;
use anteroom_actors::store::shelves::{Plan, Shelves, Stored};

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

    /// Returns the number of the log's key with that name.
    pub const fn number_of(key: &CacheKey) -> u32 {
        let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *key.as_bytes();
        u32::from_le_bytes([a, b, c, d])
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
    /// Its place in the queue of leaving is void once this is gone.
    _life: Option<Rc<()>>,
}

impl Answer {
    fn new(until_ms: u64, size_bytes: u64, tally: &Rc<Tally>, life: Option<Rc<()>>) -> Self {
        let bytes = size_bytes.saturating_add(Entry::OVERHEAD_BYTES as u64);
        tally.now.set(tally.now.get().saturating_add(bytes));
        tally.peak.set(tally.peak.get().max(tally.now.get()));
        Self { until_ms, bytes, tally: Rc::clone(tally), _life: life }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.tally.now.set(self.tally.now.get().saturating_sub(self.bytes));
    }
}

/// What the levels below know of one key.
#[derive(Debug, Clone, Copy, Default)]
struct Below {
    filled: Filled,
    size_bytes: u64,
}

/// The levels under the log's clock.
pub struct Levels {
    l1: Shelves<CacheKey, Answer>,
    departures: Departures<CacheKey, u64, ()>,
    below: HashMap<u32, Below>,
    digests: Digests,
    lifetimes: Lifetimes,
    hits: Hits,
    tally: Rc<Tally>,
}

impl Levels {
    /// Creates empty levels; L1 holds `entries`.
    pub fn new(entries: u64, seed: u64, lifetimes: Lifetimes) -> Self {
        Self::with_ceiling(entries, entries, seed, lifetimes)
    }

    /// Creates empty levels; L1 holds `entries`, and may be given up to `ceiling`.
    pub fn with_ceiling(entries: u64, ceiling: u64, seed: u64, lifetimes: Lifetimes) -> Self {
        Self {
            l1: Shelves::new(Plan { capacity: entries, ceiling, entries: ceiling }),
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
        let found = below.filled.look_below(now_ms, &self.lifetimes);
        below.size_bytes = request.size_bytes;
        let until_ms = below.filled.l1_until_ms();
        if until_ms > now_ms {
            let answer = self.answer(key, request.size_bytes, until_ms);
            self.l1.insert(*key, answer, 1);
        }
        found
    }

    fn answer(&mut self, key: &CacheKey, size_bytes: u64, until_ms: u64) -> Answer {
        let life = (until_ms != ENDLESS).then(Rc::default);
        if let Some(life) = &life {
            self.departures.add(*key, until_ms, life, self.l1.entries());
        }
        Answer::new(until_ms, size_bytes, &self.tally, life)
    }

    /// Tells whether L1 would answer a request for `key` until `at_ms` at least. This is no use of it.
    pub fn is_in_l1(&mut self, key: &CacheKey, at_ms: u64) -> bool {
        let until_ms = self.below.get(&Digests::number_of(key)).map(|it| it.filled.l1_until_ms());
        self.l1.contains(key) && until_ms.is_some_and(|until_ms| until_ms > at_ms)
    }

    /// Returns how long from `now_ms` on the answer for `key` is good; nothing where it is without end.
    pub fn fresh_for_ms(&self, key: &CacheKey, now_ms: u64) -> Option<u64> {
        let it = self.below.get(&Digests::number_of(key))?;
        it.filled.fresh_for_ms(now_ms)
    }

    /// Returns how long a new answer is good; nothing where it is without end.
    pub fn life_ms(&self) -> Option<u64> {
        let life_ms = self.lifetimes.of_answer_ms();
        (life_ms != ENDLESS).then_some(life_ms)
    }

    /// Tells whether L2 or L3 holds the answer for `key`.
    pub fn is_below(&self, key: &CacheKey, now_ms: u64) -> bool {
        let it = self.below.get(&Digests::number_of(key));
        it.is_some_and(|it| it.filled.is_below(now_ms))
    }

    /// Returns the name of the log's key with that number.
    pub fn name_of(&self, key: u32) -> CacheKey {
        self.digests.of(key)
    }

    /// Brings what L2 or L3 holds to L1, before anybody asks for it; tells whether L1 holds it.
    pub fn promote(&mut self, key: &CacheKey, now_ms: u64) -> bool {
        let Some(it) = self.below.get_mut(&Digests::number_of(key)) else { return false };
        it.filled.is_below(now_ms) && {
            it.filled.look_below(now_ms, &self.lifetimes);
            self.warm(key, now_ms)
        }
    }

    /// Makes a new answer for `key` before anybody asks for it, on all levels; tells whether L1 holds
    /// it.
    pub fn renew(&mut self, key: &CacheKey, now_ms: u64) -> bool {
        let Some(it) = self.below.get_mut(&Digests::number_of(key)) else { return false };
        it.filled = Filled::default();
        it.filled.look_below(now_ms, &self.lifetimes);
        self.warm(key, now_ms)
    }

    /// Gives L1 another size, in entries.
    pub fn resize(&mut self, entries: u64) {
        self.l1.resize(entries);
    }

    /// Sets which share of L1 there is for what nobody has asked for yet.
    pub fn set_warm_share(&mut self, share: f64) {
        self.l1.set_warm_share(share);
    }

    /// As the gateway's L1 does: what is held already is replaced where it stands.
    fn warm(&mut self, key: &CacheKey, now_ms: u64) -> bool {
        let Some(it) = self.below.get(&Digests::number_of(key)).copied() else { return false };
        let until_ms = it.filled.l1_until_ms();
        if until_ms <= now_ms {
            return false;
        }
        let answer = self.answer(key, it.size_bytes, until_ms);
        let stored = if self.l1.contains(key) {
            self.l1.replace(*key, answer, 1)
        } else {
            self.l1.warm(*key, answer, 1)
        };
        stored == Stored::Yes
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
