//! What was decided, and why: with all that is needed to decide again.

use std::collections::VecDeque;
use std::mem;

use serde::Serialize;

use super::concurrency::{ConcurrencyReason, NewLimit, Window, adapted};
use super::sizing::{SizingEvidence, SizingReason, sized};
use super::warming_share::{ShareEvidence, ShareReason, shared};

/// One decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// When, in milliseconds since the Unix epoch; in a replay, of the log's clock.
    pub at_ms: u64,
    /// The value before.
    pub before: u64,
    /// The value decided.
    pub after: u64,
    /// Whether it was put into effect; not where the scaler only advises.
    pub applied: bool,
    /// What it is about, why, and what it rests on.
    #[serde(flatten)]
    pub what: What,
}

/// What a decision is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum What {
    /// How many bytes L1 may hold.
    L1Bytes {
        /// Why.
        reason: SizingReason,
        /// Expected change of the hit ratio.
        gain: f64,
        /// What it rests on.
        evidence: SizingEvidence,
    },
    /// Hundredths of its budget that warming may use.
    WarmingShare {
        /// Why.
        reason: ShareReason,
        /// What it rests on.
        evidence: ShareEvidence,
    },
    /// How many calls an origin gets at once.
    OriginCalls {
        /// The upstream's name.
        upstream: Box<str>,
        /// Why.
        reason: ConcurrencyReason,
        /// What it rests on.
        evidence: Window,
    },
}

impl Decision {
    /// Returns the decision to limit an upstream's calls anew.
    pub fn of_calls(upstream: &str, new: NewLimit, applied: bool, at_ms: u64) -> Self {
        let NewLimit { before, after, reason, window } = new;
        let what = What::OriginCalls { upstream: upstream.into(), reason, evidence: window };
        Self { at_ms, before: before.into(), after: after.into(), applied, what }
    }

    /// Decides again from what the decision rests on; the value is the same if nothing else went in.
    pub fn again(&self) -> u64 {
        match &self.what {
            What::L1Bytes { evidence, .. } => {
                sized(evidence).map_or(evidence.now_bytes, |sizing| sizing.bytes)
            }
            What::WarmingShare { evidence, .. } => {
                shared(evidence).map_or(evidence.now, |(share, _)| share)
            }
            What::OriginCalls { evidence, .. } => u64::from(adapted(evidence).limit),
        }
    }

    /// Returns the reason's name.
    pub const fn reason(&self) -> &'static str {
        match &self.what {
            What::L1Bytes { reason, .. } => reason.label(),
            What::WarmingShare { reason, .. } => reason.label(),
            What::OriginCalls { reason, .. } => reason.label(),
        }
    }
    /// Writes it to the log, once; its evidence stands in the log of decisions.
    pub fn tell(&self) {
        let Self { before, after, applied, what, .. } = self;
        let (before, after, reason) = (*before, *after, self.reason());
        match what {
            What::L1Bytes { gain, evidence, .. } => {
                let (gain, requests) = (*gain, evidence.requests);
                tracing::info!(
                    before,
                    after,
                    reason,
                    applied,
                    gain,
                    requests,
                    "L1 gets another size"
                );
            }
            What::WarmingShare { evidence, .. } => {
                let (load, success) = (evidence.load, evidence.success);
                tracing::info!(
                    before,
                    after,
                    reason,
                    applied,
                    load,
                    success,
                    "warming gets another share"
                );
            }
            What::OriginCalls { upstream, evidence, .. } => {
                let (upstream, seconds, usual) =
                    (&**upstream, evidence.seconds, evidence.usual_seconds);
                let refused = evidence.refused;
                tracing::info!(
                    upstream,
                    before,
                    after,
                    reason,
                    applied,
                    seconds,
                    usual,
                    refused,
                    "another number of calls at once"
                );
            }
        }
    }
}

/// The latest decisions of each kind: one that is made often leaves the others their place.
#[derive(Debug, Default)]
pub struct DecisionLog {
    latest: VecDeque<Decision>,
    count: u64,
}

/// Decisions of one kind that are kept.
const KEPT: usize = 128;

impl DecisionLog {
    /// Takes down a decision; the oldest goes where there are many.
    pub fn add(&mut self, decision: Decision) {
        self.count += 1;
        let kind = mem::discriminant(&decision.what);
        let is_alike = |other: &Decision| mem::discriminant(&other.what) == kind;
        if self.latest.iter().filter(|other| is_alike(other)).count() >= KEPT {
            let oldest = self.latest.iter().position(is_alike);
            oldest.and_then(|oldest| self.latest.remove(oldest));
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
