//! A worker's memory of the keys it has seen: a key that was found once is found again by one fast
//! keyed hash, and no slow digest of it is made on every request.

use std::collections::HashMap;

use anteroom_actors::model::{BuildKeyHasher, CacheKey};
use highway::{HighwayHash, HighwayHasher, Key};

use super::ClientKeys;

/// Most keys remembered; past it all are forgotten and seen anew.
const MOST: usize = 1_024;

/// The keys one worker has seen. Keys that are wrong are not remembered: nobody without a key can
/// push one out.
pub struct Memo {
    /// Nobody outside knows it, so nobody can aim at a collision of its 256 bits.
    key: [u64; 4],
    seen: HashMap<CacheKey, usize, BuildKeyHasher>,
}

impl Memo {
    /// Creates an empty memory, whose digests are made under `key`.
    pub fn new(key: [u64; 4]) -> Self {
        Self { key, seen: HashMap::default() }
    }

    /// Returns the position of the key that `shown` is, as [`ClientKeys::find`] does.
    pub fn find(&mut self, keys: &ClientKeys, shown: &[u8]) -> Option<usize> {
        let digest = self.digest(shown);
        if let Some(position) = self.seen.get(&digest) {
            return Some(*position);
        }
        let position = keys.find(shown)?;
        if self.seen.len() >= MOST {
            self.seen.clear();
        }
        self.seen.insert(digest, position);
        Some(position)
    }

    fn digest(&self, shown: &[u8]) -> CacheKey {
        let mut hasher = HighwayHasher::new(Key(self.key));
        hasher.append(shown);
        let mut digest = [0; CacheKey::LEN];
        for (bytes, word) in digest.as_chunks_mut::<8>().0.iter_mut().zip(hasher.finalize256()) {
            *bytes = word.to_le_bytes();
        }
        CacheKey::new(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{ClientKey, KeyDigest, Secret};

    fn keys(count: usize) -> ClientKeys {
        let key = |number: usize| {
            let digest = KeyDigest::Blake3(*blake3::hash(number.to_string().as_bytes()).as_bytes());
            ClientKey { digest: Secret::new(digest.to_string()), ..ClientKey::default() }
        };
        ClientKeys::new(&(0..count).map(key).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn keys_are_found_again_and_wrong_ones_are_wrong_each_time() {
        let keys = keys(3);
        let mut memo = Memo::new([1, 2, 3, 4]);
        for _ in 0..2 {
            assert_eq!(memo.find(&keys, b"0"), Some(0));
            assert_eq!(memo.find(&keys, b"2"), Some(2));
            assert_eq!(memo.find(&keys, b"3"), None);
            assert_eq!(memo.seen.len(), 2, "a wrong key leaves nothing behind");
        }
    }

    #[test]
    fn the_memory_is_bounded() {
        let keys = keys(MOST + 2);
        let mut memo = Memo::new([1, 2, 3, 4]);
        for number in 0..MOST + 2 {
            assert_eq!(memo.find(&keys, number.to_string().as_bytes()), Some(number));
            assert!(memo.seen.len() <= MOST);
        }
    }
}
