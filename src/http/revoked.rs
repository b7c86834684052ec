//! Credentials that the provider refuses now. While it does, what is kept for them is not served: the
//! next request goes upstream, and only a success there lets them hit again.
//!
//! One set for all workers. Without a refused credential a request looks at one atomic number.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::canonical::Scope;

/// Most scopes remembered; past it the oldest is forgotten, and may hit again.
const MOST: usize = 4_096;

/// The scopes whose credential was refused.
#[derive(Debug, Default)]
pub struct Revoked {
    count: AtomicUsize,
    scopes: Mutex<Scopes>,
}

#[derive(Debug, Default)]
struct Scopes {
    all: HashSet<Vec<u8>>,
    oldest_first: VecDeque<Vec<u8>>,
}

impl Revoked {
    /// Takes down what the provider answered to a credential: 401 and 403 refuse it, a success
    /// clears it, anything else says nothing of it.
    pub fn note(&self, status: u16, scope: impl FnOnce() -> Scope) {
        match status {
            401 | 403 => self.insert(&scope()),
            200..=299 if self.count.load(Ordering::Relaxed) > 0 => self.remove(&scope()),
            _ => {}
        }
    }

    /// Tells whether the provider refused this scope's credential last.
    pub fn holds(&self, scope: impl FnOnce() -> Scope) -> bool {
        self.count.load(Ordering::Relaxed) > 0
            && self.scopes.lock().all.contains(scope().as_bytes())
    }

    fn insert(&self, scope: &Scope) {
        if scope.is_shared() {
            return;
        }
        let mut scopes = self.scopes.lock();
        if scopes.all.insert(scope.as_bytes().to_vec()) {
            scopes.oldest_first.push_back(scope.as_bytes().to_vec());
        }
        if scopes.all.len() > MOST
            && let Some(oldest) = scopes.oldest_first.pop_front()
        {
            scopes.all.remove(&oldest);
        }
        self.count.store(scopes.all.len(), Ordering::Relaxed);
    }

    fn remove(&self, scope: &Scope) {
        let mut scopes = self.scopes.lock();
        if scopes.all.remove(scope.as_bytes()) {
            scopes.oldest_first.retain(|kept| kept != scope.as_bytes());
        }
        self.count.store(scopes.all.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::ScopeSecret;

    fn scope(credential: &str) -> Scope {
        let header = ("authorization", credential.as_bytes());
        ScopeSecret::new([1; 32]).scope(std::iter::once(header))
    }

    #[test]
    fn a_refused_credential_stays_refused_until_a_success() {
        let revoked = Revoked::default();
        assert!(!revoked.holds(|| scope("a")));
        for (status, holds) in
            [(401, true), (500, true), (429, true), (404, true), (200, false), (403, true)]
        {
            revoked.note(status, || scope("a"));
            assert_eq!(revoked.holds(|| scope("a")), holds, "after {status}");
            assert!(!revoked.holds(|| scope("b")), "another's credential is not touched");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let revoked = Revoked::default();
        for number in 0..=MOST {
            revoked.note(401, || scope(&number.to_string()));
        }
        assert_eq!(revoked.scopes.lock().all.len(), MOST);
        assert_eq!(revoked.scopes.lock().oldest_first.len(), MOST);
        assert!(!revoked.holds(|| scope("0")) && revoked.holds(|| scope(&MOST.to_string())));
    }

    #[test]
    fn a_shared_scope_is_nobodys_credential() {
        let revoked = Revoked::default();
        revoked.note(401, Scope::shared);
        assert!(!revoked.holds(Scope::shared));
    }
}
