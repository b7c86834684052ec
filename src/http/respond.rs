//! Making responses: the stored or passed-on part, and what the gateway adds.
//!
//! Every answer of a cached route says how it came about: `Cache-Status` (RFC 9211), `X-Cache`,
//! `X-Cache-Level` on hits, `Age`, `Server-Timing`.

use std::fmt::Write as _;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{AGE, ETAG, HeaderMap, HeaderName, HeaderValue};
use anteroom_actors::model::{Entry, Header, Level};
use anteroom_actors::resolver::InsteadOf;
use bytes::Bytes;

use super::hit_texts::HitTexts;
use super::pieces;
use super::stored::{StoredHead, parse};

static CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
static X_CACHE: HeaderName = HeaderName::from_static("x-cache");
static X_CACHE_LEVEL: HeaderName = HeaderName::from_static("x-cache-level");
static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// How long the parts of a request took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timing {
    /// Asking the levels.
    pub cache: Duration,
    /// From the start of the upstream call to its head.
    pub upstream: Option<Duration>,
    /// From the request's arrival to the answer's head.
    pub total: Duration,
}

/// How an answer that is no hit came about.
#[derive(Debug, Clone, Copy)]
pub enum Forwarded {
    /// By an upstream call this request led.
    Miss {
        /// Why it went upstream (RFC 9211 §2.2).
        fwd: &'static str,
        /// Whether it is kept; `None` while that is not known.
        kept: Option<bool>,
        /// Why not, or what failed; a token.
        detail: Option<&'static str>,
    },
    /// By an upstream call another request led.
    Collapsed {
        /// What failed; a token.
        detail: Option<&'static str>,
    },
    /// A list of inputs, by a call for those that are not known.
    InPart {
        /// Whether another request led the call.
        collapsed: bool,
        /// Whether its answer is kept.
        kept: bool,
        /// How many inputs of how many were known.
        known: (usize, usize),
    },
    /// Past the cache, for this reason; a token.
    Bypass(&'static str),
}

/// Returns the response of a hit that took `total`.
pub fn hit(
    (entry, head): (&Entry, &StoredHead),
    level: Level,
    wall_ms: u64,
    total: Duration,
    texts: &HitTexts,
) -> HttpResponse {
    let age_s = entry.freshness.age_ms(wall_ms) / 1_000;
    // What is surely left at any moment of this second of its age.
    let second_ends_ms = age_s.saturating_add(1).saturating_mul(1_000);
    let ttl_s = entry.freshness.lifetime.as_u64().saturating_sub(second_ends_ms) / 1_000;
    let mut response = kept(entry, head, texts.cache_status(ttl_s, level), texts.timing(total));
    // None of these is kept with an answer: nothing is to be replaced, which would take longer.
    let headers = response.headers_mut();
    headers.append(X_CACHE.clone(), HeaderValue::from_static("HIT"));
    headers.append(X_CACHE_LEVEL.clone(), HeaderValue::from_static(level.as_str()));
    headers.append(AGE, texts.age(age_s));
    response
}

/// Returns the response with a stale answer of `level`; where the origin was asked, with what it said
/// instead.
///
/// Rule: RFC 9211 §2: an answer without the origin's part is a hit, with a negative time to live; one
/// for which the origin was asked in vain was forwarded as stale.
pub fn stale(
    entry: &Entry,
    head: &StoredHead,
    (level, instead_of): (Level, Option<InsteadOf>),
    wall_ms: u64,
    timing: HeaderValue,
) -> HttpResponse {
    let age_ms = entry.freshness.age_ms(wall_ms);
    let stale_ms = age_ms.saturating_sub(entry.freshness.lifetime.as_u64());
    // Rounded up: it has been stale for a part of this second at least, if only just now.
    let stale_s = stale_ms.div_ceil(1_000).max(1);
    let text = match instead_of {
        None => format!("anteroom; hit; ttl=-{stale_s}; detail={level}"),
        Some(InsteadOf { label, status, .. }) => {
            let status = status.map(|status| format!("; fwd-status={status}")).unwrap_or_default();
            format!("anteroom; fwd=stale{status}; ttl=-{stale_s}; detail=stale-if-error-{label}")
        }
    };
    let mut response = kept(entry, head, value(text), timing);
    let headers = response.headers_mut();
    headers.insert(X_CACHE.clone(), HeaderValue::from_static("STALE"));
    headers.insert(X_CACHE_LEVEL.clone(), HeaderValue::from_static(level.as_str()));
    headers.insert(AGE, HeaderValue::from(age_ms / 1_000));
    response
}

/// Returns the response with a kept answer that the origin has just called right.
///
/// Rule: RFC 9211 §2.2, `fwd` says why the origin was asked: the answer was stale, or the request did
/// not take it as it was.
pub fn validated(
    entry: &Entry,
    head: &StoredHead,
    (level, was_fresh): (Level, bool),
    wall_ms: u64,
    timing: HeaderValue,
) -> HttpResponse {
    let fwd = if was_fresh { "request" } else { "stale" };
    let ttl_s = entry.freshness.remaining(wall_ms).as_secs();
    let text = format!("anteroom; fwd={fwd}; fwd-status=304; ttl={ttl_s}; detail={level}");
    let mut response = kept(entry, head, value(text), timing);
    let headers = response.headers_mut();
    headers.insert(X_CACHE.clone(), HeaderValue::from_static("HIT"));
    headers.insert(X_CACHE_LEVEL.clone(), HeaderValue::from_static(level.as_str()));
    headers.insert(AGE, HeaderValue::from(entry.freshness.age_ms(wall_ms) / 1_000));
    response
}

/// Returns the names of the headers that say how an answer came about.
pub fn own_headers() -> [&'static HeaderName; 4] {
    [&CACHE_STATUS, &X_CACHE, &X_CACHE_LEVEL, &SERVER_TIMING]
}

fn kept(
    entry: &Entry,
    head: &StoredHead,
    cache_status: HeaderValue,
    timing: HeaderValue,
) -> HttpResponse {
    let body = head.body(entry);
    let mut response = pieces::response(head.status, body);
    let headers = response.headers_mut();
    for (name, value) in head.headers.iter() {
        headers.append(name.clone(), value.clone());
    }
    if let Some(etag) = head.etag(entry) {
        headers.append(ETAG, etag);
    }
    headers.append(CACHE_STATUS.clone(), cache_status);
    headers.append(SERVER_TIMING.clone(), timing);
    response
}

/// Adds to `headers` how an answer that is no hit came about. The provider's own `Cache-Status` and
/// `Server-Timing` stay, ours follow (RFC 9211 §2: the cache nearest to the origin comes first).
pub fn note_forwarded(headers: &mut HeaderMap, forwarded: Forwarded, status: u16, timing: Timing) {
    let (x_cache, mut text, detail) = match forwarded {
        Forwarded::Miss { fwd, kept, detail } => {
            let stored = if kept == Some(true) { "; stored" } else { "" };
            ("MISS", format!("anteroom; fwd={fwd}{stored}"), detail)
        }
        Forwarded::Collapsed { detail } => {
            ("COALESCED", "anteroom; fwd=miss; collapsed".to_owned(), detail)
        }
        Forwarded::InPart { collapsed, kept, known: (known, all) } => {
            let (x_cache, collapsed) =
                if collapsed { ("COALESCED", "; collapsed") } else { ("MISS", "") };
            let stored = if kept { "; stored" } else { "" };
            let text =
                format!("anteroom; fwd=miss{collapsed}{stored}; detail=partial-{known}/{all}");
            (x_cache, text, None)
        }
        Forwarded::Bypass(reason) => ("BYPASS", "anteroom; fwd=bypass".to_owned(), Some(reason)),
    };
    if status >= 400 {
        let _ = write!(text, "; fwd-status={status}");
    }
    if let Some(detail) = detail {
        let _ = write!(text, "; detail={detail}");
    }
    headers.append(CACHE_STATUS.clone(), value(text));
    headers.insert(X_CACHE.clone(), HeaderValue::from_static(x_cache));
    if !headers.contains_key(AGE) {
        headers.insert(AGE, HeaderValue::from_static("0"));
    }
    headers.append(SERVER_TIMING.clone(), value(timing_text(timing)));
}

/// Appends a passed-on head's headers to `headers`.
pub fn pass_on(headers: &mut HeaderMap, passed: &[Header]) {
    for (name, value) in passed.iter().filter_map(parse) {
        headers.append(name, value);
    }
}

/// Hands a piece of a body on. An error, which cuts the connection, is held back for a moment: what
/// came before it leaves first.
pub async fn last_before_cut<T, E>(piece: Result<T, E>) -> Result<T, E> {
    if piece.is_err() {
        tokio::task::yield_now().await;
    }
    piece
}

pub(super) fn timing_text(timing: Timing) -> String {
    let mut text = String::with_capacity(64);
    text.push_str("cache;dur=");
    push_millis(&mut text, timing.cache);
    if let Some(upstream) = timing.upstream {
        text.push_str(", upstream;dur=");
        push_millis(&mut text, upstream);
    }
    text.push_str(", total;dur=");
    push_millis(&mut text, timing.total);
    text
}

fn push_millis(text: &mut String, duration: Duration) {
    let micros = duration.as_micros();
    let _ = write!(text, "{}.{:03}", micros / 1_000, micros % 1_000);
}

/// Returns a header value of a text of ours, which has nothing in it that a header may not.
pub(super) fn value(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use anteroom_actors::model::Freshness;
    use anteroom_actors::settings::EncodingSettings;

    use super::*;
    use crate::http::shape::negotiate::Accepted;

    #[test]
    fn age_and_time_to_live_of_a_hit_go_together_at_every_moment() {
        let lifetime = Duration::from_secs(60);
        let freshness =
            Freshness { made_wall_ms: 10_000, lifetime: lifetime.into(), ..Freshness::default() };
        let entry = Entry { status: 200, freshness, ..Entry::default() };
        let head = StoredHead::of(&entry, Accepted::default(), &EncodingSettings::default());
        let texts = HitTexts::new();
        for (wall_ms, age, ttl) in [
            (9_000, "0", 59),
            (10_000, "0", 59),
            (10_999, "0", 59),
            (11_000, "1", 58),
            (11_999, "1", 58),
            (69_999, "59", 0),
        ] {
            let response = hit((&entry, &head), Level::L1, wall_ms, Duration::ZERO, &texts);
            let sent = |name: &HeaderName| response.headers().get(name).cloned();
            assert_eq!(sent(&AGE).unwrap(), age, "at {wall_ms}");
            let status = format!("anteroom; hit; ttl={ttl}; detail=L1");
            assert_eq!(sent(&CACHE_STATUS).unwrap(), status.as_str(), "at {wall_ms}");
        }
    }
}
