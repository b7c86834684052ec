//! Values in the order of their last use.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;

use super::account::Held;
use crate::model::BuildKeyHasher;

/// The place of a node, from 1 on: with `None` for the end of the list a link takes four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(NonZeroU32);

impl Place {
    /// Returns the place after so many nodes; `None` past four thousand million.
    fn after(nodes: usize) -> Option<Self> {
        NonZeroU32::new(u32::try_from(nodes).ok()?.checked_add(1)?).map(Self)
    }

    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// A neighbour in the list. `None` ends it on either side.
type Link = Option<Place>;

struct Node<K, V> {
    key: K,
    held: Option<Held<V>>,
    colder: Link,
    hotter: Link,
}

/// A list of values, coldest first, found by key. Every operation takes the same short time.
pub(super) struct Recency<K, V> {
    places: HashMap<K, Place, BuildKeyHasher>,
    nodes: Vec<Node<K, V>>,
    free: Vec<Place>,
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
        self.nodes.get(self.places.get(key)?.index())?.held.as_ref()
    }

    /// Returns a value, which is the hottest from now on.
    pub(super) fn get(&mut self, key: &K) -> Option<&Held<V>> {
        let place = *self.places.get(key)?;
        if self.hottest != Some(place) {
            self.unlink(place);
            self.link_hottest(place);
        }
        self.nodes.get(place.index())?.held.as_ref()
    }

    /// Adds a value as the hottest; the one that stood under its key goes.
    pub(super) fn push(&mut self, key: K, held: Held<V>) {
        drop(self.remove(&key));
        let weight = held.weight;
        let node = Node { key, held: Some(held), colder: None, hotter: None };
        let reused = self.free.pop().and_then(|at| Some((at, self.nodes.get_mut(at.index())?)));
        let place = if let Some((at, empty)) = reused {
            *empty = node;
            at
        } else {
            let Some(place) = Place::after(self.nodes.len()) else { return };
            self.nodes.push(node);
            place
        };
        self.weight = self.weight.saturating_add(weight);
        self.places.insert(key, place);
        self.link_hottest(place);
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<Held<V>> {
        let place = self.places.remove(key)?;
        self.unlink(place);
        self.free.push(place);
        let held = self.nodes.get_mut(place.index())?.held.take()?;
        self.weight = self.weight.saturating_sub(held.weight);
        Some(held)
    }

    /// Takes out the value whose last use is longest ago.
    pub(super) fn pop_coldest(&mut self) -> Option<(K, Held<V>)> {
        let key = self.nodes.get(self.coldest?.index())?.key;
        Some((key, self.remove(&key)?))
    }

    fn unlink(&mut self, place: Place) {
        let Some(node) = self.nodes.get_mut(place.index()) else { return };
        let (colder, hotter) = (node.colder.take(), node.hotter.take());
        match colder.and_then(|at| self.nodes.get_mut(at.index())) {
            Some(neighbour) => neighbour.hotter = hotter,
            None => self.coldest = hotter,
        }
        match hotter.and_then(|at| self.nodes.get_mut(at.index())) {
            Some(neighbour) => neighbour.colder = colder,
            None => self.hottest = colder,
        }
    }

    fn link_hottest(&mut self, place: Place) {
        let before = self.hottest.replace(place);
        if let Some(node) = self.nodes.get_mut(place.index()) {
            node.colder = before;
            node.hotter = None;
        }
        match before.and_then(|at| self.nodes.get_mut(at.index())) {
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
