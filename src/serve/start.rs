//! What a process finds when it starts: sockets that are open already, and who started it.

use crate::listening::{Given, GivenError};
use crate::settings::{Taken, Told};
use crate::succession::Predecessor;

/// What there was before this process.
#[derive(Debug)]
pub struct Start {
    pub(super) given: Given,
    pub(super) predecessor: Option<Predecessor>,
    pub(super) told: Told,
}

/// What was passed to this process cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// By a service manager.
    #[error(transparent)]
    Given(#[from] GivenError),
    /// By the process before it.
    #[error("failed to take over from process {id}: {source}")]
    Predecessor {
        /// Which one.
        id: String,
        /// The system's words.
        source: std::io::Error,
    },
}

impl Start {
    /// Takes what was passed to this process; before it opens any file.
    ///
    /// # Errors
    ///
    /// When it is not what it should be.
    pub fn take(told: Told) -> Result<Self, StartError> {
        let predecessor = Predecessor::take(&told.predecessor)
            .map_err(|source| StartError::Predecessor { id: told.predecessor.clone(), source })?;
        Ok(match predecessor {
            Some((predecessor, sockets)) => {
                let given = Given::of_predecessor(sockets);
                Self { given, predecessor: Some(predecessor), told }
            }
            None => Self { given: Given::take(&told)?, predecessor: None, told },
        })
    }

    /// Returns the addresses that hold over the settings.
    pub fn taken(&self) -> Taken {
        self.given.taken()
    }
}
