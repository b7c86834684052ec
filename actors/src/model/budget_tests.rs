use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::*;

const SOON: Duration = Duration::from_secs(2);

#[test]
fn what_is_reserved_comes_back_and_no_more_than_there_is_is_given_out() {
    let budget = MemoryBudget::new(100);
    let mut first = budget.try_reserve(60).unwrap();
    assert!(budget.try_reserve(41).is_none());
    let second = budget.try_reserve(40).unwrap();
    assert!(!first.try_grow(1));
    drop(second);
    assert!(first.try_grow(15));
    assert!(!first.try_grow(1), "a quarter is for those who come");
    assert_eq!((first.bytes(), budget.report().reserved_bytes), (75, 75));
    first.shrink_to(10);
    first.shrink_to(20);
    assert_eq!((first.bytes(), budget.report().reserved_bytes), (10, 10));
    let held = budget.reserve_anyway(500);
    assert_eq!(budget.report().reserved_bytes, 510);
    first.join(held);
    drop(first);
    assert_eq!((budget.report().reserved_bytes, budget.report().peak_bytes), (0, 510));
}

#[test]
fn what_is_larger_than_all_there_is_goes_when_it_is_alone() {
    let budget = MemoryBudget::new(100);
    let small = budget.try_reserve(1).unwrap();
    assert!(budget.try_reserve(1_000).is_none());
    drop(small);
    let large = budget.try_reserve(1_000).unwrap();
    assert!(budget.try_reserve(1).is_none());
    drop(large);
    assert!(budget.try_reserve(100).is_some());
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_served_in_line_or_leave_in_time() {
    let budget = MemoryBudget::new(100);
    let held = budget.try_reserve(90).unwrap();
    let wait = |bytes| {
        let budget = budget.clone();
        #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
        tokio::task::spawn(async move { budget.reserve(bytes, SOON).await })
    };
    let large = wait(80);
    tokio::task::yield_now().await;
    let small = wait(5);
    tokio::task::yield_now().await;
    assert_eq!(budget.report().waiting, 2, "the small one does not pass");
    assert!(budget.try_reserve(1).is_none(), "nor does one who does not wait");
    drop(held);
    let (large, small) = (large.await.unwrap().unwrap(), small.await.unwrap().unwrap());
    assert_eq!(budget.report().reserved_bytes, 85);

    // The first in line leaves when its time is over: the one behind it goes.
    let late = wait(50);
    tokio::time::sleep(SOON / 2).await;
    let behind = wait(15);
    tokio::task::yield_now().await;
    assert_eq!(late.await.unwrap().unwrap_err(), OverBudget);
    let behind = behind.await.unwrap().unwrap();
    drop((large, small, behind));
    let report = budget.report();
    assert_eq!((report.reserved_bytes, report.waits, report.refusals), (0, 4, 2));
}

#[tokio::test(start_paused = true)]
async fn one_who_is_dropped_in_line_costs_nobody_anything() {
    let budget = MemoryBudget::new(100);
    let held = budget.try_reserve(90).unwrap();
    let mut waiting = Box::pin(budget.reserve(50, SOON));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(held);
    // Granted, and never taken.
    assert_eq!(budget.report().reserved_bytes, 50);
    drop(waiting);
    assert_eq!(budget.report().reserved_bytes, 0);

    // The first in line leaves: who waited only for it goes at once.
    let held = budget.try_reserve(60).unwrap();
    let mut large = Box::pin(budget.reserve(50, SOON));
    let mut small = Box::pin(budget.reserve(40, SOON));
    assert!(large.as_mut().now_or_never().is_none());
    assert!(small.as_mut().now_or_never().is_none());
    drop(large);
    assert!(matches!(small.now_or_never(), Some(Ok(_))));
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_budget_may_become_larger_and_smaller() {
    let budget = MemoryBudget::new(10);
    let mut held = budget.try_reserve(10).unwrap();
    let (grown, ()) = tokio::join!(held.grow(20, SOON), async {
        tokio::task::yield_now().await;
        budget.set_total(30);
    });
    assert_eq!((grown, held.bytes()), (Ok(()), 30));
    budget.set_total(5);
    assert_eq!(held.grow(1, SOON).await, Err(OverBudget));
    assert_eq!(held.bytes(), 30, "what is reserved stays");
    held.grow_anyway(3);
    drop(held);
    assert_eq!(budget.report().reserved_bytes, 0);
    assert!(MemoryBudget::unlimited().try_reserve(1 << 60).is_some());
}

proptest! {
    /// Whatever happens, what is reserved is the sum of the reservations, and it is over the total only
    /// by what was held anyway or was alone.
    #[test]
    fn the_account_is_the_sum_of_the_reservations(
        total in 1u64..1_000,
        steps in proptest::collection::vec((0u8..6, 0u64..400, 0usize..8), 0..200),
    ) {
        let budget = MemoryBudget::new(total);
        let mut held: Vec<Reservation> = Vec::new();
        for (what, bytes, which) in steps {
            let before = budget.report().reserved_bytes;
            let at = which.min(held.len().saturating_sub(1));
            let mut may_pass = before == 0;
            match (what, held.is_empty()) {
                (0, _) => held.extend(budget.try_reserve(bytes)),
                (1, _) => {
                    held.push(budget.reserve_anyway(bytes));
                    may_pass = true;
                }
                (2, false) => {
                    held[at].try_grow(bytes);
                }
                (3, false) => held[at].shrink_to(bytes),
                (4, false) => drop(held.swap_remove(at)),
                (5, false) => {
                    let other = held.swap_remove(at);
                    match held.first_mut() {
                        Some(first) => first.join(other),
                        None => held.push(other),
                    }
                }
                _ => {}
            }
            let report = budget.report();
            prop_assert_eq!(report.reserved_bytes, held.iter().map(Reservation::bytes).sum::<u64>());
            prop_assert!(report.reserved_bytes <= total.max(before) || may_pass);
        }
        drop(held);
        prop_assert_eq!(budget.report().reserved_bytes, 0);
    }
}
