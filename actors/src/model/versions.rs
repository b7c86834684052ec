//! Tells workers that what they remember of a key was replaced.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::CacheKey;

/// Slots; several keys share one, so that a worker now and then asks again for nothing.
const SLOTS: usize = 4_096;

/// A number for each key, which grows when its entry in L1 is replaced or removed. Cheap to clone;
/// all clones are the same. A lease on an entry holds only while the number is what it was *before*
/// the entry was asked for.
#[derive(Clone)]
pub struct Versions(Arc<[AtomicU32; SLOTS]>);

impl Versions {
    /// Returns the present number of `key`.
    pub fn of(&self, key: &CacheKey) -> u32 {
        self.slot(key).map_or(0, |slot| slot.load(Ordering::Acquire))
    }

    /// Notes that the entry of `key` is another now.
    pub fn changed(&self, key: &CacheKey) {
        if let Some(slot) = self.slot(key) {
            slot.fetch_add(1, Ordering::Release);
        }
    }

    fn slot(&self, key: &CacheKey) -> Option<&AtomicU32> {
        let (first, _) = key.as_bytes().split_first_chunk::<2>()?;
        self.0.get(usize::from(u16::from_le_bytes(*first)) % SLOTS)
    }
}

impl Default for Versions {
    fn default() -> Self {
        Self(Arc::new(std::array::from_fn(|_| AtomicU32::new(0))))
    }
}

impl fmt::Debug for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Versions").field("slots", &SLOTS).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_by_all_who_watch_its_key() {
        let versions = Versions::default();
        let watching = versions.clone();
        let (one, other) = (CacheKey::new([1; 32]), CacheKey::new([2; 32]));
        let before = (watching.of(&one), watching.of(&other));
        versions.changed(&one);
        assert_ne!(watching.of(&one), before.0);
        assert_eq!(watching.of(&other), before.1);
    }
}
