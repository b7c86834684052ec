//! Counts of durations by class: how long things took, without remembering each.
//!
//! The classes are those of an HDR histogram: each doubling is divided into 32 of equal width. What
//! is read of a class is its middle, which is off by at most one part in 64 of the true duration,
//! and below 2 µs by at most 32 ns.

use std::time::Duration;

/// Classes of one doubling, as a power of two.
const PARTS_BITS: u32 = 5;
/// Classes of one doubling.
const PARTS: u64 = 1 << PARTS_BITS;
/// The finest width of a class is 64 ns, as a power of two.
const FINEST_BITS: u32 = 6;
/// Doublings that are told apart: up to 18 minutes. What takes longer is in the last class.
const DOUBLINGS: u64 = 29;

/// Most classes of one histogram, of four bytes each.
pub const CLASSES: usize = ((1 + DOUBLINGS) * PARTS) as usize;

/// How far from the truth a value may be that is read of a histogram, as a part of it.
pub const RELATIVE_ERROR: f64 = 1.0 / 64.0;

/// Counts of durations. Holds only classes between the least and the largest one seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    first: usize,
    counts: Vec<u32>,
    count: u64,
    sum_ns: u64,
    most_ns: u64,
}

/// What is read of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Durations counted; at least one.
    pub count: u64,
    /// Their mean, exact.
    pub mean: Duration,
    /// Durations within which 50, 90, 95, 99 and 99.9 of 100 lie.
    pub within: [Duration; 5],
    /// The longest one, exact.
    pub most: Duration,
}

/// The parts that [`Summary::within`] is about, in ten-thousandths.
const QUANTILES: [u64; 5] = [5_000, 9_000, 9_500, 9_900, 9_990];

impl Histogram {
    /// Creates one that never allocates again, at 4 KiB.
    pub fn whole() -> Self {
        Self { counts: vec![0; CLASSES], ..Self::default() }
    }

    /// Counts one duration.
    pub fn record(&mut self, took: Duration) {
        let ns = nanos(took);
        self.add(class_of(ns), 1);
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
        self.most_ns = self.most_ns.max(ns);
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        for (class, count) in other.classes() {
            self.add(class, count);
        }
        self.count += other.count;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.most_ns = self.most_ns.max(other.most_ns);
    }

    /// Returns a copy without room for what was not seen.
    pub fn compact(&self) -> Self {
        let seen = |count: &u32| *count > 0;
        let Some(first) = self.counts.iter().position(seen) else { return Self::default() };
        let last = self.counts.iter().rposition(seen).unwrap_or(first);
        let counts = self.counts.get(first..=last).unwrap_or_default().to_vec();
        let Self { count, sum_ns, most_ns, .. } = *self;
        Self { first: self.first + first, counts, count, sum_ns, most_ns }
    }

    /// Forgets all; what is allocated stays.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        (self.count, self.sum_ns, self.most_ns) = (0, 0, 0);
    }

    /// Returns how many durations were counted.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Returns what there is to read; `None` where nothing was counted.
    pub fn summary(&self) -> Option<Summary> {
        let mean = self.sum_ns.checked_div(self.count)?;
        Some(Summary {
            count: self.count,
            mean: Duration::from_nanos(mean),
            within: QUANTILES.map(|part| self.within(part)),
            most: Duration::from_nanos(self.most_ns),
        })
    }

    /// Returns the duration within which `part` ten-thousandths of all lie, by the nearest rank.
    fn within(&self, part: u64) -> Duration {
        let rank = self.count.saturating_mul(part).div_ceil(10_000).max(1);
        let mut so_far = 0_u64;
        for (class, count) in self.classes() {
            so_far += u64::from(count);
            if so_far >= rank {
                return Duration::from_nanos(middle_of(class).min(self.most_ns));
            }
        }
        Duration::from_nanos(self.most_ns)
    }

    fn classes(&self) -> impl Iterator<Item = (usize, u32)> + '_ {
        let counted = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        counted.map(|(at, count)| (self.first + at, *count))
    }

    fn add(&mut self, class: usize, count: u32) {
        if self.counts.is_empty() {
            self.first = class;
        } else if class < self.first {
            let below = self.first - class;
            self.counts.splice(0..0, std::iter::repeat_n(0, below));
            self.first = class;
        }
        let at = class - self.first;
        if at >= self.counts.len() {
            // Not doubled, as a vector would: many are held, and few grow often.
            self.counts.reserve_exact(at + 1 - self.counts.len());
            self.counts.resize(at + 1, 0);
        }
        if let Some(own) = self.counts.get_mut(at) {
            *own = own.saturating_add(count);
        }
    }
}

fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the class of so many nanoseconds. Its upper five bits tell the part of a doubling.
fn class_of(ns: u64) -> usize {
    let units = ns >> FINEST_BITS;
    let doubling = (u64::BITS - units.leading_zeros()).saturating_sub(PARTS_BITS + 1);
    let class = u64::from(doubling) * PARTS + (units >> doubling);
    usize::try_from(class).unwrap_or(CLASSES).min(CLASSES - 1)
}

/// Returns the middle of a class, in nanoseconds.
fn middle_of(class: usize) -> u64 {
    let class = u64::try_from(class).unwrap_or(0);
    let doubling = (class / PARTS).saturating_sub(1);
    let units = class - doubling * PARTS;
    let finest = 1_u64 << FINEST_BITS;
    ((units * finest) << doubling) + ((finest / 2) << doubling)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(nanos: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        nanos.iter().for_each(|ns| histogram.record(Duration::from_nanos(*ns)));
        histogram
    }

    #[test]
    fn classes_follow_each_other_and_the_last_takes_all_that_is_longer() {
        for (ns, class) in [
            (0, 0),
            (63, 0),
            (64, 1),
            (31 * 64, 31),
            (32 * 64, 32),
            (63 * 64, 63),
            (64 * 64, 64),
            (65 * 64, 64),
            (66 * 64, 65),
            (127 * 64, 95),
            (128 * 64, 96),
            (u64::MAX, CLASSES - 1),
        ] {
            assert_eq!(class_of(ns), class, "{ns}");
        }
        let eighteen_minutes = Duration::from_secs(18 * 60);
        assert!(class_of(nanos(eighteen_minutes)) < CLASSES - 1);
    }

    #[test]
    fn nothing_has_no_summary_and_one_duration_is_all_of_it() {
        assert_eq!(Histogram::default().summary(), None);
        assert_eq!(Histogram::whole().summary(), None);
        let took = Duration::from_micros(250);
        let summary = of(&[250_000]).summary().unwrap();
        assert_eq!((summary.count, summary.mean, summary.most), (1, took, took));
        assert!(summary.within.iter().all(|within| *within <= took));
    }

    #[test]
    fn quantiles_are_those_of_the_nearest_rank() {
        // 1 ms to 1000 ms: ranks are their own milliseconds.
        let all: Vec<u64> = (1..=1_000).map(|ms| ms * 1_000_000).collect();
        let within = of(&all).summary().unwrap().within;
        for (within, ms) in within.iter().zip([500.0, 900.0, 950.0, 990.0, 999.0]) {
            let read = within.as_secs_f64() * 1_000.0;
            assert!((read - ms).abs() <= ms * RELATIVE_ERROR, "{read} for {ms}");
        }
    }

    #[test]
    fn one_that_is_whole_stays_where_it_is_and_its_copy_is_small() {
        let mut whole = Histogram::whole();
        let (at, room) = (whole.counts.as_ptr(), whole.counts.capacity());
        for ns in [0, 1_000, 50_000, u64::MAX] {
            whole.record(Duration::from_nanos(ns));
        }
        assert_eq!((whole.counts.as_ptr(), whole.counts.capacity()), (at, room));
        whole.clear();
        assert_eq!(whole, Histogram::whole());
        whole.record(Duration::from_micros(10));
        let compact = whole.compact();
        assert_eq!((compact.counts.len(), compact.summary()), (1, whole.summary()));
    }

    proptest! {
        #[test]
        fn what_is_read_is_near_what_was_recorded(ns in 0_u64..1_000_000_000_000) {
            let middle = middle_of(class_of(ns));
            let off = middle.abs_diff(ns);
            prop_assert!(off <= 32.max(ns / 64), "{} read as {}", ns, middle);
        }

        #[test]
        fn parts_merged_in_any_way_are_the_whole(
            left in proptest::collection::vec(any::<u64>(), 0..50),
            right in proptest::collection::vec(0_u64..10_000_000, 0..50),
        ) {
            let all: Vec<u64> = left.iter().chain(&right).copied().collect();
            let mut merged = of(&left);
            merged.merge(&of(&right));
            prop_assert_eq!(merged.summary(), of(&all).summary());
            let mut onto_whole = Histogram::whole();
            onto_whole.merge(&of(&all));
            prop_assert_eq!(onto_whole.compact().summary(), of(&all).summary());
        }

        #[test]
        fn quantiles_grow_and_end_at_the_longest(
            all in proptest::collection::vec(0_u64..100_000_000_000, 1..200),
        ) {
            let summary = of(&all).summary().unwrap();
            prop_assert!(summary.within.is_sorted());
            prop_assert!(summary.within[4] <= summary.most);
            prop_assert_eq!(summary.most, Duration::from_nanos(*all.iter().max().unwrap()));
        }
    }
}
