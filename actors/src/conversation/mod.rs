//! Histories of callers' conversations: in order, durable, bounded.

mod conversation_actor;
mod history;
mod turn_locks;

pub use conversation_actor::ConversationActor;
pub use history::within;
pub use turn_locks::TurnLocks;
