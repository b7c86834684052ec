//! How actors show themselves.

use actix::Message;

/// Sentinel → every actor: are you there, and how are you? Answered at once, without waiting
/// for anything. Deadline: the sentinel's interval. Loss: a late heartbeat.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Report")]
pub struct Ping;

/// An actor's own view of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Running, or degraded with the reason in `last_error`.
    pub state: ActorState,
    /// Work accepted and not finished, beyond the mailbox (flights, queued rows).
    pub pending: u64,
    /// The last error, without secrets or prompts.
    pub last_error: Option<String>,
    /// The actor's own numbers: name and value, in a fixed order. The names are listed in the
    /// gateway's `telemetry::names` and are documented there.
    pub counters: Vec<(&'static str, u64)>,
}

/// How an actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorState {
    /// Works.
    Running,
    /// There, but what it stands for is not (its server is away), or its heartbeat is late.
    Degraded,
    /// Died; a new one is on the way.
    Restarting,
    /// Off by the settings.
    Disabled,
}

impl ActorState {
    /// Returns the word in `/health/actors` and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Degraded => "degraded",
            Self::Restarting => "restarting",
            Self::Disabled => "disabled",
        }
    }
}

/// Test → any actor: panic in the handler.
#[cfg(feature = "fault-injection")]
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Panic;
