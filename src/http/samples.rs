//! What one worker has to tell of its requests, until it leaves.

use std::mem;

use anteroom_actors::message::Slot;
use anteroom_actors::model::{Access, Sample, SampleBatch};

/// Samples leave when so many have come together.
const BATCH: usize = 512;

/// Most accesses of one batch. What comes past it is counted and not told: they who learn need not
/// see every request of a busy moment.
const MOST_ACCESSES: usize = 1_024;

/// Most hits by leases among them: there are many of them, and each tells little.
const MOST_LEASE_HITS: usize = 256;

/// A receiver, and what it has missed since its last batch.
struct Receiver {
    slot: Slot<SampleBatch>,
    dropped: u64,
    dropped_accesses: u64,
}

/// Samples and accesses on their way to the recorder and to those who learn.
pub struct Samples {
    samples: Vec<Sample>,
    accesses: Vec<Access>,
    lease_hits: usize,
    skipped: u64,
    learns: bool,
    receivers: Vec<Receiver>,
}

impl Samples {
    /// Creates an empty collection for `recorder` and `learners`; without these no accesses are
    /// taken down.
    pub fn new(recorder: &Slot<SampleBatch>, learners: &[Slot<SampleBatch>]) -> Self {
        let receiver =
            |slot: &Slot<_>| Receiver { slot: slot.clone(), dropped: 0, dropped_accesses: 0 };
        Self {
            samples: Vec::new(),
            accesses: Vec::new(),
            lease_hits: 0,
            skipped: 0,
            learns: !learners.is_empty(),
            receivers: std::iter::once(recorder).chain(learners).map(receiver).collect(),
        }
    }

    /// Takes down how a request was answered; true where it is time to [tell](Self::tell).
    pub fn record(&mut self, sample: Sample) -> bool {
        self.samples.push(sample);
        self.samples.len() >= BATCH
    }

    /// Takes down what was asked for, if somebody learns from it.
    pub fn access(&mut self, access: impl FnOnce() -> Access) {
        if self.learns {
            if self.accesses.len() < MOST_ACCESSES {
                self.accesses.push(access());
            } else {
                self.skipped = self.skipped.saturating_add(1);
            }
        }
    }

    /// Takes down a hit by a lease, as [`Self::access`].
    pub fn lease_hit(&mut self, access: impl FnOnce() -> Access) {
        if self.lease_hits < MOST_LEASE_HITS {
            self.lease_hits += 1;
            self.access(access);
        } else if self.learns {
            self.skipped = self.skipped.saturating_add(1);
        }
    }

    /// Sends what has come together. What a receiver cannot take is dropped and counted: telling
    /// never waits.
    pub fn tell(&mut self) {
        self.lease_hits = 0;
        let skipped = mem::take(&mut self.skipped);
        for receiver in &mut self.receivers {
            receiver.dropped_accesses = receiver.dropped_accesses.saturating_add(skipped);
        }
        if self.samples.is_empty() && self.accesses.is_empty() {
            return;
        }
        let batch = SampleBatch {
            samples: self.samples.drain(..).collect(),
            accesses: self.accesses.drain(..).collect(),
            dropped: 0,
            dropped_accesses: 0,
        };
        for receiver in &mut self.receivers {
            receiver.tell(batch.clone());
        }
    }
}

impl Receiver {
    fn tell(&mut self, mut batch: SampleBatch) {
        batch.dropped = mem::take(&mut self.dropped);
        batch.dropped_accesses = mem::take(&mut self.dropped_accesses);
        let samples = batch.dropped.saturating_add(length(&batch.samples));
        let accesses = batch.dropped_accesses.saturating_add(length(&batch.accesses));
        if !self.slot.tell(batch) {
            (self.dropped, self.dropped_accesses) = (samples, accesses);
        }
    }
}

fn length<T>(slice: &[T]) -> u64 {
    u64::try_from(slice.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "samples_tests.rs"]
mod tests;
