//! A request as a span (OpenTelemetry semantic conventions, HTTP server): what the access log tells, and
//! no more.

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

use super::taken_down::About;
use crate::http::routes::Route;
use crate::telemetry::{Exemplar, Metrics, Span, Spans};
use crate::upstream::trace;

/// Begins a request's span, and has the request name it: what it leads to is within it.
pub(super) fn begin(spans: &Spans, request: &mut ServiceRequest, is_tls: bool) -> Span {
    let method = known(request.method());
    let attributes = vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new("url.scheme", if is_tls { "https" } else { "http" }),
    ];
    let within = trace::context(request.headers());
    let span = spans.begin(SpanKind::Server, method, within, attributes);
    trace::set(request.headers_mut(), span.context());
    span
}

/// Ends it with how the request was answered.
pub(super) fn end(
    mut span: Span,
    about: &About,
    route: Option<&Route>,
    (sent_bytes, is_whole): (u64, bool),
    metrics: &Metrics,
) {
    if let Some(route) = route {
        if let Some(outcome) = outcome(about).filter(|_| span.is_sampled()) {
            let (took, wall_ms) = (about.head, about.wall_ms);
            let exemplar = Exemplar { trace: span.trace_id(), took, wall_ms };
            metrics.exemplars().put(&route.name, outcome, exemplar);
        }
        let path = route.path();
        span.rename(format!("{} {path}", known(&about.method)));
        span.set("http.route", path);
        span.set("anteroom.route", route.name.to_string());
    }
    span.set("url.path", about.path.clone());
    span.set("http.response.status_code", i64::from(about.status));
    span.set("http.response.body.size", i64::try_from(sent_bytes).unwrap_or(i64::MAX));
    for (name, value) in [
        ("anteroom.cache", &about.cache),
        ("anteroom.cache.level", &about.level),
        ("anteroom.key", &about.key),
    ] {
        if let Some(value) = value {
            span.set(name, value.clone());
        }
    }
    if about.status >= 500 {
        span.fail(about.status.to_string());
    } else if !is_whole {
        span.fail("cut");
    }
}

/// Returns the outcome as the metrics have it; `None`: an error may be the gateway's own or the
/// upstream's, which its head does not tell.
fn outcome(about: &About) -> Option<&'static str> {
    if about.status >= 400 {
        return None;
    }
    let level = about.level.as_deref();
    Some(match about.cache.as_deref()? {
        "hit" if level == Some("l1") => "hit_l1",
        "hit" if level == Some("l2") => "hit_l2",
        "hit" if level == Some("l3") => "hit_l3",
        "miss" => "miss",
        "coalesced" => "coalesced",
        "stale" => "stale",
        "bypass" => "bypass",
        _ => return None,
    })
}

/// Methods that are not known have one name: callers may not make names.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}
