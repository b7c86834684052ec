use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn quota(limit: u64) -> Quota {
    Quota::per_minute(NonZeroU64::new(limit).unwrap())
}

/// A manual clock, and uses of a quota of 6 a minute: one comes back every 10 s.
#[test]
fn a_whole_quota_may_be_used_at_once_and_comes_back_evenly() {
    let quota = quota(6);
    let mut whole_at = 0;
    for (at_s, units, outcome) in [
        (100, 4, Ok(2)),
        (100, 2, Ok(0)),
        (100, 1, Err(10)),
        (100, 6, Err(60)),
        (109, 1, Err(1)),
        (110, 1, Ok(0)),
        (125, 1, Ok(0)),
        (125, 1, Err(5)),
        (130, 1, Ok(0)),
        (1_000, 6, Ok(0)),
        (1_059, 5, Ok(0)),
        (1_060, 1, Ok(0)),
        (1_060, 1, Err(10)),
    ] {
        let now = at_s * SECOND;
        let taken = quota.take(whole_at, now, units);
        whole_at = taken.unwrap_or(whole_at);
        let seen = taken.map(|_| quota.left(whole_at, now).units).map_err(|wait| wait.as_secs());
        assert_eq!(seen, outcome, "{units} at {at_s}");
    }
}

#[test]
fn what_is_left_is_told_with_the_time_until_it_is_whole() {
    let quota = quota(60);
    assert_eq!(quota.left(0, 5 * SECOND), Left { units: 60, whole_in: Duration::ZERO });
    let whole_at = quota.take(0, 5 * SECOND, 20).unwrap();
    let left = |at: u64| quota.left(whole_at, at * SECOND);
    assert_eq!(left(5), Left { units: 40, whole_in: Duration::from_secs(20) });
    assert_eq!(left(15), Left { units: 50, whole_in: Duration::from_secs(10) });
    assert_eq!(left(25), Left { units: 60, whole_in: Duration::ZERO });
}

#[test]
fn a_use_is_settled_by_what_it_cost() {
    let quota = quota(60);
    for (taken, used, left, waits_s) in [
        (30, 30, 30, None),
        (30, 0, 60, None),
        (30, 10, 50, None),
        (30, 45, 15, None),
        (30, 60, 0, Some(1)),
        (30, 90, 0, Some(31)),
        (60, 1_000, 0, Some(941)),
        (0, u64::MAX, 0, Some(3_601)),
    ] {
        let whole_at = quota.take(0, SECOND, taken).unwrap();
        let whole_at = quota.settle(whole_at, SECOND, taken, used);
        assert_eq!(quota.left(whole_at, SECOND).units, left, "{taken} {used}");
        let waits = quota.take(whole_at, SECOND, 1).err();
        assert_eq!(waits.map(|wait| wait.as_secs()), waits_s, "{taken} {used}");
    }
}

#[test]
fn more_than_the_whole_counts_as_the_whole() {
    let quota = quota(10);
    assert_eq!(quota.capped(11), 10);
    let whole_at = quota.take(0, 0, u64::MAX).unwrap();
    assert_eq!(quota.left(whole_at, 0).units, 0);
    assert!(quota.take(whole_at, 59 * SECOND, u64::MAX).is_err());
    assert!(quota.take(whole_at, 60 * SECOND, u64::MAX).is_ok());
}

#[test]
fn a_refund_never_makes_more_than_a_whole_quota() {
    let quota = quota(60);
    let whole_at = quota.take(0, SECOND, 60).unwrap();
    // A long call: refilled meanwhile, and half used again.
    let whole_at = quota.take(whole_at, 200 * SECOND, 30).unwrap();
    let whole_at = quota.settle(whole_at, 200 * SECOND, 60, 0);
    assert_eq!(quota.left(whole_at, 200 * SECOND).units, 60);
}

proptest! {
    /// In any time at most the whole quota and what was refilled in it is used.
    #[test]
    fn no_order_of_uses_gets_more_than_the_quota(
        limit in 1_u64..2_000_000,
        uses in proptest::collection::vec((0_u64..20 * SECOND, 0_u64..3_000_000), 1..60),
    ) {
        let quota = quota(limit);
        let (mut whole_at, mut now, mut used) = (0, SECOND, 0_u128);
        for (pause, units) in uses {
            now += pause;
            match quota.take(whole_at, now, units) {
                Ok(after) => {
                    whole_at = after;
                    used += u128::from(quota.capped(units));
                }
                Err(wait) => {
                    let then = now + u64::try_from(wait.as_nanos()).unwrap();
                    prop_assert!(quota.take(whole_at, then, units).is_ok());
                    prop_assert!(quota.take(whole_at, then - 1, units).is_err());
                }
            }
            let refilled = u128::from(now - SECOND) * u128::from(limit) / u128::from(60 * SECOND);
            prop_assert!(used <= u128::from(limit) + refilled + 1);
            prop_assert!(quota.left(whole_at, now).units <= limit);
        }
    }

    #[test]
    fn no_numbers_overflow(limit in 1_u64.., whole_at: u64, now: u64, taken: u64, used: u64) {
        let quota = quota(limit);
        let _ = quota.take(whole_at, now, taken);
        let settled = quota.settle(whole_at, now, taken, used);
        prop_assert!(quota.left(settled, now).units <= limit);
    }
}
