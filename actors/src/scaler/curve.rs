//! What L1 would hit at other sizes, from scaled-down copies of its own policy.
//!
//! Eight copies between the least and the largest size L1 may have see the requests for a sample of
//! the keys and are smaller by the same factor. All sample by one hash, so that they differ in their
//! size alone. After C. Waldspurger, T. Saemundsson, I. Ahmad, N. Park: "Cache Modeling and
//! Optimization using Miniature Simulations", USENIX ATC 2017; the curve of an LRU is not that of this
//! policy: it is off by up to thirteen points.
//!
//! What a sample says of the level of the curve depends on which keys are in it; of the difference
//! between two sizes it says much more. So L1's own misses, which are counted in full, give the level,
//! and the copies only how many more or fewer there are at another size.
//!
//! Memory is bounded by the entries of the copies, whatever the number of keys.

use super::copy::{Asked, Copy};
use super::ratio;

/// How many sizes are tried.
pub const SIZES: usize = 8;

/// Entries that the largest copy holds, about: smaller caches are copied whole.
const COPY_ENTRIES: u64 = 4_096;

/// The copies are made anew when the largest would hold this many times more or fewer.
const MISFIT: u64 = 2;

/// Requests of the sample between two looks at whether the copies still fit.
const FIT_EVERY: u64 = 4_096;

/// Requests of the sample that the newer half of what is remembered covers at most.
const HALF_WINDOW: u64 = 4_096;

/// Requests of the sample a second above which it is made smaller: they take some microseconds each.
const MOST_A_SECOND: u64 = 2_000;

/// Entries of the largest copy below which it is not made smaller for that.
const LEAST_COPY_ENTRIES: u64 = 512;

/// Requests of the sample after the copies were made anew that say nothing, for they were empty.
const SETTLING: u64 = 2 * COPY_ENTRIES;

/// Between which sizes, and what the least entry weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurveBounds {
    /// The smallest size tried, in weight.
    pub least: u64,
    /// The largest size tried, in weight.
    pub most: u64,
    /// No entry weighs less.
    pub least_weight: u64,
    /// L1's size now, in weight.
    pub now: u64,
}

/// What L1 would hit at one size.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct CurvePoint {
    /// The size, in weight.
    #[serde(rename = "bytes")]
    pub size: u64,
    /// Hits of all requests, from 0 to 1.
    pub hit_ratio: f64,
}

/// What was seen in a stretch of requests.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// All requests, in the sample or not.
    requests: u64,
    /// L1's misses among them.
    misses: u64,
    /// Requests in the sample.
    sampled: u64,
    /// Misses of the copies among those.
    copied: [u64; SIZES],
    /// Misses among them of a copy of L1's own size, by the two next to it.
    copied_here: f64,
}

impl Tally {
    fn plus(&self, other: &Self) -> Self {
        let mut copied = self.copied;
        copied.iter_mut().zip(other.copied).for_each(|(misses, more)| *misses += more);
        Self {
            requests: self.requests + other.requests,
            misses: self.misses + other.misses,
            sampled: self.sampled + other.sampled,
            copied,
            copied_here: self.copied_here + other.copied_here,
        }
    }
}

/// The hit ratio that L1 would have by its size.
pub struct Curve {
    bounds: CurveBounds,
    sizes: [u64; SIZES],
    copies: [Copy; SIZES],
    /// L1's own size among them: how much each counts for it.
    here: [f64; SIZES],
    /// Which part of the keys the copies see.
    rate: f64,
    /// Entries that the largest copy is to hold, about.
    aim: u64,
    /// What the entries weigh, newer ones for more.
    mean_weight: f64,
    older: Tally,
    newer: Tally,
    all: Tally,
    until_fit: u64,
    fitted_ms: u64,
    settling: u64,
    sampled_ever: u64,
}

