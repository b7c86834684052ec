use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::CallEnd;

const SETTINGS: ConcurrencySettings = ConcurrencySettings { least: 4, most: 200 };

fn limit() -> ConcurrencyLimit {
    ConcurrencyLimit::new(SETTINGS, SETTINGS.most)
}

/// A window of twenty calls, or a round of those under way.
fn window(end: CallEnd, under_way: u32) -> CallCounts {
    let mut counts = CallCounts::default();
    for _ in 0..under_way.max(20) {
        counts.add(end, Some(0), under_way);
    }
    counts
}

const fn in_ms(ms: u64) -> CallEnd {
    CallEnd::Answered(Duration::from_millis(ms))
}

fn after(limit: &mut ConcurrencyLimit, windows: u32, end: CallEnd, under_way: u32) -> u32 {
    for _ in 0..windows {
        limit.learn(&window(end, under_way));
    }
    limit.limit()
}

#[test]
fn a_steady_origin_keeps_its_limit() {
    let mut limit = limit();
    assert_eq!(after(&mut limit, 100, in_ms(800), 200), 200);
    // So does one whose answers differ in length.
    for round in 0..100 {
        let mut counts = CallCounts::default();
        for ms in [300, 2_200, 900, 200, 12_000].into_iter().cycle().skip(round).take(151) {
            counts.add(in_ms(ms), Some(0), 150);
        }
        limit.learn(&counts);
    }
    assert_eq!(limit.limit(), 200);
}

#[test]
fn refusals_cut_it_from_what_was_under_way_by_a_tenth_a_window() {
    let mut limit = limit();
    let change = limit.learn(&window(CallEnd::Refused, 100)).unwrap();
    assert_eq!((change.before, change.after), (200, 90));
    assert_eq!(change.reason, ConcurrencyReason::Refusals);
    assert_eq!((change.window.calls, change.window.refused), (100, 100));
    assert_eq!(after(&mut limit, 1, CallEnd::Refused, 90), 81);
    assert_eq!(after(&mut limit, 200, CallEnd::Refused, 81), 4, "the least");
}

#[test]
fn one_refusal_among_many_calls_and_what_is_no_sign_of_load_cut_nothing() {
    let mut limit = limit();
    for _ in 0..50 {
        let mut counts = window(in_ms(500), 200);
        counts.add(CallEnd::Refused, Some(0), 200);
        limit.learn(&counts);
    }
    assert_eq!(limit.limit(), 200);
    assert_eq!(limit.learn(&CallCounts::default()), None);
    // One credential's limit is not that of the others.
    let mut counts = CallCounts::default();
    (0..20).for_each(|_| counts.add(CallEnd::Limited, Some(1), 100));
    counts.add(in_ms(500), Some(2), 100);
    assert_eq!(limit.learn(&counts), None);
    assert_eq!(limit.limit(), 200);
    assert!(limit.learn(&window(CallEnd::Limited, 100)).is_some(), "where it is the only one");
}

#[test]
fn it_grows_back_only_while_it_is_used() {
    let mut limit = limit();
    after(&mut limit, 20, CallEnd::Refused, 50);
    let low = limit.limit();
    assert!(low < 50, "{low}");
    assert_eq!(after(&mut limit, 50, in_ms(500), 1), low, "nobody needs more");
    let used = after(&mut limit, 10, in_ms(500), low);
    assert!(used > low, "{low} {used}");
    assert_eq!(after(&mut limit, 200, in_ms(500), 200), 200);
}

#[test]
fn it_moves_in_steps_of_a_tenth() {
    let mut limit = limit();
    after(&mut limit, 60, CallEnd::Refused, 200);
    let mut changes = Vec::new();
    for _ in 0..200 {
        let under_way = limit.limit();
        changes.extend(limit.learn(&window(in_ms(500), under_way)));
    }
    assert!((10..40).contains(&changes.len()), "{}", changes.len());
    for change in &changes {
        assert_eq!(change.reason, ConcurrencyReason::Well);
        let is_step = change.after - change.before >= (change.before / 10).max(1);
        assert!(is_step || change.after == 200, "{change:?}");
    }
}

/// An origin that serves so many at once in 100 ms each, and lets all others queue.
fn queueing(limit: &mut ConcurrencyLimit, at_once: u32, windows: u32) -> Vec<u32> {
    let mut seen = Vec::new();
    for _ in 0..windows {
        let under_way = limit.limit();
        let ms = 100 * u64::from(under_way.max(at_once)) / u64::from(at_once);
        limit.learn(&window(in_ms(ms), under_way));
        seen.push(limit.limit());
    }
    seen
}

#[test]
fn it_finds_about_what_an_origin_can_do() {
    let mut limit = limit();
    after(&mut limit, 20, in_ms(100), 20);
    let seen = queueing(&mut limit, 40, 100);
    let settled = &seen[20..];
    let (least, most) = (settled.iter().min().unwrap(), settled.iter().max().unwrap());
    assert!(*least >= 40 && *most <= 130, "{seen:?}");
}

#[test]
fn it_gives_up_where_fewer_calls_at_once_are_not_faster() {
    let mut limit = limit();
    after(&mut limit, 50, in_ms(500), 200);
    let mut seen = Vec::new();
    // Longer answers: no queue.
    for _ in 0..100 {
        let under_way = limit.limit();
        limit.learn(&window(in_ms(5_000), under_way));
        seen.push(limit.limit());
    }
    let least = *seen.iter().min().unwrap();
    assert!((60..140).contains(&least), "{seen:?}");
    assert_eq!(limit.limit(), 200, "{seen:?}");
}

proptest! {
    #[test]
    fn it_stays_between_its_bounds_and_can_be_decided_again(
        ends in proptest::collection::vec((0_u8..4, 1_u64..60_000, 0_u32..400), 0..300),
        least in 0_u32..50,
        most in 0_u32..300,
    ) {
        let mut limit = ConcurrencyLimit::new(ConcurrencySettings { least, most }, most);
        for (kind, ms, under_way) in ends {
            let end = match kind {
                0 => CallEnd::Refused,
                1 => CallEnd::Limited,
                _ => in_ms(ms),
            };
            let before = limit.limit();
            let change = limit.learn(&window(end, under_way));
            prop_assert_eq!(change.is_some(), limit.limit() != before);
            if let Some(change) = change {
                prop_assert_eq!((change.before, change.after), (before, limit.limit()));
                prop_assert_eq!(adapted(&change.window).limit, change.after);
                let rises = change.after > before;
                prop_assert_eq!(rises, change.reason == ConcurrencyReason::Well);
            }
            prop_assert!((least.max(1)..=most.max(least).max(1)).contains(&limit.limit()));
        }
    }

    /// What is slower or refused more never gets more.
    #[test]
    fn more_trouble_never_means_a_higher_limit(
        seconds in 0.01_f64..10.0,
        usual in 0.01_f64..10.0,
        refused in 0_u32..20,
        under_way in 1_u32..300,
        exact in 4.0_f64..200.0,
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 4 to 200")]
        let limit = exact.round() as u32;
        let window = Window {
            calls: 20,
            refused,
            seconds,
            usual_seconds: usual,
            most_under_way: under_way,
            exact,
            limit,
            bounds: SETTINGS,
        };
        let here = adapted(&window);
        let slower = adapted(&Window { seconds: seconds * 3.0, ..window });
        prop_assert!(slower.exact <= here.exact + 1e-9);
        let refusing = adapted(&Window { refused: 20, ..window });
        prop_assert!(refusing.exact <= exact);
    }
}
