//! What a forecast is told and what it says.

use super::gate::Bucket;
use crate::model::CacheKey;

/// Where a request found its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundIn {
    /// In L1.
    L1,
    /// In a level beyond; L1 was filled by it.
    Beyond,
    /// Nowhere: the origin was asked, and L1 filled.
    Nowhere,
}

/// A request, as far as something is learned from it.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// What was asked for.
    pub key: CacheKey,
    /// Whose requests follow one another.
    pub session: u64,
    /// Whether the session is one of several that share answers.
    pub is_one_of_many: bool,
    /// Where it was found.
    pub found: FoundIn,
    /// How long the answer is fresh from now on, where that is known, in milliseconds.
    pub fresh_for_ms: Option<u64>,
    /// When, on a clock that does not go back, in milliseconds.
    pub at_ms: u64,
}

/// What is proposed to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Bring it from L2 or L3 to L1: free.
    Promote,
    /// Fetch a new answer before the present one runs out: costs a call.
    Refresh,
    /// Fetch an answer that has run out: costs a call.
    Regenerate,
}

impl Act {
    /// Returns the word in metrics and in the operations API.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Refresh => "refresh",
            Self::Regenerate => "regenerate",
        }
    }

    /// Tells whether it costs a call of the origin.
    pub const fn calls(self) -> bool {
        !matches!(self, Self::Promote)
    }
}

/// A proposal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proposal {
    /// Of what.
    pub key: CacheKey,
    /// What is to be done.
    pub act: Act,
    /// By which its end is judged.
    pub bucket: Bucket,
    /// How sure it is, from 0 to 1.
    pub confidence: f64,
    /// Whether it is only watched if it comes true: nothing is to be done but to look whether there
    /// would be something to do.
    pub is_trial: bool,
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It is in L1 now, and its answer fresh for so long, where that is known, in milliseconds. Of a
    /// trial: it would be.
    Loaded(Option<u64>),
    /// It was there already.
    Present,
    /// It was not to be had, or not admitted.
    Not,
}

/// What became of all warmings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Brought to L1 or fetched.
    pub done: u64,
    /// Of these, calls of the origin.
    pub calls: u64,
    /// Asked for in time.
    pub used: u64,
    /// Not, as far as is known yet.
    pub wasted: u64,
}
