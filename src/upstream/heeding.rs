//! What the origin's word makes of an answer, on routes where it decides: `caching` over the values
//! of this program.

use std::time::Duration;

use anteroom_actors::model::{Entry, Freshness, Header, Lifetimes, Selection};
use anteroom_actors::origin::OriginCall;

use super::headers;
use crate::caching::{
    Candidate, Exchange, Field, Fields, Heuristic, KeptField, Life, RequestDirectives, Sharing,
    Storing, Validators, Vary, freshened_fields, is_identified, kept_fields,
};
use crate::canonical::CREDENTIAL_HEADERS;

/// The longest lifetime guessed from a time of last change (RFC 9111 §4.2.2).
const LONGEST_GUESS: Duration = Duration::from_secs(86_400);

/// The least time for which an answer that can be validated is kept to be validated, from the end
/// of its lifetime on.
const LEAST_KEPT_TO_VALIDATE: Duration = Duration::from_secs(86_400);

/// What is decided over an answer by its head.
pub(super) enum Ruling {
    /// It is not kept, for this reason; a token.
    Forbidden(&'static str),
    /// It may be kept, if its body is as it should be.
    Kept(Keeping),
}

/// How an answer is kept.
pub(super) struct Keeping {
    /// Its headers.
    pub(super) headers: Vec<Header>,
    /// How long it may be served.
    pub(super) lifetimes: Lifetimes,
    /// When it came, and how old it was.
    pub(super) life: Life,
    /// What of the request selects it.
    pub(super) selection: Selection,
}

impl Keeping {
    /// Returns its age at `wall_ms`.
    pub(super) fn age(&self, wall_ms: u64) -> Duration {
        Duration::from_millis(self.life.age_ms(wall_ms))
    }
}

/// A call, as the rules see it.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) call: &'a OriginCall,
    /// Whether callers of different credentials share answers.
    pub(super) shared: bool,
    /// Whether a credential that the caller showed went upstream.
    pub(super) passes_credential: bool,
    pub(super) exchange: Exchange,
}

impl Asking<'_> {
    fn sharing(self) -> Sharing {
        if self.shared { Sharing::Shared } else { Sharing::Private }
    }

    /// Decides over an answer by its head.
    pub(super) fn rule(self, status: u16, answer: &[Header]) -> Ruling {
        // Refusals and failures are of the moment and of who asked, whatever they say themselves.
        if matches!(status, 401 | 403 | 407 | 429 | 500..) {
            return Ruling::Forbidden("status");
        }
        if !is_plain(answer) {
            return Ruling::Forbidden("encoding");
        }
        self.decide(status, answer, |directives, fields| {
            let received_ms = self.exchange.received_ms;
            own(kept_fields(fields, directives, self.sharing(), received_ms))
        })
    }

    /// Decides over a kept answer that `not_modified`, the headers of a 304, speaks of. `None` where
    /// it does not speak of that one (RFC 9111 §4.3.4). The second value is whether it is kept on.
    pub(super) fn freshened(self, kept: &Entry, not_modified: &[Header]) -> Option<(Entry, bool)> {
        let (stored, new) = (fields(&kept.headers), fields(not_modified));
        if !is_identified(&Validators::of(stored.clone()), &Validators::of(new.clone())) {
            return None;
        }
        let received_ms = self.exchange.received_ms;
        let headers = own(freshened_fields(stored, new, self.sharing(), received_ms));
        // Its age is not among what is kept, and counts all the same (RFC 9111 §4.2.3).
        let age = not_modified.iter().filter(|header| &*header.name == "age");
        let judged: Vec<Header> = headers.iter().chain(age).cloned().collect();
        let kept_on = self.decide(kept.status, &judged, |_, _| headers.clone());
        let entry = Entry { labels: self.call.labels.clone(), ..kept.clone() };
        Some(match kept_on {
            Ruling::Kept(keeping) => {
                let freshness =
                    Freshness::new(received_ms, keeping.age(received_ms), keeping.lifetimes);
                let Keeping { headers, selection, .. } = keeping;
                (Entry { headers: headers.into(), freshness, selection, ..entry }, true)
            }
            // Used this once, as of now.
            Ruling::Forbidden(_) => {
                let freshness = Freshness { made_wall_ms: received_ms, ..Freshness::default() };
                (Entry { headers: headers.into(), freshness, ..entry }, false)
            }
        })
    }

    fn decide<'a>(
        self,
        status: u16,
        answer: &'a [Header],
        kept: impl FnOnce(&crate::caching::ResponseDirectives, Iter<'a>) -> Vec<Header>,
    ) -> Ruling {
        let request = RequestDirectives { no_store: !self.call.may_keep, ..Default::default() };
        let storing = Storing::decide(&Candidate {
            sharing: self.sharing(),
            // The answer to a POST is kept under its body's key: what is said of GET holds for it.
            method: "GET",
            request: &request,
            is_authorized: self.passes_credential && self.shows_credential(),
            status,
            fields: fields(answer),
            exchange: self.exchange,
            heuristic: Heuristic {
                longest_ms: ms(LONGEST_GUESS),
                otherwise_ms: ms(self.call.lifetimes.lifetime),
            },
        });
        let (life, vary, directives) = match storing {
            Storing::No(reason) => return Ruling::Forbidden(reason),
            Storing::Yes { life, vary, directives } => (life, vary, directives),
        };
        let Some(selection) = selection(&vary, fields(&self.call.presented)) else {
            return Ruling::Forbidden("vary");
        };
        let is_validatable = !Validators::of(fields(answer)).is_empty();
        let lifetimes = self.lifetimes(status, &life, is_validatable);
        let freshness = Freshness::new(life.received_ms, Duration::ZERO, lifetimes);
        if !freshness.is_of_use(life.received_ms.saturating_add(life.initial_age_ms)) {
            return Ruling::Forbidden("stale");
        }
        let headers = kept(&directives, fields(answer));
        let headers = headers.into_iter().filter(|header| stays(&header.name)).collect();
        Ruling::Kept(Keeping { headers, lifetimes, life, selection })
    }

    /// Returns how long an answer may be served: by its own word, else by the route's. Errors get no
    /// stale window of the route's.
    fn lifetimes(self, status: u16, life: &Life, is_validatable: bool) -> Lifetimes {
        let route = self.call.lifetimes;
        let rules = life.rules;
        let never_stale = rules.always_validate || rules.never_stale;
        let window = |own: Option<u64>, of_route: Duration| match own {
            _ if never_stale => Duration::ZERO,
            Some(own) => Duration::from_millis(own),
            None if status >= 400 => Duration::ZERO,
            None => of_route,
        };
        let keep_to_validate = LEAST_KEPT_TO_VALIDATE.max(route.stale_if_error);
        Lifetimes {
            lifetime: match rules.always_validate {
                true => Duration::ZERO,
                false => Duration::from_millis(life.lifetime_ms),
            },
            stale_while_revalidate: window(rules.while_revalidate_ms, route.stale_while_revalidate),
            stale_if_error: window(rules.if_error_ms, route.stale_if_error),
            keep_to_validate: if is_validatable { keep_to_validate } else { Duration::ZERO },
            never_stale,
        }
    }

    fn shows_credential(self) -> bool {
        self.call.headers.iter().any(|header| CREDENTIAL_HEADERS.contains(&&*header.name))
    }
}

