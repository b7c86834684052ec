//! What a 304, or the answer to a HEAD, changes of a stored answer (RFC 9111 §3.2, §4.3.3 to
//! §4.3.5).

use std::borrow::Cow;

use super::entity_tag::Validators;
use crate::caching::cache_control::ResponseDirectives;
use crate::caching::date::{format_http_date, parse_http_date};
use crate::caching::fields::{Fields, first, has};
use crate::caching::sharing::Sharing;
use crate::caching::storing::{Keeps, KeptField};

/// Tells whether a 304 speaks of the stored answer that was validated. If not, it says nothing of
/// what is stored: ask again without conditions.
///
/// Rule: RFC 9111 §4.3.4; a strong tag in the 304 must be the stored one, and a weak one must
/// match it weakly; without a tag the date of the last change must be the stored one. A 304 without
/// any validator answers the condition that was sent, which named this one answer, or is the answer
/// to none. (A date counts as weak, RFC 9110 §8.8.2.2.)
pub fn is_identified(stored: &Validators<'_>, not_modified: &Validators<'_>) -> bool {
    match (not_modified.etag, stored.etag) {
        (Some(new), Some(old)) if new.is_weak => new.equals_weakly(&old),
        (Some(new), Some(old)) => new.equals_strongly(&old),
        (Some(new), None) if !new.is_weak => false,
        _ => match (not_modified.last_modified, stored.last_modified) {
            (None, _) => not_modified.etag.is_none(),
            (Some(new), Some(old)) => new == old || is_same_date(new, old),
            (Some(_), None) => false,
        },
    }
}

fn is_same_date(one: &[u8], other: &[u8]) -> bool {
    let one = parse_http_date(one, 0);
    one.is_some() && one == parse_http_date(other, 0)
}

/// Returns the fields of a stored answer after a 304, or the answer to a HEAD, that speaks of it
/// and came at `received_ms` (wall milliseconds).
///
/// The caller then decides anew with [`Storing`](crate::caching::Storing) over these fields, as of
/// an answer to a GET, of the stored status, that has just come: where they forbid keeping it, it
/// is used once and removed. (A request with `no-store` uses it, and leaves what is stored as it
/// was.)
///
/// Rule: RFC 9111 §3.2, each new field takes the place of all stored ones of its name, but for
/// those that are not kept (§3.1, by the new Cache-Control or else the stored one) and those that
/// tell how the stored bytes are to be read: Content-Encoding, Content-Length, Content-Range.
/// Without a new Date the time of receipt counts (RFC 9110 §6.6.1): the answer is confirmed now.
pub fn freshened_fields<'a>(
    stored: impl Fields<'a>,
    new: impl Fields<'a>,
    sharing: Sharing,
    received_ms: u64,
) -> Vec<KeptField<'a>> {
    let directives = if has(new.clone(), "cache-control") {
        ResponseDirectives::parse(new.clone())
    } else {
        ResponseDirectives::parse(stored.clone())
    };
    let keeps = Keeps::of(new.clone(), &directives, sharing);
    let date = first(new.clone(), "date");
    let has_date = date.and_then(|date| parse_http_date(date, received_ms)).is_some();
    let updates = |name: &str| match name {
        "content-encoding" | "content-length" | "content-range" => false,
        "date" => has_date,
        name => keeps.keeps(name),
    };
    let is_replaced = |name: &str| name == "date" || (updates(name) && has(new.clone(), name));
    let stayed = stored.filter(|(name, _)| !is_replaced(name) && !keeps.withholds(name));
    let updated = new.clone().filter(|(name, _)| updates(name));
    let mut fields: Vec<KeptField<'a>> =
        stayed.chain(updated).map(|(name, value)| (name, Cow::Borrowed(value))).collect();
    if !has_date {
        fields.push(("date", Cow::Owned(format_http_date(received_ms).into_bytes())));
    }
    fields
}

/// What the answer to a HEAD says of a stored GET that it could have selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadEffect {
    /// Nothing: only 200 speaks of it.
    None,
    /// It is still right: [`freshened_fields`].
    Update,
    /// It is not: it counts as stale from now on.
    MarkStale,
}

impl HeadEffect {
    /// Compares a stored answer of `content_length` bytes with the answer to a HEAD.
    ///
    /// Rule: RFC 9111 §4.3.5, each validator of the new answer, and its Content-Length, must be the
    /// stored one. The length is the stored content's as the origin sent it; `None` where that is
    /// not known, and then it is not compared.
    pub fn of<'a>(
        stored_status: u16,
        stored: impl Fields<'a>,
        content_length: Option<u64>,
        status: u16,
        head: impl Fields<'a>,
    ) -> Self {
        if status != 200 {
            return Self::None;
        }
        let is_same = |name: &str| {
            let new = first(head.clone(), name);
            new.is_none() || new == first(stored.clone(), name)
        };
        let new_length = first(head.clone(), "content-length");
        let has_same_length = match (new_length, content_length) {
            (Some(new), Some(length)) => new == length.to_string().as_bytes(),
            _ => true,
        };
        let is_right =
            stored_status == 200 && is_same("etag") && is_same("last-modified") && has_same_length;
        if is_right { Self::Update } else { Self::MarkStale }
    }
}

#[cfg(test)]
#[path = "freshening_tests.rs"]
mod tests;
