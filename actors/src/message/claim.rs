//! What a flight tells L2 of its call, so that gateways on one Redis make it once.

use std::fmt;
use std::time::Duration;

use actix::Message;

use crate::error::LevelError;
use crate::model::CacheKey;

/// Names the flight that claims a key; another flight, here or elsewhere, has another one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClaimToken {
    /// Drawn at random by each resolver.
    pub resolver: u64,
    /// Number of the flight there.
    pub flight: u64,
}

impl fmt::Display for ClaimToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.resolver, self.flight)
    }
}

/// Shows which flight it is, and not what would let another end its claim.
impl fmt::Debug for ClaimToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClaimToken({})", self.flight)
    }
}

/// Flight → L2: the origin will be asked for `key` by this flight alone, unless another one said so
/// before.
///
/// Deadline: L2's own. Loss, or an error: unknown, the flight goes on as if nobody else were there.
/// A claim whose answer was lost ends with its lease.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Claimed, LevelError>")]
pub struct Claim {
    /// Which answer.
    pub key: CacheKey,
    /// Whose claim it is.
    pub token: ClaimToken,
    /// How long it holds without a [`Renew`].
    pub lease: Duration,
}

/// The answer to [`Claim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The claim holds.
    Granted {
        /// Whether something is kept under the key: it may have come since the lookup.
        kept: bool,
    },
    /// Another flight has claimed the key.
    Held,
    /// The last call brought nothing that is kept: everyone goes without a claim for a while.
    Alone,
}

/// Flight → L2: its call goes on. An event: loss shortens the claim.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Renew {
    /// Which answer.
    pub key: CacheKey,
    /// Whose claim it is; another one's is left as it is.
    pub token: ClaimToken,
    /// How long it holds from now on.
    pub lease: Duration,
}

/// Flight → L2: its call is over. Control: at most one a flight. Loss: the claim ends with its lease.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Release {
    /// Which answer.
    pub key: CacheKey,
    /// Whose claim it is; another one's is left as it is.
    pub token: ClaimToken,
    /// Whether L2 holds the answer now. Otherwise those who wait go at once, each for itself.
    pub kept: bool,
}
