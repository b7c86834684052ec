//! Answering a miss through a flight.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use anteroom_actors::error::{AskError, OriginError};
use anteroom_actors::message::ask;
use anteroom_actors::model::{Outcome, Sample, Wants};
use anteroom_actors::origin::{Head, OriginCall};
use anteroom_actors::resolver::{FlightHead, Kept, Reader, Resolve, Role, Whole};
use bytes::Bytes;
use futures_util::stream;

use super::asked::Asked;
use super::proxy::{How, Looked, hit, refuse};
use crate::http::admission::Permit;
use crate::http::error::ApiError;
use crate::http::gateway::UnderWay;
use crate::http::recall::Meaning;
use crate::http::respond::{self, Forwarded, StoredHead, Timing};

/// Longest wait for the resolver, which answers in microseconds.
const RESOLVE_DEADLINE: Duration = Duration::from_millis(500);

/// How long after its arrival a request still waits for a dead actor's successor.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// Pause between two looks for the successor.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a response under way holds on to.
struct Holds {
    _permit: Permit,
    _under_way: UnderWay,
}

/// Answers `asked` from a level or the origin, together with everyone who asks the same.
pub(super) async fn answer(
    asked: &Asked<'_>,
    meaning: &Meaning,
    under_way: UnderWay,
) -> HttpResponse {
    let worker = asked.worker;
    let Some(permit) = worker.gateway.admission.enter() else {
        return refuse(worker, asked.route, asked.arrived, &ApiError::Shed("server.max_in_flight"));
    };
    let holds = Holds { _permit: permit, _under_way: under_way };
    let call = asked.call(meaning);
    let (mut alone, mut tried) = (false, false);
    loop {
        let mut reader = match join(asked, &call, alone).await {
            Ok(reader) => reader,
            Err(_gone) => {
                let error = ApiError::Shed("the resolver is restarting");
                return refuse(worker, asked.route, asked.arrived, &error);
            }
        };
        match reader.head().await {
            FlightHead::Found(found) => {
                let head = StoredHead::of(&found.entry);
                let looked = Looked::Levels(found.level, reader.timings().lookups);
                let how = How { looked, instead_of: found.instead_of };
                return hit(asked, &found.entry, &head, how);
            }
            FlightHead::NotKept => {
                return refuse(worker, asked.route, asked.arrived, &ApiError::NotKept);
            }
            FlightHead::Open(head) => return pass_on(asked, reader, &head, holds).await,
            FlightHead::GoAlone => alone = true,
            // A thread of ours has died. Where the origin was not asked yet, its successor will.
            FlightHead::Dangling { called: false } if !waited_long(asked) => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            FlightHead::Dangling { called: true } if !tried => tried = true,
            // Once, so that a provider in trouble gets no storm: the next flight's leader is one
            // of the followers.
            FlightHead::Failed(error)
                if !tried && error.is_retryable() && reader.role() == Role::Follows =>
            {
                tried = true;
            }
            FlightHead::Failed(error) => return failed(asked, &reader, error),
            FlightHead::Dangling { .. } => {
                let upstream = asked.route.upstream.to_string();
                return failed(asked, &reader, OriginError::Internal { upstream });
            }
        }
    }
}

