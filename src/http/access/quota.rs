//! How much may be used in a minute, refilled evenly.
//!
//! The generic cell rate algorithm (ITU-T I.371, the leaky bucket as a meter): one number, the time
//! at which all that was used is refilled, holds the whole state. Integers only, in nanoseconds.

use std::num::NonZeroU64;
use std::time::Duration;

const MINUTE_NS: u64 = 60_000_000_000;

/// Longest debt: what a call cost beyond its estimate is paid back for at most so long.
const MAX_DEBT_NS: u64 = 60 * MINUTE_NS;

/// A quota a minute.
///
/// The state it works on is the time in nanoseconds at which it will be whole again; one that is in
/// the past, 0 at the start, is a whole quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    limit: NonZeroU64,
    /// Time in which one unit is refilled, rounded up: never more than the limit.
    interval_ns: u64,
}

/// What is left of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Whole units that may be used at once.
    pub units: u64,
    /// Time until the quota is whole again.
    pub whole_in: Duration,
}

impl Quota {
    /// Creates a quota of `limit` units a minute, all of which may be used at once.
    pub const fn per_minute(limit: NonZeroU64) -> Self {
        Self { limit, interval_ns: MINUTE_NS.div_ceil(limit.get()) }
    }

    /// Returns the limit.
    pub const fn limit(&self) -> u64 {
        self.limit.get()
    }

    /// Returns what is taken of the quota for a use of `units`: more than the whole counts as the
    /// whole, or it could never be allowed.
    pub fn capped(&self, units: u64) -> u64 {
        units.min(self.limit.get())
    }

    /// Takes `units`, capped, and returns the new state.
    ///
    /// # Errors
    ///
    /// How long to wait until there will be as many, if nobody else takes some. Nothing is taken.
    pub fn take(&self, whole_at: u64, now: u64, units: u64) -> Result<u64, Duration> {
        let after = whole_at.max(now).saturating_add(self.time_of(self.capped(units)));
        let latest = now.saturating_add(self.time_of(self.limit.get()));
        if after > latest {
            return Err(Duration::from_nanos(after - latest));
        }
        Ok(after)
    }

    /// Puts right that `taken` units were taken for a use that cost `used`, and returns the new
    /// state. It may be a debt: nothing may be taken until it is paid back.
    pub fn settle(&self, whole_at: u64, now: u64, taken: u64, used: u64) -> u64 {
        if used <= taken {
            return whole_at.saturating_sub(self.time_of(taken - used));
        }
        let whole = now.saturating_add(self.time_of(self.limit.get()));
        let latest = whole.saturating_add(MAX_DEBT_NS).max(whole_at);
        whole_at.max(now).saturating_add(self.time_of(used - taken)).min(latest)
    }

    /// Returns what is left.
    pub fn left(&self, whole_at: u64, now: u64) -> Left {
        let missing_ns = whole_at.saturating_sub(now);
        let units = self.time_of(self.limit.get()).saturating_sub(missing_ns) / self.interval_ns;
        Left { units, whole_in: Duration::from_nanos(missing_ns) }
    }

    const fn time_of(&self, units: u64) -> u64 {
        units.saturating_mul(self.interval_ns)
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
