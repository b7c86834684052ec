//! What is known of one key: how often and when it is asked for, and until when it is held.

use super::due::Event;
use crate::model::CacheKey;

/// After so long a request counts half.
const HALF_LIFE_MS: f64 = 600_000.0;

/// Gaps from which on a rhythm is believed.
const GAPS: u8 = 4;

/// Weight of the latest gap in the mean.
const LATEST: f32 = 0.25;

/// A rhythm whose gaps deviate by more than this part of their mean is none.
const STEADY: f32 = 0.2;

/// Shorter gaps are no rhythm that warming could help: the answer is still held.
const LEAST_GAP_MS: f32 = 10_000.0;

/// An answer is fetched anew when so small a part of its life is left, one in so many.
const LEAD_PART: u64 = 50;

/// How long before a beat its answer is to be there, beside twice the beats' deviation.
const BEAT_LEAD_MS: u64 = 1_000;

/// What leaves L1 within so long is as good as gone: it is brought there anew.
pub const SOON_MS: u64 = 1_000;

/// Two ends of life that differ by less are the same.
const SAME_MS: u64 = 1_000;

/// What is known of one key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) key: CacheKey,
    /// When it leaves L1, as far as that is known; zero where it is not.
    pub(super) leaves_ms: u64,
    /// When it came to L1, as far as that is known; zero where it is not.
    filled_ms: u64,
    /// When its answer is no longer fresh; zero where that is not known.
    stale_ms: u64,
    /// How long it was fresh when it was made; zero where that is not known.
    pub(super) life_ms: u64,
    /// When it was last found in L1, or not to be had.
    pub(super) checked_ms: u64,
    /// When it was last asked for.
    asked_ms: u64,
    /// Requests, older ones for less, as of [`Self::asked_ms`].
    count: f32,
    gap_ms: f32,
    deviation_ms: f32,
    gaps: u8,
}

impl Known {
    pub(super) const fn new(key: CacheKey) -> Self {
        Self {
            key,
            leaves_ms: 0,
            filled_ms: 0,
            stale_ms: 0,
            life_ms: 0,
            checked_ms: 0,
            asked_ms: 0,
            count: 0.0,
            gap_ms: 0.0,
            deviation_ms: 0.0,
            gaps: 0,
        }
    }

    /// Tells whether it was looked for in L1 within the last `span_ms`.
    pub(super) const fn was_checked(&self, now_ms: u64, span_ms: u64) -> bool {
        self.checked_ms > 0 && now_ms.saturating_sub(self.checked_ms) < span_ms
    }

    /// Tells whether its answer has run out by `now_ms`, as far as is known.
    pub(super) const fn is_stale(&self, now_ms: u64) -> bool {
        self.stale_ms > 0 && self.stale_ms <= now_ms
    }

    /// Returns how long the answer is fresh from now on; without end where that is not known.
    pub(super) const fn fresh_for_ms(&self, now_ms: u64) -> u64 {
        if self.stale_ms == 0 { u64::MAX } else { self.stale_ms.saturating_sub(now_ms) }
    }

    /// L1 holds it from now on, for so long.
    pub(super) const fn filled(&mut self, now_ms: u64, residence_ms: u64) {
        self.filled_ms = now_ms;
        self.leaves_ms = now_ms.saturating_add(residence_ms);
    }

    /// Learns until when its answer is fresh; tells whether that is another answer than before.
    pub(super) fn is_fresh_until(&mut self, stale_ms: u64, now_ms: u64) -> bool {
        let is_new = stale_ms > now_ms && stale_ms.abs_diff(self.stale_ms) > SAME_MS;
        if is_new {
            // It may have been made when it came to L1, but not later than now.
            let since_ms = if self.filled_ms > 0 { self.filled_ms.min(now_ms) } else { now_ms };
            self.life_ms = stale_ms - since_ms;
            self.stale_ms = stale_ms;
        }
        is_new
    }

    /// Returns when a new answer is thought of: when a fiftieth of its life is left.
    pub(super) const fn looked_at_before_it_runs_out_ms(&self) -> u64 {
        self.stale_ms.saturating_sub(self.life_ms / LEAD_PART)
    }

