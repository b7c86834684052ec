//! A request on a cached route, as far as it is understood.

use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use anteroom_actors::model::{CacheKey, Form, Header, Label, LabelKind, Labels};
use anteroom_actors::origin::OriginCall;
use bytes::Bytes;
use highway::{HighwayHash, HighwayHasher, Key};

use super::directives::Directives;
use super::guard;
use crate::canonical::{CREDENTIAL_HEADERS, Canonical, KeyBody, KeyParts, Scope, canonicalise};
use crate::forms::{ask_for_usage, wants_usage};
use crate::http::error::ApiError;
use crate::http::recall::{Digest, Meaning};
use crate::http::routes::Route;
use crate::http::worker::Worker;

/// Bodies from this size on are read on another thread: bringing megabytes into canonical form takes
/// tens of milliseconds, for which this thread's other requests would wait.
const READ_ELSEWHERE_FROM: usize = 256 * 1024;

/// What a request turned out to be.
pub(super) enum Understood {
    /// Its answer has this key.
    Keyed(Meaning),
    /// It goes past the cache, for this reason.
    Bypass(&'static str),
}

async fn canonical(body: &Bytes, route: &Route) -> Result<Canonical, ApiError> {
    if body.len() < READ_ELSEWHERE_FROM {
        return canonicalise(body, &route.uncounted).map_err(ApiError::Json);
    }
    let (body, uncounted) = (body.clone(), Arc::clone(&route.uncounted));
    let read = actix_web::web::block(move || canonicalise(&body, &uncounted)).await;
    read.map_err(|_pool_is_gone| ApiError::Internal)?.map_err(ApiError::Json)
}

/// Returns who shares answers to `request`.
pub(super) fn scope_of(worker: &Worker, route: &Route, request: &HttpRequest) -> Scope {
    if route.shared {
        return Scope::shared();
    }
    let headers = request.headers();
    let credentials = CREDENTIAL_HEADERS
        .iter()
        .flat_map(|name| headers.get_all(*name).map(move |value| (*name, value.as_bytes())));
    let secret = &worker.gateway.scope_secret;
    match guard::client_of(worker, request) {
        Some(client) if route.passes_credential => secret.scope_within(client.scope, credentials),
        Some(client) => client.scope,
        None => secret.scope(credentials),
    }
}

/// A request on a cached route.
pub(super) struct Asked<'a> {
    pub(super) worker: &'a Worker,
    pub(super) route: &'a Route,
    pub(super) request: &'a HttpRequest,
    pub(super) body: Bytes,
    pub(super) arrived: Instant,
}

impl Asked<'_> {
    /// Returns path and query as received.
    pub(super) fn target(&self) -> &str {
        self.request.uri().path_and_query().map_or("/", |target| target.as_str())
    }

    fn header(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.request.headers().get_all(name).map(|value| value.as_bytes())
    }

    /// Returns the digest of the request as it came: everything that counts, each part with its
    /// length, under this thread's own key.
    pub(super) fn digest(&self) -> Digest {
        let mut hasher = HighwayHasher::new(Key(self.worker.digest_key));
        let mut part = |bytes: &[u8]| {
            hasher.append(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.append(bytes);
        };
        part(&self.route.index.to_le_bytes());
        part(self.request.method().as_str().as_bytes());
        part(self.target().as_bytes());
        // In the order of the map, which is the same for the same headers: another order of theirs
        // is but another digest.
        for (name, value) in self.request.headers() {
            if self.route.recalled_headers.contains(name) {
                part(name.as_str().as_bytes());
                part(value.as_bytes());
            }
        }
        // The key itself is no longer among the headers.
        if let Some(client) = guard::client_of(self.worker, self.request) {
            part(client.scope.as_bytes());
        }
        part(&self.body);
        let mut digest = [0; CacheKey::LEN];
        for (bytes, word) in digest.as_chunks_mut::<8>().0.iter_mut().zip(hasher.finalize256()) {
            *bytes = word.to_le_bytes();
        }
        CacheKey::new(digest)
    }

    /// Reads the request: its key, or why it goes past the cache.
    ///
    /// # Errors
    ///
    /// [`ApiError::Json`] when the body has no single meaning.
    pub(super) async fn understand(
        &self,
        directives: &Directives<'_>,
    ) -> Result<Understood, ApiError> {
        let encoded = self.header(&CONTENT_ENCODING).any(|encoding| encoding != b"identity");
        if encoded {
            return Ok(Understood::Bypass("content-encoding"));
        }
        let multipart = self.header(&CONTENT_TYPE).any(|kind| {
            kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"))
        });
        if multipart {
            return Ok(Understood::Bypass("multipart"));
        }
        if self.body.is_empty() {
            return Ok(Understood::Keyed(Meaning {
                key: self.key(KeyBody::None, directives),
                form: Form::Object,
                model: None,
            }));
        }
        let profile = self.route.profile;
        let canonical = canonical(&self.body, self.route).await?;
        if let Some(reason) = profile.bypass_reason(&canonical) {
            return Ok(Understood::Bypass(reason));
        }
        if let Some(reason) = self.route.keep.reason(&canonical) {
            return Ok(Understood::Bypass(reason));
        }
        let form = match canonical.flag("stream") {
            Some(true) if self.route.converts && !wants_usage(&self.body) => {
                Form::StreamWithoutUsage
            }
            Some(true) => Form::Stream,
            _ => Form::Object,
        };
        let key = self.key(KeyBody::Json(&canonical), directives);
        let model = canonical.model().map(Arc::from);
        Ok(Understood::Keyed(Meaning { key, form, model }))
    }

    fn key(&self, body: KeyBody<'_>, directives: &Directives<'_>) -> CacheKey {
        let keyed = self.keyed_headers();
        let headers: Vec<(&str, &[u8])> =
            keyed.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let uri = self.request.uri();
        KeyParts {
            route: &self.route.name,
            upstream: &self.route.upstream_identity,
            method: self.request.method().as_str(),
            path: uri.path(),
            query: uri.query(),
            scope: &self.scope(),
            namespace: directives.namespace,
            headers: &headers,
            body,
        }
        .key()
    }

    fn keyed_headers(&self) -> Vec<(&HeaderName, &[u8])> {
        let names = self.route.keyed_headers.iter();
        names.flat_map(|name| self.header(name).map(move |value| (name, value))).collect()
    }

    /// Returns who shares the answer.
    pub(super) fn scope(&self) -> Scope {
        scope_of(self.worker, self.route, self.request)
    }
}

