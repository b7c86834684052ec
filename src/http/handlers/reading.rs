//! What a request means: for the way of a request and for a dry run of one alike.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::Uri;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use anteroom_actors::model::{CacheKey, Form};
use bytes::Bytes;

use super::directives::Directives;
use crate::canonical::{CREDENTIAL_HEADERS, Canonical, KeyBody, KeyParts, Scope};
use crate::explain::{HashKey, Outlined, Place, Sketch};
use crate::forms::wants_usage;
use crate::http::access::Client;
use crate::http::error::ApiError;
use crate::http::gateway::Gateway;
use crate::http::recall::Meaning;
use crate::http::routes::{Route, canonical_body};

/// Bodies from this size on are read on another thread: bringing megabytes into canonical form takes
/// tens of milliseconds, for which this thread's other requests would wait.
pub(super) const READ_ELSEWHERE_FROM: usize = 256 * 1024;

/// What a request turned out to be.
#[derive(Debug)]
pub(in crate::http) enum Understood {
    /// Its answer has this key.
    Keyed(Meaning),
    /// It goes past the cache, for this reason.
    Bypass(&'static str),
}

/// A request on a cached route, without how it came.
#[derive(Clone)]
pub(in crate::http) struct Reading<'a> {
    pub(in crate::http) gateway: &'a Gateway,
    pub(in crate::http) route: &'a Route,
    pub(in crate::http) method: &'a str,
    pub(in crate::http) uri: &'a Uri,
    pub(in crate::http) headers: &'a HeaderMap,
    /// Who makes it, where keys are wanted; the key itself is not among the headers.
    pub(in crate::http) client: Option<Arc<Client>>,
    pub(in crate::http) body: &'a Bytes,
}

async fn canonical(body: &Bytes, route: &Route) -> Result<Canonical, ApiError> {
    let (profile, uncounted) = (route.profile, Arc::clone(&route.uncounted));
    let read = move |body: &Bytes| canonical_body(profile, &uncounted, body);
    if body.len() < READ_ELSEWHERE_FROM {
        return read(body).map_err(ApiError::Json);
    }
    let body = body.clone();
    let read = actix_web::web::block(move || read(&body)).await;
    read.map_err(|_pool_is_gone| ApiError::Internal)?.map_err(ApiError::Json)
}