    /// Returns when it is thought of because it leaves L1, if it does with a fresh answer.
    pub(super) fn looked_at_before_it_leaves_ms(&self) -> Option<u64> {
        let leaves = self.leaves_ms > 0 && self.leaves_ms < u64::MAX;
        let soon_ms = SOON_MS.min(self.leaves_ms.saturating_sub(self.filled_ms) / 2);
        (leaves && !self.is_stale(self.leaves_ms)).then(|| self.leaves_ms.saturating_sub(soon_ms))
    }

    /// Returns when it is thought of because of its rhythm, if it has one.
    pub(super) fn looked_at_before_beat_ms(&self) -> Option<u64> {
        let (next_ms, off_ms) = self.next_beat()?;
        Some(next_ms.saturating_sub(off_ms.saturating_add(BEAT_LEAD_MS)))
    }

    /// Tells whether the event is still to come at that time, by what is known now.
    pub(super) fn expects(&self, event: Event, at_ms: u64) -> bool {
        match event {
            Event::Unused => false,
            Event::Leaves => self.looked_at_before_it_leaves_ms() == Some(at_ms),
            Event::RunsOut => self.looked_at_before_it_runs_out_ms() == at_ms,
            Event::Beat => self.looked_at_before_beat_ms() == Some(at_ms),
        }
    }

    /// Learns of a request.
    pub(super) fn asked(&mut self, now_ms: u64) {
        let gap_ms = now_ms.saturating_sub(self.asked_ms);
        if self.count > 0.0 {
            self.note_gap(gap_ms);
        }
        self.count = self.count.mul_add(decay(gap_ms), 1.0);
        self.asked_ms = now_ms;
    }

    /// Learns how long the key was not asked for. What comes again at once belongs to the same beat.
    fn note_gap(&mut self, gap_ms: u64) {
        let gap = as_f32(gap_ms);
        if gap < LEAST_GAP_MS {
            self.gaps = 0;
            return;
        }
        if self.gaps == 0 {
            (self.gap_ms, self.deviation_ms) = (gap, 0.0);
        } else {
            let off = gap - self.gap_ms;
            self.gap_ms = off.mul_add(LATEST, self.gap_ms);
            self.deviation_ms += (off.abs() - self.deviation_ms) * LATEST;
        }
        self.gaps = self.gaps.saturating_add(1);
    }

    /// Returns how many requests there were of late: each counts half after ten minutes.
    pub(super) fn popularity(&self, now_ms: u64) -> f64 {
        f64::from(self.count * decay(now_ms.saturating_sub(self.asked_ms)))
    }

    /// Returns how sure it is that the key is asked for within the next `span_ms`, from 0 to 1.
    ///
    /// Law: requests come at random with a rate that is itself only known by the `n` that were
    /// counted; expected `x` of them within the span, at least one comes in `x / (1 + x)` of cases
    /// where the rate is exponentially distributed around its estimate.
    pub(super) fn confidence_within(&self, span_ms: u64, now_ms: u64) -> f64 {
        let rate = self.popularity(now_ms) * std::f64::consts::LN_2 / HALF_LIFE_MS;
        let expected = rate * as_f64(span_ms);
        expected / (1.0 + expected)
    }

    /// Returns when the key is due again and how far that may be off, where it has a rhythm.
    pub(super) fn next_beat(&self) -> Option<(u64, u64)> {
        let is_steady = self.gaps >= GAPS && self.deviation_ms <= STEADY * self.gap_ms;
        is_steady.then(|| {
            let next_ms = self.asked_ms.saturating_add(as_u64(self.gap_ms));
            (next_ms, as_u64(2.0 * self.deviation_ms))
        })
    }

    /// Returns how sure it is that the rhythm goes on, from 0 to 1.
    pub(super) fn confidence_of_beat(&self) -> f64 {
        let gaps = f64::from(self.gaps);
        gaps / (gaps + 1.0) * f64::from(1.0 - self.deviation_ms / self.gap_ms.max(1.0)).max(0.0)
    }
}

