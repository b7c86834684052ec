//! One process takes over from another: the new program answers on the sockets of the old one, which
//! then ends. No connection is refused or reset between them.
//!
//! The old process starts its own command anew with one end of a channel as standard input, on which the
//! open sockets are passed (`channel`); the new one says on it when it answers. [`Successor`] is how
//! the old one sees the new one, [`Predecessor`] the reverse.

mod channel;
mod predecessor;
mod successor;

pub use self::predecessor::Predecessor;
pub use self::successor::{Successor, SuccessorError};
