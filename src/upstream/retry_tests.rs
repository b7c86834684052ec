//! Repeats by table and by property; no time passes here.

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

const SPEC: RetrySpec = RetrySpec {
    attempts: 2,
    base: Duration::from_millis(100),
    at_most: Duration::from_millis(1_000),
    wait_at_most: Duration::from_secs(2),
    posts: false,
};

const fn answer(status: u16) -> Came {
    Came::Answer { status, retry_after: None }
}

const fn asked(status: u16, seconds: u64) -> Came {
    Came::Answer { status, retry_after: Some(Duration::from_secs(seconds)) }
}

fn next(is_safe: bool, came: Came) -> Option<Duration> {
    Retries::new(SPEC, is_safe, MINUTE).next(came, Duration::ZERO, 0)
}

#[test]
fn what_is_repeated_depends_on_what_came_and_on_the_harm_of_a_second_time() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    // What came, for a request that may be repeated, for one that may not.
    for (came, safe, unsafe_one) in [
        (Came::Unsent, seconds(0), seconds(0)),
        (Came::Nothing, seconds(0), None),
        (Came::Stale, seconds(0), seconds(0)),
        (Came::Other, None, None),
        (answer(502), seconds(0), None),
        (answer(503), seconds(0), None),
        (answer(504), seconds(0), None),
        (answer(529), seconds(0), None),
        (asked(503, 2), seconds(2), None),
        (asked(529, 1), seconds(1), None),
        (asked(503, 3), None, None),
        (asked(503, u64::MAX), None, None),
        (asked(429, 0), seconds(0), None),
        (asked(429, 2), seconds(2), None),
        (asked(429, 3), None, None),
        (answer(429), None, None),
        (answer(200), None, None),
        (asked(200, 1), None, None),
        (answer(400), None, None),
        (answer(401), None, None),
        (answer(404), None, None),
        (answer(500), None, None),
        (answer(501), None, None),
    ] {
        assert_eq!(next(true, came), safe, "{came:?}, safe");
        assert_eq!(next(false, came), unsafe_one, "{came:?}, not safe");
    }
}

#[test]
fn only_what_changes_nothing_or_is_told_apart_may_be_repeated_after_it_was_sent() {
    for (method, is_keyed, posts, expected) in [
        ("GET", false, false, true),
        ("HEAD", false, false, true),
        ("POST", false, false, false),
        ("POST", true, false, true),
        ("POST", false, true, true),
        ("PUT", false, true, false),
        ("PUT", true, false, true),
        ("DELETE", false, true, false),
        ("PATCH", false, true, false),
        ("OPTIONS", false, false, false),
        ("get", false, false, false),
    ] {
        assert_eq!(is_safe(method, is_keyed, posts), expected, "{method} {is_keyed} {posts}");
    }
}

#[test]
fn waits_are_random_parts_that_double_up_to_the_longest() {
    let spec = RetrySpec { attempts: 6, ..SPEC };
    // One less than the modulus gives the longest wait there is.
    let longest_of = |millis: u64| millis * 1_000_000;
    let mut retries = Retries::new(spec, true, MINUTE);
    for millis in [100, 200, 400, 800, 1_000, 1_000] {
        let wait = retries.next(Came::Unsent, Duration::ZERO, longest_of(millis));
        assert_eq!(wait, Some(Duration::from_millis(millis)));
    }
    assert_eq!(retries.next(Came::Unsent, Duration::ZERO, 0), None, "no seventh");
}

#[test]
fn there_are_no_more_repeats_than_attempts() {
    for attempts in [0, 1, 2, 10] {
        let mut retries = Retries::new(RetrySpec { attempts, ..SPEC }, true, MINUTE);
        let mut count = 0;
        while retries.next(answer(503), Duration::ZERO, 7).is_some() {
            count += 1;
        }
        assert_eq!(count, attempts);
    }
}

