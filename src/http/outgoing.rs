//! Answers that pass, in the part and the encoding that their callers take.

use actix_web::http::header::{CONTENT_ENCODING, ETAG, HeaderMap, HeaderName, HeaderValue, VARY};
use anteroom_actors::codec::compress::{compress, is_compressible};
use anteroom_actors::codec::live::LiveCompressor;
use anteroom_actors::model::{Encoding, Header};
use bytes::Bytes;

use super::respond::value;
use super::shape::etag;
use super::shape::event_filter::EventFilter;
use super::shape::fields::FieldMask;
use super::shape::negotiate::Accepted;
use super::stored::{X_ORIGINAL_SIZE, varied};
use crate::settings::Response as Settings;

/// Bodies from this size on are shaped on another thread: it takes milliseconds, for which this
/// thread's other requests would wait.
const SHAPE_ELSEWHERE_FROM: usize = 64 * 1024;

static X_FIELDS: HeaderName = HeaderName::from_static("x-fields");

/// What a caller takes of a passing answer, and what may be done to it.
#[derive(Debug, Clone)]
pub struct Outgoing {
    accepted: Accepted,
    fields: Option<FieldMask>,
    compress_from: usize,
    level: u8,
    /// Whether it is text without an encoding, and may be transformed (RFC 9111 §5.2.2.6).
    may_encode: bool,
    is_stream: bool,
}

/// A whole body as it is sent.
pub struct Sent {
    /// Its bytes.
    pub body: Bytes,
    /// Their encoding.
    pub encoding: Encoding,
    /// How many bytes there are before that.
    pub original_len: usize,
    varies: bool,
    etag: Option<String>,
    is_part: bool,
}

/// A part of a body.
pub struct Part {
    /// Its bytes.
    pub original: Bytes,
    /// The same in an encoding, where that is shorter.
    pub encoded: Option<(Encoding, Bytes)>,
}

