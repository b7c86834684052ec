//! How many bytes L1 gets, by what other sizes would hit.
//!
//! The target is the smallest size that comes within half a point of the best one allowed. It is gone
//! for when L1's own size costs more than a whole point, or when a quarter of it or more is of no use: between
//! the two nothing moves. A move at most doubles or halves, and is followed by a time and a number of
//! requests in which there is no other; shrinking waits for what was seen in several times as many.
//! Only the ceiling (settings, memory) is obeyed at once.

use std::time::{Duration, Instant};

use super::curve::{CurvePoint, SIZES};

/// Hits, as a part of all requests, that a size may cost without being grown.
const GROW_FOR: f64 = 0.010;

/// How near the target comes to the best size allowed.
const NEAR: f64 = 0.005;

/// A smaller size is gone for if it is at most this part of the present one.
const SHRINK_TO: f64 = 0.75;

/// Evidence for growing, in requests of the curve's sample; also what a move is followed by.
const GROW_EVIDENCE: u64 = 500;

/// Evidence for shrinking, likewise.
const SHRINK_EVIDENCE: u64 = 8_000;

/// Between which sizes, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizingSettings {
    /// Smallest size, in bytes.
    pub least_bytes: u64,
    /// Largest size, in bytes, while memory allows it.
    pub most_bytes: u64,
    /// Shortest time between two moves of its own.
    pub cool_down: Duration,
}

/// What a decision rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizingEvidence {
    /// Hit ratio by size, smallest first.
    pub curve: [CurvePoint; SIZES],
    /// Requests of the curve's sample behind it, of late.
    pub requests: u64,
    /// Requests of the sample since the beginning.
    pub requests_ever: u64,
    /// L1's size now, in bytes.
    pub now_bytes: u64,
    /// Most bytes that memory allows.
    pub allowed_bytes: u64,
}

/// Why L1 gets another size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SizingReason {
    /// More room would hit more.
    GrowthPays,
    /// Less room would hit as much.
    RoomIsUnused,
    /// It is more than settings or memory allow.
    OverBound,
    /// It is less than the settings allow.
    UnderBound,
}

/// Another size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizing {
    /// In bytes.
    pub bytes: u64,
    /// Why.
    pub reason: SizingReason,
    /// Expected change of the hit ratio.
    pub gain: f64,
}

/// Decides over L1's size.
#[derive(Debug, Clone)]
pub struct SizingPolicy {
    settings: SizingSettings,
    moved_at: Option<Instant>,
    /// Requests of the sample at the last move.
    moved_after: u64,
}

impl SizingPolicy {
    /// Creates a policy that has not moved yet.
    pub const fn new(settings: SizingSettings) -> Self {
        Self { settings, moved_at: None, moved_after: 0 }
    }

    /// Returns the size to be taken now, if it is another one.
    pub fn decide(&mut self, evidence: &SizingEvidence, now: Instant) -> Option<Sizing> {
        let SizingSettings { least_bytes, most_bytes, .. } = self.settings;
        let most = most_bytes.min(evidence.allowed_bytes).max(1);
        let least = least_bytes.min(most);
        let bounded = |bytes, reason| Some(Sizing { bytes, reason, gain: 0.0 });
        let sizing = if evidence.now_bytes > most {
            bounded(most, SizingReason::OverBound)
        } else if evidence.now_bytes < least {
            bounded(least, SizingReason::UnderBound)
        } else if self.is_resting(evidence, now) {
            None
        } else {
            by_curve(evidence, least, most)
        }?;
        (self.moved_at, self.moved_after) = (Some(now), evidence.requests_ever);
        Some(sizing)
    }

    fn is_resting(&self, evidence: &SizingEvidence, now: Instant) -> bool {
        let cool_down = self.settings.cool_down;
        let is_warm = self
            .moved_at
            .is_some_and(|moved_at| now.saturating_duration_since(moved_at) < cool_down);
        let since = evidence.requests_ever.saturating_sub(self.moved_after);
        is_warm || since < GROW_EVIDENCE || evidence.requests < GROW_EVIDENCE
    }
}

fn by_curve(evidence: &SizingEvidence, least: u64, most: u64) -> Option<Sizing> {
    let now = evidence.now_bytes;
    let at = |size| hit_ratio_at(&evidence.curve, size);
    let (best, here) = (at(most), at(now));
    let sizes = evidence.curve.iter().map(|point| point.size.clamp(least, most));
    let target = sizes.chain([most]).find(|size| best - at(*size) <= NEAR).unwrap_or(most);
    let (bytes, reason) = if best - here > GROW_FOR && target > now {
        (target.min(now.saturating_mul(2)), SizingReason::GrowthPays)
    } else if evidence.requests >= SHRINK_EVIDENCE && target <= part(now, SHRINK_TO) {
        (target.max(now / 2), SizingReason::RoomIsUnused)
    } else {
        return None;
    };
    Some(Sizing { bytes, reason, gain: at(bytes) - here })
}

/// Returns the hit ratio that the curve has at `size`: between two of its points along the logarithm of the
/// size, outside them that of the nearest.
pub fn hit_ratio_at(curve: &[CurvePoint], size: u64) -> f64 {
    let log = |size: u64| as_float(size.max(1)).ln();
    let mut below: Option<&CurvePoint> = None;
    for above in curve {
        if above.size >= size {
            let Some(below) = below else { return above.hit_ratio };
            let width = log(above.size) - log(below.size);
            let part = if width > 0.0 { (log(size) - log(below.size)) / width } else { 1.0 };
            return below.hit_ratio + (above.hit_ratio - below.hit_ratio) * part;
        }
        below = Some(above);
    }
    below.map_or(0.0, |point| point.hit_ratio)
}

fn part(whole: u64, share: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast from a float saturates, which is what is wanted"
    )]
    let part = (as_float(whole) * share) as u64;
    part
}

#[expect(clippy::cast_precision_loss, reason = "a part in 2^53 makes no difference")]
const fn as_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
#[path = "sizing_tests.rs"]
mod tests;
