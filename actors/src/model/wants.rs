//! What a request accepts of what is kept (RFC 9111 §5.2.1).

use std::time::Duration;

use super::{Freshness, Standing};

/// A request's own conditions. The default accepts what the route's policy allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Wants {
    /// No answer older than this.
    pub max_age: Option<Duration>,
    /// No answer that is fresh for less than this.
    pub min_fresh: Option<Duration>,
    /// A stale answer, if it is stale for at most this.
    pub max_stale: Option<Duration>,
    /// Nothing that is kept: a new answer, which replaces the one that is kept.
    pub reload: bool,
    /// Nothing but what is kept.
    pub only_kept: bool,
}

/// What a request may do with a kept answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Serve it.
    Serve,
    /// Serve it, and fetch a new one behind.
    ServeAndRefresh,
    /// Serve it only where the origin fails, or says that it is still right.
    Fallback,
    /// Serve it only where the origin says that it is still right.
    Validate,
    /// Nothing.
    Leave,
}

impl Wants {
    /// Only a fresh answer.
    pub const FRESH: Self = Self {
        max_age: None,
        min_fresh: Some(Duration::ZERO),
        max_stale: None,
        reload: false,
        only_kept: false,
    };

    /// Tells whether the request has no conditions of its own.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Decides over a kept answer at `wall_ms`.
    ///
    /// Rule: RFC 9111 §4.2.4, §5.2.1.1–§5.2.1.4. What is not served may be of use still: the origin
    /// can be asked whether it is right. `max-age=0` takes nothing unasked. A request that names an age or a freshness takes nothing
    /// stale unless it names `max-stale` too, so the route's stale windows do not apply to it.
    pub fn judge(&self, freshness: &Freshness, wall_ms: u64) -> Use {
        let standing = freshness.standing(wall_ms);
        if standing == Standing::Over {
            return Use::Leave;
        }
        if self.reload {
            return Use::Validate;
        }
        let age = Duration::from_millis(freshness.age_ms(wall_ms));
        if self.max_age.is_some_and(|most| age > most || most.is_zero()) {
            return Use::Validate;
        }
        if self.min_fresh.is_some_and(|least| freshness.remaining(wall_ms) < least) {
            return Use::Validate;
        }
        if standing == Standing::Fresh {
            return Use::Serve;
        }
        let stale_for = age.saturating_sub(freshness.lifetime.get());
        if freshness.never_stale {
            return Use::Validate;
        }
        if self.max_stale.is_some_and(|most| stale_for <= most) {
            return Use::Serve;
        }
        if self.max_age.is_some() || self.min_fresh.is_some() {
            return Use::Validate;
        }
        match standing {
            Standing::WhileRevalidate => Use::ServeAndRefresh,
            Standing::IfError => Use::Fallback,
            Standing::Validate => Use::Validate,
            Standing::Fresh | Standing::Over => Use::Leave,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_request_takes_what_its_conditions_and_the_answers_age_allow() {
        let freshness = Freshness {
            made_wall_ms: 0,
            lifetime: secs(60).into(),
            stale_while_revalidate: secs(30).into(),
            stale_if_error: secs(300).into(),
            ..Freshness::default()
        };
        let none = Wants::default();
        let max_age = |seconds| Wants { max_age: Some(secs(seconds)), ..none };
        let min_fresh = |seconds| Wants { min_fresh: Some(secs(seconds)), ..none };
        let max_stale = |seconds| Wants { max_stale: Some(secs(seconds)), ..none };
        for (wants, age_s, expected) in [
            (none, 59, Use::Serve),
            (none, 60, Use::ServeAndRefresh),
            (none, 90, Use::Fallback),
            (none, 360, Use::Leave),
            (Wants { reload: true, ..none }, 0, Use::Validate),
            (Wants { reload: true, ..none }, 360, Use::Leave),
            (max_age(10), 10, Use::Serve),
            (max_age(10), 11, Use::Validate),
            (max_age(0), 0, Use::Validate),
            (max_age(600), 61, Use::Validate),
            (Wants { max_stale: Some(secs(5)), ..max_age(600) }, 61, Use::Serve),
            (min_fresh(10), 50, Use::Serve),
            (min_fresh(10), 51, Use::Validate),
            (Wants::FRESH, 59, Use::Serve),
            (Wants::FRESH, 61, Use::Validate),
            (max_stale(100), 160, Use::Serve),
            (max_stale(100), 161, Use::Fallback),
            (max_stale(1_000), 360, Use::Leave),
            (Wants { only_kept: true, ..none }, 61, Use::ServeAndRefresh),
        ] {
            let use_made = wants.judge(&freshness, age_s * 1_000);
            assert_eq!(use_made, expected, "{wants:?} at {age_s} s");
        }
    }

    /// RFC 9111 §4.2.4, §5.2.2.2: what the origin wants to be asked about first is served to nobody
    /// unasked, whatever he takes.
    #[test]
    fn what_must_be_validated_is_served_to_nobody_unasked() {
        let kept = Freshness {
            lifetime: secs(60).into(),
            keep_to_validate: secs(60).into(),
            ..Freshness::default()
        };
        let never = Freshness { never_stale: true, ..kept };
        let none = Wants::default();
        let lax = Wants { max_stale: Some(Duration::MAX), ..none };
        for (freshness, wants, age_s, expected) in [
            (kept, none, 59, Use::Serve),
            (kept, none, 60, Use::Validate),
            (kept, none, 120, Use::Leave),
            (kept, lax, 60, Use::Serve),
            (kept, lax, 120, Use::Leave),
            (never, lax, 59, Use::Serve),
            (never, lax, 60, Use::Validate),
        ] {
            let use_made = wants.judge(&freshness, age_s * 1_000);
            assert_eq!(use_made, expected, "{wants:?} at {age_s} s");
        }
    }
}
