//! Large entries that nobody asks for. A few of them take the memory of thousands, and where a level
//! behind holds them too, they cost little to have again.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

/// Entries from this size on are looked at, in bytes.
pub const LARGE_FROM: u64 = 256 * 1024;

/// Who was not asked for so long is idle.
pub const IDLE_AFTER: Duration = Duration::from_secs(15);

/// Whether an entry was asked for since it was last looked at.
pub type Asked = Rc<Cell<bool>>;

struct Look<K> {
    at: Instant,
    key: K,
    asked: Weak<Cell<bool>>,
}

/// When to look at which large entry. All wait equally long, so the queue is in the order of time.
pub struct Idle<K> {
    queue: VecDeque<Look<K>>,
}

impl<K> Default for Idle<K> {
    fn default() -> Self {
        Self { queue: VecDeque::new() }
    }
}

impl<K> Idle<K> {
    /// Notes at `now` that an entry is held under `key` for as long as `asked` lives. `entries` are
    /// held; the queue stays at most about twice as long.
    pub fn add(&mut self, key: K, now: Instant, asked: &Asked, entries: u64) {
        let entries = usize::try_from(entries).unwrap_or(usize::MAX);
        if self.queue.len() > entries.saturating_mul(2).saturating_add(1_024) {
            self.queue.retain(|look| look.asked.strong_count() > 0);
        }
        self.queue.push_back(Look { at: now + IDLE_AFTER, key, asked: Rc::downgrade(asked) });
    }

    /// Takes the key of the next entry that is idle at `now`; those that are not are looked at again.
    pub fn next(&mut self, now: Instant) -> Option<K> {
        loop {
            let mut look = self.queue.pop_front_if(|look| look.at <= now)?;
            let Some(asked) = look.asked.upgrade() else { continue };
            if !asked.replace(false) {
                return Some(look.key);
            }
            look.at = now + IDLE_AFTER;
            self.queue.push_back(look);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};

    #[test]
    fn who_is_asked_for_again_and_again_stays_and_who_has_gone_is_no_matter() {
        let start = ManualClock::new().now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut idle = Idle::default();
        let [idler, worker, gone] = [(); 3].map(|()| Asked::default());
        for (key, asked) in [("idler", &idler), ("worker", &worker), ("gone", &gone)] {
            idle.add(key, at(0), asked, 3);
        }
        drop(gone);
        worker.set(true);
        assert_eq!(idle.next(at(14)), None);
        assert_eq!(idle.next(at(15)), Some("idler"));
        assert_eq!(idle.next(at(15)), None);
        worker.set(true);
        assert_eq!(idle.next(at(30)), None);
        assert_eq!(idle.next(at(44)), None, "asked for in the second while");
        assert_eq!(idle.next(at(45)), Some("worker"));
        assert!(idle.queue.is_empty());
    }

    #[test]
    fn the_queue_does_not_grow_with_what_comes_and_goes() {
        let now = ManualClock::new().now();
        let mut idle = Idle::default();
        for number in 0..100_000 {
            idle.add(number, now, &Asked::default(), 10);
        }
        assert!(idle.queue.len() <= 1_046, "{}", idle.queue.len());
    }
}
