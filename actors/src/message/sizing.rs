//! What L1 and warming are told about the room they have, and the scaler about an origin's load.

use std::sync::Arc;

use actix::Message;

use crate::model::CallCounts;

/// Scaler → L1: hold at most so many bytes; the bound on entries moves with it. More room is there at
/// once, less is reached in bounded steps, the coldest entries going first. Answers the size that is
/// wanted now: L1 grows to sixteen times its first size at most.
///
/// Deadline: some milliseconds. Loss: the size stays, or is new without the asker's knowing.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "u64")]
pub struct Resize {
    /// Most bytes held, overhead included.
    pub max_bytes: u64,
}

/// Warming → L1: which share of its room warmed entries may take until their first use. 0, as at the
/// start, refuses them all; the room they do not fill is the others'.
///
/// An event; loss: the share stays.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct WarmRoom {
    /// From 0 to 0.5.
    pub share: f64,
}

/// Scaler → L1: how many entries were evicted since your start?
///
/// Deadline: a second. Loss: they are counted with the next answer.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "u64")]
pub struct ObserveEvictions;

/// Scaler → warming: use so much of the budget. Answers what its guesses were worth.
///
/// Deadline: a second. Loss: the share stays, and is told again with the next look.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "WarmingWorth")]
pub struct BudgetShare {
    /// In hundredths; at most 100.
    pub share: u64,
}

/// The answer to [`BudgetShare`].
#[derive(Debug, Clone, Copy, Default, PartialEq, actix::MessageResponse)]
pub struct WarmingWorth {
    /// Warmings that were asked for in time.
    pub used: u64,
    /// Those that were not.
    pub wasted: u64,
    /// The part of the latest ones that was.
    pub success: f64,
}

/// A gate → scaler: what a round of calls said about an origin's load.
///
/// An event; loss: the next round is judged without this one.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct OriginCalls {
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// What they said.
    pub counts: CallCounts,
}
