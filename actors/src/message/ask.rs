//! The one way to ask an actor.

use std::future::Future;
use std::time::Duration;

use actix::{MailboxError, Message};

use super::Slot;
use crate::error::AskError;

/// Asks the actor in `slot` and waits for its answer, at most for `deadline`.
///
/// The message is in the mailbox when this returns, before the future is first polled: what is
/// asked of the same actor afterwards comes after it. A bare `send` has no deadline (DESIGN A7)
/// and no bound (A3): the slot counts what is in flight, and the callers' own permits bound it.
///
/// # Errors
///
/// [`AskError::Closed`] when no actor is in the slot or it died on the way,
/// [`AskError::TimedOut`] after `deadline`.
pub fn ask<M>(
    slot: &Slot<M>,
    message: M,
    deadline: Duration,
) -> impl Future<Output = Result<M::Result, AskError>> + use<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    let request = slot.current().map(|recipient| (recipient.send(message), slot.enter()));
    async move {
        let (request, _in_flight) = request.ok_or(AskError::Closed)?;
        match tokio::time::timeout(deadline, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(MailboxError::Closed)) => Err(AskError::Closed),
            Ok(Err(MailboxError::Timeout)) | Err(_) => Err(AskError::TimedOut(deadline)),
        }
    }
}
