use proptest::prelude::*;

use super::*;

const SETTINGS: ConcurrencySettings = ConcurrencySettings { least: 4, most: 200 };

fn after(limit: &mut ConcurrencyLimit, calls: u32, end: CallEnd, under_way: u32) -> u32 {
    for _ in 0..calls {
        limit.ended(end, under_way);
    }
    limit.limit()
}

const fn in_ms(ms: u64) -> CallEnd {
    CallEnd::Answered(Duration::from_millis(ms))
}

#[test]
fn a_steady_origin_keeps_its_limit() {
    let mut limit = ConcurrencyLimit::new(SETTINGS);
    assert_eq!(after(&mut limit, 2_000, in_ms(800), 200), 200);
    // So does one whose answers differ in length.
    for ms in [300, 1_200, 900, 200].into_iter().cycle().take(2_000) {
        limit.ended(in_ms(ms), 150);
    }
    assert_eq!(limit.limit(), 200);
}

#[test]
fn refusals_cut_it_from_what_was_under_way_by_a_tenth_a_window() {
    let mut limit = ConcurrencyLimit::new(SETTINGS);
    assert_eq!(after(&mut limit, 19, CallEnd::Refused, 100), 200);
    let change = limit.ended(CallEnd::Refused, 100).unwrap();
    assert_eq!((change.before, change.after), (200, 90));
    assert_eq!(change.reason, ConcurrencyReason::Refusals);
    assert_eq!((change.window.calls, change.window.refused), (20, 20));
    assert_eq!(after(&mut limit, 20, CallEnd::Refused, 90), 81);
    assert_eq!(after(&mut limit, 20_000, CallEnd::Refused, 81), 4, "the least");
}

#[test]
fn one_refusal_among_many_calls_and_what_is_no_sign_of_load_cut_nothing() {
    let mut limit = ConcurrencyLimit::new(SETTINGS);
    for _ in 0..50 {
        limit.ended(CallEnd::Refused, 200);
        after(&mut limit, 19, in_ms(500), 200);
    }
    assert_eq!(after(&mut limit, 1_000, CallEnd::Other, 200), 200);
}

#[test]
fn it_grows_back_only_while_it_is_used() {
    let mut limit = ConcurrencyLimit::new(SETTINGS);
    after(&mut limit, 400, CallEnd::Refused, 50);
    let low = limit.limit();
    assert_eq!(after(&mut limit, 1_000, in_ms(500), 1), low, "nobody needs more");
    let used = after(&mut limit, 1_000, in_ms(500), low);
    assert!(used > low, "{low} {used}");
    assert_eq!(after(&mut limit, 100_000, in_ms(500), 200), 200);
}

#[test]
fn much_slower_answers_lower_it_until_they_are_usual() {
    let mut limit = ConcurrencyLimit::new(SETTINGS);
    after(&mut limit, 2_000, in_ms(500), 200);
    let slower = after(&mut limit, 100, in_ms(5_000), 200);
    assert!(slower < 180, "{slower}");
    // What has become usual is no queue.
    after(&mut limit, 4_000, in_ms(5_000), 100);
    assert_eq!(after(&mut limit, 100_000, in_ms(5_000), 200), 200);
}

/// An origin that serves 40 at once in 100 ms each, and lets all others queue.
#[test]
fn it_finds_about_what_an_origin_can_do() {
    let mut limit = ConcurrencyLimit::new(SETTINGS);
    after(&mut limit, 400, in_ms(100), 20);
    let mut seen = Vec::new();
    for round in 0..40_000_u32 {
        let under_way = limit.limit();
        let ms = 100 * u64::from(under_way.max(40)) / 40;
        limit.ended(in_ms(ms), under_way);
        if round > 20 * 20 && round < 20 * 60 {
            seen.push(under_way);
        }
    }
    let least = *seen.iter().min().unwrap();
    assert!((60..=140).contains(&least), "{least}");
}

proptest! {
    #[test]
    fn it_stays_between_its_bounds(
        ends in proptest::collection::vec((0_u8..4, 1_u64..60_000, 0_u32..400), 0..2_000),
        least in 0_u32..50,
        most in 0_u32..300,
    ) {
        let mut limit = ConcurrencyLimit::new(ConcurrencySettings { least, most });
        for (kind, ms, under_way) in ends {
            let end = match kind {
                0 => CallEnd::Refused,
                1 => CallEnd::Other,
                _ => in_ms(ms),
            };
            let before = limit.limit();
            let change = limit.ended(end, under_way);
            prop_assert_eq!(change.is_some(), limit.limit() != before);
            if let Some(change) = change {
                prop_assert_eq!((change.before, change.after), (before, limit.limit()));
                prop_assert!(change.after > before || change.reason != ConcurrencyReason::Well);
            }
            prop_assert!((least.max(1)..=most.max(least).max(1)).contains(&limit.limit()));
        }
    }
}
