//! Answering a miss through a flight.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use anteroom_actors::error::{AskError, OriginError};
use anteroom_actors::message::ask;
use anteroom_actors::model::{Form, Use, Wants};
use anteroom_actors::origin::{Head, OriginCall};
use anteroom_actors::resolver::{FlightHead, Kept, Reader, Resolve, Role, Whole};
use bytes::Bytes;
use futures_util::stream;

use super::asked::{Asked, Question};
use super::conversion::{body_in_form, headers_in_form, in_form};
use super::hits::{How, Looked, head_of, hit, masked};
use super::proxy::refuse;
use super::told::{failed, finish, forwarded};
use super::under_way::{Holds, Reading};
use super::{conditions, guard, unasked};
use crate::forms::UsageFilter;
use crate::http::counted::Watched;
use crate::http::error::ApiError;
use crate::http::gateway::UnderWay;
use crate::http::outgoing::Outgoing;
use crate::http::pieces;
use crate::http::respond::{self, Forwarded};

/// Longest wait for the resolver, which answers in microseconds.
const RESOLVE_DEADLINE: Duration = Duration::from_millis(500);

/// How long after its arrival a request still waits for a dead actor's successor.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// Pause between two looks for the successor.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Answers `question` from a level or the origin, together with everyone who asks the same.
pub(super) async fn answer(question: &Question<'_>, under_way: UnderWay) -> HttpResponse {
    let asked = question.asked;
    let worker = asked.worker;
    let Some(permit) = worker.gateway.admission.enter() else {
        return refuse(worker, asked.route, asked.arrived, &ApiError::Shed("server.max_in_flight"));
    };
    let model = question.meaning.model.as_deref();
    let estimate = || worker.gateway.counter.estimate(model, &asked.body);
    let metering = match guard::meter(asked.request, estimate) {
        Ok(metering) => metering,
        Err(error) => return refuse(worker, asked.route, asked.arrived, &error),
    };
    if let Err(error) = asked.memory.call(asked.body.len()).await {
        return refuse(worker, asked.route, asked.arrived, &error);
    }
    let mut holds = Holds::new(permit, under_way, metering);
    let call = question.call();
    let mut wants = question.directives.wants;
    // What may not be kept is nobody else's either.
    let mut alone = question.directives.no_store;
    let mut tried = false;
    loop {
        let mut reader = match join(asked, &call, wants, alone).await {
            Ok(reader) => reader,
            Err(_gone) => {
                let error = ApiError::Shed("the resolver is restarting");
                return refuse(worker, asked.route, asked.arrived, &error);
            }
        };
        // From here on the call goes on and costs its tokens, also where the caller leaves.
        holds.metering.pays(reader.role() == Role::Leads);
        let head = reader.head().await;
        if reader.role() == Role::Leads && is_answer(&head) {
            unasked::remember(question, &call);
        }
        holds.metering.pays(reader.role() == Role::Leads && costs(&head));
        match head {
            FlightHead::Found(mut found) => {
                let wall_ms = worker.gateway.clock.wall_ms();
                let use_made = wants.judge(&found.entry.freshness, wall_ms);
                let is_wanted =
                    found.instead_of.is_some() || !matches!(use_made, Use::Validate | Use::Leave);
                if !asked.selects(&found.entry) {
                    if wants.only_kept {
                        return refuse(worker, asked.route, asked.arrived, &ApiError::NotKept);
                    }
                    // Made for a request that was not like this one (RFC 9111 §4.1).
                    wants.reload = true;
                    continue;
                }
                if let Err(error) = asked.memory.read(&found.entry.body) {
                    return refuse(worker, asked.route, asked.arrived, &error);
                }
                match in_form(question, found.entry).await {
                    Ok(entry) if is_wanted => found.entry = entry,
                    // Found by another's flight, or kept in a form that cannot be converted.
                    Ok(_) => {
                        alone = true;
                        continue;
                    }
                    Err(_) => {
                        wants.reload = true;
                        continue;
                    }
                }
                found.entry = masked(question, found.entry).await;
                let head = head_of(question, &found.entry).await;
                let looked = Looked::Levels(found.level, reader.timings().lookups);
                let how = How { looked, instead_of: found.instead_of };
                return hit(question, &found.entry, &head, how);
            }
            FlightHead::NotKept => {
                return refuse(worker, asked.route, asked.arrived, &ApiError::NotKept);
            }
            FlightHead::Open(head)
                if reader.role() == Role::Follows && !asked.keys_selection_of(&head.headers) =>
            {
                alone = true;
            }
            FlightHead::Open(head) => match pass_on(question, reader, &head, holds).await {
                Ok(response) => return response,
                Err(returned) => {
                    holds = returned;
                    alone = true;
                }
            },
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

/// Tells whether this is an answer that may be kept, as far as its head says, or one that is.
fn is_answer(head: &FlightHead) -> bool {
    match head {
        FlightHead::Found(_) => true,
        FlightHead::Open(head) => head.status < 300,
        _ => false,
    }
}

/// Tells whether a call with this head costs its leader tokens.
pub(super) fn costs(head: &FlightHead) -> bool {
    matches!(head, FlightHead::Open(head) if head.status < 400)
}

/// Asks the resolver; while it is being re-created, waits for its successor.
pub(super) async fn join(
    asked: &Asked<'_>,
    call: &Arc<OriginCall>,
    wants: Wants,
    alone: bool,
) -> Result<Reader, AskError> {
    loop {
        let resolve = Resolve { call: Arc::clone(call), wants, alone };
        let resolver = &asked.worker.gateway.topology.resolver.resolve;
        match ask(resolver, resolve, RESOLVE_DEADLINE).await {
            Ok(joined) => return Ok(joined.reader),
            Err(error) if waited_long(asked) => return Err(error),
            Err(_gone) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

pub(super) fn waited_long(asked: &Asked<'_>) -> bool {
    asked.worker.gateway.clock.now().duration_since(asked.arrived) > BACK_WITHIN
}

/// Passes an origin's answer on; gives back what the request holds where it is in another form and
/// cannot be converted.
async fn pass_on(
    question: &Question<'_>,
    mut reader: Reader,
    head: &Arc<Head>,
    mut holds: Holds,
) -> Result<HttpResponse, Holds> {
    let (asked, form) = (question.asked, question.meaning.form);
    asked.memory.hold(reader.hold());
    // The leader gets what the origin answers him, in whatever form.
    let is_of_another = reader.role() == Role::Follows && head.streamed != form.is_stream();
    if is_of_another && asked.route.converts && head.status == 200 {
        return convert(question, &mut reader, head).await.ok_or(holds);
    }
    if head.streamed {
        return Ok(stream_on(question, reader, head, None, holds));
    }
    Ok(match reader.whole().await {
        Whole::Complete(body, kept) => {
            holds.metering.observe(&body);
            note_coalesced(question, &reader, head, &body);
            complete(question, &reader, head, body, kept).await
        }
        Whole::PassingOn(reason) => stream_on(question, reader, head, Some(reason), holds),
        Whole::Failed(error) => failed(asked, &reader, error),
    })
}

/// Sends another's answer in the form that is asked for here, once it is whole.
async fn convert(
    question: &Question<'_>,
    reader: &mut Reader,
    head: &Head,
) -> Option<HttpResponse> {
    let Whole::Complete(body, kept) = reader.whole().await else { return None };
    let from = if head.streamed { Form::Stream } else { Form::Object };
    let converted = body_in_form(question, from, body.clone()).await.ok()?;
    note_coalesced(question, reader, head, &body);
    let headers = headers_in_form(&head.headers, question.meaning.form);
    let streamed = question.meaning.form.is_stream();
    let head = Head { headers, streamed, ..head.clone() };
    Some(complete(question, reader, &head, converted, kept).await)
}

/// Returns what becomes of an answer with this head on its way to the caller.
fn outgoing(question: &Question<'_>, head: &Head) -> Outgoing {
    let asked = question.asked;
    let settings = &asked.in_force.settings.response;
    let fields = (question.directives.fields.as_ref(), settings);
    Outgoing::of(head.status, &head.headers, head.streamed, asked.accepted, fields)
}

/// Sends a whole answer.
pub(super) async fn complete(
    question: &Question<'_>,
    reader: &Reader,
    head: &Head,
    body: Bytes,
    kept: Kept,
) -> HttpResponse {
    let (is_kept, detail) = match kept {
        Kept::For(_) => (true, None),
        Kept::Not(reason) => (false, Some(reason)),
    };
    let forwarded = forwarded(reader, Some(is_kept), detail);
    let response = send_whole(question, reader, head, (body, is_kept), forwarded).await;
    if !is_kept {
        return response;
    }
    let asked = question.asked;
    let wall_ms = asked.worker.gateway.clock.wall_ms();
    conditions::answered(asked.request, response, wall_ms, wall_ms)
}

/// Sends a whole body with a head, in the encoding and of the part that the caller wants.
pub(super) async fn send_whole(
    question: &Question<'_>,
    reader: &Reader,
    head: &Head,
    (body, kept): (Bytes, bool),
    forwarded: Forwarded,
) -> HttpResponse {
    let sent = outgoing(question, head).whole(body, kept).await;
    let body = sent.body.clone();
    let asked = question.asked;
    asked.worker.record_sent(asked.route.index, sent.encoding, sent.original_len, body.len());
    let mut response = pieces::response(status_of(head), body);
    finish(question, reader, head, forwarded, &mut response);
    sent.dress(response.headers_mut());
    response
}

/// Sends an answer piece by piece as it comes. An end that is not the answer's own is visible: the
/// connection closes without the last chunk.
fn stream_on(
    question: &Question<'_>,
    reader: Reader,
    head: &Head,
    detail: Option<&'static str>,
    holds: Holds,
) -> HttpResponse {
    let asked = question.asked;
    let forwarded = forwarded(&reader, None, detail);
    let mut response = HttpResponse::build(status_of(head)).finish();
    finish(question, &reader, head, forwarded, &mut response);
    let outgoing = outgoing(question, head);
    outgoing.dress_live(response.headers_mut());
    let hides_usage = head.streamed && question.meaning.form == Form::StreamWithoutUsage;
    let filter = hides_usage.then(UsageFilter::new);
    let mask = outgoing.mask();
    let live = outgoing.live();
    let sent = asked.worker.gateway.metrics.sent(asked.route.index, live.encoding());
    let watched = watched(question, &reader, head);
    let reading = Reading { reader, filter, mask, live: Some(live), sent, watched, holds };
    let pieces = stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        match respond::last_before_cut(reading.next().await?).await {
            Ok(piece) => Some((Ok(piece), Some(reading))),
            Err(error) => Some((Err(error), None)),
        }
    });
    response.set_body(actix_web::body::BoxBody::new(actix_web::body::BodyStream::new(pieces)))
}

/// Begins to watch an answer that came by another's call.
fn watched(question: &Question<'_>, reader: &Reader, head: &Head) -> Option<Watched> {
    let is_spared = reader.role() == Role::Follows && head.status < 400;
    let (asked, model) = (question.asked, question.meaning.model.clone());
    is_spared.then(|| Watched::begin(&asked.worker.gateway, asked.route.index, model))
}

/// Takes down what a whole answer saved, where it came by another's call.
fn note_coalesced(question: &Question<'_>, reader: &Reader, head: &Head, body: &[u8]) {
    let mut watched = watched(question, reader, head);
    if let Some(watched) = &mut watched {
        watched.observe(body);
    }
    if let Some(watched) = watched {
        watched.spared(reader.timings().whole.unwrap_or_default());
    }
}

fn status_of(head: &Head) -> StatusCode {
    StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY)
}
