//! Purging by generation: O(1), whatever the number of answers.
//!
//! A purge gives a label a *generation*, a number that only grows. An answer carries the generation
//! that was known when its call began; it is purged when one of its labels has a later one. So a
//! purge is one record, seen at every lookup, on stale answers and on fills under way alike, and
//! what lies where is erased behind.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::{CacheKey, Label, Labels};

/// Most labels with a generation of their own, where nothing else is said.
const MAX_LABELS: usize = 100_000;

/// One purge of one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PurgeRecord {
    /// What was purged.
    pub label: Label,
    /// Its generation: at least the milliseconds since the Unix epoch at which it was made.
    pub generation: u64,
}

/// All purges known to this gateway. Cheap to clone; all clones see a purge at once.
#[derive(Debug, Clone)]
pub struct Purges(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The latest generation of all: one load tells an answer made since that nothing covers it.
    latest: AtomicU64,
    /// Grows with every purge.
    changes: AtomicU64,
    heard: AtomicU64,
    records: RwLock<HashMap<Label, u64>>,
    max_labels: usize,
}

impl Default for Purges {
    fn default() -> Self {
        Self::new(MAX_LABELS)
    }
}

impl Purges {
    /// Creates a table of at most `max_labels` labels with a generation of their own; past it the
    /// oldest collapse into one purge of all.
    pub fn new(max_labels: usize) -> Self {
        Self(Arc::new(Inner {
            latest: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            records: RwLock::default(),
            max_labels: max_labels.max(2),
        }))
    }

    /// Returns the latest generation known.
    pub fn generation(&self) -> u64 {
        self.0.latest.load(Ordering::Acquire)
    }

    /// Tells whether an answer of `key` with these labels was purged.
    pub fn covers(&self, key: &CacheKey, labels: &Labels) -> bool {
        if labels.generation >= self.generation() {
            return false;
        }
        let records = self.0.records.read();
        let is_later = |label: &Label| {
            records.get(label).is_some_and(|generation| *generation > labels.generation)
        };
        is_later(&Label::ALL) || labels.names.iter().any(is_later) || is_later(&Label::of_key(key))
    }

    /// Makes a purge of `label` at `wall_ms` and applies it. Its generation is later than all known.
    pub fn purge(&self, label: Label, wall_ms: u64) -> PurgeRecord {
        let mut records = self.0.records.write();
        let generation = self.generation().saturating_add(1).max(wall_ms);
        let record = PurgeRecord { label, generation };
        self.put(&mut records, record);
        record
    }

    /// Applies a purge made elsewhere; of two for one label the later holds. Returns whether it was
    /// news.
    pub fn merge(&self, record: PurgeRecord) -> bool {
        let mut records = self.0.records.write();
        let is_news = records.get(&record.label).is_none_or(|known| *known < record.generation);
        if is_news {
            self.put(&mut records, record);
            self.0.heard.fetch_add(1, Ordering::Relaxed);
        }
        is_news
    }

    /// Applies purges made elsewhere.
    pub fn merge_all(&self, records: &[PurgeRecord]) {
        for record in records {
            self.merge(*record);
        }
    }

    /// Returns how many purges made elsewhere were news.
    pub fn heard(&self) -> u64 {
        self.0.heard.load(Ordering::Relaxed)
    }

    /// Returns a number that grows with every purge that is made or heard of.
    pub fn changes(&self) -> u64 {
        self.0.changes.load(Ordering::Acquire)
    }

    fn put(&self, records: &mut HashMap<Label, u64>, record: PurgeRecord) {
        records.insert(record.label, record.generation);
        if records.len() > self.0.max_labels {
            collapse(records);
        }
        self.0.changes.fetch_add(1, Ordering::AcqRel);
        // After the record: whoever sees the generation finds what it stands for.
        self.0.latest.fetch_max(record.generation, Ordering::AcqRel);
    }

    /// Returns the purges later than `generation`, in no order.
    pub fn since(&self, generation: u64) -> Vec<PurgeRecord> {
        if self.generation() <= generation {
            return Vec::new();
        }
        let records = self.0.records.read();
        records
            .iter()
            .filter(|(_, own)| **own > generation)
            .map(|(label, own)| PurgeRecord { label: *label, generation: *own })
            .collect()
    }

    /// Forgets purges older than `generation`: what they cover has left every level by then.
    pub fn forget_before(&self, generation: u64) {
        self.0.records.write().retain(|_, own| *own >= generation);
    }

    /// Returns the generation before which purges say nothing any more: those before the latest
    /// purge of all, which implies them, and those before `oldest`.
    pub fn forgettable_before(&self, oldest: u64) -> u64 {
        let all = self.0.records.read().get(&Label::ALL).copied().unwrap_or_default();
        all.max(oldest)
    }

    /// Returns how many labels have a generation.
    pub fn len(&self) -> usize {
        self.0.records.read().len()
    }

