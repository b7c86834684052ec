//! How purges reach every place an answer may lie.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::Message;

use super::Slot;
use crate::error::LevelError;
use crate::model::{Label, PurgeRecord};

/// Operator → purging: purge what has any of these labels, everywhere. It holds in this process when
/// the message is handled; the answer says where else.
///
/// Deadline: twice the time-out of a record, and a little. Loss: the caller hears that it is unknown
/// where the purge holds, and asks again.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Purged")]
pub struct Purge {
    /// What to purge; each on its own.
    pub labels: Vec<Label>,
}

/// The answer to [`Purge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// The latest generation that was given: answers made since are not covered.
    pub generation: u64,
    /// Whether L2 has recorded it.
    pub l2: Place,
    /// Whether L3 has recorded it.
    pub l3: Place,
}

/// Whether a purge holds in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It is recorded there: whoever reads there sees it.
    Seen,
    /// It could not be recorded there; it is offered again until it is.
    Failed(String),
    /// The level is off.
    Off,
}

impl Purged {
    /// Tells whether every place that is on has seen it.
    pub const fn is_complete(&self) -> bool {
        !matches!((&self.l2, &self.l3), (Place::Failed(_), _) | (_, Place::Failed(_)))
    }
}

/// Start → purging: answer once each level was asked for the purges it holds, whatever came of it.
///
/// Deadline: a second or two. Loss: the gateway serves, and hears of purges a moment later.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct CatchUp;

/// L2 → purging: another gateway has purged something; ask now. An event: loss costs what is left of
/// the polling interval.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct PurgesChanged;

/// Returns the number of a new contact with a level's server: later than all of this process before,
/// those of an actor's predecessors too.
pub fn next_contact() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed).saturating_add(1)
}

/// Purging → level: the purges recorded there since it was asked last; all of them after a new
/// contact with the level's server.
///
/// Deadline: a second. Loss: asked again at the next poll.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<HeardPurges, LevelError>")]
pub struct HearPurges;

/// The answer to [`HearPurges`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeardPurges {
    /// Which contact with the server this is: where it has grown, the records are all there are.
    pub contact: u64,
    /// What was recorded.
    pub records: Vec<PurgeRecord>,
}

/// Purging → level: record these purges, so that others and later starts see them.
///
/// Deadline: the time-out of a record. Loss: offered again at the next poll.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<RecordedPurges, LevelError>")]
pub struct RecordPurges {
    /// What to record; of two for one label the later stays.
    pub records: Arc<[PurgeRecord]>,
    /// Purges with an earlier generation are removed.
    pub forget_before: u64,
}

/// The answer to [`RecordPurges`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedPurges {
    /// As [`HeardPurges::contact`].
    pub contact: u64,
    /// The latest generation that is recorded there now.
    pub latest: u64,
}

/// The addresses of purging.
#[derive(Debug, Clone)]
pub struct PurgeHandle {
    /// Takes [`Purge`].
    pub purge: Slot<Purge>,
    /// Takes [`CatchUp`].
    pub catch_up: Slot<CatchUp>,
    /// Takes [`PurgesChanged`].
    pub changed: Slot<PurgesChanged>,
    /// Takes [`super::Flush`].
    pub flush: Slot<super::Flush>,
}

impl PurgeHandle {
    /// Creates a handle with empty slots.
    pub fn new() -> Self {
        Self {
            purge: Slot::empty(),
            catch_up: Slot::empty(),
            changed: Slot::empty(),
            flush: Slot::empty(),
        }
    }
}

impl Default for PurgeHandle {
    fn default() -> Self {
        Self::new()
    }
}
