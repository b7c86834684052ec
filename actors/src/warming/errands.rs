//! What operators have asked to be warmed, and how far it is.

use std::collections::VecDeque;

/// Most errands remembered; the oldest is forgotten.
const MOST: usize = 32;

/// How far one errand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Its number.
    pub number: u64,
    /// Requests of it.
    pub total: u64,
    /// Their answers are ready: from a level, or fetched.
    pub ready: u64,
    /// Of these, fetched by a call.
    pub called: u64,
    /// They could not be had, or not be kept.
    pub failed: u64,
}

impl Progress {
    /// Tells whether all of it is done.
    pub const fn is_over(&self) -> bool {
        self.ready + self.failed >= self.total
    }
}

/// The errands of late.
#[derive(Debug, Default)]
pub struct Errands {
    all: VecDeque<Progress>,
    numbers: u64,
}

impl Errands {
    /// Begins one of so many requests.
    pub fn begin(&mut self, total: u64) -> Progress {
        self.numbers = self.numbers.saturating_add(1);
        let progress = Progress { number: self.numbers, total, ..Progress::default() };
        self.all.push_back(progress);
        if self.all.len() > MOST {
            self.all.pop_front();
        }
        progress
    }

    /// One request of it is done.
    pub fn done(&mut self, number: u64, is_ready: bool, was_called: bool) {
        let Some(errand) = self.all.iter_mut().find(|errand| errand.number == number) else {
            return;
        };
        errand.ready += u64::from(is_ready);
        errand.called += u64::from(is_ready && was_called);
        errand.failed += u64::from(!is_ready);
    }

    /// Returns them, the oldest first.
    pub fn all(&self) -> impl Iterator<Item = &Progress> {
        self.all.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_request_is_counted_once_and_few_errands_are_remembered(
            totals in prop::collection::vec(0_u64..6, 1..60), ready in any::<u64>(),
        ) {
            let mut errands = Errands::default();
            for total in &totals {
                let Progress { number, .. } = errands.begin(*total);
                for request in 0..*total {
                    prop_assert!(errands.all().all(|it| it.number != number || !it.is_over()));
                    errands.done(number, ready >> request & 1 == 1, request == 0);
                }
            }
            prop_assert!(errands.all().count() <= MOST);
            prop_assert!(errands.all().all(Progress::is_over));
            prop_assert!(errands.all().all(|it| it.called <= it.ready.min(1)));
            prop_assert_eq!(errands.all().last().map(|it| it.number), u64::try_from(totals.len()).ok());
        }
    }
}