/// Tells whether a reason not to keep an answer is one not to share it either.
pub(super) fn is_own(reason: &str) -> bool {
    matches!(reason, "private" | "no-store" | "authorization" | "set-cookie" | "vary")
}

/// Tells whether an answer holds what only its first asker may see: a cookie, or fields that the
/// origin keeps out of shared caches.
pub(super) fn has_own_fields(answer: &[Header]) -> bool {
    use crate::caching::{ResponseDirectives, Restriction};
    let directives = ResponseDirectives::parse(fields(answer));
    let names =
        |restriction: &Restriction| answer.iter().any(|header| restriction.names(&header.name));
    names(&directives.private)
        || names(&directives.no_cache)
        || answer.iter().any(|header| matches!(&*header.name, "set-cookie" | "set-cookie2"))
}

/// Returns the digest of what of a request selects an answer with this Vary; `None` where nothing
/// can.
///
/// `Accept-Encoding` counts as if it were never sent: origins are always asked for plain bytes, and
/// the gateway's own codings are made from them.
pub fn selection<'a>(vary: &Vary, presented: impl Fields<'a>) -> Option<Selection> {
    let counted = presented.filter(|(name, _)| *name != "accept-encoding");
    let bytes = vary.selection(counted)?.to_bytes();
    let mut half = Selection::default();
    if !bytes.is_empty() {
        for (to, from) in half.iter_mut().zip(blake3::hash(&bytes).as_bytes()) {
            *to = *from;
        }
    }
    Some(half)
}

fn is_plain(answer: &[Header]) -> bool {
    let encoding = headers::text_of(answer, "content-encoding");
    encoding.is_none_or(|encoding| encoding.trim().eq_ignore_ascii_case("identity"))
}

/// Tells whether a header stays with a kept answer. The date does: ages and validators refer to it.
fn stays(name: &str) -> bool {
    name == "date" || headers::is_stored(name)
}

type Iter<'a> = std::iter::Map<std::slice::Iter<'a, Header>, fn(&'a Header) -> Field<'a>>;

/// Returns headers as the rules read them.
pub(super) fn fields(headers: &[Header]) -> Iter<'_> {
    headers.iter().map(|header| (&*header.name, &*header.value))
}

fn own(fields: Vec<KeptField<'_>>) -> Vec<Header> {
    let own = |(name, value): KeptField<'_>| Header {
        name: name.into(),
        value: value.into_owned().into(),
    };
    fields.into_iter().map(own).collect()
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "heeding_tests.rs"]
mod tests;
