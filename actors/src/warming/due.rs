//! What is to be looked at when: a bounded queue in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Tag;

/// Why a key is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A warming was not used in time.
    Unused,
    /// It leaves L1.
    Leaves,
    /// Its answer is about to run out.
    RunsOut,
    /// It will be asked for, if its rhythm goes on.
    Beat,
}

/// The events to come.
#[derive(Debug)]
pub(super) struct Due {
    events: BinaryHeap<Reverse<(u64, Event, Tag)>>,
    most: usize,
}

impl Due {
    /// Creates an empty queue of at most `most` events.
    pub(super) fn new(most: usize) -> Self {
        Self { events: BinaryHeap::new(), most }
    }

    /// Adds an event; lost where too many wait.
    pub(super) fn add(&mut self, at_ms: u64, event: Event, tag: Tag) {
        if !self.is_full() {
            self.events.push(Reverse((at_ms, event, tag)));
        }
    }

    /// Tells whether there is no room for one more.
    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= self.most
    }

    /// Takes out the next event, if its time has come.
    pub(super) fn next(&mut self, now_ms: u64) -> Option<(u64, Event, Tag)> {
        let Reverse((at_ms, ..)) = *self.events.peek()?;
        if at_ms > now_ms {
            return None;
        }
        self.events.pop().map(|Reverse(event)| event)
    }

    /// Returns about how many bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.events.capacity() * size_of::<Reverse<(u64, Event, Tag)>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_and_not_before_their_time() {
        let mut due = Due::new(4);
        for (at_ms, event) in [(30, Event::Beat), (10, Event::Leaves), (10, Event::Unused)] {
            due.add(at_ms, event, Tag::new(1));
        }
        assert_eq!(due.next(9), None);
        assert_eq!(due.next(10).map(|(_, event, _)| event), Some(Event::Unused));
        assert_eq!(due.next(40).map(|(at_ms, ..)| at_ms), Some(10));
        assert_eq!(due.next(40).map(|(at_ms, ..)| at_ms), Some(30));
        assert_eq!(due.next(u64::MAX), None);
    }

    #[test]
    fn their_number_is_bounded() {
        let mut due = Due::new(4);
        for at_ms in 0..10 {
            due.add(at_ms, Event::Leaves, Tag::new(1));
        }
        assert!(due.is_full());
        assert_eq!(std::iter::from_fn(|| due.next(100)).count(), 4);
        assert!(due.bytes() <= 8 * 24);
    }
}
