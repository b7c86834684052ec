//! What the answer of a flight takes of the budget for answers under way.

use crate::model::{MemoryBudget, Reservation};

/// Bytes of an answer that its flight does not reserve: small answers need no budget, and a large one
/// passes on, slowly, where there is none left. Whoever asks for a flight reserves so much beside it.
pub const UNRESERVED_BYTES: usize = 32 * 1024;

/// Least memory that is reserved at once while an answer is recorded, in bytes.
const AT_ONCE: u64 = 64 * 1024;

/// The reservation of one answer; without a budget whatever it takes is there.
#[derive(Debug, Default)]
pub(super) struct AnswerMemory {
    reserved: Option<Reservation>,
}

impl AnswerMemory {
    /// Creates a reservation of nothing yet.
    pub(super) fn of(budget: &MemoryBudget) -> Self {
        Self { reserved: Some(budget.reserve_anyway(0)) }
    }

    /// Reserves for a recording of `held` bytes, twice: the pieces, and the one piece that they become.
    /// False where the memory is not there.
    pub(super) fn record(&mut self, held: usize) -> bool {
        let Some(reserved) = &mut self.reserved else { return true };
        let missing = above(held).saturating_mul(2).saturating_sub(reserved.bytes());
        missing == 0 || reserved.try_grow(missing.max(AT_ONCE))
    }

    /// Reserves for the `held` bytes of a flight that only passes on, as far as they are there, and gives
    /// back the rest.
    pub(super) fn pass_on(&mut self, held: usize) {
        if let Some(reserved) = &mut self.reserved {
            reserved.shrink_to(above(held));
            let missing = above(held).saturating_sub(reserved.bytes());
            let _ = missing == 0 || reserved.try_grow(missing);
        }
    }

    /// Returns how many bytes a flight that only passes on may hold: `most`, or what there is.
    pub(super) fn window(&self, most: usize) -> usize {
        let Some(reserved) = &self.reserved else { return most };
        let reserved = usize::try_from(reserved.bytes()).unwrap_or(usize::MAX);
        most.min(UNRESERVED_BYTES.saturating_add(reserved))
    }
}

fn above(held: usize) -> u64 {
    u64::try_from(held.saturating_sub(UNRESERVED_BYTES)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    fn kib(kib: u64) -> MemoryBudget {
        MemoryBudget::new(kib * 1024)
    }

    #[test]
    fn a_recording_reserves_twice_what_is_above_the_first_bytes() {
        // Three quarters are for what grows.
        let budget = kib(400);
        let mut memory = AnswerMemory::of(&budget);
        for (held, is_there, reserved) in [
            (1, true, 0),
            (32, true, 0),
            // At least so much at once.
            (33, true, 64),
            (64, true, 64),
            (65, true, 128),
            (168, true, 272),
            (183, false, 272),
        ] {
            assert_eq!(memory.record(held * KIB), is_there, "{held}");
            assert_eq!(budget.report().reserved_bytes, reserved * 1024, "{held}");
        }
        assert_eq!(memory.window(256 * KIB), 256 * KIB);
        memory.pass_on(132 * KIB);
        assert_eq!(budget.report().reserved_bytes, 100 * 1024);
        drop(memory);
        assert_eq!(budget.report().reserved_bytes, 0);
    }

    #[test]
    fn what_only_passes_on_has_the_window_that_there_is_memory_for() {
        let budget = kib(400);
        let mut memory = AnswerMemory::of(&budget);
        memory.pass_on(164 * KIB);
        assert_eq!(memory.window(256 * KIB), 164 * KIB);
        memory.pass_on(300 * KIB);
        assert_eq!(memory.window(256 * KIB), 256 * KIB, "never more than the window");
        memory.pass_on(10 * KIB);
        assert_eq!(memory.window(256 * KIB), UNRESERVED_BYTES);
        let others = budget.try_reserve(400 * 1024);
        memory.pass_on(164 * KIB);
        assert_eq!(memory.window(256 * KIB), UNRESERVED_BYTES, "there is none left");
        drop(others);
        memory.pass_on(164 * KIB);
        assert_eq!(memory.window(256 * KIB), 164 * KIB, "there is again");
    }

    #[test]
    fn without_a_budget_all_is_there() {
        let mut memory = AnswerMemory::default();
        assert!(memory.record(usize::MAX));
        memory.pass_on(usize::MAX);
        assert_eq!(memory.window(7), 7);
    }
}
