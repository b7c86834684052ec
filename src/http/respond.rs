//! Making responses: the stored or passed-on part, and what the gateway adds.
//!
//! Every answer of a cached route says how it came about: `Cache-Status` (RFC 9211), `X-Cache`,
//! `X-Cache-Level` on hits, `Age`, `Server-Timing`.

use std::fmt::Write as _;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{AGE, HeaderMap, HeaderName, HeaderValue};
use anteroom_actors::model::{Entry, Header, Level};
use anteroom_actors::resolver::InsteadOf;
use bytes::Bytes;

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

/// Texts of `Server-Timing` for hits, whose cache time is all their time. A hit takes some ten
/// microseconds, so few texts serve nearly all of them, each made once.
#[derive(Debug)]
pub struct HitTimings(Vec<HeaderValue>);

impl HitTimings {
    /// Times below so many microseconds have their texts ready.
    const READY_BELOW_US: u64 = 256;

    /// Makes the texts.
    pub fn new() -> Self {
        Self((0..Self::READY_BELOW_US).map(Duration::from_micros).map(Self::make).collect())
    }

    /// Returns the text of a hit that took `total`.
    pub fn text(&self, total: Duration) -> HeaderValue {
        let ready = usize::try_from(total.as_micros()).ok().and_then(|micros| self.0.get(micros));
        ready.cloned().unwrap_or_else(|| Self::make(total))
    }

    fn make(total: Duration) -> HeaderValue {
        value(timing_text(Timing { cache: total, upstream: None, total }))
    }
}

impl Default for HitTimings {
    fn default() -> Self {
        Self::new()
    }
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

/// Returns a hit's response; `timing` is its `Server-Timing`.
pub fn hit(
    entry: &Entry,
    head: &StoredHead,
    level: Level,
    wall_ms: u64,
    timing: HeaderValue,
) -> HttpResponse {
    let dated = head.dated(entry, level, wall_ms);
    let mut response = kept(entry, head, dated.cache_status, timing);
    let headers = response.headers_mut();
    headers.insert(X_CACHE.clone(), HeaderValue::from_static("HIT"));
    headers.insert(X_CACHE_LEVEL.clone(), HeaderValue::from_static(level.as_str()));
    headers.insert(AGE, dated.age);
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
    let stale_for = Duration::from_millis(age_ms).saturating_sub(entry.freshness.lifetime);
    // Rounded up: it has been stale for a part of this second at least, if only just now.
    let stale_s = stale_for.as_millis().div_ceil(1_000).max(1);
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
    let mut response = HttpResponse::with_body(head.status, body).map_into_boxed_body();
    let headers = response.headers_mut();
    for (name, value) in &head.headers {
        headers.append(name.clone(), value.clone());
    }
    headers.insert(CACHE_STATUS.clone(), cache_status);
    headers.insert(SERVER_TIMING.clone(), timing);
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

fn timing_text(timing: Timing) -> String {
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
