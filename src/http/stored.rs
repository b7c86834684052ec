//! Status, headers and form of a stored answer, made once for all its hits.

use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, ETAG, HeaderName, HeaderValue, VARY};
use anteroom_actors::codec;
use anteroom_actors::model::{Encoding, Entry, Header};
use anteroom_actors::settings::EncodingSettings;
use bytes::Bytes;

use super::respond::value;
use super::shape::etag;
use super::shape::negotiate::Accepted;

/// How many bytes the body has before it is encoded; where it is encoded.
pub static X_ORIGINAL_SIZE: HeaderName = HeaderName::from_static("x-original-size");

/// Bodies from this size on get no digest here: making one takes a while.
const TAG_BELOW: usize = 64 * 1024;

/// Headers that many answers have alike.
pub type Shared = Rc<[(HeaderName, HeaderValue)]>;

/// The entity tag, which no other answer has. Small, as each lease holds one.
#[derive(Debug)]
enum Tag {
    None,
    /// Written for each hit, which costs it one instruction in eighty: kept ready it would take 112 bytes a
    /// lease.
    OfDigest,
    /// Made of the provider's.
    Own(Box<HeaderValue>),
}

/// Status and headers of a stored answer in one encoding, parsed once for all its hits.
#[derive(Debug)]
pub struct StoredHead {
    /// The status.
    pub status: StatusCode,
    /// The headers that go with every hit, but for its entity tag.
    pub headers: Shared,
    tag: Tag,
    /// How the body is sent.
    pub encoding: Encoding,
    /// Whether there is nothing better for the caller, nor will be.
    pub is_final: bool,
}

impl StoredHead {
    /// Makes the head of `entry` for a caller who takes what is `accepted`: in the encoding it likes
    /// best of those that are ready. What is not a header any more is left out.
    pub fn of(entry: &Entry, accepted: Accepted, settings: &EncodingSettings) -> Self {
        let encodings = &entry.encodings;
        let is_worth = codec::is_worth(entry, settings);
        let ready =
            |encoding: Encoding| encodings.ready(encoding).map_or(Encoding::Identity, |_| encoding);
        let available = [Encoding::Identity, ready(Encoding::Brotli), ready(Encoding::Gzip)];
        let encoding = accepted.choose(&available).unwrap_or_default();
        if entry.body.len() < TAG_BELOW {
            encodings.tag(&entry.body);
        }
        let tag = tag(entry, encoding);
        let mut headers: Vec<_> = entry.headers.iter().filter_map(parse).collect();
        if !matches!(tag, Tag::None) {
            headers.retain(|(name, _)| *name != ETAG);
        }
        if is_worth {
            vary(&mut headers);
        }
        if encoding != Encoding::Identity {
            set(&mut headers, CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()));
            set(&mut headers, X_ORIGINAL_SIZE.clone(), HeaderValue::from(entry.body.len()));
        }
        Self {
            status: StatusCode::from_u16(entry.status).unwrap_or(StatusCode::OK),
            headers: headers.into(),
            tag,
            encoding,
            is_final: encodings.is_tagged() && (!is_worth || encodings.is_settled(accepted.best())),
        }
    }

    /// Returns the entity tag of a hit.
    pub fn etag(&self, entry: &Entry) -> Option<HeaderValue> {
        match &self.tag {
            Tag::None => None,
            Tag::OfDigest => {
                Some(value(etag::of_digest(entry.encodings.tag(&entry.body), self.encoding)))
            }
            Tag::Own(own) => Some(HeaderValue::clone(own)),
        }
    }

    /// Returns the body of a hit: shared, not copied.
    pub fn body(&self, entry: &Entry) -> Bytes {
        entry.encodings.ready(self.encoding).unwrap_or(&entry.body).clone()
    }

    /// Returns how many bytes [`Self::body`] has.
    pub fn body_len(&self, entry: &Entry) -> usize {
        entry.encodings.ready(self.encoding).unwrap_or(&entry.body).len()
    }
}

/// Returns what the entity tag of an answer in this encoding is made of.
fn tag(entry: &Entry, encoding: Encoding) -> Tag {
    match entry.header("etag").map(str::from_utf8) {
        Some(Ok(own)) => Tag::Own(Box::new(value(etag::suffixed(own, encoding)))),
        Some(Err(_)) => Tag::None,
        None if entry.encodings.is_tagged() => Tag::OfDigest,
        None => Tag::None,
    }
}

fn vary(headers: &mut Vec<(HeaderName, HeaderValue)>) {
    let own = headers.iter().filter(|(name, _)| *name == VARY);
    let own: Vec<&str> = own.filter_map(|(_, value)| value.to_str().ok()).collect();
    let varied = match own.as_slice() {
        // The most frequent one: static, it is copied for a hit without counting.
        [] => HeaderValue::from_static("Accept-Encoding"),
        own => value(varied(&own.join(", "))),
    };
    set(headers, VARY, varied);
}

fn set(headers: &mut Vec<(HeaderName, HeaderValue)>, name: HeaderName, value: HeaderValue) {
    headers.retain(|(other, _)| *other != name);
    headers.push((name, value));
}

/// Returns the value of `Vary` with `Accept-Encoding` in it.
pub(super) fn varied(own: &str) -> String {
    let is_named = |name: &str| name == "*" || name.eq_ignore_ascii_case("accept-encoding");
    if own.split(',').map(str::trim).any(is_named) {
        own.to_owned()
    } else if own.trim().is_empty() {
        "Accept-Encoding".to_owned()
    } else {
        format!("{own}, Accept-Encoding")
    }
}

/// Returns a stored header as one to send; `None` where it is none any more.
pub(super) fn parse(header: &Header) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
    let value = match &*header.value {
        // The one nearly every answer has: static, it is copied for a hit without counting.
        b"application/json" => HeaderValue::from_static("application/json"),
        _ => HeaderValue::from_maybe_shared(header.value.clone()).ok()?,
    };
    Some((name, value))
}

#[cfg(test)]
#[path = "stored_tests.rs"]
mod tests;
