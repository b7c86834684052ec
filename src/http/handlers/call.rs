//! The upstream call that answers a request.

use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use anteroom_actors::model::{Encoding, Form, Header, Label, LabelKind, Labels};
use anteroom_actors::origin::OriginCall;
use bytes::Bytes;
use std::sync::Arc;

use super::directives::Directives;
use super::invalidation;
use super::reading::{Reading, read_as};
use crate::caching::is_unsafe;
use crate::canonical::{CREDENTIAL_HEADERS, Scope};
use crate::forms::ask_for_usage;
use crate::http::recall::Meaning;
use crate::upstream::trace;

/// Returns the upstream call that answers the request. Only headers that are in the key, or in the
/// scope, go along, and the caller's trace: what is not keyed cannot change an answer. A stream's usage is asked for, whether
/// the caller wants it or not: it is part of what is kept.
pub(super) fn origin_call(
    reading: &Reading<'_>,
    meaning: &Meaning,
    directives: &Directives<'_>,
    encoding: Encoding,
) -> OriginCall {
    let (route, method) = (reading.route, read_as(reading.method));
    let heeds = route.heeds(method);
    let body = match meaning.form {
        Form::StreamWithoutUsage => ask_for_usage(reading.body).map(Bytes::from),
        Form::Object | Form::Stream => None,
    };
    let headers = headers(reading, meaning.form);
    let mut trace = trace::of(reading.headers);
    // Where a route keys it, it is there.
    trace.retain(|of_trace| headers.iter().all(|header| header.name != of_trace.name));
    OriginCall {
        key: meaning.key,
        route: route.index,
        upstream: Arc::clone(&route.upstream),
        scope: meaning.scope,
        method: method.into(),
        target: target(reading),
        headers,
        presented: if heeds { presented(reading) } else { Vec::new() },
        trace,
        validates: heeds && !is_unsafe(method),
        body: body.unwrap_or_else(|| reading.body.clone()),
        form: meaning.form,
        encoding,
        lifetimes: directives.lifetimes(route),
        may_keep: !directives.no_store,
        min_uses: route.min_uses,
        labels: labels(reading, meaning, directives),
        model: meaning.model.as_deref().map(Box::from),
        apart: None,
    }
}

/// Returns path and query as they go upstream.
fn target(reading: &Reading<'_>) -> Box<str> {
    if !reading.route.fields_query {
        return reading.uri.path_and_query().map_or("/", |target| target.as_str()).into();
    }
    let path = reading.uri.path();
    reading.query().map_or_else(|| path.into(), |query| format!("{path}?{query}").into())
}

/// Returns all headers that an answer's Vary may name.
fn presented(reading: &Reading<'_>) -> Vec<Header> {
    let headers = reading.headers.iter();
    headers.map(|(name, value)| own(name.as_str(), value.as_bytes())).collect()
}

fn headers(reading: &Reading<'_>, form: Form) -> Vec<Header> {
    let keyed = reading.keyed_headers().into_iter();
    let mut headers: Vec<Header> = keyed.map(|(name, value)| own(name.as_str(), value)).collect();
    for name in CREDENTIAL_HEADERS {
        let values = reading.headers.get_all(name);
        headers.extend(values.map(|value| own(name, value.as_bytes())));
    }
    let has = |headers: &[Header], name: &HeaderName| {
        headers.iter().any(|header| *header.name == *name.as_str())
    };
    if !reading.body.is_empty() && !has(&headers, &CONTENT_TYPE) {
        headers.push(own(CONTENT_TYPE.as_str(), b"application/json"));
    }
    if !has(&headers, &ACCEPT) {
        let accepted: &[u8] =
            if form.is_stream() { b"text/event-stream" } else { b"application/json" };
        headers.push(own(ACCEPT.as_str(), accepted));
    }
    headers
}

/// Returns what the answer can be purged by. The generation is that of now, before anything is asked
/// for.
fn labels(reading: &Reading<'_>, meaning: &Meaning, directives: &Directives<'_>) -> Labels {
    let generation = reading.gateway.topology.purges.generation();
    let mut names = reading.route.labels.clone();
    if !is_unsafe(read_as(reading.method)) {
        let identity = &reading.route.upstream_identity;
        names.push(invalidation::label_of(identity, &target(reading)));
    }
    let scope = reading.scope();
    let own = own_labels(&scope, meaning, directives);
    names.extend(own.into_iter().map(|(kind, name)| Label::new(kind, name)));
    Labels { generation, names: names.into() }
}

/// Returns what the answer to a request can be purged by, beside its route's labels.
pub(super) fn own_labels<'a>(
    scope: &'a Scope,
    meaning: &'a Meaning,
    directives: &'a Directives<'_>,
) -> Vec<(LabelKind, &'a [u8])> {
    let mut names = vec![(LabelKind::Scope, scope.as_bytes())];
    names.extend(meaning.model.as_ref().map(|model| (LabelKind::Model, model.as_bytes())));
    if !directives.namespace.is_empty() {
        names.push((LabelKind::Namespace, directives.namespace.as_bytes()));
    }
    names.extend(directives.tags.iter().map(|tag| (LabelKind::Tag, tag.as_bytes())));
    names
}

fn own(name: &str, value: &[u8]) -> Header {
    Header { name: name.into(), value: Bytes::copy_from_slice(value) }
}
