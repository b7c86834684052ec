//! What went wrong, in three forms: for the caller (no addresses, no certificates), for the log
//! (once, at warn, no secrets), and as what it says about the request and the upstream.

use std::fmt;
use std::time::Duration;

use anteroom_actors::error::OriginError;
use awc::error::{ConnectError, SendRequestError};
use awc::http::Method;

use super::connect::ConnectFailure;
use super::prepared::Endpoint;
use super::wire::CallState;

/// A try that brought no answer that can be used.
#[derive(Debug)]
pub(super) struct Failed {
    /// For the caller.
    pub(super) error: OriginError,
    /// For the log: the library's words.
    pub(super) cause: Option<String>,
    /// What it says.
    pub(super) how: How,
}

/// How far a try came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// No connection: nothing was sent.
    Unsent,
    /// The connection ended without an answer's head.
    NoHead,
    /// No connection or no head in time.
    TimedOut,
    /// A head whose body's end cannot be told.
    Misframed,
    /// A proper head, of an answer that is not wanted.
    Unwanted,
    /// Broken off by the caller, or by something of ours: it says nothing about the upstream.
    NotTheirs,
}

impl Failed {
    /// A failure that no library has words for.
    pub(super) const fn new(error: OriginError, how: How) -> Self {
        Self { error, cause: None, how }
    }

    /// Turns awc's error before an answer's head into ours.
    pub(super) fn before_head(
        cause: &SendRequestError,
        call: &CallState,
        endpoint: &Endpoint,
    ) -> Self {
        let upstream = endpoint.name.to_string();
        let no_answer = |upstream, reason| OriginError::NoAnswer { upstream, reason };
        let (error, how) = match cause {
            SendRequestError::Connect(ConnectError::Timeout) => {
                let waited = endpoint.limits.connect_timeout;
                (timed_out(endpoint, "connection", waited), How::TimedOut)
            }
            SendRequestError::Connect(cause) if !call.is_connected.get() => {
                let reason = connect_reason(cause);
                (OriginError::Connect { upstream, reason }, How::Unsent)
            }
            SendRequestError::Connect(_) => {
                (no_answer(upstream, "it closed the connection"), How::NoHead)
            }
            SendRequestError::Send(_) => (no_answer(upstream, "the connection broke"), How::NoHead),
            SendRequestError::Response(cause) if is_io(cause) => {
                (no_answer(upstream, "the connection broke"), How::NoHead)
            }
            SendRequestError::Response(_) => {
                (no_answer(upstream, "its answer is not proper HTTP"), How::NoHead)
            }
            SendRequestError::Body(_) => {
                (no_answer(upstream, "the caller broke off its request"), How::NotTheirs)
            }
            _ => (OriginError::Internal { upstream }, How::NotTheirs),
        };
        Self { error, cause: Some(cause.to_string()), how }
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

/// Tells whether a call that got no answer's head may be sent again at once, on a new connection:
/// it got no byte on a reused one, which the upstream may have closed just before, and its method
/// is idempotent (RFC 9110 §9.2.2, RFC 9112 §9.3.1). A POST may have been done and paid for.
pub(super) fn met_stale_connection(call: &CallState, method: &Method) -> bool {
    call.is_reused.get()
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
pub(super) fn log(error: &OriginError, cause: Option<&dyn fmt::Display>) {
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
