//! What followed what, in a table of bounded size.

use std::ops::Range;

use super::Tag;

/// Most successors remembered of one context.
pub(super) const SUCCESSORS: usize = 8;

/// Contexts that share a place of the table.
const WAYS: usize = 8;

/// Total at which a context's counts are halved: newer traffic counts more.
const HALVED_AT: u16 = 512;

/// Most of what came after the contexts of one place that is remembered. Few contexts are followed by more
/// than one thing: room for all that each may have would stand empty.
const FOLLOWERS: usize = 4 * WAYS;

/// A context, and how often it was followed.
#[derive(Debug, Clone, Copy)]
struct Context {
    /// Part of the context's digest; the place in the table is the rest of it.
    mark: u32,
    /// How often the context was followed by anything.
    total: u16,
    /// When it was last followed, in the set's own count.
    used_at: u16,
    /// How much of what came after it is remembered: at least one thing, at most [`SUCCESSORS`].
    num: u8,
}

/// What came after a context, and how often.
#[derive(Debug, Clone, Copy)]
struct Follower {
    by: Tag,
    times: u16,
}

/// Contexts that lie in one place; when there are [`WAYS`], the least useful gives way.
#[derive(Debug, Clone, Default)]
struct Set {
    turn: u16,
    contexts: Vec<Context>,
    /// Of all contexts, in their order.
    followers: Vec<Follower>,
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
        match set.contexts.iter().position(|context| context.mark == mark) {
            Some(at) => set.follow(at, key),
            None => {
                set.begin(mark, key);
                false
            }
        }
    }

    /// Returns what came after the context of this digest.
    pub(super) fn after(&self, digest: u64) -> impl Iterator<Item = Followed> {
        let (place, mark) = self.place(digest);
        let set = self.sets.get(place);
        let known = set.and_then(|set| {
            let at = set.contexts.iter().position(|context| context.mark == mark)?;
            Some((set.contexts.get(at)?.total, set.followers.get(set.run(at))?))
        });
        known.into_iter().flat_map(|(total, followers)| {
            let known = followers.iter().filter(|follower| follower.times > 0);
            known.map(move |follower| Followed { by: follower.by, times: follower.times, total })
        })
    }

    /// Returns how many contexts are known.
    pub(super) fn len(&self) -> usize {
        self.sets.iter().map(|set| set.contexts.len()).sum()
    }

    /// Returns how many bytes of memory the table takes.
    pub(super) fn bytes(&self) -> usize {
        let contexts: usize = self.sets.iter().map(|set| set.contexts.capacity()).sum();
        let followers: usize = self.sets.iter().map(|set| set.followers.capacity()).sum();
        self.sets.len() * size_of::<Set>()
            + contexts * size_of::<Context>()
            + followers * size_of::<Follower>()
    }

    fn place(&self, digest: u64) -> (usize, u32) {
        let [low, high] = [digest & 0xffff_ffff, digest >> 32];
        let place = usize::try_from(low).unwrap_or_default() % self.sets.len().max(1);
        (place, u32::try_from(high).unwrap_or_default())
    }
}

impl Set {
    /// Where what came after the context at this place lies.
    fn run(&self, at: usize) -> Range<usize> {
        let num = |context: &Context| usize::from(context.num);
        let start = self.contexts.iter().take(at).map(num).sum();
        start..start + self.contexts.get(at).map(num).unwrap_or_default()
    }

    /// Adds a context that was followed by `key`, in the place of another where all are taken.
    fn begin(&mut self, mark: u32, key: Tag) {
        let turn = self.turn;
        if self.contexts.len() >= WAYS {
            let places = self.contexts.iter().enumerate();
            let least = places.min_by_key(|(_, context)| context.worth(turn)).map(|(at, _)| at);
            let Some(at) = least else { return };
            self.followers.drain(self.run(at));
            self.contexts.remove(at);
        }
        if self.followers.len() >= FOLLOWERS {
            self.forget_rarest(u16::MAX);
        }
        self.contexts.reserve_exact(1);
        self.contexts.push(Context { mark, total: 1, used_at: turn, num: 1 });
        self.followers.reserve_exact(1);
        self.followers.push(Follower { by: key, times: 1 });
    }

    /// Forgets what came least often, and no more than `most` times, after a context that was followed by
    /// something else too; tells whether there was such.
    fn forget_rarest(&mut self, most: u16) -> bool {
        let runs = self.contexts.iter().enumerate().filter(|(_, context)| context.num > 1);
        let places = runs.flat_map(|(at, _)| self.run(at).map(move |place| (at, place)));
        let with_times = places
            .filter_map(|(at, place)| Some((self.followers.get(place)?.times, place, at)))
            .filter(|(times, ..)| *times <= most);
        let Some((_, place, at)) = with_times.min() else { return false };
        self.followers.remove(place);
        if let Some(context) = self.contexts.get_mut(at) {
            context.num -= 1;
        }
        true
    }

    /// Counts that `key` came after the context at this place; tells whether it has come before.
    fn follow(&mut self, at: usize, key: Tag) -> bool {
        let run = self.run(at);
        let Some(context) = self.contexts.get_mut(at) else { return false };
        let Some(followers) = self.followers.get_mut(run) else { return false };
        context.used_at = self.turn;
        if context.total >= HALVED_AT {
            context.total /= 2;
            for follower in &mut *followers {
                follower.times /= 2;
            }
        }
        context.total += 1;
        if let Some(known) = followers.iter_mut().find(|known| known.by == key && known.times > 0) {
            known.times += 1;
            return true;
        }
        let is_full = usize::from(context.num) >= SUCCESSORS;
        self.add(at, Follower { by: key, times: 1 }, is_full);
        false
    }

    /// Adds what came after the context at this place: where `is_full` in the place of something else that
    /// came after it.
    fn add(&mut self, at: usize, new: Follower, is_full: bool) {
        if !is_full && (self.followers.len() < FOLLOWERS || self.forget_rarest(1)) {
            let place = self.run(at).end;
            if let Some(context) = self.contexts.get_mut(at) {
                context.num += 1;
                self.followers.reserve_exact(1);
                self.followers.insert(place, new);
            }
            return;
        }
        let run = self.run(at);
        let followers = self.followers.get_mut(run).unwrap_or_default();
        match followers.iter_mut().min_by_key(|follower| follower.times) {
            Some(least) if least.times <= 1 => *least = new,
            // One that came often gives way only to what comes more often than it does.
            Some(least) => least.times -= 1,
            None => {}
        }
    }
}

impl Context {
    /// What is to be lost with it: those seen once first, then the longest unused.
    fn worth(&self, turn: u16) -> (u16, u16) {
        let unused_for = turn.wrapping_sub(self.used_at);
        (self.total.min(2), u16::MAX - unused_for)
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
    fn contexts_of_one_place_share_the_room_for_what_came_after_them() {
        let mut contexts = Contexts::new(WAYS);
        for context in 0..8_u64 {
            for follower in 0..8_u32 {
                let times = if follower < 2 { 3 } else { 1 };
                (0..times).for_each(|_| _ = contexts.learn(context << 32, tag(follower)));
            }
        }
        let kept: Vec<_> = (0..8_u64).map(|context| after(&contexts, context << 32)).collect();
        assert_eq!(kept.iter().map(Vec::len).sum::<usize>(), FOLLOWERS);
        for followers in &kept {
            let often = followers.iter().filter(|(_, times, _)| *times > 1).count();
            assert_eq!(often, 2, "{kept:?}");
        }
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
                prop_assert!(contexts.bytes() <= 3 * (56 + 8 * 12 + 32 * 8));
            }
        }
    }
}
