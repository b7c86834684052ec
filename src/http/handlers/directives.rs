//! How a caller steers the cache: `Cache-Control`, `Pragma`, and three headers of ours.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use anteroom_actors::model::{Labels, Lifetimes, Wants};

use crate::caching::RequestDirectives;
use crate::http::error::ApiError;
use crate::http::routes::Route;
use crate::http::shape::fields::FieldMask;
use crate::http::shape::fields_query;

/// How long answers of this request are fresh, in seconds.
pub const X_CACHE_TTL: &str = "x-cache-ttl";
/// Inside which part of its scope the request lies.
pub const X_CACHE_NAMESPACE: &str = "x-cache-namespace";
/// Names the answer can be purged by, with commas between them.
pub const X_CACHE_TAGS: &str = "x-cache-tags";

/// Which part of an answer is wanted.
pub const X_FIELDS: &str = "x-fields";

/// All of them, and the standard ones: they take part in the recall digest.
pub const STEERING_HEADERS: [&str; 6] =
    ["cache-control", "pragma", X_CACHE_TTL, X_CACHE_NAMESPACE, X_CACHE_TAGS, X_FIELDS];

/// Longest namespace, in bytes.
pub const MAX_NAMESPACE: usize = 128;
/// Longest tag, in bytes.
pub const MAX_TAG: usize = 128;

/// What a request asks of the cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directives<'a> {
    /// What it takes of what is kept.
    pub wants: Wants,
    /// Nothing of it is to be kept (RFC 9111 §5.2.1.5).
    pub no_store: bool,
    /// How long its answer is fresh, in place of the route's lifetime.
    pub ttl: Option<Duration>,
    /// The part of its scope; empty for the whole.
    pub namespace: &'a str,
    /// What its answer can be purged by.
    pub tags: Vec<&'a str>,
    /// The part of its answer that it takes.
    pub fields: Option<FieldMask>,
}

impl<'a> Directives<'a> {
    /// Reads the steering headers of `request`.
    ///
    /// # Errors
    ///
    /// [`ApiError::Header`] naming the header and what it may hold.
    pub fn of(request: &'a HttpRequest, route: &Route) -> Result<Self, ApiError> {
        Self::in_headers(request.headers(), request.uri().query(), route)
    }

    /// As [`Self::of`], of a request with these headers and this query.
    ///
    /// # Errors
    ///
    /// As [`Self::of`].
    pub fn in_headers(
        headers: &'a HeaderMap,
        query: Option<&str>,
        route: &Route,
    ) -> Result<Self, ApiError> {
        let standard = if route.ignores_cache_control {
            RequestDirectives::default()
        } else {
            let fields = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            RequestDirectives::parse(fields)
        };
        Ok(Self {
            wants: wants(&standard),
            no_store: standard.no_store,
            ttl: ttl(headers, route)?,
            namespace: namespace(headers)?,
            tags: tags(headers)?,
            fields: fields(headers, query, route)?,
        })
    }

    /// Returns how long the answer may be served.
    pub fn lifetimes(&self, route: &Route) -> Lifetimes {
        let lifetime = self.ttl.unwrap_or(route.lifetimes.lifetime);
        Lifetimes { lifetime, ..route.lifetimes }
    }
}

fn wants(standard: &RequestDirectives) -> Wants {
    let time = |seconds: Option<u32>| seconds.map(|seconds| Duration::from_secs(seconds.into()));
    Wants {
        max_age: time(standard.max_age_s),
        min_fresh: time(standard.min_fresh_s),
        max_stale: time(standard.max_stale_s),
        reload: standard.no_cache,
        only_kept: standard.only_if_cached,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name);
    let (Some(value), another) = (values.next(), values.next()) else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| another.is_none());
    text.map(|text| Some(text.trim())).ok_or_else(|| ApiError::Header {
        name,
        allowed: "one line of visible ASCII characters".to_owned(),
    })
}

fn ttl(headers: &HeaderMap, route: &Route) -> Result<Option<Duration>, ApiError> {
    let Some(text) = text(headers, X_CACHE_TTL)? else { return Ok(None) };
    let most = route.max_ttl.as_secs();
    let seconds = text.parse::<u64>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    match seconds.filter(|seconds| (1..=most).contains(seconds)) {
        Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
        None => Err(ApiError::Header {
            name: X_CACHE_TTL,
            allowed: format!("a whole number of seconds, 1–{most} (max_ttl of the route)"),
        }),
    }
}

fn namespace(headers: &HeaderMap) -> Result<&str, ApiError> {
    let namespace = text(headers, X_CACHE_NAMESPACE)?.unwrap_or_default();
    if namespace.len() <= MAX_NAMESPACE {
        return Ok(namespace);
    }
    let allowed = format!("at most {MAX_NAMESPACE} bytes");
    Err(ApiError::Header { name: X_CACHE_NAMESPACE, allowed })
}

fn fields(
    headers: &HeaderMap,
    query: Option<&str>,
    route: &Route,
) -> Result<Option<FieldMask>, ApiError> {
    let read = |name, text: &str| {
        FieldMask::parse(text).map(Some).map_err(|error| ApiError::Fields { name, error })
    };
    if let Some(text) = text(headers, X_FIELDS)? {
        return read(X_FIELDS, text);
    }
    let query = query.filter(|_| route.fields_query);
    match query.and_then(fields_query::of) {
        Some(text) => read("fields", &text),
        None => Ok(None),
    }
}

fn tags(headers: &HeaderMap) -> Result<Vec<&str>, ApiError> {
    let Some(text) = text(headers, X_CACHE_TAGS)? else { return Ok(Vec::new()) };
    let mut tags: Vec<&str> =
        text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect();
    tags.sort_unstable();
    tags.dedup();
    if tags.len() <= Labels::MAX_TAGS && tags.iter().all(|tag| tag.len() <= MAX_TAG) {
        return Ok(tags);
    }
    let most = Labels::MAX_TAGS;
    let allowed = format!("at most {most} tags of at most {MAX_TAG} bytes, with commas between");
    Err(ApiError::Header { name: X_CACHE_TAGS, allowed })
}

#[cfg(test)]
#[path = "directives_tests.rs"]
mod tests;
