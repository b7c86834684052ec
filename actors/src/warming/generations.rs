//! A map that forgets what has not been used for long.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem;

/// A map of two generations: what is used moves to the young one, and when that is full it becomes
/// the old one, and the old one is forgotten. So at least the `most` keys used last are known, at most
/// twice as many, and every operation takes the same short time.
#[derive(Debug)]
pub(super) struct Generations<K, V, S = RandomState> {
    young: HashMap<K, V, S>,
    old: HashMap<K, V, S>,
    most: usize,
}

impl<K: Copy + Eq + Hash, V, S: BuildHasher + Default> Generations<K, V, S> {
    /// Creates an empty map that knows at least the `most` keys used last.
    pub(super) fn new(most: usize) -> Self {
        Self { young: HashMap::default(), old: HashMap::default(), most: most.max(1) }
    }

    /// Returns the value of `key` without using it.
    pub(super) fn peek(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Returns the value of `key` without using it, to be changed.
    pub(super) fn peek_mut(&mut self, key: &K) -> Option<&mut V> {
        match self.young.get_mut(key) {
            None => self.old.get_mut(key),
            young => young,
        }
    }

    /// Uses the value of `key`, which `make` makes if it is not known.
    pub(super) fn touch(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if self.young.len() >= self.most && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        let old = &mut self.old;
        self.young.entry(key).or_insert_with(|| old.remove(&key).unwrap_or_else(make))
    }

    /// Returns all values, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.young.values().chain(self.old.values())
    }

    /// Returns how many keys are known.
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Returns about how many bytes of memory it takes: eight slots of the tables for every seven
    /// keys they have room for, a byte more for each slot.
    pub(super) fn bytes(&self) -> usize {
        let slots = (self.young.capacity() + self.old.capacity()) / 7 * 8;
        slots * (size_of::<(K, V)>() + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_keys_used_last_are_known_and_their_number_is_bounded(
            keys in prop::collection::vec(0_u8..40, 0..400), most in 1_usize..20,
        ) {
            let mut map: Generations<u8, u8> = Generations::new(most);
            let mut recent: Vec<u8> = Vec::new();
            for key in keys {
                let was_known = recent.contains(&key);
                let mut is_new = false;
                *map.touch(key, || { is_new = true; key }) = key;
                prop_assert!(!(was_known && is_new));
                recent.retain(|other| *other != key);
                recent.insert(0, key);
                recent.truncate(most);
                prop_assert!(map.len() <= 2 * most);
                for key in &recent {
                    prop_assert_eq!(map.peek(key), Some(key));
                }
            }
        }
    }
}
