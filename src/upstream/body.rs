//! An answer's body on its way down: ends only where the protocol says that it was whole.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_rt::time::{Sleep, sleep};
use anteroom_actors::clock::SharedClock;
use anteroom_actors::error::OriginError;
use awc::ClientResponse;
use awc::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use awc::http::{Method, StatusCode, Version};
use bytes::Bytes;
use futures_util::stream::Stream;

use super::failure::{log, timed_out};
use super::prepared::Endpoint;
use super::wire::{CallState, Scope};
use crate::telemetry::Span;

/// What ends a body (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// This many bytes.
    Sized(u64),
    /// The last chunk.
    Chunked,
    /// The connection's close: a cut cannot be told from the end.
    UntilClose,
}

impl Framing {
    /// Returns what ends the body of `response` to a request of `method`.
    ///
    /// Errors: framings that two parsers could read differently, and a switch of protocols.
    pub(super) fn of(response: &ClientResponse, method: &Method) -> Result<Self, &'static str> {
        let status = response.status();
        let length = response.headers().get(CONTENT_LENGTH);
        let coding = response.headers().get(TRANSFER_ENCODING);
        let is_http_1_0 = response.version() == Version::HTTP_10;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err("it switched protocols");
        }
        if let Some(coding) = coding {
            let is_chunked = coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
            if length.is_some() || is_http_1_0 || !is_chunked {
                return Err("its answer has no certain length");
            }
        }
        if method == Method::HEAD
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        {
            return Ok(Self::Empty);
        }
        match (coding, length) {
            (Some(_), _) => Ok(Self::Chunked),
            (None, Some(length)) => length
                .to_str()
                .ok()
                .and_then(|length| length.trim().parse().ok())
                .map(Self::Sized)
                .ok_or("its answer has no certain length"),
            (None, None) if is_http_1_0 => Ok(Self::UntilClose),
            (None, None) => Err("its answer has no certain length"),
        }
    }
}

/// What a body needs to know of its call.
pub(super) struct Course {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) scope: Scope,
    pub(super) call: Rc<CallState>,
    pub(super) clock: SharedClock,
    /// Runs out when the whole call has taken too long.
    pub(super) total: Pin<Box<Sleep>>,
}

/// The body. Fused; after an error it ends.
pub(super) struct AnswerBody {
    response: Option<ClientResponse>,
    course: Course,
    framing: Framing,
    received: u64,
    max_bytes: u64,
    idle: Pin<Box<Sleep>>,
    is_idle_armed: bool,
    /// The call's span: it ends with the body.
    span: Option<Span>,
}

impl AnswerBody {
    pub(super) fn new(
        response: ClientResponse,
        framing: Framing,
        max_bytes: u64,
        course: Course,
    ) -> Self {
        // Dropped at once where there is no body: with it goes a connection that still owes one.
        let response = Some(response).filter(|_| framing != Framing::Empty);
        let idle = Box::pin(sleep(course.endpoint.limits.idle_timeout));
        Self {
            response,
            course,
            framing,
            received: 0,
            max_bytes,
            idle,
            is_idle_armed: false,
            span: None,
        }
    }

    /// Has the call's span end with the body.
    pub(super) fn note_in(&mut self, span: Option<Span>) {
        self.span = span.filter(|_| self.response.is_some());
    }

    fn upstream(&self) -> String {
        self.course.endpoint.name.to_string()
    }

    fn fail(&mut self, error: OriginError, cause: Option<&dyn std::fmt::Display>) -> Item {
        log(&error, cause);
        if let Some(mut span) = self.span.take() {
            span.fail(error.label());
        }
        self.response = None;
        Some(Err(error))
    }

    fn take(&mut self, piece: Bytes) -> Item {
        self.is_idle_armed = false;
        let count = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.received = self.received.saturating_add(count);
        if self.received > self.max_bytes {
            let upstream = self.upstream();
            return self.fail(OriginError::TooLarge { upstream }, None);
        }
        Some(Ok(piece))
    }

    fn end(&mut self) -> Item {
        let is_whole = match self.framing {
            Framing::Empty | Framing::UntilClose => true,
            Framing::Sized(length) => self.received == length,
            // awc reads on to the close only where the last chunk has not come.
            Framing::Chunked => !self.course.call.is_closed.get(),
        };
        if is_whole {
            self.response = None;
            self.span = None;
            return None;
        }
        let upstream = self.upstream();
        let reason = "the connection closed before its end";
        self.fail(OriginError::Cut { upstream, reason }, None)
    }

    /// Looks whether it has been silent, or going on, for too long.
    fn poll_timers(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        let limits = &self.course.endpoint.limits;
        if !self.is_idle_armed {
            // Counted from here: time that the reader took for itself is not the upstream's.
            let deadline = self.course.clock.now() + limits.idle_timeout;
            self.idle.as_mut().reset(deadline.into());
            self.is_idle_armed = true;
        }
        let late = if self.course.total.as_mut().poll(cx).is_ready() {
            timed_out(&self.course.endpoint, "end", limits.total_timeout)
        } else if self.idle.as_mut().poll(cx).is_ready() {
            timed_out(&self.course.endpoint, "next byte", limits.idle_timeout)
        } else {
            return Poll::Pending;
        };
        Poll::Ready(self.fail(late, None))
    }
}

type Item = Option<Result<Bytes, OriginError>>;

impl Stream for AnswerBody {
    type Item = Result<Bytes, OriginError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Item> {
        let this = self.get_mut();
        let Some(response) = &mut this.response else { return Poll::Ready(None) };
        let Course { scope, call, .. } = &this.course;
        match scope.on_behalf(call, || Pin::new(response).poll_next(cx)) {
            Poll::Ready(Some(Ok(piece))) => Poll::Ready(this.take(piece)),
            Poll::Ready(Some(Err(cause))) => {
                let upstream = this.upstream();
                let reason = "the connection broke, or its chunks are malformed";
                Poll::Ready(this.fail(OriginError::Cut { upstream, reason }, Some(&cause)))
            }
            Poll::Ready(None) => Poll::Ready(this.end()),
            Poll::Pending => this.poll_timers(cx),
        }
    }
}
