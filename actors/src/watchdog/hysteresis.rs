//! When memory is short, and how much has to go.
//!
//! A state begins at its own share of the limit and ends at a lower one, so that a size that swings
//! around a border does not change the state with every reading.

use std::time::{Duration, Instant};

use crate::model::{MemoryReading, PressureState};

/// Share of the limit, in thousandths, at which memory begins to be short.
pub const ELEVATED_FROM: u64 = 800;
/// Share of the limit, in thousandths, at which it begins to be very short.
pub const CRITICAL_FROM: u64 = 950;

/// Shares below which they end.
const ELEVATED_UNTIL: u64 = 750;
const CRITICAL_UNTIL: u64 = 900;

/// Share that is aimed at under pressure: a little below the end of the first state.
const AIM: u64 = 700;

/// Time between two rounds of cleaning while the pressure lasts.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Returns the state after `before` at this share of the limit, in thousandths.
pub const fn next_state(before: PressureState, permille: u64) -> PressureState {
    let stays_critical = matches!(before, PressureState::Critical) && permille >= CRITICAL_UNTIL;
    let stays_elevated = !matches!(before, PressureState::Nominal) && permille >= ELEVATED_UNTIL;
    if permille >= CRITICAL_FROM || stays_critical {
        PressureState::Critical
    } else if permille >= ELEVATED_FROM || stays_elevated {
        PressureState::Elevated
    } else {
        PressureState::Nominal
    }
}

/// Returns how many bytes have to go in `state`.
pub const fn to_free(state: PressureState, reading: &MemoryReading) -> u64 {
    match state {
        PressureState::Nominal => 0,
        PressureState::Elevated | PressureState::Critical => {
            let aim = (reading.limit_bytes / 1_000).saturating_mul(AIM);
            reading.resident_bytes.saturating_sub(aim)
        }
    }
}

/// What a reading calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// The state from now on.
    pub state: PressureState,
    /// Whether it was another before.
    pub has_changed: bool,
    /// Bytes that have to go, where a round of cleaning is due; 0 tidies up without pressure.
    pub clean: Option<u64>,
}

/// Follows the readings.
#[derive(Debug)]
pub struct Hysteresis {
    state: PressureState,
    tidy_every: Duration,
    cleaned_at: Instant,
}

impl Hysteresis {
    /// Begins at `now` in `state`; without pressure a round of cleaning is due every `tidy_every`.
    pub const fn new(state: PressureState, tidy_every: Duration, now: Instant) -> Self {
        Self { state, tidy_every, cleaned_at: now }
    }

    /// Returns the state.
    pub const fn state(&self) -> PressureState {
        self.state
    }

    /// Takes a reading in. A round is due at once where the state has become worse, and again and
    /// again while the pressure lasts.
    pub fn take(&mut self, reading: &MemoryReading, now: Instant) -> Course {
        let before = self.state;
        self.state = next_state(before, reading.permille());
        let every = match self.state {
            PressureState::Nominal => self.tidy_every,
            PressureState::Elevated | PressureState::Critical => AGAIN_AFTER,
        };
        let is_due = self.state > before || now.saturating_duration_since(self.cleaned_at) >= every;
        if is_due {
            self.cleaned_at = now;
        }
        Course {
            state: self.state,
            has_changed: self.state != before,
            clean: is_due.then(|| to_free(self.state, reading)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::{Clock, ManualClock};

    use PressureState::{Critical, Elevated, Nominal};

    fn reading(permille: u64) -> MemoryReading {
        MemoryReading { resident_bytes: permille, virtual_bytes: 5_000, limit_bytes: 1_000 }
    }

    #[test]
    fn states_begin_at_their_share_and_end_at_a_lower_one() {
        for (before, permille, after) in [
            (Nominal, 0, Nominal),
            (Nominal, 799, Nominal),
            (Nominal, 800, Elevated),
            (Nominal, 949, Elevated),
            (Nominal, 950, Critical),
            (Nominal, 3_000, Critical),
            (Elevated, 799, Elevated),
            (Elevated, 750, Elevated),
            (Elevated, 749, Nominal),
            (Elevated, 949, Elevated),
            (Elevated, 950, Critical),
            (Critical, 949, Critical),
            (Critical, 900, Critical),
            (Critical, 899, Elevated),
            (Critical, 750, Elevated),
            (Critical, 749, Nominal),
        ] {
            assert_eq!(next_state(before, permille), after, "{before:?} at {permille}");
        }
    }

    #[test]
    fn a_round_is_due_when_it_gets_worse_and_while_it_lasts_and_seldom_otherwise() {
        let clock = ManualClock::new();
        let mut hysteresis = Hysteresis::new(Nominal, Duration::from_secs(60), clock.now());
        for (second, permille, state, clean) in [
            (1, 500, Nominal, None),
            (2, 810, Elevated, Some(110)),
            (3, 820, Elevated, None),
            (4, 960, Critical, Some(260)),
            (8, 960, Critical, None),
            (9, 940, Critical, Some(240)),
            // Better is no reason for a round of its own.
            (10, 850, Elevated, None),
            (14, 760, Elevated, Some(60)),
            (15, 700, Nominal, None),
            (73, 700, Nominal, None),
            (74, 700, Nominal, Some(0)),
        ] {
            let at = clock.now() + Duration::from_secs(second);
            let course = hysteresis.take(&reading(permille), at);
            assert_eq!((course.state, course.clean), (state, clean), "second {second}");
        }
    }

    proptest! {
        #[test]
        fn more_in_use_is_never_less_pressure(low in 0u64..1_200, more in 0u64..1_200, was in 0..3) {
            let before = [Nominal, Elevated, Critical][usize::try_from(was).unwrap()];
            prop_assert!(next_state(before, low) <= next_state(before, low + more));
            prop_assert!(next_state(Nominal, low) <= next_state(before, low), "a state holds on");
        }

        #[test]
        fn a_swing_smaller_than_the_gap_changes_the_state_once(
            middle in 0u64..1_200,
            swings in proptest::collection::vec(0u64..50, 1..50),
        ) {
            let mut state = Nominal;
            let mut changes = 0;
            for swing in swings {
                let next = next_state(state, middle + swing);
                changes += u32::from(next != state);
                state = next;
            }
            // From nominal at most up through both.
            prop_assert!(changes <= 2, "{changes}");
        }

        #[test]
        fn what_is_to_go_ends_the_pressure(resident in 0u64..1 << 44, limit in 1_000u64..1 << 42) {
            let before = MemoryReading { resident_bytes: resident, virtual_bytes: 0, limit_bytes: limit };
            let state = next_state(Nominal, before.permille());
            let left = resident - to_free(state, &before);
            let after = MemoryReading { resident_bytes: left, ..before };
            prop_assert_eq!(next_state(state, after.permille()), Nominal);
        }
    }
}
