//! Answering with what is kept.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use anteroom_actors::codec;
use anteroom_actors::message::ask;
use anteroom_actors::model::{
    Access, Encoding, Encodings, Entry, Freshness, Header, Level, Outcome, Sample,
};
use anteroom_actors::resolver::{Encode, InsteadOf};
use bytes::Bytes;

use super::asked::{Asked, Question};
use super::{conditions, replay};
use crate::http::outgoing::Outgoing;
use crate::http::respond;
use crate::http::shape::negotiate::Accepted;
use crate::http::stored::StoredHead;

/// How long a caller waits for a kept answer in the encoding it likes best; then it is sent as it is.
const ENCODED_WITHIN: Duration = Duration::from_millis(5);

/// Returns the response to a hit that nobody was asked for, and takes it down.
pub(super) fn lease_hit(
    asked: &Asked<'_>,
    wall_ms: u64,
    entry: &Entry,
    (head, scope): (&StoredHead, u64),
) -> HttpResponse {
    let Asked { worker, route, arrived, .. } = *asked;
    let total = worker.gateway.clock.now().duration_since(arrived);
    worker.record_lease_hit(route.index, total, || {
        access(entry, (scope, scope), Outcome::Hit(Level::L1))
    });
    let response = respond::hit((entry, head), Level::L1, wall_ms, total, &worker.hit_texts);
    let response =
        conditions::answered(asked.request, response, entry.freshness.made_wall_ms, wall_ms);
    if response.status() == StatusCode::NOT_MODIFIED {
        return response;
    }
    worker.record_sent(route.index, head.encoding, entry.body.len(), head.body_len(entry));
    asked.memory.sends(&entry.body);
    replay::paced(response, route, entry)
}

/// Returns what learns of a request that `entry` answers.
fn access(entry: &Entry, (scope, session): (u64, u64), outcome: Outcome) -> Access {
    let Freshness { made_wall_ms, initial_age, lifetime, .. } = entry.freshness;
    let left_ms = lifetime.as_u64().saturating_sub(initial_age.as_u64());
    Access {
        key: entry.key,
        scope,
        session,
        fresh_until_ms: made_wall_ms.saturating_add(left_ms),
        size_bytes: u32::try_from(entry.body.len()).unwrap_or(u32::MAX),
        outcome,
    }
}

/// Makes the head of a kept answer. One that is not in the encoding its caller likes best is made so if
/// that takes no time; where the caller takes no answer as it is, it waits for one it takes.
pub(super) async fn head_of(question: &Question<'_>, entry: &Arc<Entry>) -> StoredHead {
    let asked = question.asked;
    let settings = asked.in_force.settings.encoding();
    if replay::is_paced(asked.route, entry) {
        return StoredHead::of(entry, Accepted::default(), &settings);
    }
    let head = StoredHead::of(entry, asked.accepted, &settings);
    if head.is_final {
        return head;
    }
    let encoding = asked.accepted.best();
    if asked.accepted.accepts(head.encoding) {
        let encode = Encode { entry: Arc::clone(entry), encoding };
        // Past the deadline it goes on, for those who ask later.
        let _ = ask(&asked.worker.gateway.topology.resolver.encode, encode, ENCODED_WITHIN).await;
    } else {
        let prepared = Arc::clone(entry);
        let work = move || codec::prepare(&prepared, encoding, &settings);
        // Fails only where the process ends.
        let _ = actix_web::web::block(work).await;
    }
    StoredHead::of(entry, asked.accepted, &settings)
}

/// Returns the part of a kept answer that is asked for: an entry of its own, which nobody keeps.
pub(super) async fn masked(question: &Question<'_>, entry: Arc<Entry>) -> Arc<Entry> {
    let Some(fields) = question.directives.fields.clone() else { return entry };
    let settings = &question.asked.in_force.settings.response;
    let is_stream = entry.form.is_stream();
    let accepted = question.asked.accepted;
    let outgoing =
        Outgoing::of(entry.status, &entry.headers, is_stream, accepted, (Some(&fields), settings));
    let mut part = Entry { encodings: Encodings::default(), ..Entry::clone(&entry) };
    let sent = outgoing.part(entry.body.clone()).await;
    part.body = sent.original;
    for encoding in [Encoding::Gzip, Encoding::Brotli] {
        let body = sent.encoded.clone().filter(|(other, _)| *other == encoding);
        part.encodings.settle(encoding, || body.map(|(_, body)| body));
    }
    let vary = Header { name: "vary".into(), value: Bytes::from_static(b"X-Fields") };
    let own = entry.headers.iter().filter(|header| &*header.name != "etag").cloned();
    part.headers = own.chain([vary]).collect();
    Arc::new(part)
}

/// Where a hit was found, for its sample.
pub(super) enum Looked {
    /// L1.
    L1,
    /// In this level by a flight, with the levels' times.
    Levels(Level, [Option<Duration>; 3]),
}

/// How a kept answer came to be served.
pub(super) struct How {
    /// Where it was found.
    pub(super) looked: Looked,
    /// What the origin said in its place, where it was asked.
    pub(super) instead_of: Option<InsteadOf>,
}

/// Returns the response with a kept answer, fresh or stale, and takes it down.
pub(super) fn hit(
    question: &Question<'_>,
    entry: &Entry,
    head: &StoredHead,
    how: How,
) -> HttpResponse {
    let asked = question.asked;
    let worker = asked.worker;
    let wall_ms = worker.gateway.clock.wall_ms();
    let total = worker.gateway.clock.now().duration_since(asked.arrived);
    let (level, lookups) = match how.looked {
        Looked::L1 => (Level::L1, [Some(total), None, None]),
        Looked::Levels(level, lookups) => (level, lookups),
    };
    let texts = &worker.hit_texts;
    let is_fresh = entry.freshness.is_fresh(wall_ms);
    let validated = how.instead_of.filter(|origin| origin.status == Some(304));
    let response = if let Some(origin) = validated {
        respond::validated(entry, head, (level, origin.was_fresh), wall_ms, texts.timing(total))
    } else if is_fresh {
        respond::hit((entry, head), level, wall_ms, total, texts)
    } else {
        respond::stale(entry, head, (level, how.instead_of), wall_ms, texts.timing(total))
    };
    let made_ms = entry.freshness.made_wall_ms;
    let response = conditions::answered(asked.request, response, made_ms, wall_ms);
    let response = if response.status() == StatusCode::NOT_MODIFIED {
        response
    } else {
        let sent = head.body_len(entry);
        worker.record_sent(asked.route.index, head.encoding, entry.body.len(), sent);
        asked.memory.sends(&entry.body);
        replay::paced(response, asked.route, entry)
    };
    worker.spare(asked.route.index, entry, how.instead_of.is_some());
    let is_hit = is_fresh || validated.is_some();
    let outcome = if is_hit { Outcome::Hit(level) } else { Outcome::Stale };
    worker.record_access(|| access(entry, question.learned_as(), outcome));
    worker.record(Sample {
        route: asked.route.index,
        outcome,
        status: entry.status,
        total,
        lookups,
        upstream: None,
        upstream_error: None,
        discarded: None,
    });
    response
}
