//! What was answered of late: hit ratio by level, latency, errors. Two windows, of which the older one is
//! whole, so that there is always enough to go by.

use std::time::Duration;

use serde::Serialize;

use crate::model::{Level, Outcome, SampleBatch};

/// How long a window is, in milliseconds.
const WINDOW_MS: u64 = 60_000;

/// Upper ends of the classes that times are counted in: each twice the one before, from a millisecond on.
const CLASSES: usize = 20;

/// What was answered in the present window and the one before. Answers from leases, which take no time
/// and ask nobody, are not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct TrafficReport {
    /// Requests.
    pub requests: u64,
    /// Parts of them that L1, L2 and L3 answered.
    pub hit_ratio: [f64; 3],
    /// Entries that L1 has evicted.
    pub evictions: u64,
    /// Part of them that ended with an error of the gateway's own.
    pub errors: f64,
    /// Calls of origins, and those that were not let through.
    pub calls: u64,
    /// Part of these that failed, or were not let through.
    pub failed_calls: f64,
    /// Milliseconds within which half of the calls had their answer's head, to a power of two.
    pub call_ms_half: u64,
    /// The same for 95 of 100.
    pub call_ms_most: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    requests: u64,
    hits: [u64; 3],
    evictions: u64,
    errors: u64,
    calls: u64,
    failed: u64,
    times: [u64; CLASSES],
}

/// The windows.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic {
    older: Window,
    newer: Window,
    begun_ms: u64,
    /// Evictions since L1's start, as last heard.
    evicted: Option<u64>,
}

impl Traffic {
    pub(super) fn new(now_ms: u64) -> Self {
        Self { begun_ms: now_ms, ..Self::default() }
    }

    /// Begins another window where it is time.
    pub(super) fn turn(&mut self, now_ms: u64) {
        let windows = now_ms.saturating_sub(self.begun_ms) / WINDOW_MS;
        if windows > 0 {
            self.older = std::mem::take(&mut self.newer);
            if windows > 1 {
                self.older = Window::default();
            }
            self.begun_ms = now_ms;
        }
    }

    /// Takes in how many entries L1 has evicted since its start; fewer than before are those of another L1.
    pub(super) fn evicted(&mut self, ever: u64) {
        // What was evicted before it was first asked for is not of late.
        let before = self.evicted.replace(ever).unwrap_or(ever);
        self.newer.evictions += ever.checked_sub(before).unwrap_or(ever);
    }

    /// Takes in what a worker tells.
    pub(super) fn take(&mut self, batch: &SampleBatch) {
        let window = &mut self.newer;
        for sample in &*batch.samples {
            window.requests += 1;
            match sample.outcome {
                Outcome::Hit(level) => {
                    if let Some(hits) = window.hits.get_mut(level.index()) {
                        *hits += 1;
                    }
                }
                Outcome::Error => window.errors += 1,
                _ => {}
            }
            if let Some(time) = sample.upstream {
                window.calls += 1;
                if let Some(class) = window.times.get_mut(class_of(time)) {
                    *class += 1;
                }
            } else if sample.upstream_error.is_some() {
                window.calls += 1;
            }
            window.failed += u64::from(sample.upstream_error.is_some());
        }
    }

    pub(super) fn report(&self) -> TrafficReport {
        let (older, newer) = (&self.older, &self.newer);
        let requests = older.requests + newer.requests;
        let calls = older.calls + newer.calls;
        let of_level = |level: Level| {
            let at = |window: &Window| window.hits.get(level.index()).copied().unwrap_or(0);
            super::ratio(at(older) + at(newer), requests)
        };
        let mut times = older.times;
        times.iter_mut().zip(newer.times).for_each(|(all, more)| *all += more);
        TrafficReport {
            requests,
            hit_ratio: [Level::L1, Level::L2, Level::L3].map(of_level),
            evictions: older.evictions + newer.evictions,
            errors: super::ratio(older.errors + newer.errors, requests),
            calls,
            failed_calls: super::ratio(older.failed + newer.failed, calls),
            call_ms_half: within(&times, 0.5),
            call_ms_most: within(&times, 0.95),
        }
    }
}

fn class_of(time: Duration) -> usize {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let bits = u64::BITS - ms.saturating_sub(1).leading_zeros();
    usize::try_from(bits).unwrap_or(0).min(CLASSES - 1)
}

/// Returns the upper end of the class below which `part` of all times lie; 0 where there are none.
fn within(times: &[u64; CLASSES], part: f64) -> u64 {
    let all: u64 = times.iter().sum();
    let mut so_far = 0;
    for (class, count) in times.iter().enumerate() {
        so_far += count;
        if all > 0 && super::ratio(so_far, all) >= part {
            return 1 << class;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Sample;

    fn batch(outcome: Outcome, upstream_ms: Option<u64>, count: usize) -> SampleBatch {
        let sample = Sample {
            route: 0,
            outcome,
            status: 200,
            total: Duration::ZERO,
            lookups: [None; 3],
            upstream: upstream_ms.map(Duration::from_millis),
            upstream_error: (outcome == Outcome::Error).then_some("timeout"),
            discarded: None,
        };
        let samples: Vec<Sample> = std::iter::repeat_n(sample, count).collect();
        let accesses = Arc::default();
        SampleBatch { samples: samples.into(), accesses, dropped: 0, dropped_accesses: 0 }
    }

    #[test]
    fn ratios_times_and_errors_are_those_of_the_last_two_windows() {
        let mut traffic = Traffic::new(0);
        traffic.take(&batch(Outcome::Hit(Level::L1), None, 60));
        traffic.take(&batch(Outcome::Hit(Level::L3), None, 10));
        traffic.take(&batch(Outcome::Miss, Some(700), 18));
        traffic.take(&batch(Outcome::Miss, Some(3), 2));
        traffic.take(&batch(Outcome::Error, None, 10));
        traffic.evicted(100);
        traffic.evicted(107);
        traffic.evicted(107);
        // Of another L1.
        traffic.evicted(2);
        let expected = TrafficReport {
            requests: 100,
            hit_ratio: [0.6, 0.0, 0.1],
            evictions: 9,
            errors: 0.1,
            calls: 30,
            failed_calls: 1.0 / 3.0,
            call_ms_half: 1_024,
            call_ms_most: 1_024,
        };
        assert_eq!(traffic.report(), expected);
        traffic.turn(WINDOW_MS - 1);
        traffic.turn(WINDOW_MS);
        assert_eq!(traffic.report(), expected, "the window before counts, too");
        traffic.take(&batch(Outcome::Miss, Some(0), 100));
        assert_eq!((traffic.report().requests, traffic.report().call_ms_half), (200, 1));
        traffic.turn(2 * WINDOW_MS);
        assert_eq!(traffic.report().requests, 100);
        traffic.turn(10 * WINDOW_MS);
        assert_eq!(traffic.report(), TrafficReport::default());
    }

    #[test]
    fn times_of_any_length_have_a_class() {
        for (time, class) in [(0, 0), (1, 0), (2, 1), (3, 2), (1_000, 10), (1 << 40, CLASSES - 1)] {
            assert_eq!(class_of(Duration::from_millis(time)), class, "{time}");
        }
        assert_eq!(class_of(Duration::MAX), CLASSES - 1);
    }
}