    /// Tells whether nothing was purged.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Replaces the older half of the purges by one purge of all at the latest of them: more is purged
/// than was asked for, never less.
fn collapse(records: &mut HashMap<Label, u64>) {
    let mut generations: Vec<u64> = records.values().copied().collect();
    let middle = generations.len() / 2;
    let (_, median, _) = generations.select_nth_unstable(middle);
    let median = *median;
    records.retain(|_, generation| *generation > median);
    let all = records.entry(Label::ALL).or_default();
    *all = (*all).max(median);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::LabelKind;
    use super::*;

    fn tag(name: &str) -> Label {
        Label::new(LabelKind::Tag, name.as_bytes())
    }

    fn labels(generation: u64, names: &[Label]) -> Labels {
        Labels { generation, names: names.to_vec().into() }
    }

    const KEY: CacheKey = CacheKey::new([7; 32]);

    #[test]
    fn a_purge_covers_what_was_made_before_it_and_has_its_label() {
        let purges = Purges::default();
        let before = labels(purges.generation(), &[tag("a"), tag("b")]);
        assert!(!purges.covers(&KEY, &before));
        purges.purge(tag("a"), 1_000);
        let after = labels(purges.generation(), &[tag("a")]);
        assert!(purges.covers(&KEY, &before));
        assert!(!purges.covers(&KEY, &after), "made since");
        assert!(!purges.covers(&KEY, &labels(0, &[tag("c")])), "another's label");
        purges.purge(Label::of_key(&KEY), 1_000);
        assert!(purges.covers(&KEY, &after));
        assert!(!purges.covers(&CacheKey::new([8; 32]), &after));
        purges.purge(Label::ALL, 1_000);
        assert!(purges.covers(&CacheKey::new([8; 32]), &labels(1_001, &[])));
    }

    #[test]
    fn generations_grow_even_where_the_clock_steps_back() {
        let purges = Purges::default();
        let first = purges.purge(tag("a"), 5_000).generation;
        let second = purges.purge(tag("a"), 4_000).generation;
        assert!(second > first);
        assert!(!purges.merge(PurgeRecord { label: tag("a"), generation: first }), "old news");
        assert_eq!(purges.generation(), second);
    }

    /// what two gateways purged is the same in the end, whoever hears first.
    #[test]
    fn merging_is_by_maximum_and_in_any_order() {
        let (one, other) = (Purges::default(), Purges::default());
        let records = [one.purge(tag("a"), 10), one.purge(tag("b"), 20), one.purge(tag("a"), 30)];
        for record in records.iter().rev() {
            other.merge(*record);
        }
        let mut known = [one.since(0), other.since(0)];
        known.iter_mut().for_each(|known| known.sort_by_key(|record| record.generation));
        assert_eq!(known[0], known[1]);
        assert_eq!(one.since(20).len(), 1);
        assert!(one.since(30).is_empty());
    }

    #[test]
    fn too_many_labels_collapse_into_a_purge_of_all() {
        let purges = Purges::default();
        let first = labels(0, &[tag("0")]);
        for number in 0..=MAX_LABELS {
            purges.purge(tag(&number.to_string()), 0);
        }
        assert!(purges.len() <= MAX_LABELS / 2 + 2, "{}", purges.len());
        assert!(purges.covers(&KEY, &first), "what was purged stays so");
        assert!(!purges.covers(&KEY, &labels(purges.generation(), &[tag("0")])));
    }

    /// The purge of a tag costs the same with a million answers as with one.
    #[test]
    fn one_purge_covers_a_million_answers_and_is_one_record() {
        let purges = Purges::default();
        let made = labels(purges.generation(), &[tag("a"), tag("b")]);
        let key = |number: u64| {
            let mut key = [0; 32];
            for (to, from) in key.iter_mut().zip(number.to_le_bytes()) {
                *to = from;
            }
            CacheKey::new(key)
        };
        assert!((0..1_000_000).all(|number| !purges.covers(&key(number), &made)));
        purges.purge(tag("b"), 1_000);
        assert_eq!(purges.len(), 1);
        assert!((0..1_000_000).all(|number| purges.covers(&key(number), &made)));
    }

    #[test]
    fn what_a_purge_of_all_implies_is_forgotten_with_what_is_too_old() {
        let purges = Purges::default();
        purges.purge(tag("a"), 10);
        assert_eq!(purges.forgettable_before(5), 5);
        purges.purge(Label::ALL, 20);
        purges.purge(tag("b"), 30);
        assert_eq!(purges.forgettable_before(5), 20);
        let changes = purges.changes();
        purges.forget_before(20);
        assert_eq!((purges.len(), purges.generation(), purges.changes()), (2, 30, changes));
        assert!(purges.covers(&KEY, &labels(0, &[tag("a")])), "covered by the purge of all");
    }

    proptest! {
        #[test]
        fn what_was_purged_once_stays_so_and_what_is_made_since_does_not(
            purged in prop::collection::vec((0_u8..6, 0_u64..50), 1..30),
            own in prop::collection::vec(0_u8..6, 0..4),
            made_after in any::<prop::sample::Index>(),
        ) {
            let purges = Purges::default();
            let names: Vec<Label> = own.iter().map(|name| tag(&name.to_string())).collect();
            let made_after = made_after.index(purged.len());
            let mut made = labels(0, &names);
            let mut expected = false;
            for (number, (name, wall_ms)) in purged.iter().enumerate() {
                purges.purge(tag(&name.to_string()), *wall_ms);
                if number < made_after {
                    made.generation = purges.generation();
                } else {
                    expected |= own.contains(name);
                }
            }
            prop_assert_eq!(purges.covers(&KEY, &made), expected);
        }
    }
}
