//! The signals that the gateway heeds.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::ServeError;

/// The signals that stop the gateway.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen for them.
    pub(super) fn listen() -> Result<Self, ServeError> {
        let terminate = Self::of(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: Self::of(SignalKind::interrupt())? })
    }

    /// Returns the signals to read the settings anew.
    pub(super) fn hangups() -> Result<Signal, ServeError> {
        Self::of(SignalKind::hangup())
    }

    /// Returns the signals to have another process take over.
    pub(super) fn restarts() -> Result<Signal, ServeError> {
        Self::of(SignalKind::user_defined2())
    }

    fn of(kind: SignalKind) -> Result<Signal, ServeError> {
        signal(kind).map_err(|source| ServeError::System { what: "listen for signals", source })
    }

    /// Waits for one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
