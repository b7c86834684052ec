//! What followed what, in a table of fixed size.

use super::Tag;

/// Most successors remembered of one context.
pub(super) const SUCCESSORS: usize = 8;

/// Contexts that share a place of the table.
const WAYS: usize = 8;

/// Total at which a context's counts are halved: newer traffic counts more.
const HALVED_AT: u16 = 512;

/// What came after one context, and how often.
#[derive(Debug, Clone, Copy, Default)]
struct Context {
    /// Part of the context's digest; the place in the table is the rest of it.
    mark: u32,
    /// How often the context was followed by anything.
    total: u16,
    /// When it was last followed, in the set's own count.
    used_at: u16,
    keys: [Tag; SUCCESSORS],
    counts: [u16; SUCCESSORS],
}

/// Contexts that lie in one place; when there are [`WAYS`], the least useful gives way.
#[derive(Debug, Clone, Default)]
struct Set {
    turn: u16,
    ways: Vec<Context>,
}

/// The contexts. Each takes its room when it comes into being.
#[derive(Debug)]
pub(super) struct Contexts {
    sets: Vec<Set>,
}

/// How often a context was followed by something, and by one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Followed {
    pub(super) by: Tag,
    pub(super) times: u16,
    pub(super) total: u16,
}

impl Contexts {
    /// Creates a table of at most `most` contexts, rounded up to whole sets.
    pub(super) fn new(most: usize) -> Self {
        let num_sets = most.div_ceil(WAYS).max(1);
        Self { sets: vec![Set::default(); num_sets] }
    }

    /// Learns that `key` came after the context of this digest; tells whether that is known to happen.
    pub(super) fn learn(&mut self, digest: u64, key: Tag) -> bool {
        let (place, mark) = self.place(digest);
        let Some(set) = self.sets.get_mut(place) else { return false };
        set.turn = set.turn.wrapping_add(1);
        let turn = set.turn;
        let context = match set.ways.iter().position(|way| way.mark == mark) {
            Some(known) => set.ways.get_mut(known),
            None => set.begin(mark),
        };
        context.is_some_and(|context| {
            context.used_at = turn;
            context.follow(key)
        })
    }

    /// Returns what came after the context of this digest.
    pub(super) fn after(&self, digest: u64) -> impl Iterator<Item = Followed> {
        let (place, mark) = self.place(digest);
        let set = self.sets.get(place);
        let context = set.and_then(|set| set.ways.iter().find(|way| way.mark == mark));
        context.into_iter().flat_map(|context| {
            let known = context.keys.iter().zip(&context.counts).filter(|(_, times)| **times > 0);
            known.map(|(by, times)| Followed { by: *by, times: *times, total: context.total })
        })
    }

    /// Returns how many contexts are known.
    pub(super) fn len(&self) -> usize {
        self.sets.iter().map(|set| set.ways.len()).sum()
    }

    /// Returns how many bytes of memory the table takes.
    pub(super) fn bytes(&self) -> usize {
        let ways: usize = self.sets.iter().map(|set| set.ways.capacity()).sum();
        self.sets.len() * size_of::<Set>() + ways * size_of::<Context>()
    }

    fn place(&self, digest: u64) -> (usize, u32) {
        let [low, high] = [digest & 0xffff_ffff, digest >> 32];
        let place = usize::try_from(low).unwrap_or_default() % self.sets.len().max(1);
        (place, u32::try_from(high).unwrap_or_default())
    }
}

impl Set {
    /// Returns a new context, in the place of another where all are taken.
    fn begin(&mut self, mark: u32) -> Option<&mut Context> {
        let new = Context { mark, ..Context::default() };
        if self.ways.len() < WAYS {
            self.ways.reserve_exact(1);
            self.ways.push(new);
            return self.ways.last_mut();
        }
        let turn = self.turn;
        let least = self.ways.iter_mut().min_by_key(|way| way.worth(turn))?;
        *least = new;
        Some(least)
    }
}

