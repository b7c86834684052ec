//! Requests that go past the cache: uncached routes, and cached ones whose request cannot be kept.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BodyStream, BoxBody, SizedStream};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING,
};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use anteroom_actors::error::OriginError;
use anteroom_actors::model::{CallEnd, CallPlace, Caller, NoPlace, Outcome, Sample};
use anteroom_actors::origin::Head;
use anteroom_actors::resolver::load_of;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Empty, Stream, StreamExt};

use super::guard;
use super::invalidation::{Done, invalidate};
use crate::http::access::{Metering, tokens};
use crate::http::admission::Permit;
use crate::http::body::CallersBody;
use crate::http::counted::{Billed, Watched};
use crate::http::error::ApiError;
use crate::http::gateway::UnderWay;
use crate::http::in_force::InForce;
use crate::http::memory_scope::MemoryScope;
use crate::http::respond::{self, Timing};
use crate::http::routes::Route;
use crate::http::worker::Worker;
use crate::upstream::{Forward, Forwarded};

/// Longest error that is gathered to take secrets out of it, in bytes.
const MAX_ERROR_BYTES: usize = 256 * 1024;

/// A request's body.
enum Body<S> {
    /// As it comes, with its length where the caller said it.
    Pieces(S, Option<u64>),
    /// At hand: the call can be repeated.
    Whole(Bytes),
}

/// Why a request goes past the cache, and which model it names.
struct Bypass {
    reason: &'static str,
    model: Option<Arc<str>>,
}

/// Returns what a call past the cache says of the upstream's load. How long such calls take says nothing:
/// they are of all kinds.
fn end_of(forwarded: &Result<Forwarded, OriginError>) -> CallEnd {
    match forwarded {
        Ok(answer) => match load_of(answer.status) {
            CallEnd::Refused => CallEnd::Refused,
            _ => CallEnd::Other,
        },
        Err(OriginError::TimedOut { .. }) => CallEnd::Refused,
        Err(_) => CallEnd::Other,
    }
}

/// A request, seen from its way past the cache.
pub(super) struct Source<'a> {
    pub(super) worker: &'a Rc<Worker>,
    pub(super) in_force: &'a InForce,
    pub(super) route: &'a Route,
    pub(super) request: &'a HttpRequest,
    pub(super) arrived: Instant,
    pub(super) memory: &'a MemoryScope<'a>,
}

