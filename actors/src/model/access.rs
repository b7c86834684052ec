//! What a request tells those who learn from traffic.

use super::{CacheKey, Outcome};

/// One request for an answer that may be kept.
///
/// Nothing in it leads back to a caller: scope and session are parts of keyed digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The answer's key.
    pub key: CacheKey,
    /// Who shares it; zero for all callers.
    pub scope: u64,
    /// Whose requests follow one another: the caller's conversation where it names one, else
    /// [`Self::scope`].
    pub session: u64,
    /// Until when the answer that was served is fresh, in milliseconds since the Unix epoch; zero
    /// where the origin was asked.
    pub fresh_until_ms: u64,
    /// Bytes of the body that was served, before any encoding; zero where that is not known yet.
    pub size_bytes: u32,
    /// How it was answered.
    pub outcome: Outcome,
}
