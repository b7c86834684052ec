//! How long an answer is fresh (RFC 9111 §4.2.1, §4.2.2, §5.3).

use crate::caching::cache_control::ResponseDirectives;
use crate::caching::date::parse_http_date;
use crate::caching::fields::{Fields, first, ms, values};
use crate::caching::sharing::Sharing;
use crate::caching::status::is_heuristically_cacheable;

/// The part of the time since the last change that an answer is taken to be fresh: one in ten.
const FRACTION: u64 = 10;

/// How long an answer is fresh of which the origin says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heuristic {
    /// The longest lifetime guessed from `Last-Modified`, in milliseconds; 0 guesses none.
    pub longest_ms: u64,
    /// The lifetime where there is no `Last-Modified` either, in milliseconds: the route's own. For
    /// statuses below 400 only: how long an error may be kept is for the origin to say.
    pub otherwise_ms: u64,
}

impl Heuristic {
    /// Nothing is guessed: without a word of the origin an answer is stale at once.
    pub const NONE: Self = Self { longest_ms: 0, otherwise_ms: 0 };
}

/// Where a lifetime comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifetimeSource {
    /// `s-maxage`, in a shared cache.
    SMaxAge,
    /// `max-age`.
    MaxAge,
    /// `Expires` less `Date`.
    Expires,
    /// Guessed.
    Heuristic,
    /// Nothing may be guessed of this status.
    Nothing,
}

/// How long an answer is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// In milliseconds.
    pub ms: u64,
    /// Who says so.
    pub source: LifetimeSource,
}

impl Lifetime {
    /// Returns the lifetime of an answer that came at `received_ms` (wall milliseconds).
    ///
    /// Rule: RFC 9111 §4.2.1, the first of `s-maxage` (shared caches), `max-age`, `Expires` less
    /// `Date`, heuristics. Values that cannot be read or that differ are 0 (§4.2.1, §5.3).
    pub fn of<'a>(
        fields: impl Fields<'a>,
        status: u16,
        directives: &ResponseDirectives,
        sharing: Sharing,
        received_ms: u64,
        heuristic: Heuristic,
    ) -> Self {
        let shared = directives.s_maxage_s.filter(|_| sharing.is_shared());
        if let Some(seconds) = shared {
            return Self { ms: ms(seconds), source: LifetimeSource::SMaxAge };
        }
        if let Some(seconds) = directives.max_age_s {
            return Self { ms: ms(seconds), source: LifetimeSource::MaxAge };
        }
        let date = first(fields.clone(), "date");
        let date_ms = date.and_then(|date| parse_http_date(date, received_ms));
        let date_ms = date_ms.unwrap_or(received_ms);
        if let Some(expires_ms) = expires_ms(fields.clone(), received_ms) {
            let ms = expires_ms.saturating_sub(date_ms);
            return Self { ms, source: LifetimeSource::Expires };
        }
        if may_guess(status, directives, sharing) {
            let otherwise_ms = if status < 400 { heuristic.otherwise_ms } else { 0 };
            let heuristic = Heuristic { otherwise_ms, ..heuristic };
            let ms = guess_ms(fields, date_ms, received_ms, heuristic);
            return Self { ms, source: LifetimeSource::Heuristic };
        }
        Self { ms: 0, source: LifetimeSource::Nothing }
    }
}

/// Returns when the Expires field says that the answer turns stale. Where it is there but is no
/// date, or dates differ, that is long past.
fn expires_ms<'a>(fields: impl Fields<'a>, received_ms: u64) -> Option<u64> {
    let mut lines = values(fields, "expires");
    let value = lines.next()?;
    let is_single = lines.all(|other| other == value);
    Some(parse_http_date(value, received_ms).filter(|_| is_single).unwrap_or(0))
}

/// Tells whether a lifetime may be guessed where none is given (§4.2.2, §5.2.2.7, §5.2.2.9).
const fn may_guess(status: u16, directives: &ResponseDirectives, sharing: Sharing) -> bool {
    is_heuristically_cacheable(status)
        || directives.public
        || (directives.private.is_whole() && !sharing.is_shared())
}

fn guess_ms<'a>(
    fields: impl Fields<'a>,
    date_ms: u64,
    received_ms: u64,
    heuristic: Heuristic,
) -> u64 {
    let Some(modified) = first(fields, "last-modified") else { return heuristic.otherwise_ms };
    let modified_ms = parse_http_date(modified, received_ms);
    let unchanged_ms = modified_ms.map_or(0, |modified_ms| date_ms.saturating_sub(modified_ms));
    (unchanged_ms / FRACTION).min(heuristic.longest_ms)
}

#[cfg(test)]
#[path = "lifetime_tests.rs"]
mod tests;
