//! A call to an upstream as one or several tries: past its breaker, and again where that is safe.

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_rt::time::sleep;
use anteroom_actors::error::OriginError;
use awc::http::header::RETRY_AFTER;
use bytes::Bytes;
use futures_util::stream::Stream;

use super::breaker::{End, is_failure};
use super::client::{Bounds, HttpClient, Outgoing, Reply};
use super::failure::{Failed, How, log, met_stale_connection};
use super::retry::{Came, Retries, is_safe, retry_after};
use super::standing::{Pass, random};
use super::upload::Upload;
use super::wire::CallState;

/// The header that lets an upstream know a request that it has carried out already.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

impl HttpClient {
    /// Sends a request whose body is there as a whole. Repeats it where that is safe and may help.
    ///
    /// All tries together keep within the upstream's total time-out, and each repeat gets its head
    /// within the first-byte time-out from the start of the first.
    pub(super) async fn send_whole(
        &self,
        outgoing: &Outgoing,
        body: Bytes,
        max_bytes: u64,
    ) -> Result<Reply, OriginError> {
        let pass = self.endpoint().standing.admit(self.now())?;
        let mut tries = Tries::new(self, outgoing, &pass);
        let tried = loop {
            let call = Rc::new(CallState::default());
            call.wants_fresh.set(tries.wants_fresh);
            let upload = Upload::whole(body.clone(), &outgoing.method, Rc::clone(&call));
            let tried =
                self.send(outgoing, upload, Rc::clone(&call), tries.bounds(max_bytes)).await;
            let Some(wait) = tries.wait_before_next(&tried, &call) else { break tried };
            if !wait.is_zero() {
                sleep(wait).await;
            }
            // Meanwhile other calls may have found that it fails.
            if !pass.allows_repeat() {
                break tried;
            }
            tries.begin_next(&tried);
        };
        self.settle(pass, tried)
    }

    /// Sends a request whose body comes in pieces, once; `length` where the caller said it.
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
        let pass = self.endpoint().standing.admit(self.now())?;
        let bounds = Tries::new(self, outgoing, &pass).bounds(u64::MAX);
        let call = Rc::new(CallState::default());
        call.wants_fresh.set(pass.is_probe());
        let upload = Upload::pieces(pieces, length, &outgoing.method, Rc::clone(&call));
        let tried = self.send(outgoing, upload, call, bounds).await;
        self.settle(pass, tried)
    }

    /// Tells the breaker how a call ended, and the log, if it failed.
    fn settle(&self, pass: Pass<'_>, tried: Result<Reply, Failed>) -> Result<Reply, OriginError> {
        let end = match &tried {
            Ok(reply) if is_failure(reply.status) => End::Failed,
            Ok(_) => End::Answered,
            Err(failed) => match failed.how {
                How::Unsent | How::NoHead | How::TimedOut | How::Misframed => End::Failed,
                How::Unwanted => End::Answered,
                How::NotTheirs => End::Unknown,
            },
        };
        pass.settle(end, self.now());
        tried.map_err(|failed| {
            log(&failed.error, failed.cause.as_ref().map(|cause| cause as &dyn fmt::Display));
            failed.error
        })
    }
}

/// The tries of one call so far.
struct Tries<'c> {
    client: &'c HttpClient,
    outgoing: &'c Outgoing,
    pass: &'c Pass<'c>,
    retries: Retries,
    started: Instant,
    /// How often it was sent again.
    resends: u32,
    /// The next try is not to use a connection that was kept: the last one was closed, or the
    /// upstream is tried out.
    wants_fresh: bool,
}

impl<'c> Tries<'c> {
    fn new(client: &'c HttpClient, outgoing: &'c Outgoing, pass: &'c Pass<'c>) -> Self {
        let limits = &client.endpoint().limits;
        let is_keyed = outgoing.headers.contains_key(IDEMPOTENCY_KEY);
        let is_safe = is_safe(outgoing.method.as_str(), is_keyed, limits.retry.posts);
        let within = limits.first_byte_timeout.min(limits.total_timeout);
        Self {
            client,
            outgoing,
            pass,
            retries: Retries::new(limits.retry, is_safe, within),
            started: client.now(),
            resends: 0,
            wants_fresh: pass.is_probe(),
        }
    }

    fn elapsed(&self) -> Duration {
        self.client.now().saturating_duration_since(self.started)
    }

    fn bounds(&self, max_bytes: u64) -> Bounds {
        let limits = &self.client.endpoint().limits;
        let resends = self.resends;
        if resends == 0 {
            return Bounds { max_bytes, total: limits.total_timeout, head: None, resends };
        }
        let elapsed = self.elapsed();
        Bounds {
            max_bytes,
            total: limits.total_timeout.saturating_sub(elapsed),
            head: Some(limits.first_byte_timeout.saturating_sub(elapsed)),
            resends,
        }
    }

    /// Returns how long to wait before the next try, or `None` if `tried` was the last.
    fn wait_before_next(
        &mut self,
        tried: &Result<Reply, Failed>,
        call: &CallState,
    ) -> Option<Duration> {
        if !self.pass.allows_repeat() {
            return None;
        }
        self.wants_fresh = false;
        let came = match tried {
            Ok(reply) => Came::Answer {
                status: reply.status,
                retry_after: reply
                    .headers
                    .get(RETRY_AFTER)
                    .and_then(|value| retry_after(value.to_str().ok()?, self.client.wall_ms())),
            },
            Err(failed) => match failed.how {
                How::Unsent => Came::Unsent,
                How::NoHead => {
                    self.wants_fresh = call.is_reused.get();
                    let is_stale = met_stale_connection(call, &self.outgoing.method);
                    if is_stale { Came::Stale } else { Came::Nothing }
                }
                How::TimedOut | How::Misframed | How::Unwanted | How::NotTheirs => Came::Other,
            },
        };
        self.retries.next(came, self.elapsed(), random())
    }

    /// Notes that another try follows `tried`.
    fn begin_next(&mut self, tried: &Result<Reply, Failed>) {
        self.resends = self.resends.saturating_add(1);
        let endpoint = self.client.endpoint();
        endpoint.standing.count_retry();
        let upstream = &*endpoint.name;
        match tried {
            Ok(reply) => tracing::debug!(upstream, status = reply.status, "sending a call again"),
            Err(Failed { error, .. }) => tracing::debug!(upstream, %error, "sending a call again"),
        }
    }
}
