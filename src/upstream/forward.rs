//! Calls that are not cached: passed on from the worker's own thread, streamed both ways.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::time::timeout;
use anteroom_actors::clock::SharedClock;
use anteroom_actors::error::OriginError;
use anteroom_actors::model::Header;
use awc::http::Method;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{LocalBoxStream, Stream, StreamExt as _};

use super::body::Framing;
use super::builtin::Builtin;
use super::client::{HttpClient, Outgoing, Reply};
use super::headers::{self, Passage};
use super::prepared::{Upstreams, Way, Ways};

/// Largest request body gathered for the built-in model, which reads 64 KiB of each text.
const MAX_BUILTIN_BODY_BYTES: usize = 8 * 1024 * 1024;
/// Longest silence of a caller while its body is gathered for the built-in model.
const BUILTIN_BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// A request to be passed on. Its body comes apart.
#[derive(Debug, Clone, Copy)]
pub struct Forward<'a, H> {
    /// Name of the upstream in the settings.
    pub upstream: &'a str,
    /// Request method.
    pub method: &'a str,
    /// Path and query, as received.
    pub target: &'a str,
    /// All headers, as received.
    pub headers: H,
    /// Length of the body in bytes, where the caller said it; 0 where there is none.
    pub length: Option<u64>,
}

/// An answer that has begun.
pub struct Forwarded {
    /// Status code.
    pub status: u16,
    /// End-to-end headers, names in lower case, without the length.
    pub headers: Vec<Header>,
    /// Length of the body in bytes, where the upstream said it.
    pub length: Option<u64>,
    /// The body. It ends by `None` only where the protocol said that it was whole.
    pub body: LocalBoxStream<'static, Result<Bytes, OriginError>>,
}

/// Passes calls on. One a worker, with its own connections.
pub struct Forwarder {
    ways: Ways,
}

impl Forwarder {
    /// Opens `upstreams` for the thread this is called on.
    pub fn new(upstreams: &Arc<Upstreams>, clock: &SharedClock) -> Self {
        Self { ways: upstreams.open(clock) }
    }

    /// Passes a call on; resolves when the answer's head is there.
    ///
    /// The time-outs are the upstream's; `first byte` counts from the end of the upload, and
    /// within it each piece has the idle time-out. The answer's size is not bounded: nothing
    /// gathers it. A call without a body is repeated where that is safe; another never.
    ///
    /// # Errors
    ///
    /// When no answer's head came, or the upstream is left alone at present.
    pub async fn forward<'a, H, S, E>(
        &self,
        request: Forward<'a, H>,
        body: S,
    ) -> Result<Forwarded, OriginError>
    where
        H: Iterator<Item = (&'a str, &'a [u8])> + Clone,
        S: Stream<Item = Result<Bytes, E>> + 'static,
    {
        match self.ways.get(request.upstream).map(Rc::clone).as_deref() {
            Some(Way::Http(client)) => {
                let outgoing = outgoing(client, &request)?;
                Ok(forwarded(client.send_pieces(&outgoing, body, request.length).await?))
            }
            Some(Way::Builtin(builtin)) => {
                let body = gather(body).await.map_err(|reason| OriginError::NoAnswer {
                    upstream: request.upstream.to_owned(),
                    reason,
                })?;
                Ok(forward_builtin(builtin, &request, &body).await)
            }
            None => Err(OriginError::Internal { upstream: request.upstream.to_owned() }),
        }
    }

    /// As [`Self::forward`], with a body that is there as a whole; the length is the body's. The
    /// call is repeated where that is safe.
    ///
    /// # Errors
    ///
    /// When no answer's head came, or the upstream is left alone at present.
    pub async fn forward_whole<'a, H>(
        &self,
        request: Forward<'a, H>,
        body: Bytes,
    ) -> Result<Forwarded, OriginError>
    where
        H: Iterator<Item = (&'a str, &'a [u8])> + Clone,
    {
        match self.ways.get(request.upstream).map(Rc::clone).as_deref() {
            Some(Way::Http(client)) => {
                let outgoing = outgoing(client, &request)?;
                Ok(forwarded(client.send_whole(&outgoing, body, u64::MAX).await?))
            }
            Some(Way::Builtin(builtin)) => Ok(forward_builtin(builtin, &request, &body).await),
            None => Err(OriginError::Internal { upstream: request.upstream.to_owned() }),
        }
    }
}

fn outgoing<'a, H>(client: &HttpClient, request: &Forward<'a, H>) -> Result<Outgoing, OriginError>
where
    H: Iterator<Item = (&'a str, &'a [u8])> + Clone,
{
    let endpoint = client.endpoint();
    let internal = || OriginError::Internal { upstream: request.upstream.to_owned() };
    Ok(Outgoing {
        method: Method::from_bytes(request.method.as_bytes()).map_err(|_| internal())?,
        uri: endpoint.uri(request.target).ok_or_else(internal)?,
        headers: headers::for_request(endpoint, request.headers.clone(), Passage::Through)
            .ok_or_else(internal)?,
    })
}

fn forwarded(reply: Reply) -> Forwarded {
    let length = match reply.framing {
        Framing::Sized(length) => Some(length),
        // Of the answer to a HEAD: what a GET would have.
        Framing::Empty => reply
            .headers
            .get("content-length")
            .and_then(|length| length.to_str().ok()?.trim().parse().ok()),
        Framing::Chunked | Framing::UntilClose => None,
    };
    Forwarded {
        status: reply.status,
        headers: headers::of_answer(&reply.headers),
        length,
        body: reply.body.boxed_local(),
    }
}

async fn forward_builtin<H>(
    builtin: &Builtin,
    request: &Forward<'_, H>,
    body: &Bytes,
) -> Forwarded {
    let prepared = builtin.answer(request.method, request.target, body);
    if !prepared.think_first.is_zero() {
        actix_rt::time::sleep(prepared.think_first).await;
    }
    Forwarded {
        status: prepared.status,
        headers: prepared.headers,
        length: None,
        body: prepared.body,
    }
}

async fn gather<S, E>(body: S) -> Result<Bytes, &'static str>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    let mut body = pin!(body);
    let mut gathered = BytesMut::new();
    loop {
        let piece = timeout(BUILTIN_BODY_TIMEOUT, body.next())
            .await
            .map_err(|_| "the caller sent no more of its request")?;
        match piece {
            None => return Ok(gathered.freeze()),
            Some(Err(_)) => return Err("the caller broke off its request"),
            Some(Ok(piece)) if gathered.len() + piece.len() > MAX_BUILTIN_BODY_BYTES => {
                return Err("the request is larger than the built-in model takes");
            }
            Some(Ok(piece)) => gathered.extend_from_slice(&piece),
        }
    }
}

#[cfg(test)]
#[path = "forward_tests.rs"]
mod tests;
