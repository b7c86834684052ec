//! Values in the order of their last use.

use std::collections::HashMap;
use std::hash::Hash;

use super::account::Held;
use crate::model::BuildKeyHasher;

/// A place in the list. `None` ends it on either side.
type Link = Option<usize>;

struct Node<K, V> {
    key: K,
    held: Option<Held<V>>,
    colder: Link,
    hotter: Link,
}

/// A list of values, coldest first, found by key. Every operation takes the same short time.
pub(super) struct Recency<K, V> {
    places: HashMap<K, usize, BuildKeyHasher>,
    nodes: Vec<Node<K, V>>,
    free: Vec<usize>,
    coldest: Link,
    hottest: Link,
    weight: u64,
}

impl<K: Copy + Eq + Hash, V> Recency<K, V> {
    pub(super) fn new() -> Self {
        Self {
            places: HashMap::default(),
            nodes: Vec::new(),
            free: Vec::new(),
            coldest: None,
            hottest: None,
            weight: 0,
        }
    }

    /// Returns the weight of all values together.
    pub(super) const fn weight(&self) -> u64 {
        self.weight
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.places.contains_key(key)
    }

    /// Returns a value without using it.
    pub(super) fn peek(&self, key: &K) -> Option<&Held<V>> {
        self.nodes.get(*self.places.get(key)?)?.held.as_ref()
    }

    /// Returns a value, which is the hottest from now on.
    pub(super) fn get(&mut self, key: &K) -> Option<&Held<V>> {
        let place = *self.places.get(key)?;
        if self.hottest != Some(place) {
            self.unlink(place);
            self.link_hottest(place);
        }
        self.nodes.get(place)?.held.as_ref()
    }

    /// Adds a value as the hottest; the one that stood under its key goes.
    pub(super) fn push(&mut self, key: K, held: Held<V>) {
        drop(self.remove(&key));
        self.weight = self.weight.saturating_add(held.weight);
        let node = Node { key, held: Some(held), colder: None, hotter: None };
        let reused = self.free.pop().and_then(|at| Some((at, self.nodes.get_mut(at)?)));
        let place = if let Some((at, empty)) = reused {
            *empty = node;
            at
        } else {
            self.nodes.push(node);
            self.nodes.len() - 1
        };
        self.places.insert(key, place);
        self.link_hottest(place);
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<Held<V>> {
        let place = self.places.remove(key)?;
        self.unlink(place);
        self.free.push(place);
        let held = self.nodes.get_mut(place)?.held.take()?;
        self.weight = self.weight.saturating_sub(held.weight);
        Some(held)
    }

    /// Takes out the value whose last use is longest ago.
    pub(super) fn pop_coldest(&mut self) -> Option<(K, Held<V>)> {
        let key = self.nodes.get(self.coldest?)?.key;
        Some((key, self.remove(&key)?))
    }

    fn unlink(&mut self, place: usize) {
        let Some(node) = self.nodes.get_mut(place) else { return };
        let (colder, hotter) = (node.colder.take(), node.hotter.take());
        match colder.and_then(|at| self.nodes.get_mut(at)) {
            Some(neighbour) => neighbour.hotter = hotter,
            None => self.coldest = hotter,
        }
        match hotter.and_then(|at| self.nodes.get_mut(at)) {
            Some(neighbour) => neighbour.colder = colder,
            None => self.hottest = colder,
        }
    }

    fn link_hottest(&mut self, place: usize) {
        let before = self.hottest.replace(place);
        if let Some(node) = self.nodes.get_mut(place) {
            node.colder = before;
            node.hotter = None;
        }
        match before.and_then(|at| self.nodes.get_mut(at)) {
            Some(neighbour) => neighbour.hotter = Some(place),
            None => self.coldest = Some(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::super::account::Account;
    use super::*;

    proptest! {
        /// Against a plain list of keys.
        #[test]
        fn the_coldest_is_the_one_used_longest_ago(
            steps in proptest::collection::vec((0_u8..4, 0_u64..12), 0..200),
        ) {
            let account = Rc::new(Account::default());
            let mut list = Recency::new();
            let mut keys: Vec<u64> = Vec::new();
            for (what, key) in steps {
                match what {
                    0 => {
                        list.push(key, Held::new(key, key + 1, &account));
                        keys.retain(|other| *other != key);
                        keys.push(key);
                    }
                    1 => {
                        let found = list.get(&key).map(|held| held.value);
                        prop_assert_eq!(found, keys.contains(&key).then_some(key));
                        if found.is_some() {
                            keys.retain(|other| *other != key);
                            keys.push(key);
                        }
                    }
                    2 => {
                        let is_there = keys.contains(&key);
                        prop_assert_eq!(list.remove(&key).is_some(), is_there);
                        keys.retain(|other| *other != key);
                    }
                    _ => {
                        let coldest = (!keys.is_empty()).then(|| keys.remove(0));
                        prop_assert_eq!(list.pop_coldest().map(|(key, _)| key), coldest);
                    }
                }
                prop_assert_eq!(list.weight(), keys.iter().map(|key| key + 1).sum::<u64>());
                prop_assert_eq!(account.weight(), list.weight());
                for key in 0..12 {
                    prop_assert_eq!(list.contains(&key), keys.contains(&key));
                    prop_assert_eq!(list.peek(&key).is_some(), keys.contains(&key));
                }
            }
        }
    }
}
