//! How large the window is, from what miniature copies of the shelves would have hit.
//!
//! Copies that differ in their window alone, scaled down by a sample of the keys, see the same
//! requests; the window moves to the share of the copy that hits most. After C. Waldspurger,
//! T. Saemundsson, I. Ahmad, N. Park: "Cache Modeling and Optimization using Miniature
//! Simulations", USENIX ATC 2017. Climbing by the hit ratio of one cache over successive periods
//! (Einziger, Eytan, Friedman, Manes: "Adaptive Software Cache Management", Middleware 2018) takes
//! changes of the traffic for effects of its own steps: on logs of web servers, a shop and a chat
//! service it lost up to four points where this gains.

use std::hash::{BuildHasher, Hash};

use super::account::Account;
use super::{Plan, Shelves};
use crate::model::BuildKeyHasher;

/// The window's share at first: good for most traffic.
pub(super) const START: f64 = 0.2;

/// The shares tried. Small ones suit popular keys, large ones long scans whose keys come again soon.
const TRIED: [f64; 4] = [0.1, 0.25, 0.5, 0.8];

/// Entries a copy holds: enough to tell the shares apart, few enough to cost little.
pub(super) const COPY_ENTRIES: f64 = 1_024.0;

/// As [`COPY_ENTRIES`], where the shelves are a copy themselves, one of many: what they would hit is off by
/// a part in a thousand more.
pub(super) const COARSE_ENTRIES: f64 = 512.0;

/// A copy is made anew when it would hold this much more or less.
const MISFIT: f64 = 2.0;

/// Requests between two looks at whether the copies still fit.
const FIT_EVERY: u32 = 1_024;

/// Requests after which a hit counts half, in entries held.
const HALF_LIFE: f64 = 20.0;

/// Requests in which the window would travel from nothing to all, in entries held.
const TRAVEL: f64 = 5.0;

/// By how much another copy must be better, in square roots of the requests counted: about the
/// size of chance.
const MARGIN: f64 = 0.1;

/// Least number of entries that half-life and travel are reckoned with.
const LEAST_ENTRIES: f64 = 64.0;

struct Miniature {
    share: f64,
    /// By a hash of the keys: a quarter of their size does, where nothing is served.
    shelves: Shelves<u64, ()>,
    /// Hits, older ones for less.
    hits: f64,
}

/// The window's share of the capacity, as it adapts.
pub(super) struct WindowShare {
    /// Entries a copy holds at most, about.
    most: f64,
    now: f64,
    goal: f64,
    copies: Vec<Miniature>,
    /// Which part of the keys the copies see.
    rate: f64,
    /// Requests the copies saw, older ones for less.
    requests: f64,
    until_fit: u32,
}

impl WindowShare {
    /// Begins with copies of about `most` entries.
    pub(super) fn new(plan: &Plan, most: f64) -> Self {
        let mut share = Self {
            most,
            now: START,
            goal: START,
            copies: Vec::new(),
            rate: 1.0,
            requests: 0.0,
            until_fit: FIT_EVERY,
        };
        share.copy(plan, as_float(plan.entries));
        share
    }

    pub(super) const fn now(&self) -> f64 {
        self.now
    }

    /// Learns of a request for `key`, and what its value weighs if it was there.
    pub(super) fn asked(
        &mut self,
        key: &impl Hash,
        weight: Option<u64>,
        plan: &Plan,
        account: &Account,
    ) {
        let entries = as_float(account.entries()).max(LEAST_ENTRIES);
        self.until_fit = self.until_fit.saturating_sub(1);
        if self.until_fit == 0 {
            self.until_fit = FIT_EVERY;
            // Before it is full the number of entries says nothing.
            if account.weight() > plan.capacity / 10 * 9 {
                self.fit(plan, entries);
            }
        }
        let hash = hash(key);
        if self.is_sampled(hash) {
            self.ask_copies(hash, weight, entries);
        }
        let pace = 1.0 / (TRAVEL * entries);
        self.now += (self.goal - self.now).clamp(-pace, pace);
    }

