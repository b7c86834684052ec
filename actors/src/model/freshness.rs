//! How long an answer may be served.

use std::time::Duration;

use super::Millis;

/// How far the clocks of gateways that share answers may be apart, in milliseconds.
pub const MAX_AHEAD_MS: u64 = 60_000;

/// When an answer was made and how long it may be served from then on.
///
/// Wall time, because it is stored and shared; a clock that steps back yields age 0, never a
/// negative one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freshness {
    /// When the origin had finished the answer, in milliseconds since the Unix epoch.
    pub made_wall_ms: u64,
    /// Its age then: an answer of a cache further on is older than its arrival (RFC 9111 §4.2.3).
    pub initial_age: Millis,
    /// How long it may be served from then on.
    pub lifetime: Millis,
    /// How much longer it may be served while a new one is fetched (RFC 5861 §3).
    pub stale_while_revalidate: Millis,
    /// How much longer it may be served where the origin fails (RFC 5861 §4).
    pub stale_if_error: Millis,
    /// How much longer it is kept to ask the origin whether it is still right (RFC 9111 §4.3);
    /// zero for one that has nothing to ask by.
    pub keep_to_validate: Millis,
    /// Whether the origin forbids to serve it once it is stale, whoever would take it
    /// (RFC 9111 §4.2.4, §5.2.2.2).
    pub never_stale: bool,
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
    /// As [`Freshness::keep_to_validate`].
    pub keep_to_validate: Duration,
    /// As [`Freshness::never_stale`].
    pub never_stale: bool,
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
    /// Ask the origin whether it is still right; serve it only if so.
    Validate,
    /// Its time is over.
    Over,
}

impl Freshness {
    /// Begins the life of an answer that was finished at `made_wall_ms` and had `initial_age` then.
    pub const fn new(made_wall_ms: u64, initial_age: Duration, lifetimes: Lifetimes) -> Self {
        let Lifetimes {
            lifetime,
            stale_while_revalidate,
            stale_if_error,
            keep_to_validate,
            never_stale,
        } = lifetimes;
        Self {
            made_wall_ms,
            initial_age: Millis::of(initial_age),
            lifetime: Millis::of(lifetime),
            stale_while_revalidate: Millis::of(stale_while_revalidate),
            stale_if_error: Millis::of(stale_if_error),
            keep_to_validate: Millis::of(keep_to_validate),
            never_stale,
        }
    }

    /// Returns the age at `wall_ms`, in milliseconds; an answer from the near future is as old as it was
    /// when it came. Where it is further ahead than `MAX_AHEAD_MS` a clock was set back, and nobody
    /// knows its age: its life is over, or it would live as much longer as the clock was set back.
    pub fn age_ms(&self, wall_ms: u64) -> u64 {
        let initial_ms = self.initial_age.as_u64();
        if self.made_wall_ms.saturating_sub(wall_ms) > MAX_AHEAD_MS {
            return self.whole_life_ms().max(initial_ms);
        }
        wall_ms.saturating_sub(self.made_wall_ms).saturating_add(initial_ms)
    }

    /// Returns how much longer the answer is fresh; zero when stale.
    pub fn remaining(&self, wall_ms: u64) -> Duration {
        let lifetime_ms = self.lifetime.as_u64();
        Duration::from_millis(lifetime_ms.saturating_sub(self.age_ms(wall_ms)))
    }

    /// Tells whether the answer is fresh at `wall_ms` (RFC 9111 §4.2).
    pub fn is_fresh(&self, wall_ms: u64) -> bool {
        self.age_ms(wall_ms) < self.lifetime.as_u64()
    }

    /// Returns what may be done with the answer at `wall_ms`.
    pub fn standing(&self, wall_ms: u64) -> Standing {
        let Some(stale_for) = self.age_ms(wall_ms).checked_sub(self.lifetime.as_u64()) else {
            return Standing::Fresh;
        };
        let stale_for = Millis::new(stale_for);
        if stale_for < self.stale_while_revalidate {
            Standing::WhileRevalidate
        } else if stale_for < self.stale_if_error {
            Standing::IfError
        } else if stale_for < self.keep_to_validate {
            Standing::Validate
        } else {
            Standing::Over
        }
    }

    /// Returns how much longer the answer may be of any use; zero when its time is over.
    pub fn useful_for(&self, wall_ms: u64) -> Duration {
        Duration::from_millis(self.whole_life_ms().saturating_sub(self.age_ms(wall_ms)))
    }

    /// Tells whether the answer may be of any use at `wall_ms`, fresh or stale.
    pub fn is_of_use(&self, wall_ms: u64) -> bool {
        !self.useful_for(wall_ms).is_zero()
    }

    /// Returns the wall time from which it is of no use, in milliseconds since the Unix epoch.
    pub fn over_at_ms(&self) -> u64 {
        let life_ms = self.whole_life_ms().saturating_sub(self.initial_age.as_u64());
        self.made_wall_ms.saturating_add(life_ms)
    }

    fn whole_life_ms(&self) -> u64 {
        let windows = self.stale_while_revalidate.max(self.stale_if_error);
        self.lifetime.as_u64().saturating_add(windows.max(self.keep_to_validate).as_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freshness() -> Freshness {
        Freshness {
            made_wall_ms: 1_000,
            lifetime: Millis::new(500),
            stale_while_revalidate: Millis::new(100),
            stale_if_error: Millis::new(300),
            ..Freshness::default()
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

    /// FAULTS "clock jump": no answer lives longer by a clock that is set back.
    #[test]
    fn an_answer_from_the_far_future_is_of_no_use() {
        let made = Freshness { made_wall_ms: 10 * MAX_AHEAD_MS, ..freshness() };
        let near = made.made_wall_ms - MAX_AHEAD_MS;
        assert_eq!((made.standing(near), made.age_ms(near)), (Standing::Fresh, 0));
        for at in [near - 1, 0] {
            assert_eq!(made.standing(at), Standing::Over, "at {at}");
            assert!(!made.is_fresh(at) && !made.is_of_use(at), "at {at}");
            assert_eq!(made.age_ms(at), 800, "at {at}: its whole life");
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
        let kept = Freshness { keep_to_validate: Millis::new(900), ..freshness };
        for (at, standing) in [
            (1_799, Standing::IfError),
            (1_800, Standing::Validate),
            (2_399, Standing::Validate),
            (2_400, Standing::Over),
        ] {
            assert_eq!(kept.standing(at), standing, "at {at}");
        }
        let none = Freshness { made_wall_ms: 1, ..Freshness::default() };
        assert_eq!(none.standing(1), Standing::Over);
    }

    /// RFC 9111 §4.2.3: what was old when it came is stale, and over, so much sooner.
    #[test]
    fn an_answer_that_came_old_ages_from_there() {
        let old = Freshness { initial_age: Millis::new(450), ..freshness() };
        assert_eq!((old.age_ms(1_000), old.age_ms(0)), (450, 450));
        for (at, standing) in [
            (1_049, Standing::Fresh),
            (1_050, Standing::WhileRevalidate),
            (1_349, Standing::IfError),
            (1_350, Standing::Over),
        ] {
            assert_eq!(old.standing(at), standing, "at {at}");
        }
        assert_eq!(old.over_at_ms(), 1_350);
        assert_eq!(old.remaining(1_000), Duration::from_millis(50));
    }
}