#[test]
fn a_first_try_on_a_stale_connection_is_repeated_at_once_and_counts() {
    for (attempts, is_safe, repeats) in [(0, true, 1), (0, false, 1), (2, false, 1), (2, true, 2)] {
        let mut retries = Retries::new(RetrySpec { attempts, ..SPEC }, is_safe, MINUTE);
        let first = retries.next(Came::Stale, Duration::ZERO, 1);
        assert_eq!(first, Some(Duration::ZERO));
        let mut count = 1;
        while retries.next(Came::Stale, Duration::ZERO, 1).is_some() {
            count += 1;
        }
        assert_eq!(count, repeats, "{attempts} attempts, safe: {is_safe}");
    }
}

#[test]
fn no_repeat_begins_past_the_time_there_is() {
    for (elapsed, came, is_repeated) in [
        (59 * 1_000, Came::Unsent, true),
        (59 * 1_000 + 999, Came::Unsent, true),
        (60 * 1_000, Came::Unsent, false),
        (58 * 1_000, asked(503, 1), true),
        (58 * 1_000, asked(503, 2), false),
        (u64::MAX, Came::Unsent, false),
    ] {
        let mut retries = Retries::new(SPEC, true, MINUTE);
        let wait = retries.next(came, Duration::from_millis(elapsed), 0);
        assert_eq!(wait.is_some(), is_repeated, "{elapsed} ms, {came:?}");
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    // Sun, 06 Nov 1994 08:49:37 GMT is the example of RFC 9110 §5.6.7, in its three forms.
    let at = 784_111_777_000;
    for (value, wall_ms, expected) in [
        ("0", at, Some(0)),
        ("120", at, Some(120_000)),
        (" 7 ", at, Some(7_000)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", at - 1_500, Some(1_500)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", at - 2_000, Some(2_000)),
        ("Sun Nov  6 08:49:37 1994", at - 3_000, Some(3_000)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", at, Some(0)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", at + 9_000, Some(0)),
        ("", at, None),
        ("soon", at, None),
        ("-1", at, None),
        ("+1", at, None),
        ("1.5", at, None),
        ("1, 2", at, None),
    ] {
        let expected = expected.map(Duration::from_millis);
        assert_eq!(retry_after(value, wall_ms), expected, "{value:?} at {wall_ms}");
    }
    let forever = retry_after("99999999999999999999999", at);
    assert!(forever.is_some_and(|wait| wait > MINUTE * 1_000_000));
}

proptest! {
    #[test]
    fn repeats_keep_to_their_bounds_whatever_comes(
        attempts in 0_u32..6,
        is_safe: bool,
        steps in proptest::collection::vec(
            (0_u8..5, prop_oneof![Just(429_u16), Just(500), 502..505_u16, Just(529)],
             proptest::option::of(0_u64..5), 0_u64..30_000, any::<u64>()),
            0..12,
        ),
    ) {
        let spec = RetrySpec { attempts, ..SPEC };
        let mut retries = Retries::new(spec, is_safe, MINUTE);
        let (mut elapsed, mut count) = (Duration::ZERO, 0);
        for (kind, status, seconds, passed_ms, random) in steps {
            elapsed += Duration::from_millis(passed_ms);
            let retry_after = seconds.map(Duration::from_secs);
            let came = match kind {
                0 => Came::Unsent,
                1 => Came::Nothing,
                2 => Came::Answer { status, retry_after },
                3 => Came::Stale,
                _ => Came::Other,
            };
            let Some(wait) = retries.next(came, elapsed, random) else { continue };
            count += 1;
            elapsed += wait;
            if came == Came::Stale && count == 1 {
                prop_assert!(wait.is_zero());
                continue;
            }
            prop_assert!(count <= attempts && elapsed < MINUTE);
            prop_assert!(is_safe || came == Came::Unsent);
            let asked_for = retry_after.filter(|_| kind == 2).unwrap_or_default();
            prop_assert!(asked_for <= spec.wait_at_most);
            prop_assert!(wait >= asked_for && wait <= asked_for + spec.at_most);
        }
    }

    #[test]
    fn no_text_makes_the_reader_of_retry_after_panic(text in "\\PC{0,40}", wall_ms: u64) {
        let _ = retry_after(&text, wall_ms);
    }
}
