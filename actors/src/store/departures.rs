//! When what is held leaves, in the order of filling.

use std::collections::VecDeque;
use std::rc::{Rc, Weak};

struct Departure<K, T, L> {
    at: T,
    key: K,
    life: Weak<L>,
}

/// A queue in the order of filling, which is the order of leaving where all stay equally long: it
/// finds those that nobody asks for any more.
pub struct Departures<K, T, L> {
    queue: VecDeque<Departure<K, T, L>>,
}

impl<K, T, L> Default for Departures<K, T, L> {
    fn default() -> Self {
        Self { queue: VecDeque::new() }
    }
}

impl<K, T: PartialOrd, L> Departures<K, T, L> {
    /// Notes that what is filled in under `key` leaves at `at`; once `life` is over that is void.
    /// `entries` are held; the queue stays at most about half again as long: the places of those that
    /// went before go, at a cost of three looks a fill on average.
    pub fn add(&mut self, key: K, at: T, life: &Rc<L>, entries: u64) {
        let entries = usize::try_from(entries).unwrap_or(usize::MAX);
        if self.queue.len() > entries.saturating_add(entries / 2).saturating_add(256) {
            self.queue.retain(|place| place.life.strong_count() > 0);
        }
        self.queue.push_back(Departure { at, key, life: Rc::downgrade(life) });
    }

    /// Takes the next place whose time has come; holds the key if it is held still. `None` where
    /// there is none.
    pub fn next_due(&mut self, now: &T) -> Option<Option<K>> {
        let place = self.queue.pop_front_if(|place| place.at <= *now)?;
        Some((place.life.strong_count() > 0).then_some(place.key))
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
        let [first, second] = [(); 2].map(Rc::new);
        departures.add("first", 10, &first, 0);
        departures.add("second", 20, &second, 1);
        assert_eq!(departures.next_due(&9), None);
        drop(first);
        assert_eq!(departures.next_due(&20), Some(None));
        assert_eq!(departures.next_due(&20), Some(Some("second")));
        assert_eq!(departures.next_due(&20), None);
    }

    #[test]
    fn the_places_of_what_has_gone_are_given_up() {
        let mut departures = Departures::default();
        let lives = [(); 10].map(Rc::new);
        for (number, life) in lives.iter().enumerate() {
            departures.add(number, 1, life, 10);
        }
        for number in 0..100_000 {
            departures.add(number, 1, &Rc::new(()), 10);
            assert!(departures.len() <= 256 + 15 + 1);
        }
        let held = std::iter::from_fn(|| departures.next_due(&1)).flatten().count();
        assert_eq!(held, lives.len());
    }
}
