//! What was answered in a stretch of time: sums and distributions that can be added up.

use std::collections::BTreeMap;

use anteroom_actors::model::{Encoding, Outcome, SampleBatch};

use super::histogram::Histogram;
use crate::savings::Saved;

/// What one worker answered from its leases: by route, how long it took.
pub type LeaseTimes = Vec<(usize, Histogram)>;

/// What grows since the gateway's start and is counted elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flows {
    /// Bytes of bodies before they were encoded and as they left, by [`Encoding::index`].
    pub bodies: [(u64, u64); Encoding::ALL.len()],
    /// Bytes of whole answers as they came, and as they were reshaped.
    pub reshaped: (u64, u64),
    /// What was saved and spent.
    pub saved: Saved,
}

impl Flows {
    /// Returns what has been added since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut bodies = self.bodies;
        for (own, old) in bodies.iter_mut().zip(earlier.bodies) {
            *own = less(*own, old);
        }
        let reshaped = less(self.reshaped, earlier.reshaped);
        Self { bodies, reshaped, saved: self.saved.since(&earlier.saved) }
    }

    fn add(&mut self, more: &Self) {
        for (own, more) in self.bodies.iter_mut().zip(more.bodies) {
            *own = plus(*own, more);
        }
        self.reshaped = plus(self.reshaped, more.reshaped);
        self.saved.add(&more.saved);
    }
}

const fn less(whole: (u64, u64), part: (u64, u64)) -> (u64, u64) {
    (whole.0.saturating_sub(part.0), whole.1.saturating_sub(part.1))
}

const fn plus(one: (u64, u64), other: (u64, u64)) -> (u64, u64) {
    (one.0.saturating_add(other.0), one.1.saturating_add(other.1))
}

/// A stretch of time. Bounds: a histogram for each route and outcome, and one for each route's
/// calls; labels of failures are the code's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Times to answers' heads, by position of the route and [`Outcome::index`].
    pub answers: BTreeMap<(usize, usize), Histogram>,
    /// Times of upstream calls to their heads, by position of the route.
    pub calls: BTreeMap<usize, Histogram>,
    /// Times of lookups in L1, L2 and L3.
    pub lookups: [Histogram; 3],
    /// Hits answered from leases, which ask no level; they are among `answers`.
    pub lease_hits: u64,
    /// Failed calls by the failure's label.
    pub failures: BTreeMap<&'static str, u64>,
    /// Whole answers that were not kept, by reason.
    pub discards: BTreeMap<&'static str, u64>,
    /// Answered requests that are missing here, because the recorder was behind.
    pub dropped: u64,
    /// Bytes and money.
    pub flows: Flows,
}

impl Stretch {
    /// Takes in a worker's samples.
    pub fn take(&mut self, batch: &SampleBatch) {
        self.dropped += batch.dropped;
        for sample in batch.samples.iter() {
            let answers = (sample.route, sample.outcome.index());
            self.answers.entry(answers).or_default().record(sample.total);
            for (lookups, took) in self.lookups.iter_mut().zip(sample.lookups) {
                if let Some(took) = took {
                    lookups.record(took);
                }
            }
            if let Some(took) = sample.upstream {
                self.calls.entry(sample.route).or_default().record(took);
            }
            if let Some(failure) = sample.upstream_error {
                *self.failures.entry(failure).or_default() += 1;
            }
            if let Some(reason) = sample.discarded {
                *self.discards.entry(reason).or_default() += 1;
            }
        }
    }

    /// Takes in hits that a worker answered from its leases.
    pub fn take_leases(&mut self, times: &LeaseTimes) {
        const HIT: usize = Outcome::Hit(anteroom_actors::model::Level::L1).index();
        for (route, times) in times {
            self.lease_hits += times.count();
            self.answers.entry((*route, HIT)).or_default().merge(times);
        }
    }

    /// Takes in what has grown elsewhere.
    pub fn take_flows(&mut self, flows: &Flows) {
        self.flows.add(flows);
    }

    /// Adds another stretch.
    pub fn add(&mut self, other: &Self) {
        // Without `..`: a new field does not compile until it is added.
        let Self { answers, calls, lookups, lease_hits, failures, discards, dropped, flows } =
            other;
        for (key, times) in answers {
            self.answers.entry(*key).or_default().merge(times);
        }
        for (route, times) in calls {
            self.calls.entry(*route).or_default().merge(times);
        }
        for (own, more) in self.lookups.iter_mut().zip(lookups) {
            own.merge(more);
        }
        for (own, more) in [(&mut self.failures, failures), (&mut self.discards, discards)] {
            for (label, count) in more {
                *own.entry(label).or_default() += count;
            }
        }
        self.lease_hits += lease_hits;
        self.dropped += dropped;
        self.flows.add(flows);
    }

    /// Returns how many requests ended in `outcome`.
    pub fn num(&self, outcome: Outcome) -> u64 {
        let of = self.answers.iter().filter(|((_, own), _)| *own == outcome.index());
        of.map(|(_, times)| times.count()).sum()
    }
}
