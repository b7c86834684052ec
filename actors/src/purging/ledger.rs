//! Which purges a place is known to have recorded, and which it lacks.

use std::collections::HashMap;

use crate::message::HeardPurges;
use crate::model::{Label, PurgeRecord, Purges};

/// Labels that may be remembered beyond those that still have a generation, before they are sorted
/// out.
const SLACK: usize = 1_024;

/// What one place has. A new contact with it forgets everything: it may have lost what it had.
#[derive(Debug, Default)]
pub struct Ledger {
    contact: u64,
    has: HashMap<Label, u64>,
    /// The change of the purges at which nothing was lacking.
    settled_at: Option<u64>,
    num_lacking: usize,
}

impl Ledger {
    /// Notes what the place was heard to have.
    pub fn heard(&mut self, heard: &HeardPurges) {
        self.note(heard.contact, &heard.records);
    }

    /// Notes what was recorded in the place during `contact`.
    pub fn note(&mut self, contact: u64, records: &[PurgeRecord]) {
        if contact < self.contact {
            return;
        }
        if contact > self.contact {
            self.contact = contact;
            self.has.clear();
            self.settled_at = None;
        }
        for record in records {
            let has = self.has.entry(record.label).or_default();
            *has = record.generation.max(*has);
        }
    }

    /// Returns what of `purges` the place lacks, earliest first, at most `at_most` of it.
    pub fn lacking(&mut self, purges: &Purges, at_most: usize) -> Vec<PurgeRecord> {
        // Before the records are read: one that comes meanwhile is looked for next time.
        let changes = purges.changes();
        if self.settled_at == Some(changes) {
            return Vec::new();
        }
        let known = purges.since(0);
        if self.has.len() > known.len().saturating_mul(2).saturating_add(SLACK) {
            let labels: HashMap<Label, u64> =
                known.iter().map(|record| (record.label, record.generation)).collect();
            self.has.retain(|label, _| labels.contains_key(label));
        }
        let has = |record: &PurgeRecord| {
            self.has.get(&record.label).is_some_and(|has| *has >= record.generation)
        };
        let mut lacking: Vec<_> = known.into_iter().filter(|record| !has(record)).collect();
        self.num_lacking = lacking.len();
        if lacking.is_empty() {
            self.settled_at = Some(changes);
        }
        lacking.sort_unstable_by_key(|record| record.generation);
        lacking.truncate(at_most);
        lacking
    }

    /// Returns how many purges the place lacked when that was last looked at.
    pub const fn num_lacking(&self) -> usize {
        self.num_lacking
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::LabelKind;

    fn tag(number: u8) -> Label {
        Label::new(LabelKind::Tag, &[number])
    }

    #[test]
    fn a_place_lacks_what_was_not_recorded_and_everything_after_it_came_back() {
        let purges = Purges::default();
        let mut ledger = Ledger::default();
        assert_eq!(ledger.lacking(&purges, 10), []);
        let records = [purges.purge(tag(1), 10), purges.purge(tag(2), 20)];
        assert_eq!(ledger.lacking(&purges, 1), records[..1], "the earliest first");
        assert_eq!(ledger.num_lacking(), 2);
        ledger.note(1, &records[..1]);
        assert_eq!(ledger.lacking(&purges, 10), records[1..]);
        ledger.heard(&HeardPurges { contact: 1, records: records[1..].to_vec() });
        assert_eq!((ledger.lacking(&purges, 10), ledger.num_lacking()), (Vec::new(), 0));
        // it came back empty.
        ledger.heard(&HeardPurges { contact: 2, records: Vec::new() });
        assert_eq!(ledger.lacking(&purges, 10), records);
        ledger.note(1, &records);
        assert_eq!(ledger.num_lacking(), 2, "recorded before it came back empty");
    }

    #[test]
    fn an_earlier_purge_of_a_label_does_not_stand_for_a_later_one() {
        let purges = Purges::default();
        let mut ledger = Ledger::default();
        let first = purges.purge(tag(1), 10);
        ledger.note(1, &[first]);
        let second = purges.purge(tag(1), 20);
        assert_eq!(ledger.lacking(&purges, 10), [second]);
        ledger.note(1, &[first]);
        assert_eq!(ledger.lacking(&purges, 10), [second]);
    }

    #[test]
    fn labels_that_collapsed_are_not_remembered_for_ever() {
        let purges = Purges::new(10);
        let mut ledger = Ledger::default();
        for number in 0..20_000_u64 {
            let record = purges.purge(Label::from_u64(number + 1), 0);
            ledger.note(1, &[record]);
            if number % 100 == 0 {
                ledger.lacking(&purges, 10);
            }
        }
        assert!(ledger.has.len() < 2_000, "{}", ledger.has.len());
    }

    proptest! {
        /// whatever is made, heard, recorded and lost in whichever order: once all that is
        /// lacking has been recorded, the place has everything.
        #[test]
        fn a_place_that_takes_what_it_lacks_has_all_in_the_end(
            steps in prop::collection::vec((0_u8..4, 0_u8..5), 0..60),
        ) {
            let purges = Purges::default();
            let place = Purges::default();
            let mut ledger = Ledger::default();
            let mut contact = 1;
            let mut place_now = place;
            for (what, label) in steps {
                match what {
                    0 => { purges.purge(tag(label), 0); }
                    1 => {
                        let lacking = ledger.lacking(&purges, usize::from(label));
                        place_now.merge_all(&lacking);
                        ledger.note(contact, &lacking);
                    }
                    2 => {
                        let records = place_now.since(0);
                        purges.merge_all(&records);
                        ledger.heard(&HeardPurges { contact, records });
                    }
                    _ => {
                        place_now = Purges::default();
                        contact += 1;
                        ledger.heard(&HeardPurges { contact, records: Vec::new() });
                    }
                }
            }
            let lacking = ledger.lacking(&purges, usize::MAX);
            place_now.merge_all(&lacking);
            for record in purges.since(0) {
                prop_assert!(place_now.since(0).contains(&record), "{:?}", record);
            }
        }
    }
}
