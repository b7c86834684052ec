//! One try of a call, as a span (OpenTelemetry semantic conventions, HTTP client).

use awc::http::header::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

use super::client::{Outgoing, Reply};
use super::failure::Failed;
use super::prepared::Endpoint;
use super::trace;
use crate::telemetry::{Span, Spans};

/// Begins the span of a request with these `headers`, and has them name it. Its query is left out: a
/// credential may be in it.
pub(super) fn begin(
    spans: &Spans,
    endpoint: &Endpoint,
    outgoing: &Outgoing,
    headers: &mut HeaderMap,
    resends: u32,
) -> Span {
    let mut attributes = vec![
        KeyValue::new("http.request.method", outgoing.method.to_string()),
        KeyValue::new("server.address", endpoint.host.clone()),
        KeyValue::new("server.port", i64::from(endpoint.port)),
        KeyValue::new("url.scheme", if endpoint.tls.is_some() { "https" } else { "http" }),
        KeyValue::new("url.path", outgoing.uri.path().to_owned()),
        KeyValue::new("anteroom.upstream", endpoint.name.to_string()),
    ];
    if resends > 0 {
        attributes.push(KeyValue::new("http.request.resend_count", i64::from(resends)));
    }
    let name = outgoing.method.to_string();
    let span = spans.begin(SpanKind::Client, name, trace::context(headers), attributes);
    trace::set(headers, span.context());
    span
}

/// Notes what came of it, as far as the head says.
pub(super) fn note_head(span: &mut Span, sent: &Result<Reply, Failed>) {
    match sent {
        Ok(reply) => {
            span.set("http.response.status_code", i64::from(reply.status));
            if reply.status >= 400 {
                span.fail(reply.status.to_string());
            }
        }
        Err(failed) => span.fail(failed.error.label()),
    }
}