impl Outgoing {
    /// Looks at an answer with these `headers`; `accepted` says what its caller takes. Of errors
    /// the whole is sent, whatever `fields` are asked for.
    pub fn of(
        status: u16,
        headers: &[Header],
        is_stream: bool,
        accepted: Accepted,
        (fields, settings): (Option<&FieldMask>, &Settings),
    ) -> Self {
        let values = |name: &'static str| {
            let named = headers.iter().filter(move |header| &*header.name == name);
            named.map(|header| &*header.value)
        };
        let is_directive =
            |directive: &[u8], name: &[u8]| directive.trim_ascii().eq_ignore_ascii_case(name);
        let may_transform = !values("cache-control")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|directive| is_directive(directive, b"no-transform"));
        let is_plain = may_transform && values("content-encoding").next().is_none();
        let is_text = values("content-type").next().is_some_and(is_compressible);
        Self {
            accepted,
            fields: fields.filter(|_| is_plain && status < 400).cloned(),
            compress_from: settings.compress_from.as_usize(),
            level: settings.live_level,
            may_encode: settings.compression && is_plain && is_text && status >= 200,
            is_stream,
        }
    }

    /// Shapes a whole body. `is_kept`: it gets an entity tag, as its hits will have.
    pub async fn whole(self, body: Bytes, is_kept: bool) -> Sent {
        if body.len() < SHAPE_ELSEWHERE_FROM {
            return self.shape(body, is_kept);
        }
        let (plain, shaping) = (body.clone(), self.clone());
        let sent = actix_web::web::block(move || self.shape(body, is_kept)).await;
        sent.unwrap_or_else(|_pool_is_gone| shaping.plain(plain))
    }

    /// Returns the part of a whole body that is wanted, plain and in the encoding that is liked best.
    pub async fn part(self, body: Bytes) -> Part {
        let (plain, length) = (body.clone(), body.len());
        if length < SHAPE_ELSEWHERE_FROM {
            return self.cut(&body);
        }
        let part = actix_web::web::block(move || self.cut(&body)).await;
        part.unwrap_or(Part { original: plain, encoded: None })
    }

    fn cut(&self, body: &Bytes) -> Part {
        let original = self.wanted(body).unwrap_or_else(|| body.clone());
        let may_shrink = self.may_encode && original.len() > self.compress_from;
        let encoding = if may_shrink { self.encoding() } else { Encoding::Identity };
        let encoded = compress(encoding, self.level, &original);
        Part { encoded: encoded.map(|encoded| (encoding, encoded.into())), original }
    }

    /// Returns the part that is wanted; `None` where all of it is.
    fn wanted(&self, body: &Bytes) -> Option<Bytes> {
        let fields = self.fields.as_ref()?;
        let part = if self.is_stream { fields.apply_events(body) } else { fields.apply(body) };
        Some(part.map_or_else(|| body.clone(), Bytes::from))
    }

    /// Returns the compressor of an answer that is sent while it comes, in the encoding its caller
    /// likes best.
    pub fn live(&self) -> LiveCompressor {
        LiveCompressor::new(self.encoding(), self.level)
    }

    /// Returns what leaves of a stream's events the part that is wanted.
    pub fn mask(&self) -> Option<EventFilter> {
        let fields = self.fields.clone().filter(|_| self.is_stream)?;
        Some(EventFilter::new(Box::new(move |events| fields.apply_events(events))))
    }

    /// Notes in `headers` what [`Self::live`] does.
    pub fn dress_live(&self, headers: &mut HeaderMap) {
        let (encoding, is_part) = (self.encoding(), self.is_stream && self.fields.is_some());
        let body = Bytes::new();
        let varies = self.may_encode;
        let sent = Sent { body, encoding, original_len: 0, varies, etag: None, is_part };
        sent.dress(headers);
        headers.remove(X_ORIGINAL_SIZE.clone());
    }

    fn encoding(&self) -> Encoding {
        let all = [Encoding::Brotli, Encoding::Gzip, Encoding::Identity];
        self.accepted.choose(&all).filter(|_| self.may_encode).unwrap_or_default()
    }

    fn plain(self, body: Bytes) -> Sent {
        Sent {
            original_len: body.len(),
            body,
            encoding: Encoding::Identity,
            varies: self.may_encode,
            etag: None,
            is_part: false,
        }
    }

    fn shape(self, body: Bytes, is_kept: bool) -> Sent {
        let part = self.wanted(&body);
        let is_part = part.is_some();
        let body = part.unwrap_or(body);
        let digest = (is_kept && !is_part).then(|| blake3::hash(&body));
        let may_shrink = self.may_encode && body.len() > self.compress_from;
        let wanted = if may_shrink { self.encoding() } else { Encoding::Identity };
        let compressed = compress(wanted, self.level, &body).map(Bytes::from);
        let encoding = if compressed.is_some() { wanted } else { Encoding::Identity };
        let etag = digest.and_then(|digest| {
            let tag = etag::of_digest(digest.as_bytes().first_chunk()?, encoding);
            // The bytes of a hit are those of another level: no strong tag for both.
            Some(if encoding == Encoding::Identity { tag } else { format!("W/{tag}") })
        });
        Sent {
            original_len: body.len(),
            body: compressed.unwrap_or(body),
            encoding,
            varies: may_shrink,
            etag,
            is_part,
        }
    }
}

impl Sent {
    /// Notes in `headers`, which are the provider's, what was done.
    pub fn dress(&self, headers: &mut HeaderMap) {
        let own = headers.get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let etag = match own {
            Some(own) => Some(etag::suffixed(&own, self.encoding)),
            None => self.etag.clone(),
        };
        headers.remove(ETAG);
        if let Some(etag) = etag.filter(|_| !self.is_part) {
            headers.insert(ETAG, value(etag));
        }
        if self.varies {
            let own: Vec<&str> =
                headers.get_all(VARY).filter_map(|value| value.to_str().ok()).collect();
            let varied = varied(&own.join(", "));
            headers.insert(VARY, value(varied));
        }
        if self.is_part {
            headers.append(VARY, HeaderValue::from_name(X_FIELDS.clone()));
        }
        if self.encoding != Encoding::Identity {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(self.encoding.as_str()));
            headers.insert(X_ORIGINAL_SIZE.clone(), HeaderValue::from(self.original_len));
        }
    }
}
