//! The contract between actors: what they are asked and told, and how.
//!
//! A question is sent by [`ask()`], always with a deadline. An event that may be lost is sent by
//! [`Slot::tell`], which never waits.

mod ask;
mod claim;
mod conversation;
mod level;
mod local_model;
mod memory;
mod observe;
mod purge;
mod sizing;
mod slot;
mod telemetry;
mod warming;

pub use ask::ask;
pub use claim::{Claim, ClaimToken, Claimed, Release, Renew};
pub use conversation::{Append, ConversationHandle, Forget, Look, Recall, TurnHold};
pub use level::{
    Flush, Holds, Insert, InsertKind, InsertOutcome, LevelHandle, Lookup, LookupMany, Peek, Touched,
};
pub use local_model::Load;
pub use memory::{
    CleanUp, Cleaning, MemoryHandle, MemoryReport, ObserveMemory, PressureChanged, RegisterCleaner,
    Subscribe,
};
#[cfg(feature = "fault-injection")]
pub use observe::Panic;
pub use observe::{ActorState, Ping, Report};
pub use purge::{
    CatchUp, HearPurges, HeardPurges, Place, Purge, PurgeHandle, Purged, PurgesChanged,
    RecordPurges, RecordedPurges, next_contact,
};
pub use sizing::{BudgetShare, ObserveEvictions, OriginCalls, Resize, WarmRoom, WarmingWorth};
pub use slot::Slot;
pub use warming::{Promote, Readiness, Warm, Warmed};
