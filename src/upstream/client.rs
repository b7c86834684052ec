//! HTTP/1.1 to one upstream, from one thread: an `awc::Client` and the timers around it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_rt::time::{Sleep, sleep};
use anteroom_actors::clock::SharedClock;
use anteroom_actors::error::OriginError;
use awc::error::SendRequestError;
use awc::http::header::HeaderMap;
use awc::http::{Method, Uri};
use awc::{ClientResponse, SendClientRequest};
use futures_util::future::OptionFuture;

use super::body::{AnswerBody, Course, Framing};
use super::call_span;
use super::connect::Connector;
use super::failure::{Failed, How, timed_out};
use super::prepared::Endpoint;
use super::upload::Upload;
use super::wire::{CallState, Scope};
use crate::telemetry::Spans;

/// How long a connection is used at most: a provider that moves to other addresses is followed.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(300);

/// A request, body apart.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
}

/// What a try may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Largest answer, in bytes.
    pub(super) max_bytes: u64,
    /// Longest time to the end of the answer.
    pub(super) total: Duration,
    /// Longest time to the answer's head, over the time-outs of each step; for repeats.
    pub(super) head: Option<Duration>,
    /// How often the request was sent before.
    pub(super) resends: u32,
}

/// An answer whose head is there.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    pub(super) body: AnswerBody,
}

/// The client of one upstream on one thread.
pub(super) struct HttpClient {
    endpoint: Arc<Endpoint>,
    client: awc::Client,
    scope: Scope,
    clock: SharedClock,
    spans: Option<Spans>,
}

impl HttpClient {
    /// Opens one; each try is a span where there are `spans`.
    pub(super) fn new(endpoint: Arc<Endpoint>, clock: SharedClock, spans: Option<Spans>) -> Self {
        let scope = Scope::default();
        // HTTP/1.1 alone: `Connector` speaks TLS itself, so awc never negotiates another.
        let connector = awc::Connector::new()
            .connector(Connector::new(Arc::clone(&endpoint), scope.clone()))
            .timeout(endpoint.limits.connect_timeout)
            .limit(endpoint.limits.connections)
            .conn_keep_alive(endpoint.limits.keep_alive)
            .conn_lifetime(CONNECTION_LIFETIME);
        let client = awc::Client::builder()
            .connector(connector)
            .disable_redirects()
            .disable_timeout()
            .no_default_headers()
            .finish();
        Self { endpoint, client, scope, clock, spans }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the time.
    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Returns milliseconds since the Unix epoch.
    pub(super) fn wall_ms(&self) -> u64 {
        self.clock.wall_ms()
    }

    /// Sends a request once.
    pub(super) async fn send(
        &self,
        outgoing: &Outgoing,
        upload: Upload,
        call: Rc<CallState>,
        bounds: Bounds,
    ) -> Result<Reply, Failed> {
        let mut headers = outgoing.headers.clone();
        let mut span = self.spans.as_ref().map(|spans| {
            call_span::begin(spans, &self.endpoint, outgoing, &mut headers, bounds.resends)
        });
        let sent = self.send_within(outgoing, headers, upload, call, bounds).await;
        if let Some(span) = &mut span {
            call_span::note_head(span, &sent);
        }
        sent.map(|mut reply| {
            reply.body.note_in(span);
            reply
        })
    }

    async fn send_within(
        &self,
        outgoing: &Outgoing,
        headers: HeaderMap,
        upload: Upload,
        call: Rc<CallState>,
        bounds: Bounds,
    ) -> Result<Reply, Failed> {
        let mut total = Box::pin(sleep(bounds.total));
        let mut request =
            self.client.request(outgoing.method.clone(), outgoing.uri.clone()).no_decompress();
        *request.headers_mut() = headers;
        let sending = request.send_body(upload);
        let response = self
            .await_head(sending, &call, total.as_mut(), bounds.head)
            .await?
            .map_err(|cause| Failed::before_head(&cause, &call, &self.endpoint))?;
        let upstream = || self.endpoint.name.to_string();
        let framing = Framing::of(&response, &outgoing.method).map_err(|reason| {
            Failed::new(OriginError::NoAnswer { upstream: upstream(), reason }, How::Misframed)
        })?;
        if matches!(framing, Framing::Sized(length) if length > bounds.max_bytes) {
            let error = OriginError::TooLarge { upstream: upstream() };
            return Err(Failed::new(error, How::Unwanted));
        }
        let course = Course {
            endpoint: Arc::clone(&self.endpoint),
            scope: self.scope.clone(),
            call,
            clock: Arc::clone(&self.clock),
            total,
        };
        Ok(Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            framing,
            body: AnswerBody::new(response, framing, bounds.max_bytes, course),
        })
    }

