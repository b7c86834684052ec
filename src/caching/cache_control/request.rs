//! What a request asks of the cache (RFC 9111 §5.2.1, §5.4; RFC 5861 §4).

use super::directive::{Argument, Directive, Directives};
use crate::caching::fields::{FOREVER_S, Field, tokens};

/// The directives of a request. `Default` is a request that asks for nothing.
///
/// Times are whole seconds up to 2^31. Where one is given twice, the stricter holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RequestDirectives {
    /// Only an answer the origin has just confirmed (§5.2.1.4), also by `Pragma` (§5.4).
    pub no_cache: bool,
    /// Nothing of this request or its answer is to be kept (§5.2.1.5).
    pub no_store: bool,
    /// The content is to be sent as it is (§5.2.1.6).
    pub no_transform: bool,
    /// Only a stored answer, or 504 (§5.2.1.7).
    pub only_if_cached: bool,
    /// No answer older than this (§5.2.1.1). No number: 0.
    pub max_age_s: Option<u32>,
    /// A stale answer will do, up to this long after it turned stale (§5.2.1.2). Without an
    /// argument: any; no number: 0.
    pub max_stale_s: Option<u32>,
    /// Only an answer that stays fresh this long (§5.2.1.3). No number: 2^31.
    pub min_fresh_s: Option<u32>,
    /// How long after it turned stale an answer may stand in for an error (RFC 5861 §4), in place
    /// of what the answer itself says. No number: 0.
    pub stale_if_error_s: Option<u32>,
}

impl RequestDirectives {
    /// Reads the directives of a request's fields, names in lower case.
    ///
    /// Cost: one comparison of names a field where there is neither `Cache-Control` nor `Pragma`.
    /// Rule: RFC 9111 §5.2.1; `Pragma: no-cache` counts only in the absence of Cache-Control
    /// (§5.4, RFC 7234 §5.4). Unknown directives are ignored (§5.2.3).
    pub fn parse<'a>(fields: impl Iterator<Item = Field<'a>>) -> Self {
        let mut directives = Self::default();
        let (mut has_cache_control, mut has_pragma) = (false, false);
        for (name, value) in fields {
            match name {
                "cache-control" => {
                    has_cache_control = true;
                    Directives::of(value).for_each(|directive| directives.take(&directive));
                }
                "pragma" => {
                    has_pragma |=
                        tokens(value).any(|member| member.eq_ignore_ascii_case(b"no-cache"));
                }
                _ => {}
            }
        }
        directives.no_cache |= has_pragma && !has_cache_control;
        directives
    }

    fn take(&mut self, directive: &Directive<'_>) {
        if directive.is("no-cache") {
            self.no_cache = true;
        } else if directive.is("no-store") {
            self.no_store = true;
        } else if directive.is("no-transform") {
            self.no_transform = true;
        } else if directive.is("only-if-cached") {
            self.only_if_cached = true;
        } else if directive.is("max-age") {
            at_most(&mut self.max_age_s, directive.seconds().unwrap_or(0));
        } else if directive.is("max-stale") {
            let any = directive.argument == Argument::Absent;
            let seconds = if any { FOREVER_S } else { directive.seconds().unwrap_or(0) };
            at_most(&mut self.max_stale_s, seconds);
        } else if directive.is("min-fresh") {
            let seconds = directive.seconds().unwrap_or(FOREVER_S);
            self.min_fresh_s = Some(self.min_fresh_s.map_or(seconds, |other| other.max(seconds)));
        } else if directive.is("stale-if-error") {
            at_most(&mut self.stale_if_error_s, directive.seconds().unwrap_or(0));
        }
    }
}

/// Sets a time, or lowers the one that is set.
pub(super) fn at_most(slot: &mut Option<u32>, seconds: u32) {
    *slot = Some(slot.map_or(seconds, |other| other.min(seconds)));
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