fn decay(elapsed_ms: u64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "a part between 0 and 1")]
    let part = 0.5_f64.powf(as_f64(elapsed_ms) / HALF_LIFE_MS) as f32;
    part
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds; a part in 2^53 is nothing")]
const fn as_f64(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds; a part in 2^24 is nothing")]
const fn as_f32(number: u64) -> f32 {
    number as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates, which is what is wanted"
)]
const fn as_u64(number: f32) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked_at(times: impl IntoIterator<Item = u64>) -> Known {
        let mut known = Known::new(CacheKey::default());
        for at_ms in times {
            known.asked(at_ms);
        }
        known
    }

    #[test]
    fn a_request_counts_half_after_ten_minutes() {
        let known = asked_at([1_000, 1_000]);
        for (at_ms, popularity) in [(1_000, 2.0), (601_000, 1.0), (1_801_000, 0.25)] {
            assert!((known.popularity(at_ms) - popularity).abs() < 1e-3, "{at_ms}");
        }
        let known = asked_at([0, 600_000]);
        assert!((known.popularity(600_000) - 1.5).abs() < 1e-3);
    }

    #[test]
    fn what_is_asked_for_more_and_kept_for_longer_is_surer_to_be_asked_for() {
        let (rare, frequent) = (asked_at([0]), asked_at([0, 1, 2, 3, 4, 5]));
        let within = |known: &Known, span_s: u64| known.confidence_within(span_s * 1_000, 10);
        assert!(within(&rare, 300) < 0.3 && within(&frequent, 300) > 0.6);
        assert!(within(&rare, 7_200) > 0.8);
        assert!(within(&frequent, 0).abs() < 1e-9);
    }

    #[test]
    fn a_new_answer_is_thought_of_when_a_fiftieth_of_its_life_is_left() {
        let mut known = Known::new(CacheKey::default());
        known.filled(1_000, 300_000);
        // Told at the first hit; it was made when it came.
        assert!(known.is_fresh_until(601_000, 201_000));
        assert_eq!((known.life_ms, known.looked_at_before_it_runs_out_ms()), (600_000, 589_000));
        assert!(!known.is_fresh_until(601_900, 202_000), "the same answer");
        assert!(!known.is_fresh_until(1_000, 202_000), "over");
        assert!(known.is_fresh_until(901_000, 301_000));
    }

    #[test]
    fn what_leaves_is_thought_of_a_moment_before() {
        for (residence_ms, looked_at_ms) in
            [(300_000, Some(300_000)), (1_000, Some(1_500)), (u64::MAX, None)]
        {
            let mut known = Known::new(CacheKey::default());
            known.filled(1_000, residence_ms);
            assert_eq!(known.looked_at_before_it_leaves_ms(), looked_at_ms);
            known.is_fresh_until(1_400, 1_000);
            assert_eq!(known.looked_at_before_it_leaves_ms(), None, "it runs out before");
        }
    }

    #[test]
    fn a_rhythm_is_believed_after_some_beats_and_lost_by_disorder() {
        assert_eq!(asked_at([0, 60_000, 120_000]).next_beat(), None);
        let steady = asked_at((0..8).map(|beat| beat * 60_000));
        let (next_ms, off_ms) = steady.next_beat().unwrap();
        assert_eq!((next_ms, off_ms), (480_000, 0));
        assert!(steady.confidence_of_beat() > 0.8);
        let jitter = [0, 61_000, 119_500, 181_000, 239_000, 300_500];
        let (next_ms, off_ms) = asked_at(jitter).next_beat().unwrap();
        assert!((355_000..366_000).contains(&next_ms) && off_ms < 10_000, "{next_ms} {off_ms}");
        assert_eq!(asked_at([0, 60_000, 70_000, 500_000, 510_000, 520_000]).next_beat(), None);
        // A page's parts, many at once, are no rhythm.
        assert_eq!(asked_at((0..9).map(|beat| beat * 500)).next_beat(), None);
    }

    proptest! {
        #[test]
        fn confidences_lie_between_nothing_and_certainty(
            gaps in prop::collection::vec(0_u64..10_000_000, 1..50), span_ms in 0_u64..100_000_000,
        ) {
            let mut at_ms = 0;
            let known = asked_at(gaps.iter().map(|gap| { at_ms += gap; at_ms }));
            let within = known.confidence_within(span_ms, at_ms);
            prop_assert!((0.0..1.0).contains(&within));
            prop_assert!((0.0..1.0).contains(&known.confidence_of_beat()));
            prop_assert!(known.popularity(at_ms) <= gaps.len() as f64 + 1e-3);
        }
    }
}