impl Curve {
    /// Creates a curve that knows nothing yet.
    pub fn new(bounds: CurveBounds) -> Self {
        let least = bounds.least.max(1);
        let bounds = CurveBounds {
            least,
            most: bounds.most.max(least),
            least_weight: bounds.least_weight.max(1),
            now: bounds.now,
        };
        let sizes = spread(bounds.least, bounds.most);
        let mean_weight = as_float(bounds.least_weight);
        let rate = fitting_rate(&bounds, COPY_ENTRIES, mean_weight);
        Self {
            bounds,
            sizes,
            copies: copies(sizes, rate, mean_weight),
            here: between(sizes, bounds.now),
            rate,
            aim: COPY_ENTRIES,
            mean_weight,
            older: Tally::default(),
            newer: Tally::default(),
            all: Tally::default(),
            until_fit: FIT_EVERY,
            fitted_ms: 0,
            settling: 0,
            sampled_ever: 0,
        }
    }

    /// Learns that L1 has another size.
    pub fn resized(&mut self, now: u64) {
        self.bounds.now = now;
        self.here = between(self.sizes, now);
    }

    /// Learns of a request.
    pub fn asked(&mut self, asked: &Asked) {
        let mut seen = Tally { requests: 1, misses: u64::from(!asked.is_hit), ..Tally::default() };
        let is_sampled = self.is_sampled(asked.key);
        if is_sampled {
            seen.sampled = 1;
            let weight = self.weigh(asked);
            for ((copy, misses), here) in
                self.copies.iter_mut().zip(&mut seen.copied).zip(self.here)
            {
                if !copy.ask(asked, weight) {
                    *misses = 1;
                    seen.copied_here += here;
                }
            }
        }
        self.learn(&seen);
        if is_sampled {
            self.sampled_ever += 1;
            self.settling = self.settling.saturating_sub(1);
            self.until_fit = self.until_fit.saturating_sub(1);
            if self.until_fit == 0 {
                self.fit(asked.at_ms);
            }
        }
    }

    /// Learns of `requests` of which nothing is known; nearly all of them are hits that were answered
    /// before L1 was asked.
    pub fn skipped(&mut self, requests: u64) {
        self.learn(&Tally { requests, ..Tally::default() });
    }

    fn learn(&mut self, seen: &Tally) {
        if self.settling > 0 {
            return;
        }
        self.newer = self.newer.plus(seen);
        self.all = self.all.plus(seen);
        if self.newer.sampled >= HALF_WINDOW {
            self.older = std::mem::take(&mut self.newer);
        }
    }

    /// Returns the curve over the last some thousand requests of the sample, smallest size first.
    pub fn recent(&self) -> [CurvePoint; SIZES] {
        self.points(&self.older.plus(&self.newer))
    }

    /// Returns the curve over all requests since the beginning.
    pub fn since_start(&self) -> [CurvePoint; SIZES] {
        self.points(&self.all)
    }

    /// Returns how many requests of the sample [`Self::recent`] rests on.
    pub const fn evidence(&self) -> u64 {
        self.older.sampled + self.newer.sampled
    }

    /// Returns how many requests of the sample there were since the beginning.
    pub const fn sampled_ever(&self) -> u64 {
        self.sampled_ever
    }

    /// Returns which part of the keys is looked at.
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// Returns the entries of all copies together.
    pub fn entries(&self) -> u64 {
        self.copies.iter().map(Copy::entries).sum()
    }

    fn points(&self, tally: &Tally) -> [CurvePoint; SIZES] {
        let requests = as_float(tally.requests).max(1.0);
        let mut best = 0.0_f64;
        let mut points = [CurvePoint { size: 0, hit_ratio: 0.0 }; SIZES];
        for ((point, size), copied) in points.iter_mut().zip(self.sizes).zip(tally.copied) {
            let more = (as_float(copied) - tally.copied_here) / self.rate;
            let misses = as_float(tally.misses) + more;
            // More room never serves worse, but by chance.
            best = best.max((requests - misses) / requests).min(1.0);
            *point = CurvePoint { size, hit_ratio: best };
        }
        points
    }

    /// What an answer weighs in the copies.
    fn weigh(&mut self, asked: &Asked) -> u64 {
        let Some(weight) = asked.weight else { return as_weight(self.mean_weight) };
        let weight = weight.max(self.bounds.least_weight);
        self.mean_weight += (as_float(weight) - self.mean_weight) / MEAN_OF;
        weight
    }

