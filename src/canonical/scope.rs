//! Who shares answers.

use std::fmt;

/// Headers that carry a caller's credential, in the order they are digested; lower case.
pub const CREDENTIAL_HEADERS: [&str; 5] =
    ["authorization", "x-api-key", "api-key", "openai-organization", "openai-project"];

/// Context of the key that scopes of client keys are digested under (blake3's key derivation): no
/// name of a scope can be spelled as a credential.
const CLIENT_CONTEXT: &str = "anteroom 2026-11 client scope";

/// Context of the key where such a request carries credentials, too.
const WITHIN_CONTEXT: &str = "anteroom 2026-11 credential within a client scope";

/// What makes scopes of this deployment unlike those of another: without it nobody can try
/// guessed credentials against keys that lie in a database.
#[derive(Clone)]
pub struct ScopeSecret([u8; 32]);

impl ScopeSecret {
    /// Wraps 32 random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the scope of a request: a keyed digest of its credential headers.
    ///
    /// Other headers and the order of names have no part in it. No credential is a scope of its
    /// own. The bytes count as they are: `Bearer k` and `bearer k` are two.
    pub fn scope<'a>(&self, headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Scope {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        digest_credentials(&mut hasher, headers);
        Scope(Kind::Credential(*hasher.finalize().as_bytes()))
    }

    /// Returns the scope of client keys whose scope has this name.
    pub fn client_scope(&self, name: &str) -> Scope {
        let key = blake3::derive_key(CLIENT_CONTEXT, &self.0);
        Scope(Kind::Credential(*blake3::keyed_hash(&key, name.as_bytes()).as_bytes()))
    }

    /// Returns the scope of a client key's request that also carries credential headers which go
    /// upstream: they choose whose account answers, so they part what the scope joins. Without any
    /// it is `client` itself.
    pub fn scope_within<'a>(
        &self,
        client: Scope,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Scope {
        let mut hasher = blake3::Hasher::new_keyed(&blake3::derive_key(WITHIN_CONTEXT, &self.0));
        hasher.update(client.as_bytes());
        match digest_credentials(&mut hasher, headers) {
            0 => client,
            _ => Scope(Kind::Credential(*hasher.finalize().as_bytes())),
        }
    }
}

/// Digests the credentials among `headers` and returns how many there are.
fn digest_credentials<'a>(
    hasher: &mut blake3::Hasher,
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> usize {
    let mut credentials: Vec<(usize, &[u8])> = headers
        .filter_map(|(name, value)| {
            let place =
                CREDENTIAL_HEADERS.iter().position(|known| known.eq_ignore_ascii_case(name));
            place.map(|place| (place, value))
        })
        .collect();
    credentials.sort_by_key(|(place, _)| *place);
    for (place, value) in &credentials {
        hasher.update(&(*place as u64).to_le_bytes());
        hasher.update(&(value.len() as u64).to_le_bytes());
        hasher.update(value);
    }
    credentials.len()
}

/// Shows nothing: it is a secret.
impl fmt::Debug for ScopeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScopeSecret(***)")
    }
}

/// Who shares an answer. Equal scopes share, others never do.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Shared,
    Credential([u8; 32]),
}

impl Scope {
    /// Returns the scope of routes that all callers share.
    pub const fn shared() -> Self {
        Self(Kind::Shared)
    }

    /// Tells whether all callers share it.
    pub const fn is_shared(&self) -> bool {
        matches!(self.0, Kind::Shared)
    }

    /// Returns eight bytes of the digest: enough to tell callers apart in what is learned; zero for
    /// the shared scope.
    pub const fn short(&self) -> u64 {
        match &self.0 {
            Kind::Shared => 0,
            Kind::Credential([a, b, c, d, e, f, g, h, ..]) => {
                u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h])
            }
        }
    }

    /// Returns the digest; empty for the shared scope, 32 bytes otherwise.
    pub const fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Kind::Shared => &[],
            Kind::Credential(digest) => digest,
        }
    }
}

/// Shows the first four digits: enough to tell two callers apart in a log.
impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Shared => f.write_str("Scope(shared)"),
            Kind::Credential([a, b, ..]) => write!(f, "Scope({a:02x}{b:02x})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: ScopeSecret = ScopeSecret::new([7; 32]);

    fn scope(headers: &[(&str, &str)]) -> Scope {
        SECRET.scope(headers.iter().map(|(name, value)| (*name, value.as_bytes())))
    }

    fn within(client: &str, headers: &[(&str, &str)]) -> Scope {
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        SECRET.scope_within(SECRET.client_scope(client), headers)
    }

    /// a credential that is another, wrong or missing shares nothing.
    #[test]
    fn credentials_that_differ_anywhere_have_scopes_of_their_own() {
        let all = [
            Scope::shared(),
            scope(&[]),
            scope(&[("authorization", "")]),
            scope(&[("authorization", "Bearer a")]),
            scope(&[("authorization", "Bearer b")]),
            scope(&[("authorization", "Bearer A")]),
            scope(&[("x-api-key", "Bearer a")]),
            scope(&[("api-key", "Bearer a")]),
            scope(&[("authorization", "Bearer a"), ("openai-organization", "o")]),
            scope(&[("authorization", "Bearer a"), ("openai-project", "o")]),
            scope(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]),
            scope(&[("authorization", "Bearer b"), ("authorization", "Bearer a")]),
            ScopeSecret::new([8; 32]).scope([("authorization", &b"Bearer a"[..])].into_iter()),
            SECRET.client_scope("a"),
            SECRET.client_scope("b"),
            SECRET.client_scope("Bearer a"),
            SECRET.client_scope(""),
            ScopeSecret::new([8; 32]).client_scope("a"),
            within("a", &[("authorization", "Bearer a")]),
            within("b", &[("authorization", "Bearer a")]),
            within("a", &[("authorization", "")]),
            within("a", &[("openai-project", "p")]),
        ];
        for (position, one) in all.iter().enumerate() {
            for other in all.iter().skip(position + 1) {
                assert_ne!(one, other);
            }
        }
    }

    #[test]
    fn a_credential_has_one_scope_whatever_stands_around_it() {
        let plain = scope(&[("authorization", "Bearer a"), ("openai-project", "p")]);
        let other = scope(&[
            ("cookie", "x"),
            ("OpenAI-Project", "p"),
            ("user-agent", "sdk"),
            ("Authorization", "Bearer a"),
        ]);
        assert_eq!(plain, other);
    }

    #[test]
    fn client_keys_of_one_scope_name_share_it_where_nothing_else_parts_them() {
        assert_eq!(SECRET.client_scope("a"), SECRET.client_scope("a"));
        assert_eq!(within("a", &[("user-agent", "sdk")]), SECRET.client_scope("a"));
        let project = [("openai-project", "p")];
        assert_eq!(within("a", &project), within("a", &project));
    }

    #[test]
    fn neither_a_secret_nor_a_whole_digest_is_printed() {
        assert_eq!(format!("{SECRET:?}"), "ScopeSecret(***)");
        assert_eq!(format!("{:?}", scope(&[])).len(), "Scope(0000)".len());
    }
}
