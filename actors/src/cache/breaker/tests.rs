use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::Breaker;
use crate::clock::{Clock as _, ManualClock};
use crate::settings::BreakerSettings;

const fn settings(failures: u32) -> BreakerSettings {
    BreakerSettings {
        failures,
        probe_after: Duration::from_millis(100),
        probe_at_most: Duration::from_millis(350),
    }
}

fn opened(now: Instant) -> Breaker {
    let mut breaker = Breaker::new(settings(1));
    assert!(breaker.failed(now));
    breaker
}

#[test]
fn it_opens_at_the_limit_of_failures_in_a_row() {
    // `f`: a failure, `s`: a success; expected: open at the end.
    let table = [
        (3, "", false),
        (3, "ff", false),
        (3, "fff", true),
        (3, "ffsff", false),
        (3, "ffsfff", true),
        (1, "f", true),
        (0, "f", true),
        (0, "s", false),
        (2, "ffs", true),
    ];
    let now = ManualClock::new().now();
    for (failures, calls, open) in table {
        let mut breaker = Breaker::new(settings(failures));
        for call in calls.chars() {
            match call {
                'f' => drop(breaker.failed(now)),
                _ => breaker.succeeded(),
            }
        }
        assert_eq!(breaker.is_open(), open, "limit {failures}, calls {calls:?}");
        assert_eq!(breaker.allows(), !open, "limit {failures}, calls {calls:?}");
        assert_eq!(breaker.times_opened(), u64::from(open), "limit {failures}, calls {calls:?}");
    }
}

#[test]
fn the_failure_that_opens_it_says_so_and_later_ones_do_not() {
    let now = ManualClock::new().now();
    let mut breaker = Breaker::new(settings(2));
    assert!(!breaker.failed(now));
    assert!(breaker.failed(now));
    assert!(!breaker.failed(now));
    assert_eq!(breaker.times_opened(), 1);
}

#[test]
fn probes_wait_and_each_failed_one_doubles_the_wait_up_to_the_longest() {
    let mut now = ManualClock::new().now();
    let mut breaker = opened(now);
    for wait_ms in [100, 200, 350, 350] {
        let wait = Duration::from_millis(wait_ms);
        assert!(!breaker.probe_due(now + wait - Duration::from_millis(1)), "wait {wait_ms}");
        now += wait;
        assert!(breaker.probe_due(now), "wait {wait_ms}");
        breaker.probe_started();
        assert!(!breaker.probe_due(now + Duration::from_secs(60)), "one probe at a time");
        breaker.probe_failed(now);
    }
}

#[test]
fn a_probe_that_succeeds_closes_it_and_the_next_opening_starts_with_the_first_wait() {
    let now = ManualClock::new().now();
    let mut breaker = opened(now);
    breaker.probe_started();
    breaker.probe_failed(now);
    breaker.probe_started();
    breaker.probe_succeeded();
    assert!(breaker.allows());
    assert!(!breaker.probe_due(now + Duration::from_secs(60)), "closed: nothing to probe");
    assert!(breaker.failed(now));
    assert!(breaker.probe_due(now + Duration::from_millis(100)));
    assert_eq!(breaker.times_opened(), 2);
}

#[test]
fn waits_past_the_end_of_time_do_not_panic() {
    let mut breaker = Breaker::new(BreakerSettings {
        failures: 1,
        probe_after: Duration::MAX,
        probe_at_most: Duration::MAX,
    });
    let now = ManualClock::new().now();
    assert!(breaker.failed(now));
    breaker.probe_failed(now);
    assert!(breaker.is_open());
}

proptest! {
    #[test]
    fn only_a_probe_closes_it_and_one_is_always_due_within_the_longest_wait(
        failures in 0_u32..5,
        steps in proptest::collection::vec((0_u8..5, 0_u64..400), 0..200),
    ) {
        let settings = settings(failures);
        let longest = settings.probe_at_most;
        let mut breaker = Breaker::new(settings);
        let mut now = ManualClock::new().now();
        let mut probing = false;
        for (step, passed_ms) in steps {
            now += Duration::from_millis(passed_ms);
            let was_open = breaker.is_open();
            match step {
                0 => breaker.succeeded(),
                1 => {
                    let opened = breaker.failed(now);
                    prop_assert_eq!(opened, !was_open && breaker.is_open());
                }
                2 if breaker.probe_due(now) => {
                    prop_assert!(was_open && !probing);
                    breaker.probe_started();
                    probing = true;
                }
                3 if probing => {
                    breaker.probe_failed(now);
                    probing = false;
                }
                4 if probing => {
                    breaker.probe_succeeded();
                    prop_assert!(breaker.allows());
                    probing = false;
                    continue;
                }
                _ => {}
            }
            prop_assert!(!was_open || breaker.is_open(), "step {} closed it", step);
            prop_assert_eq!(breaker.is_open() && !probing, breaker.probe_due(now + longest));
        }
    }
}