impl Source<'_> {
    /// Passes a request of an uncached route on, untouched, its body streamed.
    pub(super) async fn pass_through(self, payload: Payload, under_way: UnderWay) -> HttpResponse {
        let headers = self.request.headers();
        let length = match headers.get(CONTENT_LENGTH) {
            Some(length) => length.to_str().ok().and_then(|length| length.parse().ok()),
            None if headers.contains_key(TRANSFER_ENCODING) => None,
            None => Some(0),
        };
        let caller = CallersBody::new(payload);
        let pieces = caller.pieces(self.in_force.settings.server.body_timeout.get());
        match self.forward(Body::Pieces(pieces, length), None, under_way).await {
            Ok(response) => response,
            Err(error) => {
                let error = caller.fault().unwrap_or(error);
                caller.close_after(self.failed(&error, None))
            }
        }
    }

    /// Passes a request of a cached route on because of `reason`.
    pub(super) async fn bypass(
        self,
        body: Bytes,
        (reason, model): (&'static str, Option<Arc<str>>),
        under_way: UnderWay,
    ) -> HttpResponse {
        let bypass = Bypass { reason, model };
        let body: Body<Empty<Result<Bytes, Infallible>>> = Body::Whole(body);
        let forwarded = self.forward(body, Some(bypass), under_way).await;
        forwarded.unwrap_or_else(|error| self.failed(&error, Some(reason)))
    }

    async fn forward<S, E>(
        &self,
        body: Body<S>,
        bypass: Option<Bypass>,
        under_way: UnderWay,
    ) -> Result<HttpResponse, ApiError>
    where
        S: Stream<Item = Result<Bytes, E>> + 'static,
    {
        let shed = ApiError::Shed("server.max_in_flight");
        let permit = self.worker.gateway.admission.enter().ok_or(shed)?;
        let length = match &body {
            Body::Pieces(_, length) => *length,
            Body::Whole(body) => u64::try_from(body.len()).ok(),
        };
        let mut metering = guard::meter(self.request, || self.estimate(length))?;
        let at_hand = if let Body::Whole(body) = &body { body.len() } else { 0 };
        self.memory.call(at_hand).await?;
        let place = self.place().await?;
        metering.pays(true);
        // A body at hand was inflated.
        let is_plain = matches!(body, Body::Whole(_));
        let headers: Vec<(&str, &[u8])> = self
            .request
            .headers()
            .iter()
            .filter(|(name, _)| !is_plain || *name != CONTENT_ENCODING)
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let forward = Forward {
            upstream: &self.route.upstream,
            method: self.request.method().as_str(),
            target: self.request.uri().path_and_query().map_or("/", |target| target.as_str()),
            headers: headers.iter().copied(),
            length,
        };
        let forwarder = &self.worker.forwarder;
        let forwarded = match body {
            Body::Pieces(pieces, _) => forwarder.forward(forward, pieces).await,
            Body::Whole(body) => forwarder.forward_whole(forward, body).await,
        };
        metering.pays(forwarded.as_ref().is_ok_and(|answer| answer.status < 400));
        if let Some(place) = &place {
            place.note(end_of(&forwarded));
        }
        let mut forwarded = forwarded.map_err(ApiError::Origin)?;
        if bypass.is_some() && forwarded.status >= 400 {
            forwarded = self.without_secrets(forwarded).await;
        }
        Ok(self.answer(forwarded, bypass, (permit, under_way, metering, place)))
    }

    /// Returns a place among the upstream's calls, waiting for it; nothing where they are not limited.
    async fn place(&self) -> Result<Option<CallPlace>, ApiError> {
        let upstream = &self.route.upstream;
        let Some(gate) = self.worker.gateway.topology.gates.get(upstream) else { return Ok(None) };
        // Whose it is does not matter: of what it says only refusals for load are noted.
        let place = gate.enter(Caller::User, 0).await;
        place.map(Some).map_err(|NoPlace { retry_after }| {
            let upstream = upstream.to_string();
            ApiError::Origin(OriginError::Overloaded { upstream, retry_after })
        })
    }

    /// Returns an estimate of the tokens that a body of this length costs. Uploads and forms cost
    /// none by their length.
    fn estimate(&self, length: Option<u64>) -> u64 {
        let kind = self.request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let is_json = kind.is_some_and(|kind| {
            kind.get(..16).is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/json"))
        });
        let length = length.filter(|_| is_json).and_then(|length| usize::try_from(length).ok());
        tokens::of_length(length.unwrap_or(0))
    }

    /// Takes what is declared sensitive out of an error of a cached route: it is gathered for that. A
    /// longer one passes as it comes.
    async fn without_secrets(&self, forwarded: Forwarded) -> Forwarded {
        let Forwarded { status, headers, length, mut body } = forwarded;
        let streamed = headers.iter().any(|header| {
            &*header.name == "content-type" && header.value.starts_with(b"text/event-stream")
        });
        let head = Head { status, headers, streamed };
        let reshape = self.in_force.reshaper.whole(self.route.index, &head);
        let headers = head.headers;
        let Some(reshape) = reshape else { return Forwarded { status, headers, length, body } };
        let mut gathered = BytesMut::new();
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => gathered.extend_from_slice(&piece),
                Err(error) => {
                    let start = gathered.freeze();
                    let start = reshape(&start).unwrap_or(start);
                    let body = stream::iter([Ok(start), Err(error)]).boxed_local();
                    return Forwarded { status, headers, length: None, body };
                }
            }
            if gathered.len() > MAX_ERROR_BYTES {
                let start = stream::iter([Ok(gathered.freeze())]);
                let body = start.chain(body).boxed_local();
                return Forwarded { status, headers, length, body };
            }
        }
        let whole = gathered.freeze();
        let whole = reshape(&whole).unwrap_or(whole);
        let length = u64::try_from(whole.len()).ok();
        Forwarded { status, headers, length, body: stream::iter([Ok(whole)]).boxed_local() }
    }

    fn answer(
        &self,
        forwarded: Forwarded,
        bypass: Option<Bypass>,
        mut holds: (Permit, UnderWay, Metering, Option<CallPlace>),
    ) -> HttpResponse {
        let Forwarded { status, headers, length, body } = forwarded;
        let code = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut response = HttpResponse::new(code);
        respond::pass_on(response.headers_mut(), &headers);
        let scope = || super::asked::scope_of(self.worker, self.route, self.request);
        self.worker.gateway.revoked.note(status, scope);
        let method = self.request.method().as_str();
        let target = self.request.uri().path_and_query().map_or("/", |target| target.as_str());
        invalidate(self.worker, self.route, Done { method, target, status, headers: &headers });
        let timing = self.timing(true);
        let mut billed = None;
        if let Some(Bypass { reason, model }) = bypass {
            let how = respond::Forwarded::Bypass(reason);
            respond::note_forwarded(response.headers_mut(), how, status, timing);
            let watched = || Watched::begin(&self.worker.gateway, self.route.index, model);
            billed = (status < 400).then(|| Billed(watched()));
        }
        self.record(Outcome::Bypass, status, timing, None);
        if code == StatusCode::NOT_MODIFIED {
            // Its length is that of the body the caller has; the server would wait for it.
            if let Some(length) = length {
                response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            return response;
        }
        // The permit, the count and the place last as long as the body.
        let body = body.then(move |piece| {
            if let Ok(piece) = &piece {
                holds.2.observe(piece);
                if let Some(billed) = &mut billed {
                    billed.0.observe(piece);
                }
            }
            respond::last_before_cut(piece)
        });
        let body = match length {
            Some(length) => BoxBody::new(SizedStream::new(
                length,
                body.map(|piece| {
                    piece.map_err(|error| -> Box<dyn std::error::Error> { Box::new(error) })
                }),
            )),
            None => BoxBody::new(BodyStream::new(body)),
        };
        response.set_body(body)
    }

    fn failed(&self, error: &ApiError, bypass: Option<&'static str>) -> HttpResponse {
        let ApiError::Origin(origin) = error else {
            return super::proxy::refuse(self.worker, self.route, self.arrived, error);
        };
        let mut response = error.response(self.route.profile.error_form());
        let status = response.status().as_u16();
        let timing = self.timing(false);
        if let Some(reason) = bypass {
            let how = respond::Forwarded::Bypass(reason);
            respond::note_forwarded(response.headers_mut(), how, status, timing);
        }
        self.record(Outcome::Error, status, timing, Some(origin.label()));
        response
    }

    fn timing(&self, answered: bool) -> Timing {
        let total = self.worker.gateway.clock.now().duration_since(self.arrived);
        Timing { total, upstream: answered.then_some(total), ..Timing::default() }
    }

    fn record(
        &self,
        outcome: Outcome,
        status: u16,
        timing: Timing,
        upstream_error: Option<&'static str>,
    ) {
        self.worker.record(Sample {
            route: self.route.index,
            outcome,
            status,
            total: timing.total,
            lookups: [None; 3],
            upstream: timing.upstream,
            upstream_error,
            discarded: None,
        });
    }
}
