//! A key in few bytes.

use crate::model::CacheKey;

/// Four bytes of a key's digest: what is learned of many keys is kept under it. Two keys may share a
/// tag; then one is now and then warmed in the other's place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(u32);

impl Tag {
    /// Wraps four bytes.
    pub const fn new(bytes: u32) -> Self {
        Self(bytes)
    }

    /// Returns the tag of a key. Its bytes are others than those that tables of keys hash by.
    pub const fn of(key: &CacheKey) -> Self {
        let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *key.as_bytes();
        Self(u32::from_le_bytes([a, b, c, d]))
    }

    /// Returns the four bytes.
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}