/// A request that is understood.
pub(super) struct Question<'a> {
    pub(super) asked: &'a Asked<'a>,
    pub(super) meaning: Meaning,
    pub(super) directives: Directives<'a>,
}

impl Question<'_> {
    /// Returns the upstream call that answers the request. Only headers that are in the key, or
    /// in the scope, go along: what is not keyed cannot change an answer. A stream's usage is asked
    /// for, whether the caller wants it or not: it is part of what is kept.
    pub(super) fn call(&self) -> Arc<OriginCall> {
        let (asked, meaning) = (self.asked, &self.meaning);
        let body = match meaning.form {
            Form::StreamWithoutUsage => ask_for_usage(&asked.body).map(Bytes::from),
            Form::Object | Form::Stream => None,
        };
        Arc::new(OriginCall {
            key: meaning.key,
            route: asked.route.index,
            upstream: Arc::clone(&asked.route.upstream),
            method: asked.request.method().as_str().into(),
            target: asked.target().into(),
            headers: self.headers(),
            body: body.unwrap_or_else(|| asked.body.clone()),
            form: meaning.form,
            lifetimes: self.directives.lifetimes(asked.route),
            may_keep: !self.directives.no_store,
            labels: self.labels(),
            model: meaning.model.as_deref().map(Box::from),
        })
    }

    fn headers(&self) -> Vec<Header> {
        let asked = self.asked;
        let own = |name: &str, value: &[u8]| Header {
            name: name.into(),
            value: Bytes::copy_from_slice(value),
        };
        let mut headers: Vec<Header> = asked
            .keyed_headers()
            .into_iter()
            .map(|(name, value)| own(name.as_str(), value))
            .collect();
        for name in CREDENTIAL_HEADERS {
            let values = asked.request.headers().get_all(name);
            headers.extend(values.map(|value| own(name, value.as_bytes())));
        }
        let has = |headers: &[Header], name: &HeaderName| {
            headers.iter().any(|header| *header.name == *name.as_str())
        };
        if !asked.body.is_empty() && !has(&headers, &CONTENT_TYPE) {
            headers.push(own(CONTENT_TYPE.as_str(), b"application/json"));
        }
        if !has(&headers, &ACCEPT) {
            let is_stream = self.meaning.form.is_stream();
            let accepted: &[u8] =
                if is_stream { b"text/event-stream" } else { b"application/json" };
            headers.push(own(ACCEPT.as_str(), accepted));
        }
        headers
    }

    /// Returns what the answer can be purged by. The generation is that of now, before anything is
    /// asked for.
    fn labels(&self) -> Labels {
        let generation = self.asked.worker.gateway.topology.purges.generation();
        let mut names = self.asked.route.labels.clone();
        names.push(Label::new(LabelKind::Scope, self.asked.scope().as_bytes()));
        if let Some(model) = &self.meaning.model {
            names.push(Label::new(LabelKind::Model, model.as_bytes()));
        }
        let Directives { namespace, tags, .. } = &self.directives;
        if !namespace.is_empty() {
            names.push(Label::new(LabelKind::Namespace, namespace.as_bytes()));
        }
        names.extend(tags.iter().map(|tag| Label::new(LabelKind::Tag, tag.as_bytes())));
        Labels { generation, names }
    }
}