    /// Learns that a value has come in after it was asked for.
    pub(super) fn came(&mut self, key: &impl Hash, weight: u64) {
        let hash = hash(key);
        if self.is_sampled(hash) {
            for copy in &mut self.copies {
                copy.take(hash, weight);
            }
        }
    }

    /// Learns that a value has gone for good: its time was over.
    pub(super) fn left(&mut self, key: &impl Hash) {
        let hash = hash(key);
        if self.is_sampled(hash) {
            for copy in &mut self.copies {
                copy.shelves.remove(&hash);
            }
        }
    }

    pub(super) fn resized(&mut self, capacity: u64) {
        let scaled = scale(capacity, self.rate);
        for copy in &mut self.copies {
            copy.shelves.resize(scaled);
        }
    }

    fn ask_copies(&mut self, hash: u64, weight: Option<u64>, entries: f64) {
        let half_life = HALF_LIFE * (entries * self.rate).max(LEAST_ENTRIES);
        let decay = 0.5_f64.powf(half_life.recip());
        self.requests = self.requests.mul_add(decay, 1.0);
        for copy in &mut self.copies {
            let is_hit = copy.shelves.get(&hash, |()| Some(())).is_some();
            copy.hits = copy.hits.mul_add(decay, f64::from(u8::from(is_hit)));
            if let Some(weight) = weight {
                copy.take(hash, weight);
            }
        }
        let by_hits = |a: &&Miniature, b: &&Miniature| a.hits.total_cmp(&b.hits);
        let distance = |copy: &&Miniature| (copy.share - self.goal).abs();
        let best = self.copies.iter().max_by(by_hits);
        let chosen = self.copies.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        if let (Some(best), Some(chosen)) = (best, chosen)
            && best.hits - chosen.hits > MARGIN * self.requests.sqrt()
        {
            self.goal = best.share;
        }
    }

    /// Keeps the copies small, but not too small to tell anything.
    fn fit(&mut self, plan: &Plan, entries: f64) {
        let held = entries * self.rate;
        let is_too_small = self.rate < 1.0 && held < self.most / MISFIT;
        if is_too_small || held > self.most * MISFIT {
            self.copy(plan, entries);
        }
    }

    fn copy(&mut self, plan: &Plan, entries: f64) {
        self.rate = if entries > self.most { self.most / entries } else { 1.0 };
        self.requests = 0.0;
        let plan = Plan {
            capacity: scale(plan.capacity, self.rate),
            ceiling: scale(plan.ceiling, self.rate),
            entries: scale(plan.entries, self.rate).min(COPY_SKETCHED),
        };
        let copies = TRIED.iter().map(|&share| Miniature {
            share,
            shelves: Shelves::with_window(plan, share),
            hits: 0.0,
        });
        self.copies = copies.collect();
    }

    /// By a hash of its own: a copy of the shelves that sees a sample of the keys samples again.
    fn is_sampled(&self, hash: u64) -> bool {
        let mixed = (hash ^ (hash >> 29)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let part = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 40;
        as_float(part) < self.rate * as_float(1 << 24)
    }
}

/// Most entries the sketch of a copy is laid out for.
const COPY_SKETCHED: u64 = 4_096;

impl Miniature {
    fn take(&mut self, hash: u64, weight: u64) {
        if !self.shelves.contains(&hash) {
            self.shelves.insert(hash, (), weight);
        }
    }
}

fn hash(key: &impl Hash) -> u64 {
    BuildKeyHasher::default().hash_one(key)
}

/// Returns `part` of `whole`, at least 1.
pub(super) fn scale(whole: u64, part: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast from a float saturates, which is what is wanted"
    )]
    let scaled = (as_float(whole) * part).round() as u64;
    scaled.max(1)
}

#[expect(clippy::cast_precision_loss, reason = "a part in 2^53 makes no difference")]
const fn as_float(number: u64) -> f64 {
    number as f64
}
