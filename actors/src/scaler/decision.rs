//! What was decided, and why: with all that is needed to decide again.

use std::collections::VecDeque;

use serde::Serialize;

use super::sizing::{SizingEvidence, SizingReason, sized};

/// One decision on how many bytes L1 may hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "of", rename = "l1_bytes")]
pub struct Decision {
    /// When, in milliseconds since the Unix epoch; in a replay, of the log's clock.
    pub at_ms: u64,
    /// The bytes before.
    pub before: u64,
    /// The bytes decided.
    pub after: u64,
    /// Whether it was put into effect; not where the scaler only advises.
    pub applied: bool,
    /// Why.
    pub reason: SizingReason,
    /// Expected change of the hit ratio.
    pub gain: f64,
    /// What it rests on.
    pub evidence: SizingEvidence,
}

impl Decision {
    /// Decides again from what the decision rests on; the bytes are the same if nothing else went in.
    pub fn again(&self) -> u64 {
        sized(&self.evidence).map_or(self.evidence.now_bytes, |sizing| sizing.bytes)
    }
}

/// The latest decisions.
#[derive(Debug, Default)]
pub struct DecisionLog {
    latest: VecDeque<Decision>,
    count: u64,
}

/// Decisions that are kept.
const KEPT: usize = 128;

impl DecisionLog {
    /// Takes down a decision; the oldest goes where there are many.
    pub fn add(&mut self, decision: Decision) {
        self.count += 1;
        if self.latest.len() >= KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back(decision);
    }

    /// Returns the latest decisions, oldest first.
    pub fn latest(&self) -> impl DoubleEndedIterator<Item = &Decision> {
        self.latest.iter()
    }

    /// Returns how many there were.
    pub const fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;
