//! L1's size, from the requests alone: the curve and who decides by it.

use super::copy::Asked;
use super::curve::{Curve, CurveBounds, CurvePoint, SIZES};
use super::decision::{Decision, What};
use super::sizing::{SizingEvidence, SizingPolicy};
use crate::settings::SizerSettings;

/// Sizes L1.
pub struct L1Sizer {
    settings: SizerSettings,
    curve: Curve,
    policy: SizingPolicy,
    now_bytes: u64,
}

impl L1Sizer {
    /// Creates a sizer of an L1 that has `now_bytes`.
    pub fn new(settings: SizerSettings, now_bytes: u64) -> Self {
        let bounds = CurveBounds {
            least: settings.least_bytes,
            most: settings.most_bytes,
            least_weight: settings.least_weight,
            now: now_bytes,
        };
        Self {
            settings,
            curve: Curve::new(bounds),
            policy: SizingPolicy::new(settings.cool_down),
            now_bytes,
        }
    }

    /// Learns of a request.
    pub fn asked(&mut self, asked: &Asked) {
        self.curve.asked(asked);
    }

    /// Learns of `requests` that were not told.
    pub fn skipped(&mut self, requests: u64) {
        self.curve.skipped(requests);
    }

    /// Learns that L1 has another size.
    pub fn resized(&mut self, now_bytes: u64) {
        self.now_bytes = now_bytes;
        self.curve.resized(now_bytes);
    }

    /// Returns L1's new size, where it should have one; `allowed_bytes` is what memory allows. The sizer
    /// takes it for granted only when it is [told](Self::resized).
    pub fn decide(&mut self, allowed_bytes: u64, now_ms: u64) -> Option<Decision> {
        let evidence = SizingEvidence {
            curve: self.curve.recent(),
            requests: self.curve.evidence(),
            now_bytes: self.now_bytes,
            least_bytes: self.settings.least_bytes,
            most_bytes: self.settings.most_bytes.min(allowed_bytes),
        };
        let sizing = self.policy.decide(&evidence, self.curve.sampled_ever(), now_ms)?;
        Some(Decision {
            at_ms: now_ms,
            before: self.now_bytes,
            after: sizing.bytes,
            applied: false,
            what: What::L1Bytes { reason: sizing.reason, gain: sizing.gain, evidence },
        })
    }

    /// Returns what L1 would hit by its size, over the last some thousand requests of the sample.
    pub fn recent(&self) -> [CurvePoint; SIZES] {
        self.curve.recent()
    }

    /// Returns the curve itself.
    pub const fn curve(&self) -> &Curve {
        &self.curve
    }

    /// Returns L1's size, in bytes.
    pub const fn now_bytes(&self) -> u64 {
        self.now_bytes
    }
}
