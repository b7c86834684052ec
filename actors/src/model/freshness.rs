//! How long an answer may be served.

use std::time::Duration;

/// When an answer was made and how long it may be served from then on.
///
/// Wall time, because it is stored and shared; a clock that steps back yields age 0, never a
/// negative one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freshness {
    /// When the origin had finished the answer, in milliseconds since the Unix epoch.
    pub made_wall_ms: u64,
    /// How long it may be served from then on.
    pub lifetime: Duration,
    /// How much longer it may be served while a new one is fetched (RFC 5861 §3).
    pub stale_while_revalidate: Duration,
    /// How much longer it may be served where the origin fails (RFC 5861 §4).
    pub stale_if_error: Duration,
}

/// For how long an answer may be served, from its making on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lifetimes {
    /// As [`Freshness::lifetime`].
    pub lifetime: Duration,
    /// As [`Freshness::stale_while_revalidate`].
    pub stale_while_revalidate: Duration,
    /// As [`Freshness::stale_if_error`].
    pub stale_if_error: Duration,
}

/// What may be done with an answer at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Serve it.
    Fresh,
    /// Serve it, and fetch a new one behind.
    WhileRevalidate,
    /// Fetch a new one; serve it only if that fails.
    IfError,
    /// Its time is over.
    Over,
}

impl Freshness {
    /// Begins the life of an answer made at `made_wall_ms`.
    pub const fn new(made_wall_ms: u64, lifetimes: Lifetimes) -> Self {
        let Lifetimes { lifetime, stale_while_revalidate, stale_if_error } = lifetimes;
        Self { made_wall_ms, lifetime, stale_while_revalidate, stale_if_error }
    }

    /// Returns the age at `wall_ms`, in milliseconds; 0 for an answer from the future.
    pub const fn age_ms(&self, wall_ms: u64) -> u64 {
        wall_ms.saturating_sub(self.made_wall_ms)
    }

    /// Returns how much longer the answer is fresh; zero when stale.
    pub fn remaining(&self, wall_ms: u64) -> Duration {
        self.lifetime.saturating_sub(Duration::from_millis(self.age_ms(wall_ms)))
    }

    /// Tells whether the answer is fresh at `wall_ms` (RFC 9111 §4.2).
    pub fn is_fresh(&self, wall_ms: u64) -> bool {
        !self.remaining(wall_ms).is_zero()
    }

    /// Returns what may be done with the answer at `wall_ms`.
    pub fn standing(&self, wall_ms: u64) -> Standing {
        let age = Duration::from_millis(self.age_ms(wall_ms));
        let Some(stale_for) = age.checked_sub(self.lifetime) else { return Standing::Fresh };
        if age < self.lifetime {
            Standing::Fresh
        } else if stale_for < self.stale_while_revalidate {
            Standing::WhileRevalidate
        } else if stale_for < self.stale_if_error {
            Standing::IfError
        } else {
            Standing::Over
        }
    }

    /// Returns how much longer the answer may be of any use; zero when its time is over.
    pub fn useful_for(&self, wall_ms: u64) -> Duration {
        self.whole_life().saturating_sub(Duration::from_millis(self.age_ms(wall_ms)))
    }

    /// Tells whether the answer may be of any use at `wall_ms`, fresh or stale.
    pub fn is_of_use(&self, wall_ms: u64) -> bool {
        !self.useful_for(wall_ms).is_zero()
    }

    /// Returns the wall time from which it is of no use, in milliseconds since the Unix epoch.
    pub fn over_at_ms(&self) -> u64 {
        let life_ms = u64::try_from(self.whole_life().as_millis()).unwrap_or(u64::MAX);
        self.made_wall_ms.saturating_add(life_ms)
    }

    fn whole_life(&self) -> Duration {
        self.lifetime.saturating_add(self.stale_while_revalidate.max(self.stale_if_error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freshness() -> Freshness {
        Freshness {
            made_wall_ms: 1_000,
            lifetime: Duration::from_millis(500),
            stale_while_revalidate: Duration::from_millis(100),
            stale_if_error: Duration::from_millis(300),
        }
    }

    #[test]
    fn an_answer_is_fresh_for_its_lifetime_and_not_a_millisecond_longer() {
        let freshness = freshness();
        for (at, fresh, age) in
            [(1_000, true, 0), (1_499, true, 499), (1_500, false, 500), (900, true, 0)]
        {
            assert_eq!(freshness.is_fresh(at), fresh, "at {at}");
            assert_eq!(freshness.age_ms(at), age, "at {at}");
        }
    }

    /// RFC 5861 §3 and §4: each window begins where freshness ends.
    #[test]
    fn stale_windows_follow_the_lifetime() {
        let freshness = freshness();
        for (at, standing) in [
            (0, Standing::Fresh),
            (1_499, Standing::Fresh),
            (1_500, Standing::WhileRevalidate),
            (1_599, Standing::WhileRevalidate),
            (1_600, Standing::IfError),
            (1_799, Standing::IfError),
            (1_800, Standing::Over),
            (u64::MAX, Standing::Over),
        ] {
            assert_eq!(freshness.standing(at), standing, "at {at}");
            assert_eq!(freshness.is_of_use(at), standing != Standing::Over, "at {at}");
        }
        assert_eq!(freshness.over_at_ms(), 1_800);
        let none = Freshness { made_wall_ms: 1, ..Freshness::default() };
        assert_eq!(none.standing(1), Standing::Over);
    }
}
