//! A request as pointers and keyed hashes.

use highway::{HighwayHash, HighwayHasher, Key};

use super::outline;

/// Longest canonical body that is sketched, in bytes: the workers do it, and other requests wait.
const MAX_BODY: usize = 256 * 1_024;

/// What makes the hashes of one process unlike those of another; random, and never shown.
#[derive(Clone, Copy)]
pub struct HashKey([u64; 4]);

impl HashKey {
    /// Wraps random words.
    pub const fn new(words: [u64; 4]) -> Self {
        Self(words)
    }

    /// Hashes a value.
    pub fn hash(&self, value: &[u8]) -> u64 {
        HighwayHasher::new(Key(self.0)).hash64(value)
    }
}

/// Shows nothing: it is a secret.
impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey(***)")
    }
}

/// The parts of a request: pointer and hash of each, by pointer. Parts that are not of the body have a
/// name instead of a pointer: `path`, `query`, `header openai-beta`.
///
/// `Debug` shows their number only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Outlined(Vec<(String, u64)>);

impl Outlined {
    /// Takes a request apart: `named` beside the body's parts. `None` for a body over 256 KiB.
    pub fn new<'a>(
        key: &HashKey,
        named: impl Iterator<Item = (String, &'a [u8])>,
        canonical: Option<&'a [u8]>,
    ) -> Option<Self> {
        let body = canonical.unwrap_or_default();
        if body.len() > MAX_BODY {
            return None;
        }
        let parts = if canonical.is_some() { outline(body) } else { Vec::new() };
        let hashed = named.chain(parts).map(|(pointer, value)| (pointer, key.hash(value)));
        let mut parts: Vec<_> = hashed.collect();
        parts.sort_unstable();
        Some(Self(parts))
    }

    /// Wraps parts that are sorted.
    pub(super) const fn of_sorted(parts: Vec<(String, u64)>) -> Self {
        Self(parts)
    }

    /// Returns pointers and hashes, by pointer.
    pub fn parts(&self) -> &[(String, u64)] {
        &self.0
    }
}

impl std::fmt::Debug for Outlined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlined").field("num_parts", &self.0.len()).finish()
    }
}
