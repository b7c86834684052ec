//! Hits that L1 was not told of yet.

use std::mem;

use anteroom_actors::model::CacheKey;

/// Where the hits of one request are counted. The default is nowhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mark {
    round: u32,
    place: u32,
}

/// The hits since L1 was last told, by key. What is told is put together as it is counted: going through
/// all requests once more would find each of them gone from the processor's caches.
#[derive(Debug)]
pub struct Untold {
    round: u32,
    hits: Vec<(CacheKey, u32)>,
}

impl Default for Untold {
    fn default() -> Self {
        Self { round: 1, hits: Vec::new() }
    }
}

impl Untold {
    /// Counts a hit of `key`, by the mark of its request.
    pub fn count(&mut self, mark: &mut Mark, key: &CacheKey) {
        if mark.round == self.round
            && let Some((_, hits)) = self.hits.get_mut(mark.place as usize)
        {
            *hits = hits.saturating_add(1);
            return;
        }
        // A place past four thousand million is found by nobody: each hit is told by itself.
        let place = u32::try_from(self.hits.len()).unwrap_or(u32::MAX);
        *mark = Mark { round: self.round, place };
        self.hits.push((*key, 1));
    }

    /// Takes what was counted; marks begin anew.
    pub fn take(&mut self) -> Vec<(CacheKey, u32)> {
        self.round = self.round.wrapping_add(1).max(1);
        // Room for as many: most that were asked for in one round are in the next.
        let next = Vec::with_capacity(self.hits.len());
        mem::replace(&mut self.hits, next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Each hit is told once, and each request's hits of a round together.
        #[test]
        fn every_hit_is_told_once(steps in prop::collection::vec(0_u8..6, 0..200)) {
            let mut untold = Untold::default();
            let mut marks = [Mark::default(); 5];
            let mut counted = [0_u32; 5];
            for step in steps.into_iter().chain([5]) {
                if let Some(mark) = marks.get_mut(usize::from(step)) {
                    untold.count(mark, &CacheKey::new([step; 32]));
                    counted[usize::from(step)] += 1;
                    continue;
                }
                let mut told = untold.take();
                told.sort_unstable_by_key(|(key, _)| *key.as_bytes());
                let all = (0_u8..).zip(counted).filter(|(_, hits)| *hits > 0);
                let expected: Vec<_> =
                    all.map(|(number, hits)| (CacheKey::new([number; 32]), hits)).collect();
                prop_assert_eq!(told, expected);
                counted = [0; 5];
            }
        }
    }
}