    /// Polls `send` to the answer's head, for no longer than `head` where that is given. The outer
    /// error is a time-out of ours.
    async fn await_head(
        &self,
        send: SendClientRequest,
        call: &Rc<CallState>,
        mut total: Pin<&mut Sleep>,
        head: Option<Duration>,
    ) -> Result<Result<ClientResponse, SendRequestError>, Failed> {
        let mut send = pin!(send);
        let mut seen = Progress::of(call);
        let mut timer = pin!(sleep(seen.stage.limit(&self.endpoint)));
        let mut head = pin!(OptionFuture::from(head.map(sleep)));
        let timed_out = |awaited, waited| {
            Failed::new(timed_out(&self.endpoint, awaited, waited), How::TimedOut)
        };
        poll_fn(|cx: &mut Context<'_>| {
            if let Poll::Ready(result) = self.scope.on_behalf(call, || send.as_mut().poll(cx)) {
                return Poll::Ready(Ok(result));
            }
            let progress = Progress::of(call);
            if progress != seen {
                seen = progress;
                timer.set(sleep(seen.stage.limit(&self.endpoint)));
            }
            if total.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(timed_out("end", self.endpoint.limits.total_timeout)));
            }
            if let Poll::Ready(Some(())) = head.as_mut().poll(cx) {
                let waited = self.endpoint.limits.first_byte_timeout;
                return Poll::Ready(Err(timed_out("first byte", waited)));
            }
            if timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(seen.stage.timed_out(&self.endpoint, call)));
            }
            Poll::Pending
        })
        .await
    }
}

/// What a call waits for, before its answer's head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A free slot, or a connection.
    Connection,
    /// The rest of the caller's body.
    Caller,
    /// Room in the connection for more of the body.
    Upload,
    /// The head.
    Head,
}

/// A change of this restarts the timer: a large upload may take longer than any single wait.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Progress {
    stage: Stage,
    written: u64,
}

impl Progress {
    fn of(call: &CallState) -> Self {
        let stage = if call.awaits_caller.get() {
            Stage::Caller
        } else if !call.is_connected.get() {
            Stage::Connection
        } else if call.is_uploaded.get() {
            Stage::Head
        } else {
            Stage::Upload
        };
        Self { stage, written: call.written.get() }
    }
}

impl Stage {
    fn limit(self, endpoint: &Endpoint) -> Duration {
        match self {
            Self::Connection => endpoint.limits.connect_timeout,
            Self::Caller | Self::Upload => endpoint.limits.idle_timeout,
            Self::Head => endpoint.limits.first_byte_timeout,
        }
    }

    fn timed_out(self, endpoint: &Endpoint, call: &CallState) -> Failed {
        let (awaited, how) = match self {
            // All connections are taken by other calls: it never came to this one's turn.
            Self::Connection if !call.is_dialled.get() => ("connection", How::NotTheirs),
            Self::Connection => ("connection", How::TimedOut),
            Self::Upload | Self::Head => ("first byte", How::TimedOut),
            Self::Caller => {
                let upstream = endpoint.name.to_string();
                let reason = "the caller sent no more of its request";
                return Failed::new(OriginError::NoAnswer { upstream, reason }, How::NotTheirs);
            }
        };
        Failed::new(timed_out(endpoint, awaited, self.limit(endpoint)), how)
    }
}