/// Asks the resolver; while it is being re-created, waits for its successor.
async fn join(asked: &Asked<'_>, call: &Arc<OriginCall>, alone: bool) -> Result<Reader, AskError> {
    loop {
        let resolve = Resolve { call: Arc::clone(call), wants: Wants::default(), alone };
        let resolver = &asked.worker.gateway.topology.resolver.resolve;
        match ask(resolver, resolve, RESOLVE_DEADLINE).await {
            Ok(joined) => return Ok(joined.reader),
            Err(error) if waited_long(asked) => return Err(error),
            Err(_gone) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

fn waited_long(asked: &Asked<'_>) -> bool {
    asked.worker.gateway.clock.now().duration_since(asked.arrived) > BACK_WITHIN
}

async fn pass_on(
    asked: &Asked<'_>,
    mut reader: Reader,
    head: &Arc<Head>,
    holds: Holds,
) -> HttpResponse {
    if head.streamed {
        return stream_on(asked, reader, head, None, holds);
    }
    match reader.whole().await {
        Whole::Complete(body, kept) => complete(asked, &reader, head, body, kept),
        Whole::PassingOn => stream_on(asked, reader, head, Some("too-large"), holds),
        Whole::Failed(error) => failed(asked, &reader, error),
    }
}

/// Sends a whole answer.
fn complete(
    asked: &Asked<'_>,
    reader: &Reader,
    head: &Head,
    body: Bytes,
    kept: Kept,
) -> HttpResponse {
    let (kept, detail) = match kept {
        Kept::For(_) => (true, None),
        Kept::Not(reason) => (false, Some(reason)),
    };
    let forwarded = forwarded(reader.role(), Some(kept), detail);
    let mut response = HttpResponse::with_body(status_of(head), body).map_into_boxed_body();
    finish(asked, reader, head, forwarded, &mut response);
    response
}

/// Sends an answer piece by piece as it comes. An end that is not the answer's own is visible: the
/// connection closes without the last chunk.
fn stream_on(
    asked: &Asked<'_>,
    reader: Reader,
    head: &Head,
    detail: Option<&'static str>,
    holds: Holds,
) -> HttpResponse {
    let forwarded = forwarded(reader.role(), None, detail);
    let mut response = HttpResponse::build(status_of(head)).finish();
    finish(asked, &reader, head, forwarded, &mut response);
    let pieces = stream::unfold(Some((reader, holds)), |reading| async move {
        let (mut reader, holds) = reading?;
        match respond::last_before_cut(reader.next().await?).await {
            Ok(piece) => Some((Ok(piece), Some((reader, holds)))),
            Err(error) => Some((Err(error), None)),
        }
    });
    response.set_body(actix_web::body::BoxBody::new(actix_web::body::BodyStream::new(pieces)))
}

fn status_of(head: &Head) -> StatusCode {
    StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY)
}

const fn forwarded(role: Role, kept: Option<bool>, detail: Option<&'static str>) -> Forwarded {
    match role {
        Role::Leads => Forwarded::Miss { kept, detail },
        Role::Follows => Forwarded::Collapsed { detail },
    }
}

/// Fills in headers and takes the answer down.
fn finish(
    asked: &Asked<'_>,
    reader: &Reader,
    head: &Head,
    forwarded: Forwarded,
    response: &mut HttpResponse,
) {
    let timing = timing(asked, reader);
    let headers = response.headers_mut();
    respond::pass_on(headers, &head.headers);
    asked.worker.gateway.revoked.note(head.status, || asked.scope());
    respond::note_forwarded(headers, forwarded, head.status, timing);
    let discarded = match forwarded {
        Forwarded::Miss { detail, .. } => detail,
        _ => None,
    };
    record(asked, reader, head.status, timing, (None, discarded));
}

fn failed(asked: &Asked<'_>, reader: &Reader, error: OriginError) -> HttpResponse {
    let label = error.label();
    let mut response = ApiError::Origin(error).response(asked.route.profile.error_form());
    let timing = timing(asked, reader);
    let status = response.status().as_u16();
    let forwarded = forwarded(reader.role(), Some(false), Some(label));
    respond::note_forwarded(response.headers_mut(), forwarded, status, timing);
    record(asked, reader, status, timing, (Some(label), None));
    response
}

fn timing(asked: &Asked<'_>, reader: &Reader) -> Timing {
    let timings = reader.timings();
    Timing {
        cache: timings.lookups.iter().flatten().sum(),
        upstream: timings.upstream,
        total: asked.worker.gateway.clock.now().duration_since(asked.arrived),
    }
}

fn record(
    asked: &Asked<'_>,
    reader: &Reader,
    status: u16,
    timing: Timing,
    (upstream_error, discarded): (Option<&'static str>, Option<&'static str>),
) {
    let leads = reader.role() == Role::Leads;
    let outcome = match upstream_error {
        Some(_) => Outcome::Error,
        None if leads => Outcome::Miss,
        None => Outcome::Coalesced,
    };
    asked.worker.record(Sample {
        route: asked.route.index,
        outcome,
        status,
        total: timing.total,
        lookups: if leads { reader.timings().lookups } else { [None; 3] },
        upstream: timing.upstream.filter(|_| leads),
        upstream_error: upstream_error.filter(|_| leads),
        discarded: discarded.filter(|_| leads),
    });
}
