//! Time, as something a test can hold in its hand.

use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Tells the time: a monotonic instant for waits, wall milliseconds for what is stored.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Returns the monotonic now; never goes back.
    fn now(&self) -> Instant;
    /// Returns milliseconds since the Unix epoch; may step either way.
    fn wall_ms(&self) -> u64;
}

/// A clock that every part can hold.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clocks.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall_ms(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A clock that moves only when told to.
#[cfg(any(test, feature = "testsuite"))]
#[derive(Debug)]
pub struct ManualClock {
    start: Instant,
    elapsed: parking_lot::Mutex<std::time::Duration>,
}

#[cfg(any(test, feature = "testsuite"))]
impl ManualClock {
    /// Wall time at the start: a round number, far from zero.
    pub const START_WALL_MS: u64 = 1_700_000_000_000;

    /// Creates a clock that stands at [`Self::START_WALL_MS`].
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            start: SystemClock.now(),
            elapsed: parking_lot::Mutex::new(std::time::Duration::ZERO),
        })
    }

    /// Moves both the monotonic and the wall clock forward by `step`.
    pub fn advance(&self, step: std::time::Duration) {
        *self.elapsed.lock() += step;
    }
}

#[cfg(any(test, feature = "testsuite"))]
impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.start + *self.elapsed.lock()
    }

    fn wall_ms(&self) -> u64 {
        let elapsed = u64::try_from(self.elapsed.lock().as_millis()).unwrap_or(u64::MAX);
        Self::START_WALL_MS.saturating_add(elapsed)
    }
}
