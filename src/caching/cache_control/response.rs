//! What an answer says of its keeping and its use (RFC 9111 §5.2.2, RFC 5861, RFC 8246).

use super::directive::{Argument, Directive, Directives};
use super::request::at_most;
use crate::caching::fields::{Fields, field_name, tokens, values};

/// Most field names that one directive may list; with more the directive holds for the whole.
const MOST_NAMES: usize = 64;

/// Fields that the cache itself lives by. A directive that takes one out of the stored answer would
/// take its rules out with it.
const OWN_NAMES: [&str; 8] =
    ["age", "cache-control", "date", "etag", "expires", "last-modified", "pragma", "vary"];

/// How far `no-cache` or `private` reaches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Restriction {
    /// It is not there.
    #[default]
    Absent,
    /// It holds for the fields of these lower-case names (§5.2.2.4, §5.2.2.7: "qualified form").
    Fields(Vec<Box<str>>),
    /// It holds for the whole answer.
    Whole,
}

impl Restriction {
    /// Tells whether the whole answer is meant.
    pub const fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }

    /// Tells whether a field of this lower-case name is meant by name.
    pub fn names(&self, name: &str) -> bool {
        matches!(self, Self::Fields(names) if names.iter().any(|named| **named == *name))
    }

    /// Widens by one more directive. A list that cannot be read, is empty, or names a field that
    /// the cache lives by, means the whole.
    fn widen(&mut self, directive: &Directive<'_>) {
        let Argument::Given(list) = directive.argument else {
            *self = Self::Whole;
            return;
        };
        let read: Option<Vec<Box<str>>> = tokens(list)
            .map(|name| field_name(name).filter(|name| !OWN_NAMES.contains(&&**name)))
            .collect();
        let mut names = match std::mem::take(self) {
            Self::Absent => Vec::new(),
            Self::Fields(names) => names,
            Self::Whole => {
                *self = Self::Whole;
                return;
            }
        };
        *self = match read {
            Some(more) if !more.is_empty() && names.len() + more.len() <= MOST_NAMES => {
                names.extend(more);
                Self::Fields(names)
            }
            _ => Self::Whole,
        };
    }
}

/// The directives of an answer. `Default` is an answer that says nothing.
///
/// Times are whole seconds up to 2^31.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseDirectives {
    /// How long it is fresh (§5.2.2.1). No number, or two that differ: 0, stale (§4.2.1).
    pub max_age_s: Option<u32>,
    /// The same, for a shared cache (§5.2.2.10).
    pub s_maxage_s: Option<u32>,
    /// Not to be used without asking the origin (§5.2.2.4).
    pub no_cache: Restriction,
    /// Not to be kept (§5.2.2.5).
    pub no_store: bool,
    /// Not to be kept by a shared cache (§5.2.2.7).
    pub private: Restriction,
    /// May be kept (§5.2.2.9).
    pub public: bool,
    /// Once stale, not to be used without asking the origin (§5.2.2.2).
    pub must_revalidate: bool,
    /// The same, for a shared cache (§5.2.2.8).
    pub proxy_revalidate: bool,
    /// To be kept only where the status is understood, and then in spite of `no-store` (§5.2.2.3).
    pub must_understand: bool,
    /// Does not change while it is fresh (RFC 8246).
    pub immutable: bool,
    /// The content is to be sent as it is (§5.2.2.6).
    pub no_transform: bool,
    /// How long after it turned stale it may be used while it is refreshed (RFC 5861 §3). No
    /// number: 0.
    pub stale_while_revalidate_s: Option<u32>,
    /// How long after it turned stale it may stand in for an error (RFC 5861 §4). No number: 0.
    pub stale_if_error_s: Option<u32>,
    allows_authorized: bool,
}

impl ResponseDirectives {
    /// Reads the directives of an answer's fields, names in lower case.
    ///
    /// Rule: RFC 9111 §5.2.2; unknown directives are ignored (§5.2.3). Pragma means nothing in an
    /// answer (§5.4).
    pub fn parse<'a>(fields: impl Fields<'a>) -> Self {
        let mut directives = Self::default();
        for directive in values(fields, "cache-control").flat_map(Directives::of) {
            directives.take(&directive);
        }
        directives
    }

    /// Tells whether a shared cache may use the answer to a request that showed a credential: one
    /// of `public`, `s-maxage`, `must-revalidate`, written as defined (§3.5).
    pub const fn allows_sharing_of_authorized(&self) -> bool {
        self.allows_authorized
    }

    fn take(&mut self, directive: &Directive<'_>) {
        if directive.is("no-store") {
            self.no_store = true;
        } else if directive.is("no-cache") {
            self.no_cache.widen(directive);
        } else if directive.is("private") {
            self.private.widen(directive);
        } else if directive.is("must-revalidate") {
            self.must_revalidate = true;
            self.allows_authorized |= directive.is_bare();
        } else if directive.is("proxy-revalidate") {
            self.proxy_revalidate = true;
        } else if directive.is("no-transform") {
            self.no_transform = true;
        } else {
            self.take_time_or_permission(directive);
        }
    }

    fn take_time_or_permission(&mut self, directive: &Directive<'_>) {
        if directive.is("max-age") {
            set_lifetime(&mut self.max_age_s, directive.seconds());
        } else if directive.is("s-maxage") {
            set_lifetime(&mut self.s_maxage_s, directive.seconds());
            self.allows_authorized |= directive.seconds().is_some();
        } else if directive.is("stale-while-revalidate") {
            at_most(&mut self.stale_while_revalidate_s, directive.seconds().unwrap_or(0));
        } else if directive.is("stale-if-error") {
            at_most(&mut self.stale_if_error_s, directive.seconds().unwrap_or(0));
        } else if directive.is("public") && directive.is_bare() {
            self.public = true;
            self.allows_authorized = true;
        } else if directive.is("must-understand") && directive.is_bare() {
            self.must_understand = true;
        } else if directive.is("immutable") && directive.is_bare() {
            self.immutable = true;
        }
    }
}

/// Sets a lifetime; none that can be read, or another one than before, is 0 (§4.2.1).
fn set_lifetime(slot: &mut Option<u32>, seconds: Option<u32>) {
    let seconds = seconds.unwrap_or(0);
    *slot = Some(if slot.is_none_or(|other| other == seconds) { seconds } else { 0 });
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
