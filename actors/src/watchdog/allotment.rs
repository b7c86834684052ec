//! How much of the memory requests and answers under way may have.

use crate::model::{MemoryReading, PressureState};

/// The share of the limit that is given out at all, in thousandths. The rest is what an allocator
/// rounds up and what nobody accounts for: buffers of sockets, threads, tables.
const GIVEN_OUT: u64 = 850;

/// Whatever else is bounded how, this share of the limit is for requests, in thousandths: without it
/// none could be answered. What caches hold above theirs then leaves under pressure.
const AT_LEAST: u64 = 125;

/// Returns the bytes for requests and answers under way. `start` is the process as it was before the
/// first of them, `bounded_bytes` what caches and queues may hold by their own bounds.
///
/// Under critical pressure half as much: something takes more than it is known to.
pub fn allotment(start: &MemoryReading, bounded_bytes: u64, state: PressureState) -> u64 {
    let share = |thousandths: u64| (start.limit_bytes / 1_000).saturating_mul(thousandths);
    let taken = start.resident_bytes.saturating_add(bounded_bytes);
    let free = match state {
        PressureState::Nominal | PressureState::Elevated => share(GIVEN_OUT).saturating_sub(taken),
        PressureState::Critical => share(GIVEN_OUT).saturating_sub(taken) / 2,
    };
    free.max(share(AT_LEAST))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    use PressureState::{Critical, Elevated, Nominal};

    fn start(resident_bytes: u64, limit_bytes: u64) -> MemoryReading {
        MemoryReading { resident_bytes, virtual_bytes: 0, limit_bytes }
    }

    #[test]
    fn requests_have_what_is_left_and_an_eighth_at_least() {
        for (resident, limit, bounded, state, bytes) in [
            (50_000, 512_000, 128_000, Nominal, 257_200),
            (50_000, 512_000, 128_000, Elevated, 257_200),
            (50_000, 512_000, 128_000, Critical, 128_600),
            (50_000, 64_000, 128_000, Nominal, 8_000),
            (90_000, 64_000, u64::MAX, Critical, 8_000),
            (0, 1_000, 0, Nominal, 850),
        ] {
            let allotted = allotment(&start(resident, limit), bounded, state);
            assert_eq!(allotted, bytes, "{resident} of {limit}, {bounded}, {state:?}");
        }
    }

    proptest! {
        #[test]
        fn all_together_stay_below_the_limit_or_requests_have_their_least(
            resident in 0u64..1 << 40,
            limit in 1_000u64..1 << 40,
            bounded in 0u64..1 << 40,
        ) {
            let nominal = allotment(&start(resident, limit), bounded, Nominal);
            let least = limit / 1_000 * AT_LEAST;
            prop_assert!(nominal == least || resident + bounded + nominal <= limit);
            prop_assert!(allotment(&start(resident, limit), bounded, Critical) <= nominal);
            prop_assert!(nominal >= least);
        }
    }
}
