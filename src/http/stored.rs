//! Status, headers and form of a stored answer, made once for all its hits.

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

/// Status and headers of a stored answer in one encoding, parsed once for all its hits.
#[derive(Debug)]
pub struct StoredHead {
    /// The status.
    pub status: StatusCode,
    /// The headers that go with every hit.
    pub headers: Vec<(HeaderName, HeaderValue)>,
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
        let mut head = Self {
            status: StatusCode::from_u16(entry.status).unwrap_or(StatusCode::OK),
            headers: entry.headers.iter().filter_map(parse).collect(),
            encoding,
            is_final: encodings.is_tagged() && (!is_worth || encodings.is_settled(accepted.best())),
        };
        head.tag(entry);
        if is_worth {
            head.vary();
        }
        if encoding != Encoding::Identity {
            head.set(CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()));
            head.set(X_ORIGINAL_SIZE.clone(), HeaderValue::from(entry.body.len()));
        }
        // One is kept for each request that is remembered.
        head.headers.shrink_to_fit();
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
