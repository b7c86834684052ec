//! What went wrong, in three forms: for the caller (no addresses, no certificates), for the log
//! (once, at warn, no secrets), and as a decision whether the call may be repeated.

use std::time::Duration;

use anteroom_actors::error::OriginError;
use awc::error::{ConnectError, SendRequestError};
use awc::http::Method;

use super::connect::ConnectFailure;
use super::prepared::Endpoint;
use super::wire::CallState;

/// Turns awc's error before an answer's head into ours.
pub(super) fn before_head(
    error: &SendRequestError,
    call: &CallState,
    endpoint: &Endpoint,
) -> OriginError {
    let upstream = endpoint.name.to_string();
    match error {
        SendRequestError::Connect(ConnectError::Timeout) => {
            timed_out(endpoint, "connection", endpoint.limits.connect_timeout)
        }
        SendRequestError::Connect(cause) if !call.is_connected.get() => {
            OriginError::Connect { upstream, reason: connect_reason(cause) }
        }
        SendRequestError::Connect(_) => {
            OriginError::NoAnswer { upstream, reason: "it closed the connection" }
        }
        SendRequestError::Send(_) => {
            OriginError::NoAnswer { upstream, reason: "the connection broke" }
        }
        SendRequestError::Response(cause) if is_io(cause) => {
            OriginError::NoAnswer { upstream, reason: "the connection broke" }
        }
        SendRequestError::Response(_) => {
            OriginError::NoAnswer { upstream, reason: "its answer is not proper HTTP" }
        }
        SendRequestError::Body(_) => {
            OriginError::NoAnswer { upstream, reason: "the caller broke off its request" }
        }
        _ => OriginError::Internal { upstream },
    }
}

/// A time-out of this upstream's settings.
pub(super) fn timed_out(
    endpoint: &Endpoint,
    awaited: &'static str,
    waited: Duration,
) -> OriginError {
    OriginError::TimedOut { upstream: endpoint.name.to_string(), awaited, waited }
}

/// Tells whether a call that failed so may be sent again, once, on a new connection: it got no
/// byte on a reused connection, which the upstream may have closed just before, and its method is
/// idempotent (RFC 9110 §9.2.2, RFC 9112 §9.3.1). A POST may have been done and paid for.
pub(super) fn may_repeat(error: &OriginError, call: &CallState, method: &Method) -> bool {
    matches!(error, OriginError::NoAnswer { .. })
        && call.is_reused.get()
        && call.received.get() == 0
        && matches!(
            *method,
            Method::GET
                | Method::HEAD
                | Method::OPTIONS
                | Method::TRACE
                | Method::PUT
                | Method::DELETE
        )
}

/// Logs a failure once; `cause` is the library's text, which may name addresses and certificates.
pub(super) fn log(error: &OriginError, cause: Option<&dyn std::fmt::Display>) {
    let label = error.label();
    match cause {
        Some(cause) => tracing::warn!(label, %error, %cause, "upstream call failed"),
        None => tracing::warn!(label, %error, "upstream call failed"),
    }
}

fn is_io(error: &actix_web::error::ParseError) -> bool {
    matches!(error, actix_web::error::ParseError::Io(_))
}

fn connect_reason(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Io(error) => error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<ConnectFailure>())
            .map_or("the connection failed", |failure| failure.reason),
        _ => "the connection failed",
    }
}
