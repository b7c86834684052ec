//! Recent requests whose answers may be kept, in bounds.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use anteroom_actors::model::{BuildKeyHasher, CacheKey};
use parking_lot::Mutex;

use super::outline::MAX_POINTER;
use super::{HashKey, Outlined, differences, num_different};
use crate::canonical::Scope;

/// Most sketches that are compared pointer by pointer for one request.
const MOST_COMPARED: usize = 32;

/// Whose request it is: nobody is told of requests in another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Who shares the answer.
    pub scope: Scope,
    /// The keyed hash of the namespace.
    pub namespace: u64,
}

/// What is remembered of a request: no value and no text but the names of members.
///
/// Its pointers stand one after the other, sorted, each as the number of bytes it shares with the one
/// before, the number of further ones, and those.
pub struct Sketch {
    /// The key of its answer.
    pub key: CacheKey,
    place: Place,
    pointers: Box<[u8]>,
    hashes: Box<[u64]>,
}

impl Sketch {
    /// Packs a request.
    pub fn new(key: CacheKey, place: Place, outlined: &Outlined) -> Self {
        let mut pointers = Vec::new();
        let mut last: &[u8] = &[];
        for (pointer, _) in outlined.parts() {
            let pointer = pointer.as_bytes();
            let pointer = pointer.get(..MAX_POINTER).unwrap_or(pointer);
            let shared = last.iter().zip(pointer).take_while(|(one, other)| one == other).count();
            let rest = pointer.get(shared..).unwrap_or_default();
            let byte = |length: usize| u8::try_from(length).unwrap_or(u8::MAX);
            pointers.extend([byte(shared), byte(rest.len())]);
            pointers.extend_from_slice(rest);
            last = pointer;
        }
        let hashes = outlined.parts().iter().map(|(_, hash)| *hash).collect();
        Self { key, place, pointers: pointers.into(), hashes }
    }

    /// Calls `visit` with each pointer and its hash, by pointer.
    fn each(&self, mut visit: impl FnMut(&[u8], u64)) {
        let mut pointer: Vec<u8> = Vec::with_capacity(MAX_POINTER);
        let mut packed = &*self.pointers;
        for hash in &self.hashes {
            let Some(([shared, length], rest)) = packed.split_first_chunk() else { return };
            let Some((own, rest)) = rest.split_at_checked(usize::from(*length)) else { return };
            pointer.truncate(usize::from(*shared));
            pointer.extend_from_slice(own);
            visit(&pointer, *hash);
            packed = rest;
        }
    }

    /// Unpacks the request.
    fn outlined(&self) -> Outlined {
        let mut parts = Vec::with_capacity(self.hashes.len());
        self.each(|pointer, hash| {
            parts.push((String::from_utf8_lossy(pointer).into_owned(), hash));
        });
        Outlined::of_sorted(parts)
    }
}

/// Shows how much it holds, and nothing of it.
impl std::fmt::Debug for Sketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sketch").field("num_parts", &self.hashes.len()).finish_non_exhaustive()
    }
}

/// A kept request, and how it differs from the one that is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// The key of its answer.
    pub key: CacheKey,
    /// Where it differs.
    pub differs_at: Vec<String>,
    /// How many parts are the same.
    pub same_in: usize,
}

#[derive(Debug, Default)]
struct Ring {
    all: HashMap<CacheKey, Arc<Sketch>, BuildKeyHasher>,
    oldest_first: VecDeque<CacheKey>,
}

/// The sketches of all routes.
#[derive(Debug)]
pub struct Sketches {
    key: HashKey,
    most: usize,
    rings: Box<[Mutex<Ring>]>,
}

impl Sketches {
    /// Creates empty rings for `num_routes`, of at most `most` sketches each; 0 for none at all.
    pub fn new(key: HashKey, num_routes: usize, most: usize) -> Self {
        Self { key, most, rings: (0..num_routes).map(|_| Mutex::default()).collect() }
    }

    /// Returns what values are hashed with.
    pub const fn hash_key(&self) -> &HashKey {
        &self.key
    }

    /// Remembers a request of the route at `route`, unless it is known or off; `make` is called only if
    /// need be. Where another thread holds the lock nothing is remembered: nobody waits.
    pub fn record(&self, route: usize, key: CacheKey, make: impl FnOnce() -> Option<Sketch>) {
        let Some(ring) = self.rings.get(route).filter(|_| self.most > 0) else { return };
        if ring.try_lock().is_none_or(|ring| ring.all.contains_key(&key)) {
            return;
        }
        let Some(sketch) = make() else { return };
        let Some(mut ring) = ring.try_lock() else { return };
        if ring.all.insert(key, Arc::new(sketch)).is_none() {
            ring.oldest_first.push_back(key);
        }
        if ring.all.len() > self.most
            && let Some(oldest) = ring.oldest_first.pop_front()
        {
            ring.all.remove(&oldest);
        }
    }

    /// Returns the requests of the same route and `place` that differ least from `outlined`, nearest
    /// first, the newer before the older; not that of `key` itself.
    pub fn nearest(
        &self,
        route: usize,
        key: &CacheKey,
        place: &Place,
        outlined: &Outlined,
    ) -> Vec<Near> {
        let Some(ring) = self.rings.get(route) else { return Vec::new() };
        let newest_first: Vec<Arc<Sketch>> = {
            let ring = ring.lock();
            ring.oldest_first.iter().rev().filter_map(|key| ring.all.get(key).cloned()).collect()
        };
        let others =
            newest_first.iter().filter(|sketch| sketch.place == *place && sketch.key != *key);
        let mut ranked: Vec<(usize, &Arc<Sketch>)> = others
            .map(|sketch| {
                let mut parts = Vec::with_capacity(sketch.hashes.len());
                sketch.each(|pointer, hash| parts.push((pointer.to_vec(), hash)));
                let parts = parts.iter().map(|(pointer, hash)| (pointer.as_slice(), *hash));
                (num_different(parts, outlined), sketch)
            })
            .collect();
        ranked.sort_by_key(|(count, _)| *count);
        ranked.truncate(MOST_COMPARED);
        let mut near: Vec<Near> = ranked
            .into_iter()
            .map(|(_, sketch)| {
                let (differs_at, same_in) = differences(&sketch.outlined(), outlined);
                Near { key: sketch.key, differs_at, same_in }
            })
            .collect();
        near.sort_by_key(|near| near.differs_at.len());
        near
    }
}

#[cfg(test)]
#[path = "sketches_tests.rs"]
mod tests;
