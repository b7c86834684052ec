//! A request on a cached route, as far as it is understood.

use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use anteroom_actors::model::{CacheKey, Header, Label, LabelKind, Labels};
use anteroom_actors::origin::OriginCall;
use bytes::Bytes;
use highway::{HighwayHash, HighwayHasher, Key};

use crate::canonical::{
    CREDENTIAL_HEADERS, Canonical, KeyBody, KeyParts, Profile, Scope, canonicalise,
};
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

async fn canonical(body: &Bytes, profile: Profile) -> Result<Canonical, ApiError> {
    let uncounted = profile.uncounted_fields();
    if body.len() < READ_ELSEWHERE_FROM {
        return canonicalise(body, uncounted).map_err(ApiError::Json);
    }
    let body = body.clone();
    let read = actix_web::web::block(move || canonicalise(&body, uncounted)).await;
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
    worker.gateway.scope_secret.scope(credentials)
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
    pub(super) async fn understand(&self) -> Result<Understood, ApiError> {
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
                key: self.key(KeyBody::None),
                streamed: false,
                model: None,
            }));
        }
        let profile = self.route.profile;
        let canonical = canonical(&self.body, profile).await?;
        if let Some(reason) = profile.bypass_reason(&canonical) {
            return Ok(Understood::Bypass(reason));
        }
        let streamed = canonical.flag("stream") == Some(true);
        let key = self.key(KeyBody::Json(&canonical));
        let model = canonical.model().map(Arc::from);
        Ok(Understood::Keyed(Meaning { key, streamed, model }))
    }

    fn key(&self, body: KeyBody<'_>) -> CacheKey {
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
            namespace: "",
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

    /// Returns the upstream call that answers the request. Only headers that are in the key, or
    /// in the scope, go along: what is not keyed cannot change an answer.
    pub(super) fn call(&self, meaning: &Meaning) -> Arc<OriginCall> {
        let own = |name: &str, value: &[u8]| Header {
            name: name.into(),
            value: Bytes::copy_from_slice(value),
        };
        let mut headers: Vec<Header> = self
            .keyed_headers()
            .into_iter()
            .map(|(name, value)| own(name.as_str(), value))
            .collect();
        for name in CREDENTIAL_HEADERS {
            let values = self.request.headers().get_all(name);
            headers.extend(values.map(|value| own(name, value.as_bytes())));
        }
        let has = |headers: &[Header], name: &HeaderName| {
            headers.iter().any(|header| *header.name == *name.as_str())
        };
        if !self.body.is_empty() && !has(&headers, &CONTENT_TYPE) {
            headers.push(own(CONTENT_TYPE.as_str(), b"application/json"));
        }
        if !has(&headers, &ACCEPT) {
            let accepted: &[u8] =
                if meaning.streamed { b"text/event-stream" } else { b"application/json" };
            headers.push(own(ACCEPT.as_str(), accepted));
        }
        Arc::new(OriginCall {
            key: meaning.key,
            route: self.route.index,
            upstream: Arc::clone(&self.route.upstream),
            method: self.request.method().as_str().into(),
            target: self.target().into(),
            headers,
            body: self.body.clone(),
            streamed: meaning.streamed,
            lifetimes: self.route.lifetimes,
            may_keep: true,
            labels: self.labels(meaning),
            model: meaning.model.as_deref().map(Box::from),
        })
    }

    /// Returns what the answer can be purged by. The generation is that of now, before anything is
    /// asked for.
    fn labels(&self, meaning: &Meaning) -> Labels {
        let generation = self.worker.gateway.topology.purges.generation();
        let mut names = self.route.labels.clone();
        names.push(Label::new(LabelKind::Scope, self.scope().as_bytes()));
        if let Some(model) = &meaning.model {
            names.push(Label::new(LabelKind::Model, model.as_bytes()));
        }
        Labels { generation, names }
    }
}
