//! Which headers cross to an upstream, come back, and stay with a stored copy.

use anteroom_actors::model::Header;
use awc::http::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use bytes::Bytes;

use super::prepared::Endpoint;
use crate::caching::{Field, HopByHop};

/// Sent where the caller names no agent, or where it is not passed on.
const AGENT: &str = concat!("anteroom/", env!("CARGO_PKG_VERSION"));

/// Headers that name who pays: not passed on where the upstream has a credential of its own.
const CREDENTIALS: [&str; 7] = [
    "api-key",
    "authorization",
    "cookie",
    "openai-organization",
    "openai-project",
    "x-api-key",
    "x-goog-api-key",
];

enum Rule {
    Name(&'static str),
    Prefix(&'static str),
}
use Rule::{Name, Prefix};

/// What a stored copy drops, and why. All other headers stay: a provider's own (its model, its
/// version) belong to the answer.
const NOT_STORED: &[(Rule, &str)] = &[
    (Name("set-cookie"), "a session of the first asker"),
    (Name("set-cookie2"), "a session of the first asker"),
    (Prefix("x-ratelimit-"), "the first asker's quota, at that moment"),
    (Prefix("ratelimit"), "the first asker's quota, at that moment"),
    (Prefix("x-rate-limit"), "the first asker's quota, at that moment"),
    (Prefix("anthropic-ratelimit-"), "the first asker's quota, at that moment"),
    (Name("retry-after"), "the first asker's quota, at that moment"),
    (Name("anthropic-organization-id"), "the account that paid"),
    (Name("openai-organization"), "the account that paid"),
    (Name("openai-project"), "the account that paid"),
    (Name("x-request-id"), "names one call"),
    (Name("request-id"), "names one call"),
    (Name("x-correlation-id"), "names one call"),
    (Name("apim-request-id"), "names one call"),
    (Name("x-ms-request-id"), "names one call"),
    (Name("x-ms-client-request-id"), "names one call"),
    (Prefix("x-amzn-"), "names one call"),
    (Name("x-cloud-trace-context"), "names one call"),
    (Name("x-trace-id"), "names one call"),
    (Prefix("x-b3-"), "names one call"),
    (Name("traceparent"), "names one call"),
    (Name("tracestate"), "names one call"),
    (Prefix("cf-"), "the way of one call"),
    (Prefix("x-envoy-"), "the way of one call"),
    (Name("via"), "the way of one call"),
    (Name("x-served-by"), "the way of one call"),
    (Name("x-timer"), "the way of one call"),
    (Name("openai-processing-ms"), "how long one call took"),
    (Name("server-timing"), "how long one call took"),
    (Name("date"), "when one answer was sent: the server's own is right"),
    (Name("age"), "Anteroom tells the age"),
    (Name("cache-status"), "another cache's word about one call"),
    (Prefix("x-cache"), "another cache's word about one call"),
    (Name("x-anteroom"), "another gateway's word about one call"),
    (Name("server"), "who answers now is Anteroom"),
    (Name("alt-svc"), "of the provider's host, not of this one"),
    (Name("strict-transport-security"), "of the provider's host, not of this one"),
    (Name("nel"), "of the provider's host, not of this one"),
    (Name("report-to"), "of the provider's host, not of this one"),
];

/// How a request's headers are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// For the cache: only what is keyed came here, and the answer must not be encoded.
    Keyed,
    /// Not cached: all end-to-end headers as they are.
    Through,
}

/// Builds the headers of a request. `None` where one cannot be sent.
pub(super) fn for_request<'a>(
    endpoint: &Endpoint,
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    passage: Passage,
) -> Option<HeaderMap> {
    let headers = headers.map(|(name, value)| Some((HeaderName::try_from(name).ok()?, value)));
    let headers: Vec<(HeaderName, &[u8])> = headers.collect::<Option<_>>()?;
    let hops = HopByHop::of(headers.iter().map(|(name, value)| (name.as_str(), *value)));
    let mut map = HeaderMap::with_capacity(16);
    for (name, value) in headers {
        if hops.removes(name.as_str())
            || [HOST, CONTENT_LENGTH, EXPECT].contains(&name)
            || (!endpoint.limits.pass_credential && CREDENTIALS.contains(&name.as_str()))
        {
            continue;
        }
        map.append(name, HeaderValue::from_bytes(value).ok()?);
    }
    for (name, value) in &endpoint.set_headers {
        map.insert(name.clone(), value.clone());
    }
    if passage == Passage::Keyed {
        map.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if passage == Passage::Keyed || !map.contains_key(USER_AGENT) {
        map.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    }
    map.insert(HOST, endpoint.host_header.clone());
    Some(map)
}

/// Returns the end-to-end headers of an answer by name, those of one name in the order received.
/// Its length is left out: whoever sends it on sets that.
pub(super) fn of_answer(map: &HeaderMap) -> Vec<Header> {
    let fields: Vec<Field<'_>> =
        map.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let hops = HopByHop::of(fields.iter().copied());
    let mut headers: Vec<Header> = fields
        .into_iter()
        .filter(|(name, _)| !hops.removes(name) && *name != CONTENT_LENGTH.as_str())
        .map(|(name, value)| Header { name: name.into(), value: kept(value) })
        .collect();
    // The library's map has no order of its own; answers to equal calls should look equal.
    headers.sort_by(|one, other| one.name.cmp(&other.name));
    headers
}

/// Returns a value that outlives its response. The one nearly every answer has takes no memory.
fn kept(value: &[u8]) -> Bytes {
    match value {
        b"application/json" => Bytes::from_static(b"application/json"),
        _ => Bytes::copy_from_slice(value),
    }
}

/// Returns those of `headers` that a stored copy keeps.
pub(super) fn stored(headers: &[Header]) -> Vec<Header> {
    headers.iter().filter(|header| is_stored(&header.name)).cloned().collect()
}

/// Tells whether a stored copy keeps a header of this lower-case name.
pub(super) fn is_stored(name: &str) -> bool {
    reason_not_stored(name).is_none()
}

fn reason_not_stored(name: &str) -> Option<&'static str> {
    NOT_STORED.iter().find_map(|(rule, reason)| {
        let applies = match rule {
            Name(exact) => name == *exact,
            Prefix(prefix) => name.starts_with(prefix),
        };
        applies.then_some(*reason)
    })
}

/// Returns the first value of `name` where it is text.
pub(super) fn text_of<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
    let header = headers.iter().find(|header| &*header.name == name)?;
    std::str::from_utf8(&header.value).ok()
}

/// Tells whether any `name` header lists `token`, an argument after `=` left out.
pub(super) fn lists(headers: &[Header], name: &str, token: &str) -> bool {
    headers.iter().filter(|header| &*header.name == name).any(|header| {
        header.value.split(|byte| *byte == b',').any(|item| {
            let item = item.split(|byte| *byte == b'=').next().unwrap_or(item);
            item.trim_ascii().eq_ignore_ascii_case(token.as_bytes())
        })
    })
}

/// Tells whether a body of this media type is a stream of events.
pub(super) fn is_event_stream(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or(content_type).trim();
    ["text/event-stream", "application/x-ndjson", "application/jsonl"]
        .iter()
        .any(|streamed| media_type.eq_ignore_ascii_case(streamed))
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
