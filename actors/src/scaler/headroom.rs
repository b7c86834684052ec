//! How large memory lets L1 become.

use crate::model::{MemoryReading, PressureState};

/// The process stays below this part of its limit by what L1 is given; pressure begins above it.
const FULL: f64 = 0.7;

/// The part of what is free below that, which L1 may grow by before the next look.
const TAKEN: f64 = 0.5;

/// Returns the largest size for an L1 of `now_bytes`, in bytes. Entries may weigh more than they take,
/// never less, so that this errs to the safe side.
pub(super) fn allowed(now_bytes: u64, reading: &MemoryReading, state: PressureState) -> u64 {
    if state > PressureState::Nominal {
        return now_bytes;
    }
    let free = part(reading.limit_bytes, FULL).saturating_sub(reading.resident_bytes);
    now_bytes.saturating_add(part(free, TAKEN))
}

/// Returns the same at the moment at which memory became short by `target_bytes`. Elevated pressure only
/// keeps L1 from growing; what is critical takes its part of it away, a half at most.
pub(super) fn under_pressure(now_bytes: u64, state: PressureState, target_bytes: u64) -> u64 {
    if state == PressureState::Critical {
        now_bytes.saturating_sub(target_bytes).max(now_bytes / 2)
    } else {
        now_bytes
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share needs no more digits, and a cast from a float saturates"
)]
fn part(whole: u64, share: f64) -> u64 {
    (whole as f64 * share) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn reading(resident_bytes: u64, limit_bytes: u64) -> MemoryReading {
        MemoryReading { resident_bytes, virtual_bytes: 0, limit_bytes }
    }

    #[test]
    fn half_of_what_is_free_below_the_mark_may_be_taken() {
        for (resident, expected) in [(0, 450), (100, 400), (600, 150), (700, 100), (900, 100)] {
            let allowed = allowed(100, &reading(resident, 1_000), PressureState::Nominal);
            assert_eq!(allowed, expected, "{resident}");
        }
        assert_eq!(allowed(100, &reading(0, 1_000), PressureState::Elevated), 100);
    }

    #[test]
    fn only_what_is_critical_takes_away() {
        assert_eq!(under_pressure(100, PressureState::Elevated, 50), 100);
        assert_eq!(under_pressure(100, PressureState::Critical, 30), 70);
        assert_eq!(under_pressure(100, PressureState::Critical, 90), 50);
    }

    proptest! {
        #[test]
        fn growing_as_far_as_allowed_stays_below_the_mark(
            now in 0_u64..1 << 40,
            resident in 0_u64..1 << 40,
            limit in 0_u64..1 << 40,
        ) {
            let grown = allowed(now, &reading(resident, limit), PressureState::Nominal) - now;
            prop_assert!(grown == 0 || resident + grown <= part(limit, FULL));
        }
    }
}
