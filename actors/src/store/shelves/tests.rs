use std::cell::Cell;
use std::rc::Rc;

use proptest::prelude::*;

use super::resizing::STEP_ENTRIES;
use super::*;

/// Keys are digests; this makes one of a number.
fn digest(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Asks for `key` and fills it in on a miss.
fn ask(shelves: &mut Shelves<u64, u64>, number: u64) -> bool {
    let key = digest(number);
    let is_hit = shelves.get(&key, |value| Some(*value)).is_some();
    if !is_hit {
        shelves.insert(key, number, 1);
    }
    is_hit
}

/// Which of the numbers below `most` are held.
fn held(shelves: &mut Shelves<u64, u64>, most: u64) -> Vec<u64> {
    (0..most).filter(|number| shelves.contains(&digest(*number))).collect()
}

/// Tells a common sum what it weighs while it lives.
struct Weighed(u64, Rc<Cell<u64>>);

impl Weighed {
    fn new(weight: u64, sum: &Rc<Cell<u64>>) -> Self {
        sum.set(sum.get() + weight);
        Self(weight, Rc::clone(sum))
    }
}

impl Drop for Weighed {
    fn drop(&mut self) {
        self.1.set(self.1.get() - self.0);
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Get(u64),
    Insert(u64, u64),
    Replace(u64, u64),
    Warm(u64, u64),
    Remove(u64),
    Expire(u64),
    Resize(u64),
    Shed(u64),
    WarmShare(u8),
    Idle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0_u64..30;
    let weight = prop_oneof![4 => 1_u64..20, 1 => 20_u64..400];
    let step = prop_oneof![
        6 => key.clone().prop_map(Step::Get),
        6 => (key.clone(), weight.clone()).prop_map(|(key, weight)| Step::Insert(key, weight)),
        1 => (key.clone(), weight.clone()).prop_map(|(key, weight)| Step::Replace(key, weight)),
        3 => (key.clone(), weight).prop_map(|(key, weight)| Step::Warm(key, weight)),
        1 => key.clone().prop_map(Step::Remove),
        1 => key.prop_map(Step::Expire),
        1 => (0_u64..400).prop_map(Step::Resize),
        1 => (0_u64..300).prop_map(Step::Shed),
        1 => (0_u8..80).prop_map(Step::WarmShare),
        1 => Just(Step::Idle),
    ];
    proptest::collection::vec(step, 0..250)
}

fn go(shelves: &mut Shelves<u64, Weighed>, step: Step, sum: &Rc<Cell<u64>>) {
    match step {
        Step::Get(key) => drop(shelves.get(&digest(key), |value| Some(value.0))),
        Step::Insert(key, weight) => {
            shelves.insert(digest(key), Weighed::new(weight, sum), weight);
        }
        Step::Replace(key, weight) => {
            shelves.replace(digest(key), Weighed::new(weight, sum), weight);
        }
        Step::Warm(key, weight) => {
            shelves.warm(digest(key), Weighed::new(weight, sum), weight);
        }
        Step::Remove(key) => drop(shelves.remove(&digest(key))),
        Step::Expire(key) => {
            assert_eq!(shelves.get(&digest(key), |_| None::<()>), None);
            assert!(!shelves.contains(&digest(key)));
        }
        Step::Resize(capacity) => shelves.resize(capacity),
        Step::Shed(target) => {
            let before = shelves.weight();
            let freed = shelves.shed(target);
            assert_eq!(before - shelves.weight(), freed);
            assert!(shelves.weight() <= target || freed > 0, "it went no step further");
        }
        Step::WarmShare(percent) => shelves.set_warm_share(f64::from(percent) / 100.0),
        Step::Idle => drop(shelves.step()),
    }
}

proptest! {
    /// DESIGN M2: whatever is done, the account is the sum of what is held, never over the bound.
    #[test]
    fn the_account_equals_the_sum_of_what_is_held(steps in steps(), unit in 1_u64..3) {
        let sum = Rc::new(Cell::new(0));
        // Units greater than 1 stand for capacities beyond 32 bits.
        let ceiling = if unit == 1 { 400 } else { unit << 31 };
        let plan = Plan { capacity: 300, ceiling, entries: 50 };
        let mut shelves = Shelves::<u64, Weighed>::new(plan);
        for step in steps {
            go(&mut shelves, step, &sum);
            prop_assert_eq!(shelves.weight(), sum.get());
            prop_assert!(shelves.weight() <= shelves.capacity());
            let (mut weight, mut entries) = (0, 0);
            let by_shelf = [Shelf::Window, Shelf::Main, Shelf::Warm].map(|shelf| {
                let of_shelf: Vec<u64> = (0..30)
                    .map(digest)
                    .filter(|key| shelves.shelf_of(key) == Some(shelf))
                    .collect();
                entries += of_shelf.len() as u64;
                let of_shelf = of_shelf.iter().map(|key| shelves.peek(key).unwrap().0).sum::<u64>();
                weight += of_shelf;
                of_shelf == shelves.weight_of(shelf)
            });
            prop_assert_eq!(by_shelf, [true; 3]);
            prop_assert_eq!((weight, entries), (shelves.weight(), shelves.entries()));
        }
        drop(shelves);
        prop_assert_eq!(sum.get(), 0);
    }
}

#[test]
fn the_whole_capacity_is_used_and_no_more() {
    for capacity in [1, 2, 3, 8, 100] {
        let mut shelves = Shelves::new(Plan::of_entries(capacity));
        let stored = (0..1_000)
            .filter(|number| {
                shelves.get(&digest(*number), |_| Some(()));
                shelves.insert(digest(*number), *number, 1) == Stored::Yes
            })
            .count();
        assert_eq!((shelves.weight(), shelves.entries()), (capacity, capacity));
        assert_eq!(shelves.evictions() + capacity, stored as u64);
        assert_eq!(shelves.insert(digest(5_000), 0, capacity + 1), Stored::Refused);
    }
}

#[test]
fn what_is_asked_for_often_outlives_a_scan() {
    let mut shelves = Shelves::with_window(Plan::of_entries(100), 0.2);
    for round in 0..20 {
        for number in 0..60 {
            ask(&mut shelves, number);
        }
        for number in 0..50 {
            ask(&mut shelves, 1_000 + round * 50 + number);
        }
    }
    for number in 10_000..10_500 {
        ask(&mut shelves, number);
    }
    assert!(held(&mut shelves, 60).len() > 50, "{:?}", held(&mut shelves, 60));
}

#[test]
fn the_window_grows_where_recency_pays_and_shrinks_where_frequency_does() {
    let mut shelves = Shelves::new(Plan::of_entries(100));
    // New keys come again after 30 others and then never.
    for number in 0..20_000_u64 {
        ask(&mut shelves, number);
        ask(&mut shelves, number.saturating_sub(30));
    }
    assert!(shelves.window_share() > 0.6, "{}", shelves.window_share());
    // A loop somewhat longer than there is room for.
    for number in 0..40_000_u64 {
        ask(&mut shelves, 100_000 + number % 130);
    }
    assert!(shelves.window_share() < 0.15, "{}", shelves.window_share());
}

#[test]
fn a_smaller_capacity_is_reached_in_steps_and_keeps_what_is_hot() {
    let plan = Plan { capacity: 10_000, ceiling: 20_000, entries: 10_000 };
    let mut shelves = Shelves::with_window(plan, 0.2);
    for round in 0..8_u64 {
        for number in 0..2_000 {
            ask(&mut shelves, number);
        }
        for number in 0..2_000 {
            ask(&mut shelves, 10_000 + round * 2_000 + number);
        }
    }
    assert_eq!(shelves.entries(), 10_000);
    shelves.resize(4_000);
    let (mut most, mut steps) = (0, 0);
    loop {
        let before = shelves.entries();
        let is_reached = shelves.step();
        most = most.max(before - shelves.entries());
        if is_reached {
            break;
        }
        steps += 1;
    }
    assert!(most <= STEP_ENTRIES && steps >= 11, "{most} entries at once, {steps} steps");
    assert_eq!((shelves.weight(), shelves.capacity()), (4_000, 4_000));
    let hot = held(&mut shelves, 2_000).len();
    assert!(hot >= 1_900, "{hot} of 2,000");
    // It grows again, beyond what it was, and fills.
    shelves.resize(30_000);
    assert_eq!(shelves.capacity(), 20_000, "the ceiling");
    for number in 0..60_000 {
        ask(&mut shelves, 100_000 + number);
    }
    assert_eq!(shelves.weight(), 20_000);
}

#[test]
fn shedding_frees_what_is_above_the_target_and_leaves_the_capacity() {
    let mut shelves = Shelves::with_window(Plan::of_entries(5_000), 0.2);
    shelves.set_warm_share(0.1);
    for number in 0..5_000 {
        ask(&mut shelves, number);
        ask(&mut shelves, number);
    }
    for number in 10_000..10_300 {
        assert_eq!(shelves.warm(digest(number), number, 1), Stored::Yes);
    }
    assert_eq!(shelves.shed(5_000), 0);
    assert_eq!(shelves.shed(4_000), STEP_ENTRIES, "one bounded step");
    assert_eq!(shelves.weight_of(Shelf::Warm), 0, "what nobody asked for goes first");
    assert!(shelves.shed(4_000) > 0 && shelves.shed(4_000) == 0);
    assert_eq!((shelves.weight(), shelves.capacity()), (4_000, 5_000));
    while shelves.shed(0) > 0 {}
    assert_eq!((shelves.weight(), shelves.entries()), (0, 0));
    for number in 0..6_000 {
        ask(&mut shelves, number);
    }
    assert_eq!(shelves.weight(), 5_000);
}

#[test]
fn the_warmed_wait_apart_until_their_first_use() {
    let mut shelves = Shelves::with_window(Plan::of_entries(100), 0.2);
    assert_eq!(shelves.warm(digest(1), 1, 1), Stored::Refused, "it has no room yet");
    for number in 1_000..2_000 {
        ask(&mut shelves, number);
    }
    shelves.set_warm_share(0.1);
    for number in 0..15 {
        assert_eq!(shelves.warm(digest(number), number, 1), Stored::Yes);
    }
    assert_eq!(held(&mut shelves, 15), (5..15).collect::<Vec<_>>(), "the oldest went");
    assert_eq!((shelves.weight_of(Shelf::Warm), shelves.weight()), (10, 100));
    assert_eq!(shelves.warm(digest(7), 7, 1), Stored::Present);
    // Others come and go beside them.
    for number in 2_000..3_000 {
        ask(&mut shelves, number);
    }
    assert_eq!(held(&mut shelves, 15).len(), 10);
    // The first use makes one as any other.
    assert_eq!(shelves.shelf_of(&digest(7)), Some(Shelf::Warm));
    assert_eq!(shelves.get(&digest(7), |value| Some(*value)), Some(7));
    assert_eq!(shelves.shelf_of(&digest(7)), Some(Shelf::Window));
    // A better value of one that is held changes nothing else.
    assert_eq!(shelves.replace(digest(8), 80, 1), Stored::Yes);
    assert_eq!(shelves.shelf_of(&digest(8)), Some(Shelf::Warm));
    assert_eq!(shelves.replace(digest(99), 99, 1), Stored::Refused);
    // Warming fails: the room is the others' again.
    shelves.set_warm_share(0.0);
    assert_eq!(shelves.weight_of(Shelf::Warm), 0);
    for number in 3_000..4_000 {
        ask(&mut shelves, number);
    }
    assert_eq!(shelves.weight(), 100);
}

#[test]
fn one_seed_one_course() {
    let run = || {
        let mut shelves = Shelves::new(Plan::of_entries(50));
        (0..5_000).filter(|number| ask(&mut shelves, digest(*number) % 200)).count()
    };
    assert_eq!(run(), run());
}
