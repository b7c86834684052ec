//! Answering a client that asks whether its copy is still right (RFC 9111 §4.3.2, RFC 9110 §13).

use super::entity_tag::{EntityTag, Tags, Validators};
use crate::caching::date::parse_http_date;
use crate::caching::fields::{Fields, first, has, values};

/// What a request is compared with: the stored answer that would be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen<'a> {
    /// Its status.
    pub status: u16,
    /// The entity tag it is sent with. Where it is sent in another coding than it came in, under a
    /// tag of that form, set that tag.
    pub etag: Option<EntityTag<'a>>,
    /// When it last changed, in milliseconds since the Unix epoch.
    pub modified_ms: u64,
}

impl<'a> Chosen<'a> {
    /// Reads a stored answer that came at `received_ms` (wall milliseconds).
    ///
    /// Rule: RFC 9111 §4.3.2, without Last-Modified its Date counts, without that the time it came.
    pub fn of(status: u16, fields: impl Fields<'a>, received_ms: u64) -> Self {
        let date = |name| {
            let value = first(fields.clone(), name)?;
            parse_http_date(value, received_ms)
        };
        let modified_ms = date("last-modified").or_else(|| date("date")).unwrap_or(received_ms);
        Self { status, etag: Validators::of(fields.clone()).etag, modified_ms }
    }
}

/// What a request that may be answered from the store gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The stored answer.
    Stored,
    /// 304, with [`fields_of_304`] of it.
    NotModified,
}

/// Compares a request's conditions with the answer chosen for it.
///
/// To be asked only once that answer may be sent, fresh, stale by leave or just validated: a
/// condition is not evaluated without a stored answer (RFC 9111 §4.3.2). Other statuses than 200
/// are sent as they are. `If-Match` and `If-Unmodified-Since` do not come here:
/// [`Way`](crate::caching::Way) passes them to the origin.
///
/// Rule: RFC 9110 §13.2.2, `If-None-Match` comes before `If-Modified-Since`, also where nothing in
/// it can be read. Tags are compared weakly (§13.1.2). A date that cannot be read, or more than
/// one, is ignored (§13.1.3).
pub fn answer_to<'a>(
    method: &str,
    request: impl Fields<'a>,
    chosen: &Chosen<'_>,
    now_ms: u64,
) -> Answer {
    if !matches!(method, "GET" | "HEAD") || chosen.status != 200 {
        return Answer::Stored;
    }
    let has_it = if has(request.clone(), "if-none-match") {
        lists(request, chosen.etag.as_ref())
    } else {
        is_unchanged_since(request, chosen.modified_ms, now_ms)
    };
    if has_it { Answer::NotModified } else { Answer::Stored }
}

/// Tells whether the request's If-None-Match is `*`, or lists the tag.
fn lists<'a>(request: impl Fields<'a>, etag: Option<&EntityTag<'_>>) -> bool {
    let mut lines = values(request, "if-none-match");
    lines.any(|line| {
        let holds = |etag: &EntityTag<'_>| Tags(line).any(|listed| listed.equals_weakly(etag));
        line == b"*" || etag.is_some_and(holds)
    })
}

fn is_unchanged_since<'a>(request: impl Fields<'a>, modified_ms: u64, now_ms: u64) -> bool {
    let mut lines = values(request, "if-modified-since");
    let (Some(since), None) = (lines.next(), lines.next()) else { return false };
    parse_http_date(since, now_ms).is_some_and(|since_ms| modified_ms <= since_ms)
}

/// Returns those fields of a stored answer that a 304 for it has.
///
/// Rule: RFC 9110 §15.4.5, the fields that a 200 would have of these: Cache-Control,
/// Content-Location, Date, ETag, Expires, Vary; Last-Modified only where there is no tag. Age is
/// the caller's to add (RFC 9111 §4).
pub fn fields_of_304<'a>(stored: impl Fields<'a>) -> impl Fields<'a> {
    let has_tag = has(stored.clone(), "etag");
    stored.filter(move |(name, _)| match *name {
        "cache-control" | "content-location" | "date" | "etag" | "expires" | "vary" => true,
        "last-modified" => !has_tag,
        _ => false,
    })
}

#[cfg(test)]
#[path = "received_tests.rs"]
mod tests;
