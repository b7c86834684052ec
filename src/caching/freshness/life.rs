//! What is kept of an answer's age and freshness.

use super::age::{Exchange, initial_age_ms};
use super::lifetime::{Heuristic, Lifetime};
use crate::caching::cache_control::ResponseDirectives;
use crate::caching::fields::{Fields, ms};
use crate::caching::sharing::Sharing;

/// What an answer's directives say of its use once it is stored. `Default` is an answer that says
/// nothing, as one of an AI route whose lifetime is the route's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// The origin is asked before each use (RFC 9111 §5.2.2.4).
    pub always_validate: bool,
    /// Once stale, the origin is asked before each use (§5.2.2.2; shared caches: §5.2.2.8,
    /// §5.2.2.10).
    pub never_stale: bool,
    /// How long after it turned stale it may be used while it is refreshed, in milliseconds
    /// (RFC 5861 §3). `None`: the answer says nothing, the route's window holds.
    pub while_revalidate_ms: Option<u64>,
    /// How long after it turned stale it may stand in for an error, in milliseconds (RFC 5861
    /// §4). `None`: the answer says nothing, the route's window holds.
    pub if_error_ms: Option<u64>,
}

impl Rules {
    /// Returns the rules that bind a cache of this kind.
    pub fn of(directives: &ResponseDirectives, sharing: Sharing) -> Self {
        let binds_shared = directives.proxy_revalidate || directives.s_maxage_s.is_some();
        Self {
            always_validate: directives.no_cache.is_whole(),
            never_stale: directives.must_revalidate || (sharing.is_shared() && binds_shared),
            while_revalidate_ms: directives.stale_while_revalidate_s.map(ms),
            if_error_ms: directives.stale_if_error_s.map(ms),
        }
    }
}

/// A stored answer's age and freshness, all in milliseconds.
///
/// Wall time, because it is stored and shared; a clock that steps back makes nothing younger than
/// it was when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it came, or was last confirmed, since the Unix epoch.
    pub received_ms: u64,
    /// Its age then.
    pub initial_age_ms: u64,
    /// How long it is fresh, from its making.
    pub lifetime_ms: u64,
    /// What its directives say.
    pub rules: Rules,
}

impl Life {
    /// Returns the life of an answer that has just come, or of a stored one that has just been
    /// confirmed, with its updated fields.
    pub fn of<'a>(
        fields: impl Fields<'a>,
        status: u16,
        directives: &ResponseDirectives,
        sharing: Sharing,
        exchange: Exchange,
        heuristic: Heuristic,
    ) -> Self {
        let received_ms = exchange.received_ms;
        let lifetime =
            Lifetime::of(fields.clone(), status, directives, sharing, received_ms, heuristic);
        Self {
            received_ms,
            initial_age_ms: initial_age_ms(fields, exchange),
            lifetime_ms: lifetime.ms,
            rules: Rules::of(directives, sharing),
        }
    }

    /// Returns the life of an entry of which only the making and the lifetime are known.
    pub const fn since(made_ms: u64, lifetime_ms: u64, rules: Rules) -> Self {
        Self { received_ms: made_ms, initial_age_ms: 0, lifetime_ms, rules }
    }

    /// Returns when it was made, as this clock counts; 0 for what is older than the epoch.
    pub const fn made_ms(&self) -> u64 {
        self.received_ms.saturating_sub(self.initial_age_ms)
    }

    /// Returns its age (`current_age`, RFC 9111 §4.2.3).
    pub const fn age_ms(&self, now_ms: u64) -> u64 {
        self.initial_age_ms.saturating_add(now_ms.saturating_sub(self.received_ms))
    }

    /// Returns its age as the Age field says it: whole seconds, at most 2^31 (§5.1, §1.2.2).
    pub fn age_s(&self, now_ms: u64) -> u64 {
        (self.age_ms(now_ms) / 1_000).min(u64::from(crate::caching::fields::FOREVER_S))
    }

    /// Returns how much longer it is fresh; 0 when stale.
    pub const fn remaining_ms(&self, now_ms: u64) -> u64 {
        self.lifetime_ms.saturating_sub(self.age_ms(now_ms))
    }

    /// Returns how long it has been stale; 0 when fresh.
    pub const fn staleness_ms(&self, now_ms: u64) -> u64 {
        self.age_ms(now_ms).saturating_sub(self.lifetime_ms)
    }

    /// Tells whether its lifetime is longer than its age (§4.2).
    pub const fn is_fresh(&self, now_ms: u64) -> bool {
        self.lifetime_ms > self.age_ms(now_ms)
    }

    /// Makes it stale from its making on, as invalidation does (§4.4, §4.3.5): no window is left,
    /// the origin is asked before its next use.
    #[must_use]
    pub const fn invalidated(self) -> Self {
        Self { lifetime_ms: 0, rules: Rules { always_validate: true, ..self.rules }, ..self }
    }
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
