//! May this answer be kept, and what of it? (RFC 9111 §3)

mod kept_fields;

pub(super) use kept_fields::Keeps;
pub use kept_fields::{KeptField, kept_fields};

use super::cache_control::{RequestDirectives, ResponseDirectives};
use super::fields::{Fields, has};
use super::freshness::{Exchange, Heuristic, Life};
use super::range::is_partial;
use super::sharing::Sharing;
use super::status::{is_heuristically_cacheable, is_understood};
use super::validation::Validators;
use super::vary::Vary;

/// An answer that has come whole, and the request it answers.
///
/// An answer whose body was cut never gets here: its upstream call has failed (§3.3).
#[derive(Debug, Clone)]
pub struct Candidate<'a, F> {
    /// Who would share it.
    pub sharing: Sharing,
    /// Method of the request.
    pub method: &'a str,
    /// Directives of the request.
    pub request: &'a RequestDirectives,
    /// Whether the request showed a credential: Authorization, or a field that stands for it.
    pub is_authorized: bool,
    /// Status of the answer.
    pub status: u16,
    /// Fields of the answer, as received.
    pub fields: F,
    /// When it was asked for and came.
    pub exchange: Exchange,
    /// How long it is fresh where it does not say so.
    pub heuristic: Heuristic,
}

/// Whether an answer may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storing {
    /// It may, with what is to be remembered of it.
    Yes {
        /// Its age, freshness and rules.
        life: Life,
        /// Which fields of the request selected it.
        vary: Vary,
        /// Its directives; [`kept_fields`] wants them.
        directives: ResponseDirectives,
    },
    /// It may not, for this reason; a token.
    No(&'static str),
}

impl Storing {
    /// Decides over an answer.
    ///
    /// Rule: RFC 9111 §3, all of its list. Beyond it, and always allowed, are not kept: answers to
    /// HEAD; parts; `Vary: *`, which never matches; answers that set a cookie, in a shared cache;
    /// answers that are to be validated before each use and have nothing to validate by.
    pub fn decide<'a, F: Fields<'a>>(candidate: &Candidate<'_, F>) -> Self {
        let Candidate { sharing, status, fields, exchange, heuristic, .. } = candidate;
        let directives = ResponseDirectives::parse(fields.clone());
        let vary = Vary::of(fields.clone());
        if let Some(reason) = refused_by_status(candidate.method, *status, fields)
            .or_else(|| refused_by_directives(candidate, &directives))
            .or_else(|| refused_by_sharing(candidate, &directives))
        {
            return Self::No(reason);
        }
        if vary == Vary::Any {
            return Self::No("vary");
        }
        if !is_marked_cacheable(candidate, &directives) && !is_heuristically_cacheable(*status) {
            return Self::No("status");
        }
        if directives.no_cache.is_whole() && Validators::of(fields.clone()).is_empty() {
            return Self::No("no-validator");
        }
        let life = Life::of(fields.clone(), *status, &directives, *sharing, *exchange, *heuristic);
        Self::Yes { life, vary, directives }
    }
}

fn refused_by_status<'a>(
    method: &str,
    status: u16,
    fields: &impl Fields<'a>,
) -> Option<&'static str> {
    match method {
        "GET" if status < 200 => Some("interim"),
        "GET" if status == 304 => Some("not-modified"),
        "GET" if is_partial(status, fields.clone()) => Some("partial"),
        "GET" => None,
        "HEAD" => Some("head"),
        _ => Some("method"),
    }
}

fn refused_by_directives<F>(
    candidate: &Candidate<'_, F>,
    directives: &ResponseDirectives,
) -> Option<&'static str> {
    let is_understood = is_understood(candidate.status);
    if candidate.request.no_store {
        return Some("request-no-store");
    }
    if directives.must_understand && !is_understood {
        return Some("not-understood");
    }
    (directives.no_store && !directives.must_understand).then_some("no-store")
}

fn refused_by_sharing<'a, F: Fields<'a>>(
    candidate: &Candidate<'_, F>,
    directives: &ResponseDirectives,
) -> Option<&'static str> {
    if !candidate.sharing.is_shared() {
        return None;
    }
    if directives.private.is_whole() {
        return Some("private");
    }
    if candidate.is_authorized && !directives.allows_sharing_of_authorized() {
        return Some("authorization");
    }
    // An origin that names the field allows the rest to be kept (§5.2.2.4, §5.2.2.7).
    let is_named = |name| directives.private.names(name) || directives.no_cache.names(name);
    let sets_cookie = |name| has(candidate.fields.clone(), name) && !is_named(name);
    (sets_cookie("set-cookie") || sets_cookie("set-cookie2")).then_some("set-cookie")
}

/// Tells whether the answer itself says that it may be kept, by one of the list in §3.
fn is_marked_cacheable<'a, F: Fields<'a>>(
    candidate: &Candidate<'_, F>,
    directives: &ResponseDirectives,
) -> bool {
    let is_shared = candidate.sharing.is_shared();
    directives.public
        || directives.max_age_s.is_some()
        || (directives.private.is_whole() && !is_shared)
        || (directives.s_maxage_s.is_some() && is_shared)
        || has(candidate.fields.clone(), "expires")
}

#[cfg(test)]
#[path = "storing_tests.rs"]
mod tests;
