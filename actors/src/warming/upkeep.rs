//! When each answer that is kept ready always is to be looked after.

use std::sync::Arc;

use crate::origin::OriginCall;

/// First wait after a try that failed; doubles up to [`RETRY_AT_MOST_MS`].
const RETRY_MS: u64 = 5_000;
const RETRY_AT_MOST_MS: u64 = 10 * 60 * 1_000;

/// How long before its end an answer is looked after, at most.
const LEAD_MS: u64 = 5_000;

/// Answers are not looked after more often, however short their life is.
const LEAST_MS: u64 = 1_000;

/// One answer that is kept ready.
#[derive(Debug, Clone)]
struct Kept {
    call: Arc<OriginCall>,
    next_ms: u64,
    is_under_way: bool,
    failures: u32,
    ready_until_ms: u64,
}

/// How one of them is, for the operations API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether L1 holds it as far as is known.
    pub is_ready: bool,
    /// Tries that failed since the last that did not.
    pub failures: u32,
    /// When it is looked after next, in milliseconds from now; 0 while it is.
    pub next_in_ms: u64,
}

/// The answers that are kept ready.
#[derive(Debug, Default)]
pub struct Upkeep {
    kept: Vec<Kept>,
}

impl Upkeep {
    /// Keeps the answers to these calls ready, from the first look on.
    pub fn new(calls: impl IntoIterator<Item = Arc<OriginCall>>) -> Self {
        let kept = calls.into_iter().map(|call| Kept {
            call,
            next_ms: 0,
            is_under_way: false,
            failures: 0,
            ready_until_ms: 0,
        });
        Self { kept: kept.collect() }
    }

    /// Tells whether there is nothing to keep ready.
    pub const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Takes those out that are due, by their number.
    pub fn due(&mut self, now_ms: u64) -> Vec<(usize, Arc<OriginCall>)> {
        let mut due = Vec::new();
        for (number, kept) in self.kept.iter_mut().enumerate() {
            if !kept.is_under_way && kept.next_ms <= now_ms {
                kept.is_under_way = true;
                due.push((number, Arc::clone(&kept.call)));
            }
        }
        due
    }

    /// One is ready for so long from now on, or, with nothing, is not.
    pub fn done(&mut self, number: usize, ready_for_ms: Option<u64>, now_ms: u64) {
        let Some(kept) = self.kept.get_mut(number) else { return };
        kept.is_under_way = false;
        let wait_ms = match ready_for_ms {
            Some(ready_ms) => {
                kept.failures = 0;
                kept.ready_until_ms = now_ms.saturating_add(ready_ms);
                (ready_ms - LEAD_MS.min(ready_ms / 2)).max(LEAST_MS)
            }
            None => {
                let times = 1_u64 << kept.failures.min(16);
                kept.failures = kept.failures.saturating_add(1);
                RETRY_MS.saturating_mul(times).min(RETRY_AT_MOST_MS)
            }
        };
        kept.next_ms = now_ms.saturating_add(wait_ms);
    }

    /// Returns how they are.
    pub fn standings(&self, now_ms: u64) -> impl Iterator<Item = (&Arc<OriginCall>, Standing)> {
        self.kept.iter().map(move |kept| {
            let standing = Standing {
                is_ready: kept.ready_until_ms > now_ms,
                failures: kept.failures,
                next_in_ms: if kept.is_under_way { 0 } else { kept.next_ms.saturating_sub(now_ms) },
            };
            (&kept.call, standing)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::call;
    use super::*;

    fn due(upkeep: &mut Upkeep, now_ms: u64) -> Vec<usize> {
        upkeep.due(now_ms).into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn each_is_looked_after_at_once_and_then_before_its_end() {
        let mut upkeep = Upkeep::new([call(1, 0), call(2, 0)]);
        assert_eq!(due(&mut upkeep, 0), [0, 1]);
        assert_eq!(due(&mut upkeep, 0), [] as [usize; 0], "under way");
        upkeep.done(0, Some(300_000), 0);
        upkeep.done(1, Some(4_000), 0);
        assert_eq!(due(&mut upkeep, 1_999), [] as [usize; 0]);
        assert_eq!(due(&mut upkeep, 2_000), [1]);
        assert_eq!(due(&mut upkeep, 295_000), [0]);
    }

    #[test]
    fn a_failure_is_tried_again_ever_later() {
        let mut upkeep = Upkeep::new([call(1, 0)]);
        let mut now_ms = 0;
        for wait_ms in [5_000, 10_000, 20_000] {
            assert_eq!(due(&mut upkeep, now_ms), [0]);
            upkeep.done(0, None, now_ms);
            now_ms += wait_ms;
            assert_eq!(due(&mut upkeep, now_ms - 1), [] as [usize; 0]);
        }
        let (_, standing) = upkeep.standings(now_ms).next().unwrap();
        assert_eq!(standing, Standing { is_ready: false, failures: 3, next_in_ms: 0 });
        due(&mut upkeep, now_ms);
        upkeep.done(0, Some(60_000), now_ms);
        let (_, standing) = upkeep.standings(now_ms).next().unwrap();
        assert_eq!(standing, Standing { is_ready: true, failures: 0, next_in_ms: 55_000 });
    }

    proptest! {
        #[test]
        fn none_is_looked_after_twice_at_once_or_without_a_pause(
            steps in prop::collection::vec((0_u64..9_000, prop::option::of(0_u64..20_000)), 0..99),
        ) {
            let mut upkeep = Upkeep::new([call(1, 0)]);
            let mut now_ms = 0;
            for (step_ms, ready_ms) in steps {
                now_ms += step_ms;
                if due(&mut upkeep, now_ms) == [0] {
                    prop_assert!(due(&mut upkeep, now_ms).is_empty());
                    upkeep.done(0, ready_ms, now_ms);
                    prop_assert!(due(&mut upkeep, now_ms + LEAST_MS - 1).is_empty());
                }
            }
        }
    }
}
