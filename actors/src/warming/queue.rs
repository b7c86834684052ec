//! What is to be warmed, the most urgent first: a bounded queue in two lanes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use crate::model::{BuildKeyHasher, CacheKey};

/// What a task costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Lookups in further levels.
    Free,
    /// A call of the origin.
    Paid,
}

/// How urgent a task is; the greater the sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Only watched.
    Trial,
    /// Guessed, with this confidence in thousandths.
    Guessed(u16),
    /// Wanted by the settings.
    Critical,
    /// Asked for by an operator.
    Asked,
}

type Place = (Urgency, Reverse<u64>);

#[derive(Debug)]
struct Waiting<T> {
    tasks: BTreeMap<Place, (CacheKey, u64, T)>,
    keys: HashSet<CacheKey, BuildKeyHasher>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { tasks: BTreeMap::new(), keys: HashSet::default() }
    }
}

/// Tasks that wait. Of one key at most one waits in a lane.
#[derive(Debug)]
pub struct Queue<T> {
    free: Waiting<T>,
    paid: Waiting<T>,
    most: usize,
    numbers: u64,
}

impl<T> Queue<T> {
    /// Creates an empty queue of at most `most` tasks in each lane.
    pub fn new(most: usize) -> Self {
        Self { free: Waiting::default(), paid: Waiting::default(), most, numbers: 0 }
    }

    /// Adds a task that is of use until `until_ms`. Returns the one that has no place: the least urgent
    /// where too many wait, or this one, where its key waits already.
    pub fn add(
        &mut self,
        lane: Lane,
        urgency: Urgency,
        (key, until_ms, task): (CacheKey, u64, T),
    ) -> Option<T> {
        self.numbers = self.numbers.saturating_add(1);
        let place = (urgency, Reverse(self.numbers));
        let most = self.most;
        let waiting = self.lane(lane);
        if urgency < Urgency::Critical && waiting.keys.contains(&key) {
            return Some(task);
        }
        waiting.keys.insert(key);
        waiting.tasks.insert(place, (key, until_ms, task));
        if waiting.tasks.len() <= most {
            return None;
        }
        waiting.take_least()
    }

    /// Takes out the most urgent task of a lane that is of use still; those that are not go to `late`.
    pub fn next(&mut self, lane: Lane, now_ms: u64, mut late: impl FnMut(T)) -> Option<T> {
        let waiting = self.lane(lane);
        while let Some((_, (key, until_ms, task))) = waiting.tasks.pop_last() {
            waiting.keys.remove(&key);
            if until_ms > now_ms {
                return Some(task);
            }
            late(task);
        }
        None
    }

    /// Returns the urgency of the task that comes next in a lane.
    pub fn most_urgent(&self, lane: Lane) -> Option<Urgency> {
        let waiting = match lane {
            Lane::Free => &self.free,
            Lane::Paid => &self.paid,
        };
        waiting.tasks.last_key_value().map(|((urgency, _), _)| *urgency)
    }

    /// Returns how many wait in a lane.
    pub fn len(&self, lane: Lane) -> usize {
        match lane {
            Lane::Free => self.free.tasks.len(),
            Lane::Paid => self.paid.tasks.len(),
        }
    }

    fn lane(&mut self, lane: Lane) -> &mut Waiting<T> {
        match lane {
            Lane::Free => &mut self.free,
            Lane::Paid => &mut self.paid,
        }
    }
}

impl<T> Waiting<T> {
    fn take_least(&mut self) -> Option<T> {
        let (_, (key, _, task)) = self.tasks.pop_first()?;
        self.keys.remove(&key);
        Some(task)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::key;
    use super::*;

    fn all(queue: &mut Queue<u32>, lane: Lane, now_ms: u64) -> Vec<u32> {
        std::iter::from_fn(|| queue.next(lane, now_ms, |_| {})).collect()
    }

    #[test]
    fn the_most_urgent_comes_first_and_of_those_the_oldest() {
        let mut queue = Queue::new(10);
        for (number, urgency) in [
            (1, Urgency::Guessed(700)),
            (2, Urgency::Trial),
            (3, Urgency::Asked),
            (4, Urgency::Guessed(900)),
            (5, Urgency::Critical),
            (6, Urgency::Guessed(900)),
        ] {
            assert_eq!(queue.add(Lane::Paid, urgency, (key(number), 10, number)), None);
        }
        assert_eq!(queue.len(Lane::Paid), 6);
        assert_eq!(all(&mut queue, Lane::Free, 0), []);
        assert_eq!(all(&mut queue, Lane::Paid, 0), [3, 5, 4, 6, 1, 2]);
    }

    #[test]
    fn a_key_waits_once_and_what_is_late_is_handed_back() {
        let mut queue = Queue::new(10);
        assert_eq!(queue.add(Lane::Free, Urgency::Trial, (key(1), 10, 1)), None);
        assert_eq!(queue.add(Lane::Free, Urgency::Guessed(1), (key(1), 10, 2)), Some(2));
        assert_eq!(queue.add(Lane::Free, Urgency::Guessed(1), (key(3), 5, 3)), None);
        let mut late = Vec::new();
        assert_eq!(queue.next(Lane::Free, 5, |task| late.push(task)), Some(1));
        assert_eq!(late, [3]);
        assert_eq!(queue.add(Lane::Free, Urgency::Trial, (key(1), 10, 4)), None);
    }

    proptest! {
        #[test]
        fn a_lane_is_bounded_and_loses_its_least(
            steps in prop::collection::vec((0_u32..40, 0_u16..1_000, any::<bool>()), 0..300),
        ) {
            let mut queue = Queue::new(8);
            for (number, confidence, adds) in steps {
                if adds {
                    let task = (key(number), 1, confidence);
                    let least = queue.free.tasks.keys().next().copied();
                    let was_full = queue.len(Lane::Free) == 8;
                    let waits = queue.free.keys.contains(&key(number));
                    let lost = queue.add(Lane::Free, Urgency::Guessed(confidence), task);
                    prop_assert_eq!(lost.is_some(), waits || was_full);
                    if let (Some(lost), Some((Urgency::Guessed(least), _)), false) =
                        (lost, least, waits)
                    {
                        prop_assert!(lost <= least.max(confidence) && lost <= confidence.max(least));
                        prop_assert_eq!(lost, least.min(confidence));
                    }
                } else {
                    queue.next(Lane::Free, 0, |_| {});
                }
                prop_assert!(queue.len(Lane::Free) <= 8);
                prop_assert_eq!(queue.free.keys.len(), queue.free.tasks.len());
            }
        }
    }
}
