//! What L1 is told about the room it has, and the scaler about an origin's load.

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
