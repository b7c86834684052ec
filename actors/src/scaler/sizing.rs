//! How many bytes L1 gets, by what other sizes would hit.
//!
//! The target is the smallest size that comes within half a point of the best one allowed. It is gone
//! for when L1's own size costs more than a whole point, or when a quarter of it or more is of no use: between
//! the two nothing moves. A move at most doubles or halves, and is followed by a time and a number of
//! requests in which there is no other; shrinking waits for many times as many, and comes nearer.
//! Only the ceiling (settings, memory) is obeyed at once.

use std::time::Duration;

use serde::Serialize;

use super::curve::{CurvePoint, SIZES};

/// Hits, as a part of all requests, that a size may cost without being grown.
const GROW_FOR: f64 = 0.010;

/// How near the target comes to the best size allowed.
const NEAR: f64 = 0.005;

/// How near a smaller size has to come to it: nearer, so that it is not left again soon.
const SHRINK_NEAR: f64 = 0.002;

/// A smaller size is gone for if it is at most this part of the present one.
const SHRINK_TO: f64 = 0.75;

/// Evidence for growing, in requests of the curve's sample; also what a move is followed by.
const GROW_EVIDENCE: u64 = 500;

/// Evidence for shrinking, and what has to come after a move, likewise.
const SHRINK_EVIDENCE: u64 = 8_000;

/// What a decision rests on: all of it, so that it can be made again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SizingEvidence {
    /// Hit ratio by size, smallest first.
    pub curve: [CurvePoint; SIZES],
    /// Requests of the curve's sample behind it.
    pub requests: u64,
    /// L1's size now, in bytes.
    pub now_bytes: u64,
    /// Least bytes by the settings.
    pub least_bytes: u64,
    /// Most bytes that settings and memory allow.
    pub most_bytes: u64,
}

/// Why L1 gets another size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

impl SizingReason {
    /// Returns the word in logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::GrowthPays => "growth_pays",
            Self::RoomIsUnused => "room_is_unused",
            Self::OverBound => "over_bound",
            Self::UnderBound => "under_bound",
        }
    }
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
    cool_down_ms: u64,
    moved_at_ms: Option<u64>,
    /// Requests of the sample, of all time, at the last move.
    moved_after: u64,
}

impl SizingPolicy {
    /// Creates a policy that has not moved yet; its own moves are `cool_down` apart at least.
    pub fn new(cool_down: Duration) -> Self {
        let cool_down_ms = u64::try_from(cool_down.as_millis()).unwrap_or(u64::MAX);
        Self { cool_down_ms, moved_at_ms: None, moved_after: 0 }
    }

    /// Returns the size to be taken now, if it is another one; `requests_ever` are those of the sample
    /// since the beginning.
    pub fn decide(
        &mut self,
        evidence: &SizingEvidence,
        requests_ever: u64,
        now_ms: u64,
    ) -> Option<Sizing> {
        let sizing = sized(evidence)?;
        let rest = match sizing.reason {
            SizingReason::GrowthPays => Some(GROW_EVIDENCE),
            SizingReason::RoomIsUnused => Some(SHRINK_EVIDENCE),
            SizingReason::OverBound | SizingReason::UnderBound => None,
        };
        if rest.is_some_and(|requests| self.is_resting(requests, requests_ever, now_ms)) {
            return None;
        }
        (self.moved_at_ms, self.moved_after) = (Some(now_ms), requests_ever);
        Some(sizing)
    }

    /// Tells whether the last move was a moment ago, or fewer than `requests`.
    fn is_resting(&self, requests: u64, requests_ever: u64, now_ms: u64) -> bool {
        let since_ms = self.moved_at_ms.map(|moved_at_ms| now_ms.saturating_sub(moved_at_ms));
        since_ms.is_some_and(|since_ms| {
            since_ms < self.cool_down_ms
                || requests_ever.saturating_sub(self.moved_after) < requests
        })
    }
}

/// Returns the size that `evidence` speaks for, if it is another one.
pub fn sized(evidence: &SizingEvidence) -> Option<Sizing> {
    let most = evidence.most_bytes.max(1);
    let least = evidence.least_bytes.min(most);
    let bounded = |bytes, reason| Some(Sizing { bytes, reason, gain: 0.0 });
    if evidence.now_bytes > most {
        bounded(most, SizingReason::OverBound)
    } else if evidence.now_bytes < least {
        bounded(least, SizingReason::UnderBound)
    } else if evidence.requests < GROW_EVIDENCE {
        None
    } else {
        by_curve(evidence, least, most)
    }
}

fn by_curve(evidence: &SizingEvidence, least: u64, most: u64) -> Option<Sizing> {
    let now = evidence.now_bytes;
    let at = |size| hit_ratio_at(&evidence.curve, size);
    let (best, here) = (at(most), at(now));
    let sizes = evidence.curve.iter().map(|point| point.size.clamp(least, most));
    let within = |near: f64| {
        sizes.clone().chain([most]).find(|size| best - at(*size) <= near).unwrap_or(most)
    };
    let (wanted, enough) = (within(NEAR), within(SHRINK_NEAR));
    let (bytes, reason) = if best - here > GROW_FOR && wanted > now {
        (wanted.min(now.saturating_mul(2)), SizingReason::GrowthPays)
    } else if evidence.requests >= SHRINK_EVIDENCE && enough <= part(now, SHRINK_TO) {
        (enough.max(now / 2), SizingReason::RoomIsUnused)
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
