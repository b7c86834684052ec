//! Errors that cross a boundary of this crate. Each says what was tried, who is at fault
//! and whether another try can help.

use std::time::Duration;

/// Who has to change something for the error to go away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The API consumer.
    Caller,
    /// The AI provider, or the way to it.
    Provider,
    /// Anteroom, or a server that belongs to it.
    Ours,
}

impl Fault {
    /// Returns the metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Provider => "provider",
            Self::Ours => "ours",
        }
    }
}

/// Why an actor gave no answer to an ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The actor is gone; the sentinel re-creates it.
    #[error("the actor asked is gone")]
    Closed,
    /// No answer within the deadline.
    #[error("the actor asked gave no answer in {} ms", .0.as_millis())]
    TimedOut(Duration),
}

impl AskError {
    /// Returns the metric label.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::TimedOut(_) => "timed_out",
        }
    }

    /// Returns who is at fault: always us.
    pub const fn fault(&self) -> Fault {
        Fault::Ours
    }

    /// Tells whether another try can help.
    pub const fn is_retryable(&self) -> bool {
        true
    }
}

/// Why a cache level could not do what it was asked. Never leaves the gateway: levels fail open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// The level is off, or its breaker is open: nothing was tried.
    #[error("skipped: {0}")]
    Skipped(&'static str),
    /// The level's server did not answer in time.
    #[error("no answer in {} ms from {what}", .waited.as_millis())]
    TimedOut {
        /// What was tried.
        what: &'static str,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The level's server cannot be reached or cut the connection.
    #[error("failed to reach {what}: {reason}")]
    Unreachable {
        /// What was tried.
        what: &'static str,
        /// The library's words, without secrets.
        reason: String,
    },
    /// The server answered, and said no.
    #[error("{what} was refused: {reason}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// The server's words.
        reason: String,
    },
    /// A stored record is not what was written.
    #[error("failed to decode a stored record: {0}")]
    Damaged(&'static str),
    /// A bounded queue of the level is full; the write was dropped.
    #[error("dropped: the queue of {0} is full")]
    Overloaded(&'static str),
}

impl LevelError {
    /// Returns the metric label.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Skipped(_) => "skipped",
            Self::TimedOut { .. } => "timed_out",
            Self::Unreachable { .. } => "unreachable",
            Self::Refused { .. } => "refused",
            Self::Damaged(_) => "damaged",
            Self::Overloaded(_) => "overloaded",
        }
    }

    /// Returns who is at fault: always us.
    pub const fn fault(&self) -> Fault {
        Fault::Ours
    }

    /// Tells whether another try can help.
    pub const fn is_retryable(&self) -> bool {
        !matches!(self, Self::Damaged(_) | Self::Refused { .. })
    }

    /// Tells whether the breaker counts this as a failure of the level's server.
    pub const fn trips_breaker(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Unreachable { .. })
    }
}

/// Why a turn of a conversation did not come about. Nothing of it was written, but for
/// [`Self::Unavailable`] at the end of a turn, after which nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversationError {
    /// Another turn was under way all the time.
    #[error("another turn of this conversation was under way for {} ms", .waited.as_millis())]
    Busy {
        /// How long it was waited for.
        waited: Duration,
    },
    /// Another turn was written meanwhile, or the conversation was removed.
    #[error("the conversation has changed meanwhile; send the message again")]
    Changed,
    /// The conversation has its largest size.
    #[error("the conversation holds {most} bytes, which is the most (conversation.max_size)")]
    Full {
        /// The bound, in bytes.
        most: u64,
    },
    /// The database did not answer, or said no.
    #[error("conversations cannot be read or written at present")]
    Unavailable(LevelError),
}

impl ConversationError {
    /// Returns the label of the error, which is its `code` for callers too.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "conversation_busy",
            Self::Changed => "conversation_changed",
            Self::Full { .. } => "conversation_full",
            Self::Unavailable(_) => "conversations_unavailable",
        }
    }

    /// Returns who is at fault.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Unavailable(_) => Fault::Ours,
            Self::Busy { .. } | Self::Changed | Self::Full { .. } => Fault::Caller,
        }
    }
}

