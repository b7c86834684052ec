//! What is particular to requests that read: where they go first, and whether a kept answer was
//! selected by a request like them.

use actix_web::http::header::{ACCEPT_ENCODING, HeaderName, IF_MATCH, IF_UNMODIFIED_SINCE, RANGE};
use anteroom_actors::model::{Entry, Header};

use super::asked::Asked;
use super::conditions;
use super::reading::read_as;
use crate::caching::{RequestDirectives, Vary, Way};
use crate::canonical::CREDENTIAL_HEADERS;
use crate::upstream::heeding;

/// Headers that ask for a part, or for what only an origin can decide.
static PASSED: [HeaderName; 3] = [RANGE, IF_MATCH, IF_UNMODIFIED_SINCE];

impl Asked<'_> {
    /// Returns the method that is keyed and sent upstream.
    pub(super) fn method(&self) -> &str {
        read_as(self.request.method().as_str())
    }

    /// Tells whether the origin's caching headers decide over the answer.
    pub(super) fn heeds(&self) -> bool {
        self.route.heeds(self.method())
    }

    /// Returns where the request goes first.
    pub(super) fn way(&self) -> Way {
        let headers = self.request.headers();
        let fields = || {
            let field = |name| Some((HeaderName::as_str(name), headers.get(name)?.as_bytes()));
            PASSED.iter().filter_map(field)
        };
        let method = self.request.method().as_str();
        let way = |directives| Way::of(method, &directives, !self.body.is_empty(), fields());
        // Its directives count only where it does not come to a lookup, which is rare.
        match way(RequestDirectives::default()) {
            Way::Pass(_) if !self.route.ignores_cache_control => {
                let fields = conditions::fields(headers);
                way(RequestDirectives::parse(fields.iter().copied()))
            }
            found => found,
        }
    }

    /// Tells whether this request may use `entry`, which was found by its key (RFC 9111 §4.1).
    pub(super) fn selects(&self, entry: &Entry) -> bool {
        let Some(vary) = self.vary_of(&entry.headers) else { return true };
        let presented = conditions::fields(self.request.headers());
        heeding::selection(&vary, presented.iter().copied()) == Some(entry.selection)
    }

    /// Tells whether all that selects `entry` is in the recall digest.
    pub(super) fn recalls_selection_of(&self, entry: &Entry) -> bool {
        self.names_only(&entry.headers, |name| {
            HeaderName::try_from(name).is_ok_and(|name| self.route.recalled_headers.contains(&name))
        })
    }

    /// Tells whether all that selects an answer with these headers is in its key, or in its scope.
    pub(super) fn keys_selection_of(&self, answer: &[Header]) -> bool {
        self.names_only(answer, |name| {
            self.route.keyed_headers.iter().any(|keyed| keyed.as_str() == name)
                || (!self.route.shared && CREDENTIAL_HEADERS.contains(&name))
        })
    }

    fn names_only(&self, answer: &[Header], holds: impl Fn(&str) -> bool) -> bool {
        match self.vary_of(answer) {
            None | Some(Vary::Nothing) => true,
            Some(Vary::Names(names)) => {
                names.iter().all(|name| &**name == ACCEPT_ENCODING.as_str() || holds(name))
            }
            Some(Vary::Any) => false,
        }
    }

    /// Returns the Vary of an answer, where it has one that counts.
    fn vary_of(&self, answer: &[Header]) -> Option<Vary> {
        let has_one = answer.iter().any(|header| &*header.name == "vary");
        (has_one && self.heeds())
            .then(|| Vary::of(answer.iter().map(|header| (&*header.name, &*header.value))))
    }
}
