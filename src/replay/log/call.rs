//! What the gateway would have made of a logged call: its route, key and verdict, by the deciders that a
//! call of its own meets.

use std::time::Duration;

use anteroom_actors::model::{CacheKey, Usage, Verdict};

use super::line::{Fault, LoggedCall, Question, Response};
use crate::canonical::{KeyBody, KeyParts, Scope, ScopeSecret};
use crate::http::routes::{Route, Routes, canonical_body};
use crate::savings::{Book, Call, PriceError};
use crate::settings::Settings;
use crate::upstream::AnswerPolicy;
use crate::upstream::verdict::{Judged, verdict};

/// What a call is.
#[derive(Debug, PartialEq, Eq)]
pub enum Understood {
    /// It asks the cache.
    Asked {
        /// When, as the line says it.
        at_ms: u64,
        /// What was asked, by whom it is shared.
        key: CacheKey,
        /// Who asked, as a digest: names have no bound.
        user: Option<[u8; 32]>,
        /// Size of the answer; 0 where it is not known.
        size_bytes: u64,
        /// What it cost and took.
        call: Call,
    },
    /// It goes past the cache, or its answer is not kept.
    LeftOut {
        /// Why, as a token.
        reason: &'static str,
        /// What it cost and took.
        call: Call,
    },
}

/// A gateway of some settings, as far as it reads calls.
pub struct Reader {
    routes: Routes,
    /// By the routes' positions.
    policies: Vec<Option<AnswerPolicy>>,
    book: Book,
    /// Of no use to anybody: digests do not leave this process.
    secret: ScopeSecret,
}

/// What is learned of an answer.
struct Answer {
    size_bytes: u64,
    usage: Option<Usage>,
    /// Why it is not kept.
    refused: Option<&'static str>,
}

impl Reader {
    /// Prepares the routes and prices of settings.
    ///
    /// # Errors
    ///
    /// [`PriceError`] where the settings were not checked.
    pub fn new(settings: &Settings) -> Result<Self, PriceError> {
        Ok(Self {
            routes: Routes::new(settings),
            policies: settings.routes.iter().map(AnswerPolicy::of).collect(),
            book: Book::new(settings.price_table()?, 0),
            secret: ScopeSecret::new([0; 32]),
        })
    }

    /// Returns the currency of all money.
    pub fn currency(&self) -> &str {
        self.book.currency()
    }

    /// Finds out what a call is.
    ///
    /// # Errors
    ///
    /// Its request is no JSON of a single meaning.
    pub fn understand(&self, logged: &LoggedCall<'_>) -> Result<Understood, Fault> {
        let (path, query) = match logged.path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&*logged.path, None),
        };
        let Some(route) = self.routes.find(&logged.method, path) else {
            let call = self.call(logged, None, logged.usage);
            return Ok(Understood::LeftOut { reason: "no-route", call });
        };
        let canonical = match &logged.question {
            Question::Request(body) if !body.is_empty() => {
                let read = canonical_body(route.profile, &route.uncounted, body.as_bytes());
                Some(read.map_err(|error| Fault::Request(error.reason))?)
            }
            Question::Key(_) | Question::Request(_) => None,
        };
        let answer = self.answer(logged, route);
        let asked_model = canonical.as_ref().and_then(|canonical| canonical.model());
        let call = self.call(logged, asked_model.as_deref(), logged.usage.or(answer.usage));
        let bypass = canonical.as_ref().and_then(|canonical| route.bypass_reason(canonical));
        let uncached = (!route.cached).then_some("route-not-cached");
        if let Some(reason) = uncached.or(bypass).or(answer.refused) {
            return Ok(Understood::LeftOut { reason, call });
        }
        let scope = self.scope(logged, route);
        let counted_query = route.counted_query(query);
        let parts = KeyParts {
            route: &route.name,
            upstream: &route.upstream_identity,
            method: &logged.method,
            path,
            query: counted_query.as_deref(),
            scope: &scope,
            namespace: "",
            headers: &[],
            body: match (&logged.question, &canonical) {
                (Question::Key(key), _) => KeyBody::Raw(key.as_bytes()),
                (Question::Request(_), Some(canonical)) => KeyBody::Json(canonical),
                (Question::Request(_), None) => KeyBody::None,
            },
        };
        let user = logged.user.as_deref().map(|user| *blake3::hash(user.as_bytes()).as_bytes());
        let (at_ms, size_bytes) = (logged.at_ms, answer.size_bytes);
        Ok(Understood::Asked { at_ms, key: parts.key(), user, size_bytes, call })
    }

    /// A user stands for a credential, which the log does not have.
    fn scope(&self, logged: &LoggedCall<'_>, route: &Route) -> Scope {
        match &logged.user {
            _ if route.shared => Scope::shared(),
            Some(user) => self.secret.client_scope(user),
            None => self.secret.scope(std::iter::empty()),
        }
    }

    fn call(&self, logged: &LoggedCall<'_>, asked: Option<&str>, usage: Option<Usage>) -> Call {
        let model = logged.model.as_deref().or(asked);
        self.book.call(model, usage, logged.latency.unwrap_or(Duration::ZERO))
    }

    /// A text may be a part of the answer: it has a size, and no verdict.
    fn answer(&self, logged: &LoggedCall<'_>, route: &Route) -> Answer {
        let status = logged.status.unwrap_or(200);
        let (size, verdict) = match logged.response {
            Some(Response::Object(body)) => {
                let judged = Judged {
                    profile: route.profile,
                    streamed: false,
                    status,
                    content_type: Some("application/json"),
                    content_encoding: None,
                    body: body.as_bytes(),
                    lifetimes: route.lifetimes,
                    policy: self.policies.get(route.index).and_then(Option::as_ref),
                };
                (body.len() as u64, Some(verdict(&judged)))
            }
            Some(Response::Text(size)) => (size, None),
            None => (0, None),
        };
        let (usage, refused) = match verdict {
            Some(Verdict::Keep { usage, .. }) => (usage, None),
            Some(Verdict::Discard(reason)) => (None, Some(reason)),
            None => (None, (!(200..300).contains(&status)).then_some("status")),
        };
        Answer { size_bytes: logged.size_bytes.unwrap_or(size), usage, refused }
    }
}
