//! Histories of callers' conversations: in order, durable, bounded.

mod conversation_actor;
mod history;
mod recent;
mod remembered;
mod turn_locks;

pub use conversation_actor::ConversationActor;
pub use remembered::{InMemory, Remembered};
pub use turn_locks::TurnLocks;