/// Why a local model is not loaded. Whoever wanted it goes on without.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There is no model of this name.
    #[error("there is no local model {name}")]
    Unknown {
        /// The name.
        name: &'static str,
    },
    /// It could not be loaded.
    #[error("failed to load the local model {name}: {reason}")]
    Failed {
        /// The name.
        name: &'static str,
        /// Why.
        reason: String,
    },
    /// It could not be loaded a short time ago, and is not tried again yet.
    #[error("the local model {name} could not be loaded a moment ago")]
    FailedBefore {
        /// The name.
        name: &'static str,
    },
    /// As many as may be are loaded, none of them long enough to go.
    #[error("no room for the local model {name}: {most} are the most (models.max_loaded)")]
    NoRoom {
        /// The name.
        name: &'static str,
        /// The bound.
        most: usize,
    },
    /// Memory was short a moment ago.
    #[error("memory is too short for the local model {name}")]
    MemoryShort {
        /// The name.
        name: &'static str,
    },
    /// The load was given up, or too many wait for it.
    #[error("nobody waits for the local model {name} any more")]
    Interrupted {
        /// The name.
        name: &'static str,
    },
}

impl LoadError {
    /// Returns the label of the error.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown",
            Self::Failed { .. } => "failed",
            Self::FailedBefore { .. } => "failed_before",
            Self::NoRoom { .. } => "no_room",
            Self::MemoryShort { .. } => "memory_short",
            Self::Interrupted { .. } => "interrupted",
        }
    }
}

/// Why an origin gave no whole answer. `Clone`: everyone in a flight gets it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// No connection: refused, unknown host, TLS. Nothing was sent.
    #[error("failed to connect to upstream {upstream}: {reason}")]
    Connect {
        /// The upstream's name in the settings.
        upstream: String,
        /// Short reason for the caller: no addresses, no certificates.
        reason: &'static str,
    },
    /// The connection broke, or spoke something else than HTTP, before an answer's head was whole.
    #[error("upstream {upstream} broke off before it answered: {reason}")]
    NoAnswer {
        /// The upstream's name in the settings.
        upstream: String,
        /// Short reason for the caller.
        reason: &'static str,
    },
    /// No first byte, or nothing further, within the time-out named.
    #[error("upstream {upstream} gave no {awaited} within {} ms", .waited.as_millis())]
    TimedOut {
        /// The upstream's name in the settings.
        upstream: String,
        /// What did not come: `connection`, `first byte`, `next byte`, `end`.
        awaited: &'static str,
        /// The time-out that ran out.
        waited: Duration,
    },
    /// The answer began and did not end properly.
    #[error("upstream {upstream} cut its answer: {reason}")]
    Cut {
        /// The upstream's name in the settings.
        upstream: String,
        /// Short reason for the caller.
        reason: &'static str,
    },
    /// The answer is larger than may be held, and everyone who read it along is gone or too slow.
    #[error("the answer of upstream {upstream} is larger than may be held")]
    TooLarge {
        /// The upstream's name in the settings.
        upstream: String,
    },
    /// Everybody who waited has left, and finishing the call is not worth it or took too long.
    #[error("the call to upstream {upstream} was given up: nobody waits for it")]
    Abandoned {
        /// The upstream's name in the settings.
        upstream: String,
    },
    /// It has failed again and again, and is left alone for a while: nothing was sent.
    #[error("upstream {upstream} keeps failing and is not called at present; try again later")]
    BreakerOpen {
        /// The upstream's name in the settings.
        upstream: String,
        /// When another call may be let through.
        retry_after: Duration,
    },
    /// As many calls are under way as it takes, and this one waited in vain: nothing was sent.
    #[error("upstream {upstream} has as many calls under way as it takes; try again later")]
    Overloaded {
        /// The upstream's name in the settings.
        upstream: String,
        /// When there may be a place.
        retry_after: Duration,
    },
    /// Something of ours broke; the text tells no internals.
    #[error("the call to upstream {upstream} failed inside the gateway")]
    Internal {
        /// The upstream's name in the settings.
        upstream: String,
    },
}

impl OriginError {
    /// Returns the metric label.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::NoAnswer { .. } => "no_answer",
            Self::TimedOut { .. } => "timed_out",
            Self::Cut { .. } => "cut",
            Self::TooLarge { .. } => "too_large",
            Self::Abandoned { .. } => "abandoned",
            Self::BreakerOpen { .. } => "breaker_open",
            Self::Overloaded { .. } => "overloaded",
            Self::Internal { .. } => "internal",
        }
    }

    /// Returns who is at fault.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Internal { .. } => Fault::Ours,
            _ => Fault::Provider,
        }
    }

    /// Tells whether the origin was left alone: the call has cost nothing.
    pub const fn is_unsent(&self) -> bool {
        matches!(self, Self::BreakerOpen { .. } | Self::Overloaded { .. })
    }

    /// Tells whether the next asker may lead a new flight: only before any byte of an answer,
    /// and not after a time-out, which everyone has already waited for, nor past an open breaker or a
    /// full gate.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::NoAnswer { .. } | Self::Abandoned { .. })
    }
}