impl Reading<'_> {
    fn header(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.headers.get_all(name).map(|value| value.as_bytes())
    }

    /// Reads the request: its key, or why it goes past the cache; and its body, where it was looked
    /// into.
    ///
    /// # Errors
    ///
    /// [`ApiError::Json`] when the body has no single meaning.
    pub(in crate::http) async fn understand(
        &self,
        directives: &Directives<'_>,
    ) -> Result<(Understood, Option<Canonical>), ApiError> {
        let multipart = self.header(&CONTENT_TYPE).any(|kind| {
            kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"))
        });
        if multipart {
            return Ok((Understood::Bypass("multipart"), None));
        }
        if self.body.is_empty() {
            let (key, scope) = self.key(KeyBody::None, directives);
            let meaning = Meaning { key, scope, form: Form::Object, model: None };
            return Ok((Understood::Keyed(meaning), None));
        }
        let canonical = canonical(self.body, self.route).await?;
        let understood = match self.route.bypass_reason(&canonical) {
            Some(reason) => Understood::Bypass(reason),
            None => Understood::Keyed(self.meaning(&canonical, directives)),
        };
        Ok((understood, Some(canonical)))
    }

    fn meaning(&self, canonical: &Canonical, directives: &Directives<'_>) -> Meaning {
        let form = match canonical.flag("stream") {
            Some(true) if self.route.converts && !wants_usage(self.body) => {
                Form::StreamWithoutUsage
            }
            Some(true) => Form::Stream,
            _ => Form::Object,
        };
        let (key, scope) = self.key(KeyBody::Json(canonical), directives);
        Meaning { key, scope, form, model: canonical.model().map(Arc::from) }
    }

    /// Returns the query that counts: without the fields that are taken of the answer.
    pub(in crate::http) fn query(&self) -> Option<Cow<'_, str>> {
        self.route.counted_query(self.uri.query())
    }

    /// Returns the key, and who shares its answer.
    fn key(&self, body: KeyBody<'_>, directives: &Directives<'_>) -> (CacheKey, u64) {
        let scope = self.scope();
        (self.key_within(&scope, body, directives), scope.short())
    }

    /// Returns the key of a request like this one with another body; `scope` is that of this one.
    pub(super) fn key_within(
        &self,
        scope: &Scope,
        body: KeyBody<'_>,
        directives: &Directives<'_>,
    ) -> CacheKey {
        let keyed = self.keyed_headers();
        let headers: Vec<(&str, &[u8])> =
            keyed.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let query = self.query();
        KeyParts {
            route: &self.route.name,
            upstream: &self.route.upstream_identity,
            method: read_as(self.method),
            path: self.uri.path(),
            query: query.as_deref(),
            scope,
            namespace: directives.namespace,
            headers: &headers,
            body,
        }
        .key()
    }

    /// Returns the headers that are in the key, by name.
    pub(in crate::http) fn keyed_headers(&self) -> Vec<(&HeaderName, &[u8])> {
        let names = self.route.keyed_headers.iter();
        names.flat_map(|name| self.header(name).map(move |value| (name, value))).collect()
    }

    /// Returns who shares the answer.
    pub(in crate::http) fn scope(&self) -> Scope {
        scope_of(self.gateway, self.route, self.client.as_deref(), self.headers)
    }

    /// Returns where the request lies: only sketches of the same place tell anything of it.
    pub(in crate::http) fn place(&self, key: &HashKey, directives: &Directives<'_>) -> Place {
        let namespace = key.hash(directives.namespace.as_bytes());
        Place { scope: self.scope(), namespace }
    }

    /// Takes the request apart: all that is in its key, but for its place.
    pub(in crate::http) fn outlined(
        &self,
        key: &HashKey,
        canonical: Option<&Canonical>,
    ) -> Option<Outlined> {
        let query = self.query();
        let mut named = vec![
            ("method".to_owned(), read_as(self.method).as_bytes()),
            ("path".to_owned(), self.uri.path().as_bytes()),
        ];
        named.extend(query.as_deref().map(|query| ("query".to_owned(), query.as_bytes())));
        let headers = self.keyed_headers();
        named.extend(headers.iter().map(|(name, value)| (format!("header {name}"), *value)));
        Outlined::new(key, named.into_iter(), canonical.map(Canonical::as_bytes))
    }

    /// Remembers the request for those that will differ from it a little.
    pub(in crate::http) fn sketch(
        &self,
        answer: CacheKey,
        canonical: Option<&Canonical>,
        directives: &Directives<'_>,
    ) {
        let sketches = &self.gateway.sketches;
        sketches.record(self.route.index, answer, || {
            let key = sketches.hash_key();
            let outlined = self.outlined(key, canonical)?;
            Some(Sketch::new(answer, self.place(key, directives), &outlined))
        });
    }
}

/// Returns the method that is keyed and sent upstream: a HEAD is answered from what a GET brings
/// (RFC 9110 §9.3.2).
pub(in crate::http) fn read_as(method: &str) -> &str {
    if method == "HEAD" { "GET" } else { method }
}

/// Returns who shares answers to a request of these headers.
pub(in crate::http) fn scope_of(
    gateway: &Gateway,
    route: &Route,
    client: Option<&Client>,
    headers: &HeaderMap,
) -> Scope {
    if route.shared {
        return Scope::shared();
    }
    let credentials = CREDENTIAL_HEADERS
        .iter()
        .flat_map(|name| headers.get_all(*name).map(move |value| (*name, value.as_bytes())));
    let secret = &gateway.scope_secret;
    match client {
        Some(client) if route.passes_credential => secret.scope_within(client.scope, credentials),
        Some(client) => client.scope,
        None => secret.scope(credentials),
    }
}
