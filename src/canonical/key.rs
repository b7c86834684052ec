//! All that makes two requests the same, in one digest.

use anteroom_actors::model::CacheKey;

use super::{Canonical, Scope};

/// The form of what is digested. A change of the form must change this number, so that no key
/// of the old form is taken for one of the new.
const FORM: u8 = 1;

/// The body's part in a key.
#[derive(Debug, Clone, Copy)]
pub enum KeyBody<'a> {
    /// No body was sent.
    None,
    /// A JSON body, by its canonical form.
    Json(&'a Canonical),
    /// Any other body, byte for byte.
    Raw(&'a [u8]),
}

/// What is keyed of a request. Each field counts, and where it ends counts.
#[derive(Debug, Clone, Copy)]
pub struct KeyParts<'a> {
    /// Name of the route in the settings.
    pub route: &'a str,
    /// What tells the upstream from others: its name, kind and address.
    pub upstream: &'a str,
    /// Request method.
    pub method: &'a str,
    /// Path as it goes upstream: nothing decoded, nothing merged.
    pub path: &'a str,
    /// Query without its question mark. Its pairs count in the order of their names.
    pub query: Option<&'a str>,
    /// Who shares the answer.
    pub scope: &'a Scope,
    /// The caller's namespace, inside the scope; empty for none.
    pub namespace: &'a str,
    /// Keyed headers as [`super::Profile::pick_keyed`] gives them.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body.
    pub body: KeyBody<'a>,
}

impl KeyParts<'_> {
    /// Returns the key. Computed once a request and carried along.
    ///
    /// Every part is preceded by its length or its count, so that no two lists of parts are the
    /// same bytes.
    pub fn key(&self) -> CacheKey {
        // Without `..`: a new field does not compile until it is digested.
        let Self { route, upstream, method, path, query, scope, namespace, headers, body } = *self;
        let mut digest = Digest(blake3::Hasher::new());
        digest.0.update(&[FORM]);
        digest.part(route.as_bytes());
        digest.part(upstream.as_bytes());
        digest.part(method.as_bytes());
        digest.part(path.as_bytes());
        digest.query(query);
        digest.part(scope.as_bytes());
        digest.part(namespace.as_bytes());
        digest.count(headers.len());
        for (name, value) in headers {
            digest.part(name.as_bytes());
            digest.part(value);
        }
        match body {
            KeyBody::None => digest.count(0),
            KeyBody::Json(canonical) => {
                digest.count(1);
                digest.part(canonical.as_bytes());
            }
            KeyBody::Raw(bytes) => {
                digest.count(2);
                digest.part(bytes);
            }
        }
        CacheKey::new(*digest.0.finalize().as_bytes())
    }
}

struct Digest(blake3::Hasher);

impl Digest {
    fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_le_bytes());
    }

    fn part(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    /// Digests the pairs sorted by name; pairs of one name keep their order, which may matter.
    fn query(&mut self, query: Option<&str>) {
        let Some(query) = query else { return self.count(0) };
        let mut pairs: Vec<&str> = query.split('&').collect();
        pairs.sort_by_key(|pair| pair.split_once('=').map_or(*pair, |(name, _)| name));
        self.count(pairs.len());
        for pair in pairs {
            self.part(pair.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ScopeSecret, canonicalise};
    use super::*;

    /// A-13, A-16, A-18, A-19: route, upstream, scope and all the rest are in the digest.
    #[test]
    fn each_part_of_a_request_changes_the_key() {
        let scope_of =
            |key: &[u8]| ScopeSecret::new([1; 32]).scope([("authorization", key)].into_iter());
        let (mine, yours, shared) = (scope_of(b"mine"), scope_of(b"yours"), Scope::shared());
        let (one, two) = (canonicalise(b"[1]", &[]).unwrap(), canonicalise(b"[2]", &[]).unwrap());
        let base = KeyParts {
            route: "chat",
            upstream: "openai",
            method: "POST",
            path: "/v1/chat/completions",
            query: Some("a=1&b=2"),
            scope: &mine,
            namespace: "",
            headers: &[("openai-beta", b"x")],
            body: KeyBody::Json(&one),
        };
        let others = [
            KeyParts { route: "chat2", ..base },
            KeyParts { route: "chato", upstream: "penai", ..base },
            KeyParts { upstream: "azure", ..base },
            KeyParts { method: "GET", ..base },
            KeyParts { path: "/v1/chat/Completions", ..base },
            KeyParts { path: "/v1//chat/completions", ..base },
            KeyParts { path: "/v1/chat/%63ompletions", ..base },
            KeyParts { query: Some("a=1&b=3"), ..base },
            KeyParts { query: Some("a=1"), ..base },
            KeyParts { query: Some("a=1&b=2&"), ..base },
            KeyParts { query: Some(""), ..base },
            KeyParts { query: None, ..base },
            KeyParts { scope: &yours, ..base },
            KeyParts { scope: &shared, ..base },
            KeyParts { namespace: "team", ..base },
            KeyParts { headers: &[("openai-beta", b"y")], ..base },
            KeyParts { headers: &[("openai-beta", b"")], ..base },
            KeyParts { headers: &[], ..base },
            KeyParts { headers: &[("openai-beta", b"x"), ("openai-beta", b"x")], ..base },
            KeyParts { body: KeyBody::Json(&two), ..base },
            KeyParts { body: KeyBody::Raw(b"[1]"), ..base },
            KeyParts { body: KeyBody::Raw(b""), ..base },
            KeyParts { body: KeyBody::None, ..base },
        ];
        let mut keys: Vec<CacheKey> = others.iter().map(KeyParts::key).collect();
        keys.push(base.key());
        keys.sort_unstable();
        assert!(keys.is_sorted_by(|one, other| one < other), "two different requests share a key");
    }

    /// A-17: a namespace lies inside a scope, and within both the same request is the same.
    #[test]
    fn a_namespace_neither_widens_a_scope_nor_hinders_a_hit() {
        let secret = ScopeSecret::new([1; 32]);
        let key = |credential: &[u8], namespace: &str| {
            let scope = secret.scope([("x-api-key", credential)].into_iter());
            let parts = KeyParts {
                route: "r",
                upstream: "u",
                method: "GET",
                path: "/",
                query: None,
                scope: &scope,
                namespace,
                headers: &[],
                body: KeyBody::None,
            };
            parts.key()
        };
        assert_eq!(key(b"a", "n"), key(b"a", "n"));
        assert_ne!(key(b"a", "n"), key(b"b", "n"));
        assert_ne!(key(b"a", "n"), key(b"a", "m"));
    }

    #[test]
    fn pairs_of_a_query_may_come_in_any_order_but_values_of_one_name_may_not() {
        let key = |query: &'static str| {
            let scope = Scope::shared();
            let parts = KeyParts {
                route: "r",
                upstream: "u",
                method: "GET",
                path: "/",
                query: Some(query),
                scope: &scope,
                namespace: "",
                headers: &[],
                body: KeyBody::None,
            };
            parts.key()
        };
        assert_eq!(key("b=2&a=1&c"), key("c&a=1&b=2"));
        assert_ne!(key("a=1&a=2"), key("a=2&a=1"));
        assert_ne!(key("a=%41"), key("a=A"));
        assert_ne!(key("a=1;b=2"), key("a=1&b=2"));
    }
}
