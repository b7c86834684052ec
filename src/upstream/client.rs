//! HTTP/1.1 to one upstream, from one thread: an `awc::Client` and the timers around it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_rt::time::{Sleep, sleep};
use anteroom_actors::clock::SharedClock;
use anteroom_actors::error::OriginError;
use awc::error::SendRequestError;
use awc::http::header::HeaderMap;
use awc::http::{Method, Uri};
use awc::{ClientResponse, SendClientRequest};
use bytes::Bytes;
use futures_util::stream::Stream;

use super::body::{AnswerBody, Course, Framing};
use super::connect::Connector;
use super::failure::{before_head, log, may_repeat, timed_out};
use super::prepared::Endpoint;
use super::upload::Upload;
use super::wire::{CallState, Scope};

/// How long a connection is used at most: a provider that moves to other addresses is followed.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(300);

/// A request, body apart.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
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
}

impl HttpClient {
    pub(super) fn new(endpoint: Arc<Endpoint>, clock: SharedClock) -> Self {
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
        Self { endpoint, client, scope, clock }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a request whose body is there as a whole. Repeats it once where that is safe.
    pub(super) async fn send_whole(
        &self,
        outgoing: &Outgoing,
        body: Bytes,
        max_bytes: u64,
    ) -> Result<Reply, OriginError> {
        let call = Rc::new(CallState::default());
        let upload = Upload::whole(body.clone(), &outgoing.method, Rc::clone(&call));
        let error = match self.send(outgoing, upload, Rc::clone(&call), max_bytes).await {
            Err(error) if may_repeat(&error, &call, &outgoing.method) => error,
            other => return other,
        };
        tracing::debug!(%error, "repeating a call on a new connection");
        let call = Rc::new(CallState::default());
        call.wants_fresh.set(true);
        let upload = Upload::whole(body, &outgoing.method, Rc::clone(&call));
        self.send(outgoing, upload, call, max_bytes).await
    }

    /// Sends a request whose body comes in pieces; `length` where the caller said it.
    pub(super) async fn send_pieces<S, E>(
        &self,
        outgoing: &Outgoing,
        pieces: S,
        length: Option<u64>,
    ) -> Result<Reply, OriginError>
    where
        S: Stream<Item = Result<Bytes, E>> + 'static,
    {
        if length == Some(0) {
            return self.send_whole(outgoing, Bytes::new(), u64::MAX).await;
        }
        let call = Rc::new(CallState::default());
        let upload = Upload::pieces(pieces, length, &outgoing.method, Rc::clone(&call));
        self.send(outgoing, upload, call, u64::MAX).await
    }

    async fn send(
        &self,
        outgoing: &Outgoing,
        upload: Upload,
        call: Rc<CallState>,
        max_bytes: u64,
    ) -> Result<Reply, OriginError> {
        let mut total = Box::pin(sleep(self.endpoint.limits.total_timeout));
        let mut request =
            self.client.request(outgoing.method.clone(), outgoing.uri.clone()).no_decompress();
        *request.headers_mut() = outgoing.headers.clone();
        let response = match self.await_head(request.send_body(upload), &call, total.as_mut()).await
        {
            Ok(Ok(response)) => response,
            Ok(Err(cause)) => {
                let error = before_head(&cause, &call, &self.endpoint);
                // A repeat follows: not a failure yet.
                if !may_repeat(&error, &call, &outgoing.method) {
                    log(&error, Some(&cause));
                }
                return Err(error);
            }
            Err(error) => {
                log(&error, None);
                return Err(error);
            }
        };
        let upstream = || self.endpoint.name.to_string();
        let refused = |error: OriginError| {
            log(&error, None);
            error
        };
        let framing = Framing::of(&response, &outgoing.method)
            .map_err(|reason| refused(OriginError::NoAnswer { upstream: upstream(), reason }))?;
        if matches!(framing, Framing::Sized(length) if length > max_bytes) {
            return Err(refused(OriginError::TooLarge { upstream: upstream() }));
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
            body: AnswerBody::new(response, framing, max_bytes, course),
        })
    }

    /// Polls `send` to the answer's head. The outer error is a time-out of ours.
    async fn await_head(
        &self,
        send: SendClientRequest,
        call: &Rc<CallState>,
        mut total: Pin<&mut Sleep>,
    ) -> Result<Result<ClientResponse, SendRequestError>, OriginError> {
        let mut send = pin!(send);
        let mut seen = Progress::of(call);
        let mut timer = pin!(sleep(seen.stage.limit(&self.endpoint)));
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
                let waited = self.endpoint.limits.total_timeout;
                return Poll::Ready(Err(timed_out(&self.endpoint, "end", waited)));
            }
            if timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(seen.stage.timed_out(&self.endpoint)));
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

    fn timed_out(self, endpoint: &Endpoint) -> OriginError {
        let upstream = endpoint.name.to_string();
        let awaited = match self {
            Self::Connection => "connection",
            Self::Upload | Self::Head => "first byte",
            Self::Caller => {
                let reason = "the caller sent no more of its request";
                return OriginError::NoAnswer { upstream, reason };
            }
        };
        OriginError::TimedOut { upstream, awaited, waited: self.limit(endpoint) }
    }
}
