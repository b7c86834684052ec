//! Time in the tests: bounds on waiting, never something to assert on.

use std::time::{Duration, Instant};

/// Longest wait for anything that should happen soon. Generous: it is met only by failures.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A point after which waiting is given up.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// Returns the deadline `wait` from now.
    pub fn after(wait: Duration) -> Self {
        Self(now() + wait)
    }

    /// Returns the time left, or `None` once it has passed.
    pub fn left(self) -> Option<Duration> {
        self.0.checked_duration_since(now()).filter(|left| !left.is_zero())
    }
}

/// Calls `probe` until it returns something, for at most `wait`.
///
/// For states of other processes that cannot be awaited as an event.
pub fn poll<T>(wait: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Deadline::after(wait);
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        deadline.left()?;
        pause(Duration::from_millis(10));
    }
}

/// Holds the thread up: between two looks at another process, and to play a slow peer.
#[expect(
    clippy::disallowed_methods,
    reason = "the one pause of the harness: another process sends no event to wait for"
)]
pub fn pause(length: Duration) {
    std::thread::sleep(length);
}

/// Returns the current instant, for benchmarks of a fault and for bounds.
#[expect(clippy::disallowed_methods, reason = "the harness bounds real waiting")]
pub fn now() -> Instant {
    Instant::now()
}