    /// Keeps the copies as large as is good: by what entries weigh, and by how many requests come.
    fn fit(&mut self, now_ms: u64) {
        let elapsed_ms = now_ms.saturating_sub(self.fitted_ms);
        (self.until_fit, self.fitted_ms) = (FIT_EVERY, now_ms);
        // A clock that stands still tells no pace.
        let a_second = FIT_EVERY.saturating_mul(1_000).checked_div(elapsed_ms).unwrap_or(0);
        let before = self.aim;
        if a_second > MOST_A_SECOND * MISFIT {
            self.aim = (self.aim / MISFIT).max(LEAST_COPY_ENTRIES);
        } else if a_second < MOST_A_SECOND / (2 * MISFIT) {
            self.aim = (self.aim * MISFIT).min(COPY_ENTRIES);
        }
        let largest = self.copies.last().map_or(0, Copy::entries);
        let is_full = self.copies.last().is_some_and(|copy| copy.fill() > 0.9);
        let is_too_small = is_full && largest < self.aim / MISFIT;
        let is_misfit = self.aim != before || is_too_small || largest > self.aim * MISFIT;
        let rate = fitting_rate(&self.bounds, self.aim, self.mean_weight);
        // Between two rates that hardly differ there is nothing to win.
        if is_misfit && (rate / self.rate).log2().abs() > 0.5 {
            self.rate = rate;
            self.copies = copies(self.sizes, self.rate, self.mean_weight);
            (self.older, self.newer, self.all) = Default::default();
            self.settling = SETTLING;
        }
    }

    /// By a hash of its own: the copies choose their windows by samples of what they see.
    fn is_sampled(&self, key: u64) -> bool {
        let mixed = (key ^ (key >> 31)).wrapping_mul(0x7fb5_d329_728e_a185);
        let part = (mixed ^ (mixed >> 27)).wrapping_mul(0x81da_def4_bc2d_d44d) >> 40;
        as_float(part) < self.rate * as_float(1 << 24)
    }
}

/// Weights that their mean goes over, about.
const MEAN_OF: f64 = 1_024.0;

/// Sizes with the same factor between each two.
fn spread(least: u64, most: u64) -> [u64; SIZES] {
    let factor = (as_float(most) / as_float(least)).powf(ratio(1, SIZES as u64 - 1));
    let mut size = as_float(least);
    let mut sizes = [most; SIZES];
    for place in sizes.iter_mut().take(SIZES - 1) {
        *place = as_weight(size).min(most);
        size *= factor;
    }
    sizes
}

/// Tells how much each size counts for one that lies between two of them.
fn between(sizes: [u64; SIZES], size: u64) -> [f64; SIZES] {
    let mut parts = [0.0; SIZES];
    let above = sizes.iter().position(|other| *other >= size).unwrap_or(SIZES - 1);
    let below = above.saturating_sub(1);
    let at = |place: usize| as_float(sizes.get(place).copied().unwrap_or(1).max(1)).ln();
    let width = at(above) - at(below);
    let part = if width > 0.0 {
        ((as_float(size.max(1)).ln() - at(below)) / width).clamp(0.0, 1.0)
    } else {
        1.0
    };
    for (place, value) in [(below, 1.0 - part), (above, part)] {
        if let Some(share) = parts.get_mut(place) {
            *share += value;
        }
    }
    parts
}

fn fitting_rate(bounds: &CurveBounds, aim: u64, mean_weight: f64) -> f64 {
    let entries = as_float(bounds.most) / mean_weight.max(1.0);
    (as_float(aim) / entries.max(1.0)).min(1.0)
}

fn copies(sizes: [u64; SIZES], rate: f64, mean_weight: f64) -> [Copy; SIZES] {
    sizes.map(|size| {
        let capacity = as_weight(as_float(size) * rate);
        Copy::new(capacity, as_weight(as_float(capacity) / mean_weight.max(1.0)))
    })
}

/// Returns the nearest weight, at least 1.
fn as_weight(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast from a float saturates, which is what is wanted"
    )]
    let whole = number.round() as u64;
    whole.max(1)
}

#[expect(clippy::cast_precision_loss, reason = "a part in 2^53 makes no difference")]
const fn as_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
#[path = "curve_tests.rs"]
mod tests;
