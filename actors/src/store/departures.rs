//! When what is held leaves, in the order of filling.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Lives with what is held: its place in the queue is void once this is gone.
#[derive(Debug)]
pub struct Stay(Rc<Cell<bool>>);

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

struct Departure<K, T> {
    at: T,
    key: K,
    is_held: Rc<Cell<bool>>,
}

/// A queue in the order of filling, which is the order of leaving where all stay equally long: it
/// finds those that nobody asks for any more.
pub struct Departures<K, T> {
    queue: VecDeque<Departure<K, T>>,
}

impl<K, T> Default for Departures<K, T> {
    fn default() -> Self {
        Self { queue: VecDeque::new() }
    }
}

impl<K, T: PartialOrd> Departures<K, T> {
    /// Notes that what is filled in under `key` leaves at `at`. `entries` are held; the queue stays
    /// at most about half again as long: the places of those that went before go, at a cost of three
    /// looks a fill on average.
    pub fn add(&mut self, key: K, at: T, entries: u64) -> Stay {
        let entries = usize::try_from(entries).unwrap_or(usize::MAX);
        if self.queue.len() > entries.saturating_add(entries / 2).saturating_add(256) {
            self.queue.retain(|place| place.is_held.get());
        }
        let is_held = Rc::new(Cell::new(true));
        self.queue.push_back(Departure { at, key, is_held: Rc::clone(&is_held) });
        Stay(is_held)
    }

    /// Takes the next place whose time has come; holds the key if it is held still. `None` where
    /// there is none.
    pub fn next_due(&mut self, now: &T) -> Option<Option<K>> {
        let place = self.queue.pop_front_if(|place| place.at <= *now)?;
        Some(place.is_held.get().then_some(place.key))
    }

    /// Returns how many places the queue has.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Tells whether the queue has no place.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_held_still_leaves_and_not_before_its_time() {
        let mut departures = Departures::default();
        let first = departures.add("first", 10, 0);
        let second = departures.add("second", 20, 1);
        assert_eq!(departures.next_due(&9), None);
        drop(first);
        assert_eq!(departures.next_due(&20), Some(None));
        assert_eq!(departures.next_due(&20), Some(Some("second")));
        assert_eq!(departures.next_due(&20), None);
        drop(second);
    }

    #[test]
    fn the_places_of_what_has_gone_are_given_up() {
        let mut departures = Departures::default();
        let stays: Vec<Stay> = (0..10).map(|number| departures.add(number, 1, 10)).collect();
        for number in 0..100_000 {
            drop(departures.add(number, 1, 10));
            assert!(departures.len() <= 256 + 15 + 1);
        }
        let held = std::iter::from_fn(|| departures.next_due(&1)).flatten().count();
        assert_eq!(held, stays.len());
    }
}
