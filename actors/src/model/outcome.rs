//! How a request ended, and what the gateway thinks of an answer: data, so that headers,
//! metrics and logs use the same words.

use std::time::Duration;

use super::{Level, Lifetimes, Usage};

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// From a level, fresh.
    Hit(Level),
    /// From a level, stale.
    Stale,
    /// By an upstream call that this request led.
    Miss,
    /// By an upstream call that another request led.
    Coalesced,
    /// By an upstream call of its own, the cache left out.
    Bypass,
    /// With an error of the gateway's own: bad request, shed, upstream away.
    Error,
}

impl Outcome {
    /// All outcomes, for tables of counters.
    pub const ALL: [Self; 8] = [
        Self::Hit(Level::L1),
        Self::Hit(Level::L2),
        Self::Hit(Level::L3),
        Self::Miss,
        Self::Coalesced,
        Self::Bypass,
        Self::Error,
        Self::Stale,
    ];

    /// Returns the metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Hit(Level::L1) => "hit_l1",
            Self::Hit(Level::L2) => "hit_l2",
            Self::Hit(Level::L3) => "hit_l3",
            Self::Miss => "miss",
            Self::Coalesced => "coalesced",
            Self::Bypass => "bypass",
            Self::Error => "error",
            Self::Stale => "stale",
        }
    }

    /// Returns the position in [`Self::ALL`].
    pub const fn index(self) -> usize {
        match self {
            Self::Hit(level) => level.index(),
            Self::Miss => 3,
            Self::Coalesced => 4,
            Self::Bypass => 5,
            Self::Error => 6,
            Self::Stale => 7,
        }
    }
}

/// Whether a whole answer may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Keep it.
    Keep {
        /// How long it may be served.
        lifetimes: Lifetimes,
        /// What the call cost, where the answer says so.
        usage: Option<Usage>,
        /// How old it is now, where caches on the way have kept it; else zero.
        age: Duration,
    },
    /// Pass it on, keep nothing. The reason is a token for `Cache-Status` and metrics.
    Discard(&'static str),
}
