//! What an answer that a flight brought says of itself, and what is taken down of it.

use actix_web::HttpResponse;
use anteroom_actors::error::OriginError;
use anteroom_actors::model::{Access, Outcome, Sample};
use anteroom_actors::origin::Head;
use anteroom_actors::resolver::{Reader, Role};

use super::asked::{Asked, Question};
use super::invalidation::{Done, invalidate};
use crate::http::error::ApiError;
use crate::http::respond::{self, Forwarded, Timing};

/// Returns how the answer of a flight came about.
pub(super) fn forwarded(
    reader: &Reader,
    kept: Option<bool>,
    detail: Option<&'static str>,
) -> Forwarded {
    match reader.role() {
        Role::Leads => {
            let fwd = match reader.timings().passed_over {
                None => "miss",
                Some(true) => "request",
                Some(false) => "stale",
            };
            Forwarded::Miss { fwd, kept, detail }
        }
        Role::Follows => Forwarded::Collapsed { detail },
    }
}

/// Fills in headers and takes the answer down.
pub(super) fn finish(
    question: &Question<'_>,
    reader: &Reader,
    head: &Head,
    forwarded: Forwarded,
    response: &mut HttpResponse,
) {
    let asked = question.asked;
    let timing = timing(asked, reader);
    let headers = response.headers_mut();
    respond::pass_on(headers, &head.headers);
    asked.worker.gateway.revoked.note(head.status, || asked.scope());
    if reader.role() == Role::Leads {
        let (method, target) = (asked.method(), asked.target());
        let done = Done { method, target, status: head.status, headers: &head.headers };
        invalidate(asked.worker, asked.route, done);
    }
    respond::note_forwarded(headers, forwarded, head.status, timing);
    let discarded = match forwarded {
        Forwarded::Miss { detail, .. } => detail,
        _ => None,
    };
    asked.worker.record_access(|| {
        let (scope, session) = question.learned_as();
        let leads = reader.role() == Role::Leads;
        Access {
            key: question.meaning.key,
            scope,
            session,
            fresh_until_ms: 0,
            size_bytes: 0,
            outcome: if leads { Outcome::Miss } else { Outcome::Coalesced },
        }
    });
    record(asked, reader, head.status, timing, (None, discarded));
}

/// Returns the response to a request whose flight failed, and takes it down.
pub(super) fn failed(asked: &Asked<'_>, reader: &Reader, error: OriginError) -> HttpResponse {
    let label = error.label();
    let mut response = ApiError::Origin(error).response(asked.route.profile.error_form());
    let timing = timing(asked, reader);
    let status = response.status().as_u16();
    let forwarded = forwarded(reader, Some(false), Some(label));
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
