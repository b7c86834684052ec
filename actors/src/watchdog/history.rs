//! What was read of late: a ring that never grows past its bound.

use std::collections::VecDeque;

use crate::model::MemoryReading;

/// Readings held: an hour of them, one a second.
pub const MOST_READINGS: usize = 3_600;

/// The latest readings, the oldest first.
#[derive(Debug, Default)]
pub struct History {
    readings: VecDeque<MemoryReading>,
}

impl History {
    /// Adds a reading; the oldest leaves where there are [`MOST_READINGS`].
    pub fn add(&mut self, reading: MemoryReading) {
        if self.readings.len() >= MOST_READINGS {
            self.readings.pop_front();
        }
        self.readings.push_back(reading);
    }

    /// Returns the latest reading.
    pub fn latest(&self) -> Option<&MemoryReading> {
        self.readings.back()
    }

    /// Returns the largest resident size of the last hour, in bytes.
    pub fn peak_bytes(&self) -> u64 {
        self.readings.iter().map(|reading| reading.resident_bytes).max().unwrap_or(0)
    }

    /// Returns how many readings are held.
    pub fn len(&self) -> usize {
        self.readings.len()
    }

    /// Tells whether nothing was read yet.
    pub fn is_empty(&self) -> bool {
        self.readings.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_latest_hour_is_held_and_no_more(sizes in proptest::collection::vec(0u64..9_999, 0..9_000)) {
            let mut history = History::default();
            for resident_bytes in &sizes {
                history.add(MemoryReading { resident_bytes: *resident_bytes, ..MemoryReading::default() });
            }
            let from = sizes.len().saturating_sub(MOST_READINGS);
            let hour = &sizes[from..];
            prop_assert_eq!(history.len(), hour.len());
            prop_assert_eq!(history.is_empty(), hour.is_empty());
            prop_assert_eq!(history.peak_bytes(), hour.iter().copied().max().unwrap_or(0));
            let latest = history.latest().map(|reading| reading.resident_bytes);
            prop_assert_eq!(latest, sizes.last().copied());
        }
    }
}
