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
    /// Events that are lost before the next look for void ones, so that no long look is for a single event.
    until_look: usize,
}

/// Where too many wait, one event in so many of them is lost before the next look for void ones.
const LOOK_EVERY_PART: usize = 16;

impl Due {
    /// Creates an empty queue of at most `most` events.
    pub(super) fn new(most: usize) -> Self {
        Self { events: BinaryHeap::new(), most, until_look: 0 }
    }

    /// Adds an event. Where too many wait, those go that `is_valid` no more; it is lost where that
    /// frees nothing.
    pub(super) fn add(
        &mut self,
        at_ms: u64,
        event: Event,
        tag: Tag,
        is_valid: impl Fn(u64, Event, &Tag) -> bool,
    ) {
        if self.events.len() >= self.most {
            self.make_room(is_valid);
        }
        if self.events.len() < self.most {
            self.events.push(Reverse((at_ms, event, tag)));
        }
    }

    fn make_room(&mut self, is_valid: impl Fn(u64, Event, &Tag) -> bool) {
        if self.until_look > 0 {
            self.until_look -= 1;
            return;
        }
        self.events.retain(|Reverse((at_ms, event, tag))| is_valid(*at_ms, *event, tag));
        let freed = self.most.saturating_sub(self.events.len());
        self.until_look = (self.most / LOOK_EVERY_PART).saturating_sub(freed);
    }

    /// Returns when the next event is.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.events.peek().map(|Reverse((at_ms, ..))| *at_ms)
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
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events_come_in_order_and_not_before_their_time() {
        let mut due = Due::new(4);
        for (at_ms, event) in [(30, Event::Beat), (10, Event::Leaves), (10, Event::Unused)] {
            due.add(at_ms, event, Tag::new(1), |_, _, _| true);
        }
        assert_eq!((due.next_ms(), due.next(9)), (Some(10), None));
        assert_eq!(due.next(10).map(|(_, event, _)| event), Some(Event::Unused));
        assert_eq!(due.next(40).map(|(at_ms, ..)| at_ms), Some(10));
        assert_eq!(due.next(40).map(|(at_ms, ..)| at_ms), Some(30));
        assert_eq!(due.next(u64::MAX), None);
    }

    #[test]
    fn their_number_is_bounded_and_what_is_void_gives_way() {
        let mut due = Due::new(4);
        for at_ms in 0..10 {
            due.add(at_ms, Event::Leaves, Tag::new(1), |_, _, _| true);
        }
        due.add(50, Event::Leaves, Tag::new(1), |at_ms, _, _| at_ms >= 2);
        let left: Vec<u64> =
            std::iter::from_fn(|| due.next(100)).map(|(at_ms, ..)| at_ms).collect();
        assert_eq!(left, [2, 3, 50]);
        assert!(due.bytes() <= 8 * 24);
    }

    #[test]
    fn where_none_is_void_few_looks_are_taken_for_them() {
        let mut due = Due::new(64);
        let looks = Cell::new(0);
        for at_ms in 0..1_000 {
            due.add(at_ms, Event::Leaves, Tag::new(1), |_, _, _| {
                looks.set(looks.get() + 1);
                true
            });
        }
        assert_eq!(looks.get(), (1_000 - 64) / 5 * 64 + 64);
        assert_eq!(due.next_ms(), Some(0));
    }

    proptest! {
        #[test]
        fn events_come_once_each_in_the_order_of_time(
            times in prop::collection::vec((0_u64..1_000, 0_u64..400), 0..200),
        ) {
            let mut due = Due::new(64);
            let (mut now_ms, mut came, mut added) = (0, 0, 0);
            for (at_ms, step_ms) in times {
                let waits = due.events.len();
                due.add(now_ms + at_ms, Event::Leaves, Tag::new(1), |_, _, _| true);
                added += usize::from(waits < 64);
                now_ms += step_ms;
                let mut latest_ms = 0;
                while let Some((at_ms, ..)) = due.next(now_ms) {
                    prop_assert!(latest_ms <= at_ms && at_ms <= now_ms);
                    latest_ms = at_ms;
                    came += 1;
                }
                prop_assert!(due.next_ms().is_none_or(|next_ms| next_ms > now_ms));
                prop_assert!(due.events.len() <= 64);
            }
            prop_assert_eq!(came + due.events.len(), added);
        }
    }
}
