//! What a cache level is asked and told. The same for all three.

use std::sync::Arc;

use actix::Message;

use super::{
    Claim, CleanUp, HearPurges, ObserveEvictions, RecordPurges, Release, Renew, Resize, Slot,
    WarmRoom,
};
use crate::error::LevelError;
use crate::model::{CacheKey, Entry, Form, Level};

/// Worker or flight → level: the entry of `key`, if it is there. It may be stale, if it is of use
/// still; a purged one counts as absent.
///
/// Deadline: what is left of the request's level budget. Loss: a miss.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<Arc<Entry>>, LevelError>")]
pub struct Lookup {
    /// Which answer.
    pub key: CacheKey,
    /// In which form it is wanted. L1 prefers that one where it holds several; the other levels hold
    /// one, which may be any.
    pub form: Form,
}

/// Worker → L1: the entries of many keys at once, in the order of `keys`; as [`Lookup`] for each.
///
/// Bound: 256 keys, which take L1 a fraction of a millisecond. Deadline and loss as of [`Lookup`].
#[derive(Debug, Clone, Message)]
#[rtype(result = "Vec<Option<Arc<Entry>>>")]
pub struct LookupMany {
    /// Which answers.
    pub keys: Vec<CacheKey>,
    /// In which form they are wanted.
    pub form: Form,
}

/// Operations → L1: the entry of `key`, as [`Lookup`] finds it, but not counted as a use.
///
/// Deadline: some milliseconds. Loss: as if it were not there.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<Arc<Entry>>")]
pub struct Peek {
    /// Which answer.
    pub key: CacheKey,
}

/// Warming → L1: is something held under `key`? No use of it; it may have run out.
///
/// Deadline: some milliseconds. Loss: it is not warmed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct Holds {
    /// Which answer.
    pub key: CacheKey,
}

/// Flight → level: keep `entry`. Sent off the response path.
///
/// Deadline: a second or two; the level answers before its server has. Loss: a later miss.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<InsertOutcome, LevelError>")]
pub struct Insert {
    /// What to keep.
    pub entry: Arc<Entry>,
    /// What it is to what is kept already.
    pub kind: InsertKind,
}

/// What an inserted entry is to what is kept already. Levels beyond L1 take [`Self::New`] only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertKind {
    /// It takes its place.
    New,
    /// Another form of it, made from it.
    Converted,
    /// The same, which has become heavier by its encodings; where it is gone it stays away.
    Encoded,
    /// Nobody has asked for it here: it waits for its first use in the room kept for such, or takes
    /// the place of an older one.
    Warmed,
}

/// What a level did with an [`Insert`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertOutcome {
    /// It is there now.
    Stored,
    /// It will be written behind.
    Queued,
    /// Not admitted: too large, already stale, or less wanted than what it would displace.
    Refused,
}

/// Worker → L1: what was answered from leases, so that recency and frequency stay true. An event:
/// loss makes L1 a little less wise.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Touched {
    /// Keys and how many hits each had, in the order of their first hits.
    pub hits: Vec<(CacheKey, u32)>,
}

/// Shutdown → level: answers when everything queued has been written or given up.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Flush;

/// The addresses of one level. A level that is off has empty slots and `enabled == false`.
#[derive(Debug, Clone)]
pub struct LevelHandle {
    /// Which level.
    pub level: Level,
    /// Whether the settings have it on.
    pub enabled: bool,
    /// Takes [`Lookup`].
    pub lookup: Slot<Lookup>,
    /// Takes [`LookupMany`]; L1 alone does.
    pub lookup_many: Slot<LookupMany>,
    /// Takes [`Peek`]; L1 alone.
    pub peek: Slot<Peek>,
    /// Takes [`Holds`]; L1 alone does.
    pub holds: Slot<Holds>,
    /// Takes [`Insert`].
    pub insert: Slot<Insert>,
    /// Takes [`Flush`].
    pub flush: Slot<Flush>,
    /// Takes [`HearPurges`]; L1 has nothing to tell.
    pub hear: Slot<HearPurges>,
    /// Takes [`RecordPurges`]; L1 keeps none.
    pub record: Slot<RecordPurges>,
    /// Takes [`Claim`]; L2 alone does.
    pub claim: Slot<Claim>,
    /// Takes [`Renew`]; L2 alone does.
    pub renew: Slot<Renew>,
    /// Takes [`Release`]; L2 alone does.
    pub release: Slot<Release>,
    /// Takes [`Resize`]; L1 alone does.
    pub resize: Slot<Resize>,
    /// Takes [`CleanUp`]; L1 alone does.
    pub clean_up: Slot<CleanUp>,
    /// Takes [`WarmRoom`]; L1 alone does.
    pub warm_room: Slot<WarmRoom>,
    /// Takes [`ObserveEvictions`]; L1 alone does.
    pub evictions: Slot<ObserveEvictions>,
}

impl LevelHandle {
    /// Creates a handle with empty slots.
    pub fn new(level: Level, enabled: bool) -> Self {
        Self {
            level,
            enabled,
            lookup: Slot::empty(),
            lookup_many: Slot::empty(),
            peek: Slot::empty(),
            holds: Slot::empty(),
            insert: Slot::empty(),
            flush: Slot::empty(),
            hear: Slot::empty(),
            record: Slot::empty(),
            claim: Slot::empty(),
            renew: Slot::empty(),
            release: Slot::empty(),
            resize: Slot::empty(),
            clean_up: Slot::empty(),
            warm_room: Slot::empty(),
            evictions: Slot::empty(),
        }
    }

    /// Returns how many asks wait for an answer of this level.
    pub fn in_flight(&self) -> usize {
        let claims = self.claim.in_flight();
        let lookups = self.lookup.in_flight() + self.lookup_many.in_flight();
        lookups + self.insert.in_flight() + self.flush.in_flight() + claims
    }
}
