//! A quota that all workers share: one atomic number, no lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anteroom_actors::clock::SharedClock;

use super::{Left, Quota};

/// A quota and its state.
#[derive(Debug)]
pub struct Limit {
    quota: Quota,
    whole_at: AtomicU64,
}

/// The time as quotas count it.
#[derive(Clone)]
pub struct Timer {
    clock: SharedClock,
    started: Instant,
}

impl Timer {
    /// Starts to count, at 0.
    pub fn start(clock: SharedClock) -> Self {
        let started = clock.now();
        Self { clock, started }
    }

    /// Returns the time, in nanoseconds.
    pub fn now(&self) -> u64 {
        let passed = self.clock.now().saturating_duration_since(self.started);
        u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Limit {
    /// Creates a limit with a whole quota.
    pub const fn new(quota: Quota) -> Self {
        Self { quota, whole_at: AtomicU64::new(0) }
    }

    /// Returns the quota.
    pub const fn quota(&self) -> &Quota {
        &self.quota
    }

    /// Takes `units` and returns how many were taken; see [`Quota::take`].
    ///
    /// # Errors
    ///
    /// How long to wait.
    pub fn take(&self, now: u64, units: u64) -> Result<u64, Duration> {
        let mut whole_at = self.whole_at.load(Ordering::Relaxed);
        loop {
            let after = self.quota.take(whole_at, now, units)?;
            match self.replace(whole_at, after) {
                Ok(_) => return Ok(self.quota.capped(units)),
                Err(other) => whole_at = other,
            }
        }
    }

    /// Settles a use; see [`Quota::settle`].
    pub fn settle(&self, now: u64, taken: u64, used: u64) {
        let mut whole_at = self.whole_at.load(Ordering::Relaxed);
        while let Err(other) = self.replace(whole_at, self.quota.settle(whole_at, now, taken, used))
        {
            whole_at = other;
        }
    }

    /// Returns what is left.
    pub fn left(&self, now: u64) -> Left {
        self.quota.left(self.whole_at.load(Ordering::Relaxed), now)
    }

    /// Nothing else is published with the number: the order of other memory does not matter.
    fn replace(&self, expected: u64, new: u64) -> Result<u64, u64> {
        self.whole_at.compare_exchange_weak(expected, new, Ordering::Relaxed, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::sync::Arc;

    use anteroom_actors::clock::ManualClock;

    use super::*;

    #[test]
    fn many_threads_get_exactly_the_quota() {
        let limit = Limit::new(Quota::per_minute(NonZeroU64::new(1_000).unwrap()));
        let taken: usize = std::thread::scope(|scope| {
            let take = || (0..500).filter(|_| limit.take(7, 1).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 1_000);
        assert_eq!(limit.left(7).units, 0);
        limit.settle(7, 1_000, 400);
        assert_eq!(limit.left(7).units, 600);
    }

    #[test]
    fn the_timer_follows_its_clock() {
        let clock = ManualClock::new();
        let timer = Timer::start(Arc::<ManualClock>::clone(&clock));
        assert_eq!(timer.now(), 0);
        clock.advance(Duration::from_millis(5));
        assert_eq!(timer.now(), 5_000_000);
    }
}
