//! Which histories stay in memory: those used of late, as many as there is room for.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::model::{ConversationId, History, Turn};

/// What a history takes beside its messages: its two places in here, the turns' own records.
const OVERHEAD: usize = 256;
const TURN_OVERHEAD: usize = size_of::<Turn>() + 32;

/// Recent histories, within a bound on their number and one on their bytes; whichever was used longest
/// ago goes first. What is here may be behind the database: its version tells.
#[derive(Debug, Default)]
pub struct RecentHistories {
    max_count: usize,
    max_bytes: u64,
    kept: HashMap<ConversationId, Kept>,
    /// By the time of their last use.
    order: BTreeMap<u64, ConversationId>,
    uses: u64,
    bytes: u64,
    evictions: u64,
}

#[derive(Debug)]
struct Kept {
    history: Rc<History>,
    weight: u64,
    used: u64,
}

impl RecentHistories {
    /// Creates an empty one; with either bound 0 it stays empty.
    pub fn new(max_count: usize, max_bytes: u64) -> Self {
        Self { max_count, max_bytes, ..Self::default() }
    }

    /// Returns a history, which is the latest used from now on.
    pub fn get(&mut self, id: &ConversationId) -> Option<Rc<History>> {
        let kept = self.kept.get_mut(id)?;
        self.uses += 1;
        self.order.remove(&kept.used);
        self.order.insert(self.uses, *id);
        kept.used = self.uses;
        Some(Rc::clone(&kept.history))
    }

    /// Keeps a history in the place of an older state of it, and lets others go to make room. One that
    /// is larger than all the room is not kept.
    pub fn put(&mut self, id: ConversationId, history: Rc<History>) {
        self.remove(&id);
        let weight = weight(&history);
        if weight > self.max_bytes || self.max_count == 0 {
            return;
        }
        self.uses += 1;
        self.order.insert(self.uses, id);
        self.kept.insert(id, Kept { history, weight, used: self.uses });
        self.bytes = self.bytes.saturating_add(weight);
        while self.kept.len() > self.max_count || self.bytes > self.max_bytes {
            if self.evict().is_none() {
                return;
            }
        }
    }

    /// Lets a history go.
    pub fn remove(&mut self, id: &ConversationId) {
        self.take(id);
    }

    /// Lets histories go until `bytes` are freed or none is left; returns the bytes that went.
    pub fn free(&mut self, bytes: u64) -> u64 {
        let mut freed = 0_u64;
        while freed < bytes {
            let Some(weight) = self.evict() else { break };
            freed = freed.saturating_add(weight);
        }
        freed
    }

    /// Returns how many are kept.
    pub fn count(&self) -> usize {
        self.kept.len()
    }

    /// Returns the bytes of all that are kept, overhead included.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns how many went to make room or under pressure.
    pub const fn evictions(&self) -> u64 {
        self.evictions
    }

    /// Lets the one go that was used longest ago; returns its weight.
    fn evict(&mut self) -> Option<u64> {
        let (_, id) = self.order.first_key_value()?;
        let id = *id;
        self.evictions += 1;
        self.take(&id)
    }

    fn take(&mut self, id: &ConversationId) -> Option<u64> {
        let Kept { weight, used, .. } = self.kept.remove(id)?;
        self.order.remove(&used);
        self.bytes = self.bytes.saturating_sub(weight);
        Some(weight)
    }
}

/// Returns the bytes a history takes.
fn weight(history: &History) -> u64 {
    let turns = history.recent.iter().map(|turn| turn.body.len().saturating_add(TURN_OVERHEAD));
    let bytes = turns.fold(OVERHEAD.saturating_add(history.system.len()), usize::saturating_add);
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn id(number: u8) -> ConversationId {
        ConversationId::new([number; 32])
    }

    fn history(len: usize) -> Rc<History> {
        let turn = Turn { messages: 2, opens: true, body: Bytes::from(vec![b'x'; len]) };
        Rc::new(History { turns: 1, recent: vec![turn], ..History::default() })
    }

    #[test]
    fn nothing_is_kept_without_room() {
        for mut recent in [RecentHistories::new(0, 1 << 20), RecentHistories::new(10, 0)] {
            recent.put(id(1), history(1));
            assert_eq!((recent.count(), recent.bytes()), (0, 0));
        }
    }

    #[test]
    fn one_that_has_grown_out_of_all_room_is_let_go() {
        let mut recent = RecentHistories::new(10, 2_000);
        recent.put(id(1), history(100));
        recent.put(id(2), history(100));
        recent.put(id(1), history(3_000));
        assert!(recent.get(&id(1)).is_none());
        assert!(recent.get(&id(2)).is_some(), "the others stay");
    }

    #[derive(Debug, Clone)]
    enum Step {
        Get(u8),
        Put(u8, usize),
        Remove(u8),
        Free(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let key = || 0_u8..8;
        let step = prop_oneof![
            key().prop_map(Step::Get),
            (key(), 0_usize..2_000).prop_map(|(key, len)| Step::Put(key, len)),
            key().prop_map(Step::Remove),
            (0_u64..3_000).prop_map(Step::Free),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        /// Against a plain list, the latest used last.
        #[test]
        fn bounds_hold_and_the_longest_unused_goes_first(
            max_count in 0_usize..6,
            max_bytes in 0_u64..6_000,
            steps in steps(),
        ) {
            let mut recent = RecentHistories::new(max_count, max_bytes);
            let mut list: Vec<(u8, u64)> = Vec::new();
            let sum = |list: &[(u8, u64)]| list.iter().map(|(_, weight)| weight).sum::<u64>();
            for step in steps {
                match step {
                    Step::Get(key) => {
                        let at = list.iter().position(|(there, _)| *there == key);
                        prop_assert_eq!(recent.get(&id(key)).is_some(), at.is_some());
                        if let Some(at) = at {
                            let used = list.remove(at);
                            list.push(used);
                        }
                    }
                    Step::Put(key, len) => {
                        let history = history(len);
                        list.retain(|(there, _)| *there != key);
                        if max_count > 0 && weight(&history) <= max_bytes {
                            list.push((key, weight(&history)));
                        }
                        while list.len() > max_count || sum(&list) > max_bytes {
                            list.remove(0);
                        }
                        recent.put(id(key), history);
                    }
                    Step::Remove(key) => {
                        list.retain(|(there, _)| *there != key);
                        recent.remove(&id(key));
                    }
                    Step::Free(bytes) => {
                        let mut freed = 0;
                        while freed < bytes && !list.is_empty() {
                            freed += list.remove(0).1;
                        }
                        prop_assert_eq!(recent.free(bytes), freed);
                    }
                }
                prop_assert_eq!(recent.count(), list.len());
                prop_assert_eq!(recent.bytes(), sum(&list));
                prop_assert_eq!(recent.order.len(), list.len());
                let order: Vec<_> = recent.order.values().copied().collect();
                prop_assert_eq!(order, list.iter().map(|(key, _)| id(*key)).collect::<Vec<_>>());
            }
        }
    }
}