impl Context {
    /// What is to be lost with it: those seen once first, then the longest unused.
    fn worth(&self, turn: u16) -> (u16, u16) {
        let unused_for = turn.wrapping_sub(self.used_at);
        (self.total.min(2), u16::MAX - unused_for)
    }

    /// Counts `key`; tells whether it has come before.
    fn follow(&mut self, key: Tag) -> bool {
        if self.total >= HALVED_AT {
            self.total /= 2;
            for times in &mut self.counts {
                *times /= 2;
            }
        }
        self.total += 1;
        let known = self.keys.iter().zip(&mut self.counts);
        if let Some((_, times)) = known.into_iter().find(|(by, times)| **by == key && **times > 0) {
            *times += 1;
            return true;
        }
        let slots = self.keys.iter_mut().zip(&mut self.counts);
        if let Some((by, times)) = slots.min_by_key(|(_, times)| **times) {
            // One that came often gives way only to what comes more often than it does.
            if *times <= 1 {
                (*by, *times) = (key, 1);
            } else {
                *times -= 1;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tag(number: u32) -> Tag {
        Tag::new(number)
    }

    fn after(contexts: &Contexts, digest: u64) -> Vec<(u32, u16, u16)> {
        let mut all: Vec<_> =
            contexts.after(digest).map(|f| (f.by.as_u32(), f.times, f.total)).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn what_follows_is_counted_by_context() {
        let mut contexts = Contexts::new(16);
        let [one, other, none] = [7 << 32, 8 << 32, 9 << 32];
        for key in [1, 2, 1, 1] {
            contexts.learn(one, tag(key));
        }
        contexts.learn(other, tag(1));
        assert_eq!(after(&contexts, one), [(1, 3, 4), (2, 1, 4)]);
        assert_eq!(after(&contexts, other), [(1, 1, 1)]);
        assert_eq!(after(&contexts, none), []);
        assert_eq!(contexts.len(), 2);
    }

    #[test]
    fn a_frequent_successor_outlasts_many_rare_ones() {
        let mut contexts = Contexts::new(8);
        for round in 0..200 {
            contexts.learn(1, tag(0));
            contexts.learn(1, tag(1_000 + round));
        }
        let kept = after(&contexts, 1);
        assert_eq!(kept.len(), SUCCESSORS);
        let (_, times, total) = kept[0];
        assert!(times > 150 && total == 400, "{kept:?}");
    }

    #[test]
    fn a_context_seen_often_outlasts_many_seen_once() {
        let mut contexts = Contexts::new(WAYS);
        for _ in 0..2 {
            contexts.learn(1 << 32, tag(1));
        }
        for other in 2..1_000_u64 {
            contexts.learn(other << 32, tag(1));
        }
        assert_eq!(after(&contexts, 1 << 32), [(1, 2, 2)]);
        assert_eq!(contexts.len(), WAYS);
    }

    #[test]
    fn newer_traffic_counts_more() {
        let mut contexts = Contexts::new(8);
        for _ in 0..2_000 {
            contexts.learn(1, tag(1));
        }
        for _ in 0..2_000 {
            contexts.learn(1, tag(2));
        }
        let kept = after(&contexts, 1);
        assert!(kept[1].1 > kept[0].1 * 20 || kept.len() == 1, "{kept:?}");
    }

    proptest! {
        #[test]
        fn counts_never_pass_their_total_and_the_table_its_bound(
            steps in prop::collection::vec((0_u64..40, 0_u32..20), 0..600),
        ) {
            let mut contexts = Contexts::new(20);
            for (context, key) in steps {
                let digest = context.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                contexts.learn(digest, tag(key));
                let kept = after(&contexts, digest);
                let sum: u64 = kept.iter().map(|(_, times, _)| u64::from(*times)).sum();
                prop_assert!(!kept.is_empty() && sum <= u64::from(kept[0].2));
                prop_assert!(contexts.len() <= 24);
                prop_assert!(contexts.bytes() <= 3 * (32 + 8 * 56));
            }
        }
    }
}
