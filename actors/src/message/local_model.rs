//! What is asked of the actor of local models.

use actix::Message;

use crate::error::LoadError;

/// Anyone → local models: have this one in memory; answered once it is there. Who comes while it is being
/// loaded waits for the same load. Deadline: seconds. Loss: it is asked for again with its next use.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<(), LoadError>")]
pub struct Load {
    /// Which one.
    pub name: &'static str,
}
