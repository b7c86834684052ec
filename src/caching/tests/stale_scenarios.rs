//! Stale answers, clocks, and guesses.

use super::model::{Model, Reply};
use crate::caching::{Heuristic, Sharing, StaleWindows};

fn ok(fields: &[(&str, &str)]) -> Reply {
    Reply::new(200, fields, "first")
}

fn second(fields: &[(&str, &str)]) -> Reply {
    Reply::new(200, fields, "second")
}

/// RFC 5861 §3: stale while it is refreshed, once for the window, then no more.
#[test]
fn a_stale_answer_is_sent_while_it_is_refreshed() {
    let mut cache = Model::new(Sharing::Private);
    cache.will_answer(ok(&[("cache-control", "max-age=60, stale-while-revalidate=30")]));
    cache.get("/a", &[]);
    cache.pass_s(90);
    let stale = cache.get("/a", &[]);
    assert_eq!((stale.body, stale.field("age")), ("first", Some("90")));
    assert_eq!(cache.refreshing, ["/a"]);
    cache.pass_s(1);
    cache.will_answer(second(&[]));
    assert_eq!(cache.get("/a", &[]).body, "second");
}

/// RFC 5861 §4, RFC 9111 §4.2.4, §4.3.3: stale in place of an error, where that is allowed.
#[test]
fn a_stale_answer_stands_in_for_a_failed_origin() {
    let failures = [None, Some(429), Some(500), Some(503), Some(504)];
    for (control, stands_in) in [
        ("max-age=60", true),
        ("max-age=60, stale-if-error=100", true),
        ("max-age=60, stale-if-error=10", false),
        ("max-age=60, must-revalidate", false),
        ("max-age=60, no-cache", false),
    ] {
        for status in failures {
            let mut cache = Model::new(Sharing::Private);
            cache.windows = StaleWindows { while_revalidate_ms: 0, if_error_ms: 60_000 };
            cache.will_answer(ok(&[("cache-control", control), ("etag", "\"a\"")]));
            cache.get("/a", &[]);
            cache.pass_s(100);
            cache.script.push_back(status.map(|status| Reply::new(status, &[], "")));
            let found = cache.get("/a", &[]);
            let expected = if stands_in { 200 } else { status.unwrap_or(502) };
            assert_eq!(found.status, expected, "{control} {status:?}");
            assert_eq!(found.field("age"), stands_in.then_some("100"), "{control} {status:?}");
        }
    }
    let mut cache = Model::new(Sharing::Private);
    cache.windows = StaleWindows { while_revalidate_ms: 0, if_error_ms: 60_000 };
    cache.will_answer(ok(&[("cache-control", "max-age=60")]));
    cache.get("/a", &[]);
    cache.pass_s(100);
    cache.will_answer(Reply::new(404, &[], ""));
    assert_eq!(cache.get("/a", &[]).status, 404, "an answer, not a failure");
}

/// RFC 9111 §4.2.3: a clock that steps back makes nothing younger than it came.
#[test]
fn a_clock_that_steps_back_makes_no_negative_age() {
    let mut cache = Model::new(Sharing::Private);
    cache.will_answer(ok(&[("cache-control", "max-age=60"), ("age", "10")]));
    cache.get("/a", &[]);
    cache.now_ms -= 86_400_000;
    assert_eq!(cache.get("/a", &[]).field("age"), Some("10"));
    cache.now_ms += 2 * 86_400_000;
    cache.will_answer(second(&[]));
    assert_eq!(cache.get("/a", &[]).body, "second");
}

/// RFC 9111 §4.2.2: where nothing is said the route's lifetime is the guess, for 200 and not 500.
#[test]
fn where_nothing_is_said_the_routes_lifetime_holds() {
    for (status, is_kept) in [(200, true), (404, false), (500, false)] {
        let mut cache = Model::new(Sharing::Private);
        cache.heuristic = Heuristic { longest_ms: 60_000, otherwise_ms: 60_000 };
        cache.will_answer(Reply::new(status, &[], "first"));
        cache.get("/a", &[]);
        cache.will_answer(second(&[]));
        let expected = if is_kept { "first" } else { "second" };
        assert_eq!(cache.get("/a", &[]).body, expected, "{status}");
    }
}
