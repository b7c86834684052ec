//! The breaker by table and by property, on a clock that the test holds.

use anteroom_actors::clock::{Clock as _, ManualClock};
use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

const fn spec(failures: u32) -> BreakerSpec {
    BreakerSpec { failures, open_for: SECOND, open_at_most: Duration::from_secs(5) }
}

/// Lets a call through and reports its end at once.
fn call(breaker: &mut Breaker, end: End, now: Instant) -> Option<Turn> {
    let ticket = breaker.admit(now).unwrap();
    breaker.ended(ticket, end, now, 0)
}

fn opened(now: Instant) -> Breaker {
    let mut breaker = Breaker::new(spec(1));
    assert_eq!(call(&mut breaker, End::Failed, now), Some(Turn::Opened(SECOND)));
    breaker
}

#[test]
fn it_opens_at_the_limit_of_failed_calls_in_a_row() {
    let now = ManualClock::new().now();
    // `f`: failed, `a`: answered, `u`: unknown; expected: open at the end.
    for (failures, calls, is_open) in [
        (3, "", false),
        (3, "ff", false),
        (3, "fff", true),
        (3, "ffaff", false),
        (3, "ffafff", true),
        (3, "fufuf", true),
        (3, "uuuuu", false),
        (1, "f", true),
        (0, "ffffffffff", false),
    ] {
        let mut breaker = Breaker::new(spec(failures));
        for sign in calls.chars() {
            let end = match sign {
                'f' => End::Failed,
                'a' => End::Answered,
                _ => End::Unknown,
            };
            let _ = call(&mut breaker, end, now);
        }
        assert_eq!(breaker.is_open(), is_open, "limit {failures}, calls {calls:?}");
        assert_eq!(breaker.admit(now).is_err(), is_open, "limit {failures}, calls {calls:?}");
    }
}

#[test]
fn only_statuses_of_an_upstream_that_fails_are_failures() {
    for status in 100..600 {
        let expected = [500, 502, 503, 504, 529].contains(&status);
        assert_eq!(is_failure(status), expected, "{status}");
    }
}

#[test]
fn each_failed_probe_doubles_the_wait_up_to_the_longest() {
    let mut now = ManualClock::new().now();
    let mut breaker = opened(now);
    for (wait, next) in [(1, 2), (2, 4), (4, 5), (5, 5), (5, 5)] {
        let wait = Duration::from_secs(wait);
        let early = now + wait - Duration::from_millis(1);
        assert_eq!(breaker.admit(early), Err(Duration::from_millis(1)));
        now += wait;
        let probe = breaker.admit(now).unwrap();
        assert!(probe.is_probe());
        assert_eq!(breaker.admit(now), Err(SECOND), "one probe at a time");
        let turn = breaker.ended(probe, End::Failed, now, 0);
        assert_eq!(turn, Some(Turn::Opened(Duration::from_secs(next))));
    }
}

#[test]
fn an_answered_probe_closes_it_and_the_next_opening_begins_with_the_first_wait() {
    let mut now = ManualClock::new().now();
    let mut breaker = opened(now);
    for wait in [1, 2] {
        now += Duration::from_secs(wait);
        let probe = breaker.admit(now).unwrap();
        let end = if wait == 1 { End::Failed } else { End::Answered };
        breaker.ended(probe, end, now, 0).unwrap();
    }
    assert!(!breaker.is_open());
    assert_eq!(call(&mut breaker, End::Failed, now), Some(Turn::Opened(SECOND)));
}

#[test]
fn what_began_before_an_opening_or_a_closing_says_nothing_after_it() {
    let now = ManualClock::new().now();
    let mut breaker = Breaker::new(spec(1));
    let [late_answer, late_failure] = [breaker.admit(now).unwrap(), breaker.admit(now).unwrap()];
    assert!(breaker.allows_repeat(late_answer));
    call(&mut breaker, End::Failed, now).unwrap();
    assert!(!breaker.allows_repeat(late_answer), "it has opened since");
    assert_eq!(breaker.ended(late_answer, End::Answered, now, 0), None);
    assert!(breaker.is_open());
    let probe = breaker.admit(now + SECOND).unwrap();
    assert!(!breaker.allows_repeat(probe), "a probe is one call");
    assert_eq!(breaker.ended(probe, End::Answered, now + SECOND, 0), Some(Turn::Closed));
    assert!(!breaker.allows_repeat(late_failure), "it has opened and closed since");
    assert_eq!(breaker.ended(late_failure, End::Failed, now + SECOND, 0), None);
    assert!(!breaker.is_open());
}

