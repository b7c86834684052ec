//! What is asked of the conversations' actor.

use std::any::Any;
use std::time::Duration;

use actix::Message;
use bytes::Bytes;

use super::{CleanUp, Flush, Slot};
use crate::error::ConversationError;
use crate::model::{ConversationId, History, HistoryVersion, Turn};

/// The right to the next turn of a conversation; dropping it lets the next asker have it.
pub struct TurnHold(#[expect(dead_code, reason = "its drop is what counts")] Box<dyn Any + Send>);

impl TurnHold {
    /// Wraps what is given back by its drop.
    pub fn new(held: impl Send + 'static) -> Self {
        Self(Box::new(held))
    }
}

impl std::fmt::Debug for TurnHold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TurnHold")
    }
}

/// Gateway → conversations: begin a turn, and what was said before? Waits for turns under way.
/// Deadline: `wait` and that of the database. Loss: the request fails, nothing is written.
#[derive(Debug, Message)]
#[rtype(result = "Result<(History, TurnHold), ConversationError>")]
pub struct Recall {
    /// The conversation.
    pub id: ConversationId,
    /// Longest wait for a turn that is under way.
    pub wait: Duration,
}

/// Gateway → conversations: end a turn. Answered once it is committed. Loss: the caller is told
/// that the turn may not be there.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConversationError>")]
pub struct Append {
    /// The conversation.
    pub id: ConversationId,
    /// What was said before, as [`Recall`] told it: the turn is the next one of exactly that.
    pub after: HistoryVersion,
    /// The conversation's system messages from now on.
    pub system: Bytes,
    /// What was said.
    pub turn: Turn,
    /// The right to it.
    pub hold: TurnHold,
}

/// Gateway → conversations: what was said? Waits for no turn.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<History>, ConversationError>")]
pub struct Look {
    /// The conversation.
    pub id: ConversationId,
}

/// Gateway → conversations: remove it; was there one?
#[derive(Debug, Message)]
#[rtype(result = "Result<bool, ConversationError>")]
pub struct Forget {
    /// The conversation.
    pub id: ConversationId,
    /// Longest wait for a turn that is under way.
    pub wait: Duration,
}

/// Where the conversations' actor is asked.
#[derive(Debug, Clone)]
pub struct ConversationHandle {
    /// Begins turns.
    pub recall: Slot<Recall>,
    /// Ends turns.
    pub append: Slot<Append>,
    /// Shows histories.
    pub look: Slot<Look>,
    /// Removes histories.
    pub forget: Slot<Forget>,
    /// Waits for what is being written.
    pub flush: Slot<Flush>,
    /// Lets histories leave memory.
    pub clean_up: Slot<CleanUp>,
}

impl ConversationHandle {
    /// Creates a handle without an actor.
    pub fn new() -> Self {
        Self {
            recall: Slot::empty(),
            append: Slot::empty(),
            look: Slot::empty(),
            forget: Slot::empty(),
            flush: Slot::empty(),
            clean_up: Slot::empty(),
        }
    }

    /// Returns how many asks wait for an answer.
    pub fn in_flight(&self) -> usize {
        self.recall.in_flight()
            + self.append.in_flight()
            + self.look.in_flight()
            + self.forget.in_flight()
    }
}

impl Default for ConversationHandle {
    fn default() -> Self {
        Self::new()
    }
}
