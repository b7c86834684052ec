//! Large entries that nobody asks for. A few of them take the memory of thousands, and where a level
//! behind holds them too, they cost little to have again.

use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

/// Entries from this size on are looked at, in bytes.
pub const LARGE_FROM: u64 = 256 * 1024;

/// Who was not asked for so long is idle.
pub const IDLE_AFTER: Duration = Duration::from_secs(15);

struct Look<K, L> {
    at: Instant,
    key: K,
    life: Weak<L>,
}

/// When to look at which large entry. All wait equally long, so the queue is in the order of time.
pub struct Idle<K, L> {
    queue: VecDeque<Look<K, L>>,
}

impl<K, L> Default for Idle<K, L> {
    fn default() -> Self {
        Self { queue: VecDeque::new() }
    }
}

impl<K, L> Idle<K, L> {
    /// Notes at `now` that an entry is held under `key` for as long as `life` lasts. `entries` are
    /// held; the queue stays at most about twice as long.
    pub fn add(&mut self, key: K, now: Instant, life: &Rc<L>, entries: u64) {
        let entries = usize::try_from(entries).unwrap_or(usize::MAX);
        if self.queue.len() > entries.saturating_mul(2).saturating_add(1_024) {
            self.queue.retain(|look| look.life.strong_count() > 0);
        }
        self.queue.push_back(Look { at: now + IDLE_AFTER, key, life: Rc::downgrade(life) });
    }

    /// Takes the key of the next entry that is idle at `now`; those of which `was_asked` says that they
    /// were asked for since it was last called are looked at again.
    pub fn next(&mut self, now: Instant, was_asked: impl Fn(&L) -> bool) -> Option<K> {
        loop {
            let mut look = self.queue.pop_front_if(|look| look.at <= now)?;
            let Some(life) = look.life.upgrade() else { continue };
            if !was_asked(&life) {
                return Some(look.key);
            }
            look.at = now + IDLE_AFTER;
            self.queue.push_back(look);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::clock::{Clock, ManualClock};

    #[test]
    fn who_is_asked_for_again_and_again_stays_and_who_has_gone_is_no_matter() {
        let start = ManualClock::new().now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut idle = Idle::default();
        let [idler, worker, gone] = [(); 3].map(|()| Rc::new(Cell::new(false)));
        for (key, asked) in [("idler", &idler), ("worker", &worker), ("gone", &gone)] {
            idle.add(key, at(0), asked, 3);
        }
        let mut next = |seconds| idle.next(at(seconds), |asked| asked.replace(false));
        drop(gone);
        worker.set(true);
        assert_eq!(next(14), None);
        assert_eq!(next(15), Some("idler"));
        assert_eq!(next(15), None);
        worker.set(true);
        assert_eq!(next(30), None);
        assert_eq!(next(44), None, "asked for in the second while");
        assert_eq!(next(45), Some("worker"));
        assert!(idle.queue.is_empty());
    }

    #[test]
    fn the_queue_does_not_grow_with_what_comes_and_goes() {
        let now = ManualClock::new().now();
        let mut idle = Idle::default();
        for number in 0..100_000 {
            idle.add(number, now, &Rc::new(()), 10);
        }
        assert!(idle.queue.len() <= 1_046, "{}", idle.queue.len());
    }
}