#[test]
fn a_slow_probe_keeps_the_next_one_back_no_longer_than_the_wait() {
    let now = ManualClock::new().now();
    let mut breaker = opened(now);
    let slow = breaker.admit(now + SECOND).unwrap();
    let almost = now + 2 * SECOND - Duration::from_millis(1);
    assert_eq!(breaker.admit(almost), Err(Duration::from_millis(1)));
    let second = breaker.admit(now + 2 * SECOND).unwrap();
    // The slow one has been overtaken: its failure is old news, its answer is good news.
    assert_eq!(breaker.ended(slow, End::Failed, now + 2 * SECOND, 0), None);
    assert_eq!(breaker.admit(now + 2 * SECOND), Err(SECOND), "the second is under way");
    assert_eq!(breaker.ended(slow, End::Answered, now + 2 * SECOND, 0), Some(Turn::Closed));
    assert_eq!(breaker.ended(second, End::Failed, now + 2 * SECOND, 0), None);
    assert!(!breaker.is_open());
}

#[test]
fn an_abandoned_probe_makes_room_for_the_next() {
    let now = ManualClock::new().now() + SECOND;
    let mut breaker = opened(now - SECOND);
    for _ in 0..3 {
        let probe = breaker.admit(now).unwrap();
        assert!(breaker.admit(now).is_err());
        breaker.abandoned(probe);
    }
    let probe = breaker.admit(now).unwrap();
    assert_eq!(breaker.ended(probe, End::Unknown, now, 0), None);
    assert!(breaker.admit(now).is_ok() && breaker.is_open());
}

#[test]
fn a_wait_is_up_to_a_quarter_longer_at_random() {
    let now = ManualClock::new().now();
    for (random, wait_ms) in [(0, 1_000), (249, 1_249), (250, 1_000), (u64::MAX, 1_115)] {
        let mut breaker = Breaker::new(spec(1));
        let ticket = breaker.admit(now).unwrap();
        let wait = Duration::from_millis(wait_ms);
        let turn = breaker.ended(ticket, End::Failed, now, random);
        assert_eq!(turn, Some(Turn::Opened(wait)), "{random}");
        assert!(breaker.admit(now + wait - Duration::from_millis(1)).is_err());
        assert!(breaker.admit(now + wait).is_ok());
    }
}

#[test]
fn waits_past_the_end_of_time_do_not_panic() {
    let longest = Duration::MAX;
    let mut breaker =
        Breaker::new(BreakerSpec { failures: 1, open_for: longest, open_at_most: longest });
    let now = ManualClock::new().now();
    let ticket = breaker.admit(now).unwrap();
    breaker.ended(ticket, End::Failed, now, u64::MAX).unwrap();
    assert!(breaker.is_open());
}

proptest! {
    /// Whatever the order of calls and ends: it opens only at the limit, only an answered probe
    /// closes it, no two probes are let through at once, and none is kept back past the longest
    /// wait.
    #[test]
    fn only_a_probe_closes_it_and_one_is_let_through_within_the_longest_wait(
        failures in 0_u32..4,
        steps in proptest::collection::vec((0_u8..6, 0_u64..3_000, any::<u64>()), 0..150),
    ) {
        let longest = spec(failures).open_at_most + spec(failures).open_at_most / 4;
        let mut breaker = Breaker::new(spec(failures));
        let mut now = ManualClock::new().now();
        let mut under_way: Vec<Ticket> = Vec::new();
        let mut failed_in_row = 0;
        for (step, passed_ms, random) in steps {
            now += Duration::from_millis(passed_ms);
            let was_open = breaker.is_open();
            if step < 3 {
                match breaker.admit(now) {
                    Ok(ticket) => {
                        prop_assert_eq!(ticket.is_probe(), was_open);
                        under_way.push(ticket);
                        if was_open {
                            prop_assert!(breaker.admit(now).is_err(), "a second probe at once");
                        }
                    }
                    Err(wait) => {
                        prop_assert!(was_open && !wait.is_zero() && wait <= longest);
                    }
                }
                continue;
            }
            if under_way.is_empty() {
                continue;
            }
            let at = usize::try_from(random % 1_000).unwrap() % under_way.len();
            let ticket = under_way.swap_remove(at);
            let end = [End::Answered, End::Failed, End::Unknown][usize::from(step - 3)];
            let is_present = ticket.period == breaker.period;
            match breaker.ended(ticket, end, now, random) {
                Some(Turn::Closed) => {
                    prop_assert!(was_open && ticket.is_probe() && end == End::Answered);
                    failed_in_row = 0;
                }
                Some(Turn::Opened(wait)) => {
                    prop_assert!(end == End::Failed && failures > 0 && wait <= longest);
                    prop_assert!(ticket.is_probe() == was_open);
                    if !was_open {
                        prop_assert_eq!(failed_in_row + 1, failures);
                    }
                }
                None => prop_assert_eq!(was_open, breaker.is_open()),
            }
            if !was_open && is_present {
                match end {
                    End::Answered => failed_in_row = 0,
                    End::Failed => failed_in_row += 1,
                    End::Unknown => {}
                }
            }
        }
        prop_assert!(breaker.admit(now + longest).is_ok());
    }
}
