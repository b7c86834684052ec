//! Status, headers and form of a stored answer, made once for all its hits.

use std::cell::RefCell;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, ETAG, HeaderName, HeaderValue, VARY};
use anteroom_actors::codec;
use anteroom_actors::model::{Encoding, Entry, Header, Level};
use anteroom_actors::settings::EncodingSettings;
use bytes::Bytes;

use super::respond::value;
use super::shape::etag;
use super::shape::negotiate::Accepted;

/// How many bytes the body has before it is encoded; where it is encoded.
pub static X_ORIGINAL_SIZE: HeaderName = HeaderName::from_static("x-original-size");

/// Bodies from this size on get no digest here: making one takes a while.
const TAG_BELOW: usize = 64 * 1024;

/// Status and headers of a stored answer in one encoding, parsed once for all its hits.
#[derive(Debug)]
pub struct StoredHead {
    /// The status.
    pub status: StatusCode,
    /// The headers that go with every hit.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How the body is sent.
    pub encoding: Encoding,
    /// Whether nothing better for the caller is still being worked out.
    pub is_final: bool,
    dated: RefCell<Option<Dated>>,
}

/// What changes once a second: a hot answer's hits of one second share it.
#[derive(Debug, Clone)]
pub(super) struct Dated {
    age_s: u64,
    level: Level,
    /// Value of `Age`.
    pub age: HeaderValue,
    /// Value of `Cache-Status`.
    pub cache_status: HeaderValue,
}

impl StoredHead {
    /// Makes the head of `entry` for a caller who takes what is `accepted`: in the encoding it likes
    /// best of those that are ready. What is not a header any more is left out.
    pub fn of(entry: &Entry, accepted: Accepted, settings: &EncodingSettings) -> Self {
        let encodings = &entry.encodings;
        let shorter = [Encoding::Brotli, Encoding::Gzip];
        let ready =
            |encoding: Encoding| encodings.ready(encoding).map_or(Encoding::Identity, |_| encoding);
        let available = [Encoding::Identity, ready(Encoding::Brotli), ready(Encoding::Gzip)];
        let encoding = accepted.choose(&available).unwrap_or_default();
        if entry.body.len() < TAG_BELOW {
            encodings.tag(&entry.body);
        }
        let is_settled =
            |encoding: &Encoding| !accepted.accepts(*encoding) || encodings.is_settled(*encoding);
        let mut head = Self {
            status: StatusCode::from_u16(entry.status).unwrap_or(StatusCode::OK),
            headers: entry.headers.iter().filter_map(parse).collect(),
            encoding,
            is_final: shorter.iter().all(is_settled) && encodings.is_tagged(),
            dated: RefCell::default(),
        };
        head.tag(entry);
        if codec::is_worth(entry, settings) {
            head.vary();
        }
        if encoding != Encoding::Identity {
            head.set(CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()));
            head.set(X_ORIGINAL_SIZE.clone(), HeaderValue::from(entry.body.len()));
        }
        head
    }

    /// Returns the body of a hit: shared, not copied.
    pub fn body(&self, entry: &Entry) -> Bytes {
        entry.encodings.ready(self.encoding).unwrap_or(&entry.body).clone()
    }

    /// Returns how many bytes [`Self::body`] has.
    pub fn body_len(&self, entry: &Entry) -> usize {
        entry.encodings.ready(self.encoding).unwrap_or(&entry.body).len()
    }

    /// Gives the answer an entity tag of this encoding: made of the provider's, else of the digest.
    fn tag(&mut self, entry: &Entry) {
        let text = match entry.header("etag").map(str::from_utf8) {
            Some(Ok(own)) => Some(etag::suffixed(own, self.encoding)),
            Some(Err(_)) => None,
            None if entry.encodings.is_tagged() => {
                Some(etag::of_digest(entry.encodings.tag(&entry.body), self.encoding))
            }
            None => None,
        };
        if let Some(text) = text {
            self.set(ETAG, value(text));
        }
    }

    fn vary(&mut self) {
        let own = self.headers.iter().filter(|(name, _)| *name == VARY);
        let own: Vec<&str> = own.filter_map(|(_, value)| value.to_str().ok()).collect();
        let varied = match own.as_slice() {
            // The most frequent one: static, it is copied for a hit without counting.
            [] => HeaderValue::from_static("Accept-Encoding"),
            own => value(varied(&own.join(", "))),
        };
        self.set(VARY, varied);
    }

    fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value));
    }

    pub(super) fn dated(&self, entry: &Entry, level: Level, wall_ms: u64) -> Dated {
        let age_s = entry.freshness.age_ms(wall_ms) / 1_000;
        let mut kept = self.dated.borrow_mut();
        if let Some(dated) = kept.as_ref()
            && dated.age_s == age_s
            && dated.level == level
        {
            return dated.clone();
        }
        // What is surely left at any moment of this second of its age, which the hits share.
        let second_ends = Duration::from_secs(age_s.saturating_add(1));
        let ttl_s = entry.freshness.lifetime.saturating_sub(second_ends).as_secs();
        let status = format!("anteroom; hit; ttl={ttl_s}; detail={level}");
        let dated =
            Dated { age_s, level, age: HeaderValue::from(age_s), cache_status: value(status) };
        kept.insert(dated).clone()
    }
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
