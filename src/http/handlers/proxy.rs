//! The way of a request on the API listener.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use anteroom_actors::message::{Lookup, ask};
use anteroom_actors::model::{Level, Outcome, Sample, Use};
use anteroom_actors::resolver::Refresh;

use super::asked::{Asked, Question, accepted};
use super::conversion::in_form;
use super::directives::Directives;
use super::hits::{How, Looked, head_of, hit, lease_hit, masked};
use super::reading::Understood;
use super::{conversing, embeddings_list, flight, forward};
use crate::caching::Way;
use crate::canonical::ErrorForm;
use crate::http::body::{self, CallersBody};
use crate::http::counted::Spared;
use crate::http::error::ApiError;
use crate::http::gateway::UnderWay;
use crate::http::in_force::InForce;
use crate::http::memory_scope::MemoryScope;
use crate::http::recall::{Digest, Meaning, Recalled};
use crate::http::respond::{self, Timing};
use crate::http::routes::{Route, Routes};
use crate::http::worker::Worker;

/// Longest wait for L1, which answers in microseconds; past it the resolver is asked.
const L1_DEADLINE: Duration = Duration::from_millis(5);

/// Longest part of a path repeated in an error.
const PATH_SHOWN: usize = 128;

/// Answers any request that is not for the gateway itself.
pub async fn handle(worker: Rc<Worker>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let arrived = worker.gateway.clock.now();
    let under_way = worker.enter();
    let in_force = worker.in_force();
    let memory = worker.gateway.memory_scope(in_force.settings.memory.wait.get());
    let response = match find(&in_force.routes, request.method(), request.path()) {
        Err(error) => {
            let response = error.response(form_of(request.path()));
            CallersBody::new(payload).close_after(response)
        }
        Ok(route) if route.cached => {
            let held = (under_way, &memory);
            cached(&worker, (&in_force, route), &request, payload, arrived, held).await
        }
        Ok(route) if conversing::is_one(route, &request) => {
            let response = refuse(&worker, route, arrived, &ApiError::NoConversations);
            CallersBody::new(payload).close_after(response)
        }
        Ok(route) => {
            let memory = &memory;
            let (worker, in_force, request) = (&worker, &**in_force, &request);
            let from = forward::Source { worker, in_force, route, request, arrived, memory };
            Box::pin(from.pass_through(payload, under_way)).await
        }
    };
    memory.until_sent(response)
}

/// Returns the route of a request.
///
/// # Errors
///
/// When there is none, or what is asked for is never served.
pub(super) fn find<'a>(
    routes: &'a Routes,
    method: &Method,
    path: &str,
) -> Result<&'a Route, ApiError> {
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(ApiError::Method(method.to_string()));
    }
    // Few paths have either of these: most need no look at their segments.
    if path.bytes().any(|byte| matches!(byte, b'.' | b'%')) && path.split('/').any(is_dot_segment) {
        return Err(ApiError::DotSegment);
    }
    if path == "/v1/realtime" {
        return Err(ApiError::NotServed("/v1/realtime (web sockets)"));
    }
    routes.find(method.as_str(), path).ok_or_else(|| ApiError::NoRoute {
        method: method.as_str().chars().take(16).collect(),
        path: path.chars().take(PATH_SHOWN).collect(),
    })
}

/// Tells whether a path segment is `.` or `..`, percent-encoded or not (RFC 3986 §5.2.4, §6.2.2).
fn is_dot_segment(segment: &str) -> bool {
    if !segment.starts_with(['.', '%']) || segment.len() > 6 {
        return false;
    }
    let decoded = segment.to_ascii_lowercase().replace("%2e", ".");
    decoded == "." || decoded == ".."
}

/// Returns the error form of a path without a route.
pub(super) fn form_of(path: &str) -> ErrorForm {
    if path.starts_with("/v1/messages") { ErrorForm::Anthropic } else { ErrorForm::OpenAi }
}

