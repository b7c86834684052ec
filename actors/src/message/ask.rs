//! The one way to ask an actor.

use std::time::Duration;

use actix::{MailboxError, Message};

use super::Slot;
use crate::error::AskError;

/// Asks the actor in `slot` and waits for its answer, at most for `deadline`.
///
/// A bare `send` has no deadline (DESIGN A7) and no bound (A3): the slot counts what is in
/// flight, and the callers' own permits bound it.
///
/// # Errors
///
/// [`AskError::Closed`] when no actor is in the slot or it died on the way,
/// [`AskError::TimedOut`] after `deadline`.
pub async fn ask<M>(slot: &Slot<M>, message: M, deadline: Duration) -> Result<M::Result, AskError>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    let recipient = slot.current().ok_or(AskError::Closed)?;
    let _in_flight = slot.enter();
    match tokio::time::timeout(deadline, recipient.send(message)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(MailboxError::Closed)) => Err(AskError::Closed),
        Ok(Err(MailboxError::Timeout)) | Err(_) => Err(AskError::TimedOut(deadline)),
    }
}
