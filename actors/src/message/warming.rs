//! What warming asks the resolver for: answers that nobody waits for.

use std::sync::Arc;
use std::time::Duration;

use actix::Message;

use super::InsertKind;
use crate::model::{CacheKey, Usage, Wants};
use crate::origin::OriginCall;

/// Warming → resolver: bring an answer from L2 or L3 to L1.
///
/// Deadline: some seconds. Loss: it is not warmed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Readiness")]
pub struct Promote {
    /// Which.
    pub key: CacheKey,
    /// Which kept answer will do.
    pub wants: Wants,
    /// Whether nothing is to be done where L1 holds it already.
    pub unless_held: bool,
    /// What it is to L1; nothing: only see whether it could be brought there.
    pub in_l1: Option<InsertKind>,
}

/// Warming → resolver: fetch an answer before anybody asks for it, by a flight that users may join,
/// unless one is under way.
///
/// Deadline: that of a call, minutes. Loss: what is under way goes on, its end is not known.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Warmed")]
pub struct Warm {
    /// What is asked.
    pub call: Arc<OriginCall>,
    /// Which kept answer makes a call needless.
    pub wants: Wants,
    /// What the answer is to L1.
    pub in_l1: InsertKind,
}

/// Whether an answer is there for who will ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It was brought, and is fresh for so long.
    Ready(Duration),
    /// L1 holds it, or a user's own flight brings it.
    Present,
    /// It is not to be had, not kept, or L1 does not take it.
    Absent,
}

/// What came of a [`Warm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warmed {
    /// Is it there?
    pub readiness: Readiness,
    /// Where the origin was called, what that cost, if it says so.
    pub call: Option<Option<Usage>>,
}

impl Warmed {
    /// Nothing was done.
    pub const NOTHING: Self = Self { readiness: Readiness::Absent, call: None };
}