async fn cached(
    worker: &Rc<Worker>,
    (in_force, route): (&InForce, &Route),
    request: &HttpRequest,
    mut payload: Payload,
    arrived: Instant,
    (under_way, memory): (UnderWay, &MemoryScope<'_>),
) -> HttpResponse {
    let server = &in_force.settings.server;
    let (most, deadline) = (server.max_body.as_usize(), server.body_timeout.get());
    let nudges = &worker.nudges;
    let read = body::read_at_hand(request, &mut payload, (most, memory), deadline, nudges);
    let body = match read.await {
        Ok(body) => body,
        Err(error) => {
            let response = refuse(worker, route, arrived, &error);
            return CallersBody::new(payload).close_after(response);
        }
    };
    let accepted = accepted(&in_force.settings, request);
    let asked = Asked {
        worker,
        in_force,
        route,
        request,
        body: body.bytes,
        accepted,
        arrived,
        memory,
        conversation: None,
    };
    let is_revoked = worker.gateway.revoked.holds(|| asked.scope());
    match asked.way() {
        Way::Lookup | Way::WriteThrough => {}
        Way::Pass(_) if conversing::is_one(route, request) => {
            return refuse(worker, route, arrived, &ApiError::NoConversations);
        }
        Way::Pass(reason) => {
            let from = forward::Source { worker, in_force, route, request, arrived, memory };
            return Box::pin(from.bypass(asked.body, (reason, None), under_way)).await;
        }
        Way::GatewayTimeout => return refuse(worker, route, arrived, &ApiError::NotKept),
    }
    if conversing::is_one(route, request) {
        return match Box::pin(asked.inflated()).await {
            Ok(asked) => Box::pin(conversing::answer(worker, asked, under_way)).await,
            Err(error) => refuse(worker, route, arrived, &error),
        };
    }
    // Of the body as it came: a repeat is not inflated again.
    let digest = asked.digest();
    // Where the body took long, the time of arrival says nothing of a lease.
    let now = if body.waited { worker.gateway.clock.now() } else { arrived };
    let wall_ms = worker.gateway.clock.wall_ms();
    let recalled =
        if is_revoked { None } else { worker.recall.borrow_mut().get(&digest, now, wall_ms) };
    let meaning = match recalled {
        Some(Recalled::Answer(entry, lease, scope)) => {
            return lease_hit(&asked, wall_ms, &entry, (&lease.head, scope));
        }
        Some(Recalled::Meaning(meaning)) => Some(meaning),
        None => None,
    };
    let asked = match Box::pin(asked.inflated()).await {
        Ok(asked) => asked,
        Err(error) => return refuse(worker, route, arrived, &error),
    };
    if is_revoked {
        let from = forward::Source { worker, in_force, route, request, arrived, memory };
        let why = ("credential-refused", None);
        return Box::pin(from.bypass(asked.body, why, under_way)).await;
    }
    // In a box of its own: what a lease answers need not carry it along.
    Box::pin(unleased(worker, asked, (digest, meaning), under_way)).await
}

/// Answers a request that no lease answers; `meaning` is what is remembered of it.
pub(super) async fn unleased(
    worker: &Rc<Worker>,
    asked: Asked<'_>,
    (digest, meaning): (Digest, Option<Meaning>),
    under_way: UnderWay,
) -> HttpResponse {
    let Asked { in_force, route, request, arrived, memory, .. } = asked;
    let mut directives = match Directives::of(request, route) {
        Ok(directives) => directives,
        Err(error) => return refuse(worker, route, arrived, &error),
    };
    // A conversation's request comes here with a refused credential, too, because what passes the
    // cache by has no turns: it takes nothing that is kept, and a flight of its own asks the provider.
    directives.wants.reload |= worker.gateway.revoked.holds(|| asked.scope());
    let meaning = match meaning {
        Some(meaning) => meaning,
        None => match asked.understand(&directives).await {
            Err(error) => return refuse(worker, route, arrived, &error),
            // Before it costs anything: such an answer may come in an encoding that is not read.
            Ok((Understood::Bypass(_), _)) if conversing::is_one(route, request) => {
                return refuse(worker, route, arrived, &ApiError::NoConversations);
            }
            Ok((Understood::Bypass(reason), model)) => {
                let from = forward::Source { worker, in_force, route, request, arrived, memory };
                return from.bypass(asked.body, (reason, model), under_way).await;
            }
            Ok((Understood::Keyed(meaning), _)) => {
                if let Some(list) = embeddings_list::list_of(&asked, &meaning).await {
                    let question = Question { asked: &asked, meaning, directives };
                    return embeddings_list::answer(&question, list, under_way).await;
                }
                worker.recall.borrow_mut().remember(digest, meaning.clone());
                meaning
            }
        },
    };
    let question = Question { asked: &asked, meaning, directives };
    if let Some(response) = look_in_l1(&question, &digest).await {
        return response;
    }
    flight::answer(&question, under_way).await
}

/// Answers from L1, where it has something to serve.
async fn look_in_l1(question: &Question<'_>, digest: &Digest) -> Option<HttpResponse> {
    let Question { asked, meaning, directives } = question;
    let gateway = &asked.worker.gateway;
    let known = asked.worker.recall.borrow().known(&meaning.key);
    let lookup = Lookup { key: meaning.key, form: meaning.form };
    let entry = ask(&gateway.topology.l1.lookup, lookup, L1_DEADLINE).await.ok()?.ok()??;
    let use_made = directives.wants.judge(&entry.freshness, gateway.clock.wall_ms());
    if !matches!(use_made, Use::Serve | Use::ServeAndRefresh) || !asked.selects(&entry) {
        return None;
    }
    let kept = Arc::clone(&entry);
    // One that cannot be converted is as good as none in this form.
    let entry = in_form(question, entry).await.ok()?;
    if use_made == Use::ServeAndRefresh && !directives.wants.only_kept {
        let refresh = Refresh { call: question.call(), stale: (kept, Level::L1) };
        gateway.topology.resolver.refresh.tell(refresh);
    }
    let (now, wall_ms) = (gateway.clock.now(), gateway.clock.wall_ms());
    let entry = masked(question, entry).await;
    let head = head_of(question, &entry).await;
    let response = hit(question, &entry, &head, How { looked: Looked::L1, instead_of: None });
    let is_recalled = directives.wants.is_default() && directives.fields.is_none();
    if is_recalled && asked.recalls_selection_of(&entry) {
        let leased = (&entry, known);
        let shown = (head, Spared::by(asked.route.index, &entry, &gateway.savings));
        asked.worker.recall.borrow_mut().lease(digest, leased, shown, now, wall_ms);
    }
    Some(response)
}

/// Returns the response to a request that was not understood, and takes it down.
pub(super) fn refuse(
    worker: &Worker,
    route: &Route,
    arrived: Instant,
    error: &ApiError,
) -> HttpResponse {
    let total = worker.gateway.clock.now().duration_since(arrived);
    let mut response = error.response(route.profile.error_form());
    let status = response.status().as_u16();
    let timing = Timing { cache: Duration::ZERO, upstream: None, total };
    let how = respond::Forwarded::Bypass(error.label());
    if route.cached {
        respond::note_forwarded(response.headers_mut(), how, status, timing);
    }
    worker.record(Sample {
        route: route.index,
        outcome: Outcome::Error,
        status,
        total,
        lookups: [None; 3],
        upstream: None,
        upstream_error: None,
        discarded: None,
    });
    response
}

#[cfg(test)]
mod tests {
    use super::super::contained::caught;
    use super::*;

    #[test]
    fn dot_segments_are_known_in_every_spelling() {
        for (segment, is) in [
            (".", true),
            ("..", true),
            ("%2e", true),
            ("%2E.", true),
            (".%2e", true),
            ("%2e%2E", true),
            ("...", false),
            (".well-known", false),
            ("%2f", false),
            ("a..", false),
            ("", false),
        ] {
            assert_eq!(is_dot_segment(segment), is, "{segment}");
        }
    }
    /// What a thread's cache of freed memory takes, as `src/allocator.rs` sets it.
    const MOST_BYTES: usize = 2_048;

    fn size_of_future<A, B, C, F: Future>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// Each request's is copied into a box: what hits have no use for belongs in a box of its own.
    #[test]
    fn the_way_of_a_hit_is_small() {
        let caught = |worker: Rc<Worker>, request: HttpRequest, payload: Payload| {
            let handling = handle(Rc::clone(&worker), request.clone(), payload);
            caught(worker, request, handling)
        };
        let size = size_of_future(caught);
        assert!(size <= MOST_BYTES, "{size} bytes");
    }
}
