//! The residency of models, by examples and against a plain model of it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::clock::{Clock as _, ManualClock};

const NAMES: [Name; 5] = ["a", "b", "c", "d", "e"];

fn loaded(residency: &Residency) -> Vec<Name> {
    residency.residents().iter().map(|resident| resident.name).collect()
}

/// Wants a model and loads it at once.
fn load(residency: &mut Residency, name: Name, now: Instant, last_use: impl Fn(Name) -> u64) {
    assert_eq!(residency.want(name, now), Wanted::Awaited, "{name}");
    residency.start(last_use).expect("a load");
    residency.landed(Some(1), now);
}

#[test]
fn one_load_serves_all_who_want_a_model() {
    let (clock, mut residency) = (ManualClock::new(), Residency::new(2));
    let now = clock.now();
    assert_eq!(residency.want("a", now), Wanted::Awaited);
    assert_eq!(residency.want("a", now), Wanted::Awaited);
    assert_eq!(residency.coming(), 1);
    assert_eq!(residency.start(|_| 0), Some(Start { name: "a", unload: vec![] }));
    assert_eq!(residency.want("a", now), Wanted::Awaited);
    assert_eq!(residency.start(|_| 0), None, "one at a time");
    residency.landed(Some(7), now);
    assert_eq!(residency.want("a", now), Wanted::There);
    assert_eq!((residency.coming(), loaded(&residency)), (0, vec!["a"]));
}

#[test]
fn the_least_recently_used_goes_but_not_at_once() {
    let (clock, mut residency) = (ManualClock::new(), Residency::new(2));
    let used = |name: Name| u64::from(name == "a");
    load(&mut residency, "a", clock.now(), used);
    load(&mut residency, "b", clock.now(), used);
    let refused = Wanted::Refused(LoadError::NoRoom { name: "c", most: 2 });
    assert_eq!(residency.want("c", clock.now()), refused);
    clock.advance(STAY);
    assert_eq!(residency.want("c", clock.now()), Wanted::Awaited);
    assert_eq!(residency.start(used), Some(Start { name: "c", unload: vec!["b"] }));
    residency.landed(Some(1), clock.now());
    assert_eq!(loaded(&residency), ["a", "c"]);
}

#[test]
fn what_could_not_be_loaded_is_tried_again_later() {
    let (clock, mut residency) = (ManualClock::new(), Residency::new(2));
    assert_eq!(residency.want("a", clock.now()), Wanted::Awaited);
    residency.start(|_| 0).expect("a load");
    residency.landed(None, clock.now());
    let refused = Wanted::Refused(LoadError::FailedBefore { name: "a" });
    assert_eq!(residency.want("a", clock.now()), refused);
    clock.advance(RETRY_AFTER);
    assert_eq!(residency.want("a", clock.now()), Wanted::Awaited);
}

#[test]
fn what_went_because_memory_was_short_does_not_come_back_at_once() {
    let (clock, mut residency) = (ManualClock::new(), Residency::new(2));
    load(&mut residency, "a", clock.now(), |_| 0);
    assert_eq!(residency.free(0, clock.now(), |_| 0), [], "none without need");
    load(&mut residency, "b", clock.now(), |_| 0);
    assert_eq!(residency.free(1, clock.now(), |name| u64::from(name == "a")).len(), 1);
    assert_eq!(loaded(&residency), ["a"]);
    assert_eq!(residency.want("a", clock.now()), Wanted::There);
    let refused = Wanted::Refused(LoadError::MemoryShort { name: "b" });
    assert_eq!(residency.want("b", clock.now()), refused);
    clock.advance(SHORT_FOR);
    assert_eq!(residency.want("b", clock.now()), Wanted::Awaited);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Use(usize),
    Land { bytes: u64, succeeds: bool },
    Free(u64),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..NAMES.len()).prop_map(Step::Use),
        3 => (1_u64..9, prop::bool::weighted(0.9))
            .prop_map(|(bytes, succeeds)| Step::Land { bytes, succeeds }),
        1 => (0_u64..20).prop_map(Step::Free),
        1 => (1_u64..15).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..150)
}

proptest! {
    #[test]
    fn never_too_many_and_always_the_longest_unused_goes(most in 0_usize..4, steps in steps()) {
        let (clock, mut residency) = (ManualClock::new(), Residency::new(most));
        let most = most.max(1);
        let uses: RefCell<BTreeMap<Name, u64>> = RefCell::default();
        let last_use = |name: Name| uses.borrow().get(name).copied().unwrap_or(0);
        let mut is_loading = false;
        for (serial, step) in (1_u64..).zip(steps) {
            let before = residency.residents().to_vec();
            let mut gone: Vec<Name> = Vec::new();
            match step {
                Step::Use(at) => {
                    let name = NAMES[at];
                    uses.borrow_mut().insert(name, serial);
                    let is_there = before.iter().any(|resident| resident.name == name);
                    let wanted = residency.want(name, clock.now());
                    prop_assert_eq!(wanted == Wanted::There, is_there);
                }
                Step::Land { bytes, succeeds } => {
                    residency.landed(succeeds.then_some(bytes), clock.now());
                    let num_new = residency.residents().len() - before.len();
                    prop_assert_eq!(num_new, usize::from(is_loading && succeeds));
                    is_loading = false;
                }
                Step::Free(bytes) => {
                    let freed = residency.free(bytes, clock.now(), last_use);
                    let sum = freed.iter().map(|resident| resident.bytes).sum::<u64>();
                    prop_assert!(sum >= bytes || residency.residents().is_empty());
                    if let Some((last, others)) = freed.split_last() {
                        let without = others.iter().map(|resident| resident.bytes).sum::<u64>();
                        prop_assert!(without < bytes, "{last:?} need not have gone");
                    }
                    gone.extend(freed.iter().map(|resident| resident.name));
                }
                Step::Wait(secs) => clock.advance(Duration::from_secs(secs)),
            }
            if let Some(start) = residency.start(last_use) {
                prop_assert!(!is_loading, "one at a time");
                prop_assert!(!before.iter().any(|resident| resident.name == start.name));
                is_loading = true;
                gone.extend(start.unload);
            }
            let left = loaded(&residency);
            prop_assert!(left.len() + usize::from(is_loading) <= most, "{left:?}");
            for name in gone {
                let coldest = left.iter().map(|other| last_use(other)).min();
                prop_assert!(coldest.is_none_or(|coldest| last_use(name) < coldest), "{name}");
            }
            let mut distinct = left.clone();
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), left.len());
            prop_assert!(residency.coming() <= NAMES.len());
        }
    }
}
