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

/// Contexts that lie in one place; the least useful gives way.
#[derive(Debug, Clone, Default)]
struct Set {
    turn: u16,
    ways: [Context; WAYS],
}

/// The contexts. Sets come into being when they are first used.
#[derive(Debug)]
pub(super) struct Contexts {
    sets: Vec<Option<Box<Set>>>,
    num_sets: usize,
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
        let mut sets = Vec::new();
        sets.resize_with(num_sets, || None);
        Self { sets, num_sets }
    }

    /// Learns that `key` came after the context of this digest.
    pub(super) fn learn(&mut self, digest: u64, key: Tag) {
        let (place, mark) = self.place(digest);
        let Some(set) = self.sets.get_mut(place) else { return };
        let set = set.get_or_insert_default();
        set.turn = set.turn.wrapping_add(1);
        let turn = set.turn;
        let context = match set.ways.iter_mut().position(|way| way.total > 0 && way.mark == mark) {
            Some(known) => set.ways.get_mut(known),
            None => {
                let new = set.ways.iter_mut().min_by_key(|way| way.worth(turn));
                new.map(|way| {
                    *way = Context { mark, ..Context::default() };
                    way
                })
            }
        };
        if let Some(context) = context {
            context.used_at = turn;
            context.follow(key);
        }
    }

    /// Returns what came after the context of this digest.
    pub(super) fn after(&self, digest: u64) -> impl Iterator<Item = Followed> {
        let (place, mark) = self.place(digest);
        let set = self.sets.get(place).and_then(Option::as_ref);
        let context =
            set.and_then(|set| set.ways.iter().find(|way| way.total > 0 && way.mark == mark));
        context.into_iter().flat_map(|context| {
            let known = context.keys.iter().zip(&context.counts).filter(|(_, times)| **times > 0);
            known.map(|(by, times)| Followed { by: *by, times: *times, total: context.total })
        })
    }

    /// Returns how many contexts are known.
    pub(super) fn len(&self) -> usize {
        let sets = self.sets.iter().flatten();
        sets.map(|set| set.ways.iter().filter(|way| way.total > 0).count()).sum()
    }

    /// Returns how many bytes of memory the table takes.
    pub(super) fn bytes(&self) -> usize {
        self.sets.len() * size_of::<Option<Box<Set>>>()
            + self.sets.iter().flatten().count() * size_of::<Set>()
    }

    fn place(&self, digest: u64) -> (usize, u32) {
        let [low, high] = [digest & 0xffff_ffff, digest >> 32];
        let place = usize::try_from(low).unwrap_or_default() % self.num_sets;
        (place, u32::try_from(high).unwrap_or_default())
    }
}

impl Context {
    /// What is to be lost with it: empty ones first, then those seen once, then the longest unused.
    fn worth(&self, turn: u16) -> (u16, u16) {
        let unused_for = turn.wrapping_sub(self.used_at);
        (self.total.min(2), u16::MAX - unused_for)
    }

    fn follow(&mut self, key: Tag) {
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
            return;
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
                prop_assert!(contexts.bytes() <= 3 * (8 + 4 + 8 * 56));
            }
        }
    }
}
