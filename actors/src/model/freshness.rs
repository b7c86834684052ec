//! How long an answer may be served.

use std::time::Duration;

/// When an answer was made and how long it may be served from then on.
///
/// Wall time, because it is stored and shared; a clock that steps back yields age 0, never a
/// negative one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// When the origin had finished the answer, in milliseconds since the Unix epoch.
    pub made_wall_ms: u64,
    /// How long it may be served from then on.
    pub lifetime: Duration,
}

impl Freshness {
    /// Returns the age at `wall_ms`, in milliseconds; 0 for an answer from the future.
    pub const fn age_ms(&self, wall_ms: u64) -> u64 {
        wall_ms.saturating_sub(self.made_wall_ms)
    }

    /// Returns how much longer the answer may be served; zero when stale.
    pub fn remaining(&self, wall_ms: u64) -> Duration {
        self.lifetime.saturating_sub(Duration::from_millis(self.age_ms(wall_ms)))
    }

    /// Tells whether the answer may be served at `wall_ms` (RFC 9111 §4.2).
    pub fn is_fresh(&self, wall_ms: u64) -> bool {
        !self.remaining(wall_ms).is_zero()
    }

    /// Returns the wall time at which it turns stale, in milliseconds since the Unix epoch.
    pub fn stale_at_ms(&self) -> u64 {
        let lifetime_ms = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        self.made_wall_ms.saturating_add(lifetime_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_fresh_for_its_lifetime_and_not_a_millisecond_longer() {
        let freshness = Freshness { made_wall_ms: 1_000, lifetime: Duration::from_millis(500) };
        for (at, fresh, age) in
            [(1_000, true, 0), (1_499, true, 499), (1_500, false, 500), (900, true, 0)]
        {
            assert_eq!(freshness.is_fresh(at), fresh, "at {at}");
            assert_eq!(freshness.age_ms(at), age, "at {at}");
        }
    }
}
