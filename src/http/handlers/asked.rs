//! A request on a cached route, as far as it is understood.

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::header::{ACCEPT_ENCODING, HeaderValue};
use actix_web::{HttpMessage as _, HttpRequest};
use anteroom_actors::model::CacheKey;
use anteroom_actors::origin::OriginCall;
use bytes::Bytes;
use highway::{HighwayHash, HighwayHasher, Key};

use super::directives::Directives;
use super::reading::{self, Reading, Understood};
use super::{call, guard};
use crate::canonical::{KeyBody, Scope};
use crate::http::access::Caller;
use crate::http::body;
use crate::http::error::ApiError;
use crate::http::in_force::InForce;
use crate::http::memory_scope::MemoryScope;
use crate::http::recall::{Digest, Meaning};
use crate::http::routes::Route;
use crate::http::shape::negotiate::Accepted;
use crate::http::worker::Worker;
use crate::settings::Settings;

/// Returns who shares answers to `request`.
pub(super) fn scope_of(worker: &Worker, route: &Route, request: &HttpRequest) -> Scope {
    let client = guard::client_of(request);
    reading::scope_of(&worker.gateway, route, client.as_deref(), request.headers())
}

/// A request on a cached route.
pub(super) struct Asked<'a> {
    pub(super) worker: &'a Worker,
    pub(super) in_force: &'a InForce,
    pub(super) route: &'a Route,
    pub(super) request: &'a HttpRequest,
    /// The body: as it came, then [inflated](Self::inflated).
    pub(super) body: Bytes,
    /// The encodings the caller takes, as far as they are spoken.
    pub(super) accepted: Accepted,
    pub(super) arrived: Instant,
    /// What it holds of the process's memory.
    pub(super) memory: &'a MemoryScope<'a>,
    /// The conversation it belongs to, in short.
    pub(super) conversation: Option<u64>,
}

/// Returns the encodings that the caller takes; where none are sent, the body as it is alone.
pub(super) fn accepted(settings: &Settings, request: &HttpRequest) -> Accepted {
    let mut values =
        request.headers().get_all(ACCEPT_ENCODING).map(HeaderValue::as_bytes).peekable();
    if !settings.response.compression || values.peek().is_none() {
        return Accepted::default();
    }
    Accepted::parse(values)
}

impl Asked<'_> {
    /// Returns path and query as received.
    pub(super) fn target(&self) -> &str {
        self.request.uri().path_and_query().map_or("/", |target| target.as_str())
    }

    pub(super) fn reading(&self) -> Reading<'_> {
        Reading {
            gateway: &self.worker.gateway,
            route: self.route,
            method: self.request.method().as_str(),
            uri: self.request.uri(),
            headers: self.request.headers(),
            client: guard::client_of(self.request),
            body: &self.body,
        }
    }

    /// Returns the request with the body that its `Content-Encoding` stands for.
    ///
    /// # Errors
    ///
    /// Those of [`body::inflated`].
    pub(super) async fn inflated(self) -> Result<Self, ApiError> {
        let most = self.in_force.settings.server.max_body.as_usize();
        let body = body::inflated(self.request, self.body.clone(), most, self.memory).await?;
        Ok(Self { body, ..self })
    }

    /// Returns the digest of the request as it came: everything that counts, each part with its
    /// length, under this thread's own key.
    pub(super) fn digest(&self) -> Digest {
        let mut hasher = HighwayHasher::new(Key(self.worker.digest_key));
        let mut parts = self.worker.digest_parts.borrow_mut();
        parts.clear();
        self.put_parts(&mut parts);
        // Two pieces, the second as it lies: each piece costs the hasher more than its bytes do.
        hasher.append(&parts);
        hasher.append(&self.body);
        Digest::new(hasher.finalize128())
    }

    /// Puts down what the digest counts beside the body's bytes.
    fn put_parts(&self, parts: &mut Vec<u8>) {
        let put_len = |parts: &mut Vec<u8>, len: usize| {
            parts.extend_from_slice(&u64::try_from(len).unwrap_or(u64::MAX).to_le_bytes());
        };
        let mut put = |bytes: &[u8]| {
            put_len(parts, bytes.len());
            parts.extend_from_slice(bytes);
        };
        put(&self.in_force.epoch.to_le_bytes());
        put(&self.route.index.to_le_bytes());
        // In place of the header's text: what means the same shares a lease.
        put(&[self.accepted.code()]);
        put(self.request.method().as_str().as_bytes());
        put(self.target().as_bytes());
        for (place, value) in self.route.recalled_headers.values_in_order(self.request.headers()) {
            put(&place.to_le_bytes());
            put(value.as_bytes());
        }
        // The key itself is no longer among the headers.
        if let Some(Caller(client)) = self.request.extensions().get::<Caller>() {
            put(client.scope.as_bytes());
        }
        put_len(parts, self.body.len());
    }

    /// Reads the request: its key, or why it goes past the cache. Its outline is remembered.
    ///
    /// # Errors
    ///
    /// [`ApiError::Json`] when the body has no single meaning.
    pub(super) async fn understand(
        &self,
        directives: &Directives<'_>,
    ) -> Result<(Understood, Option<Arc<str>>), ApiError> {
        let reading = self.reading();
        let (understood, canonical) = reading.understand(directives).await?;
        if let Understood::Keyed(meaning) = &understood
            && !directives.no_store
        {
            reading.sketch(meaning.key, canonical.as_ref(), directives);
        }
        let model = canonical.as_ref().and_then(|canonical| canonical.model().map(Arc::from));
        Ok((understood, model))
    }

    /// Returns the key of a request like this one with another body; `scope` is that of this one.
    pub(super) fn key_within(
        &self,
        scope: &Scope,
        body: KeyBody<'_>,
        directives: &Directives<'_>,
    ) -> CacheKey {
        self.reading().key_within(scope, body, directives)
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
    /// Returns scope and session under which others learn of the request.
    pub(super) fn learned_as(&self) -> (u64, u64) {
        let scope = self.meaning.scope;
        (scope, self.asked.conversation.unwrap_or(scope))
    }

    /// Returns the upstream call that answers the request.
    pub(super) fn call(&self) -> Arc<OriginCall> {
        Arc::new(self.origin_call())
    }

    /// As [`Self::call`], to be changed.
    pub(super) fn origin_call(&self) -> OriginCall {
        let (encoding, directives) = (self.asked.accepted.best(), &self.directives);
        call::origin_call(&self.asked.reading(), &self.meaning, directives, encoding)
    }
}
