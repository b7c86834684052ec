use proptest::prelude::*;

use super::super::life::Rules;
use super::Cause::{Request, Response, Stale};
use super::StaleUse::{IfError, MaxStale, WhileRevalidate};
use super::Standing::{Fresh, GatewayTimeout, MustValidate, StaleServable};
use super::*;
use crate::caching::cache_control::ResponseDirectives;
use crate::caching::sharing::Sharing;

const T: u64 = 1_781_524_800_000;

/// An answer made at [`T`] with these directives; its lifetime is its max-age or s-maxage.
fn life(response: &str, sharing: Sharing) -> Life {
    let fields = [("cache-control", response.as_bytes())];
    let directives = ResponseDirectives::parse(fields.into_iter());
    let shared = directives.s_maxage_s.filter(|_| sharing.is_shared());
    let seconds = shared.or(directives.max_age_s).unwrap_or(0);
    Life::since(T, ms(seconds), Rules::of(&directives, sharing))
}

fn asks(request: &str) -> RequestDirectives {
    RequestDirectives::parse([("cache-control", request.as_bytes())].into_iter())
}

const NONE: StaleWindows = StaleWindows { while_revalidate_ms: 0, if_error_ms: 0 };

fn standing(response: &str, request: &str, age_s: u64) -> Standing {
    let life = life(response, Sharing::Private);
    Standing::of(&life, &asks(request), NONE, T + age_s * 1_000)
}

/// RFC 9111 §4, §4.2: fresh is served, stale is not.
#[test]
fn a_fresh_answer_is_served_and_a_stale_one_validated() {
    for (response, age_s, expected) in [
        ("max-age=60", 0, Fresh),
        ("max-age=60", 59, Fresh),
        ("max-age=60", 60, MustValidate(Stale)),
        ("max-age=60", 6_000, MustValidate(Stale)),
        ("max-age=0", 0, MustValidate(Stale)),
        ("", 0, MustValidate(Stale)),
        ("max-age=60, immutable", 59, Fresh),
        ("max-age=60, immutable", 60, MustValidate(Stale)),
    ] {
        assert_eq!(standing(response, "", age_s), expected, "{response} at {age_s}");
    }
}

/// RFC 9111 §5.2.2.4: an answer with no-cache is not used unasked, whatever else is said.
#[test]
fn an_answer_with_no_cache_is_never_used_unasked() {
    for response in
        ["no-cache", "max-age=60, no-cache", "no-cache, max-age=60, stale-while-revalidate=600"]
    {
        for request in ["", "max-stale", "max-age=600", "max-stale=600, max-age=600"] {
            for age_s in [0, 30, 90] {
                let found = standing(response, request, age_s);
                assert_eq!(found, MustValidate(Response), "{response} {request} at {age_s}");
            }
        }
    }
    assert_eq!(standing("max-age=60, no-cache=\"set-cookie\"", "", 30), Fresh);
}

/// RFC 9111 §5.2.1.1, §5.2.1.3, §5.2.1.4: a request may want better than fresh.
#[test]
fn a_request_may_want_better_than_fresh() {
    for (request, age_s, expected) in [
        ("no-cache", 0, MustValidate(Request)),
        ("max-age=10", 10, Fresh),
        ("max-age=10", 11, MustValidate(Request)),
        ("max-age=0", 0, MustValidate(Request)),
        ("max-age=600", 59, Fresh),
        ("max-age=600", 60, MustValidate(Stale)),
        ("min-fresh=20", 40, Fresh),
        ("min-fresh=20", 41, MustValidate(Request)),
        ("min-fresh=60", 0, Fresh),
        ("min-fresh=61", 0, MustValidate(Request)),
        ("min-fresh=0", 60, MustValidate(Stale)),
        ("max-age=x", 0, MustValidate(Request)),
        ("min-fresh=x", 0, MustValidate(Request)),
    ] {
        assert_eq!(standing("max-age=60", request, age_s), expected, "{request} at {age_s}");
    }
}

/// RFC 9111 §5.2.1.2: a request may take a stale answer, as stale as it says.
#[test]
fn a_request_may_take_a_stale_answer() {
    for (request, age_s, expected) in [
        ("max-stale", 60, StaleServable(MaxStale)),
        ("max-stale", 6_000_000, StaleServable(MaxStale)),
        ("max-stale=10", 70, StaleServable(MaxStale)),
        ("max-stale=10", 71, MustValidate(Stale)),
        ("max-stale=10", 59, Fresh),
        ("max-stale=0", 60, MustValidate(Stale)),
        ("max-stale=x", 60, MustValidate(Stale)),
        ("max-age=100, max-stale=10", 65, StaleServable(MaxStale)),
        ("max-age=62, max-stale=10", 65, MustValidate(Stale)),
        ("max-age=100, max-stale=10", 75, MustValidate(Stale)),
        ("min-fresh=5, max-stale=10", 65, MustValidate(Stale)),
        ("no-cache, max-stale=10", 65, MustValidate(Request)),
    ] {
        assert_eq!(standing("max-age=60", request, age_s), expected, "{request} at {age_s}");
    }
}

/// RFC 9111 §4.2.4, §5.2.2.2: must-revalidate forbids any use of a stale answer, in a window of
/// its own, in the route's, by the request's leave, and while the origin is down.
#[test]
fn must_revalidate_is_obeyed_by_every_cache_in_every_case() {
    assert_never_stale("max-age=60, must-revalidate", Sharing::Private);
    assert_never_stale("max-age=60, must-revalidate", Sharing::Shared);
}

/// RFC 9111 §4.2.4, §5.2.2.8: proxy-revalidate does the same in a shared cache only.
#[test]
fn proxy_revalidate_is_obeyed_by_a_shared_cache() {
    assert_never_stale("max-age=60, proxy-revalidate", Sharing::Shared);
    let life = life("max-age=60, proxy-revalidate", Sharing::Private);
    let found = Standing::of(&life, &asks("max-stale"), NONE, T + 90_000);
    assert_eq!(found, StaleServable(MaxStale));
}

/// RFC 9111 §4.2.4, §5.2.2.10: s-maxage does the same in a shared cache only.
#[test]
fn s_maxage_forbids_stale_use_in_a_shared_cache() {
    assert_never_stale("s-maxage=60", Sharing::Shared);
    let life = life("max-age=60, s-maxage=1", Sharing::Private);
    let found = Standing::of(&life, &asks("max-stale"), NONE, T + 90_000);
    assert_eq!(found, StaleServable(MaxStale));
}

fn assert_never_stale(directives: &str, sharing: Sharing) {
    let response = format!("{directives}, stale-while-revalidate=600, stale-if-error=600");
    let life = life(&response, sharing);
    let windows = StaleWindows { while_revalidate_ms: 600_000, if_error_ms: 600_000 };
    let none = RequestDirectives::default();
    assert_eq!(Standing::of(&life, &none, windows, T + 59_999), Fresh);
    for request in ["", "max-stale", "max-stale=600", "stale-if-error=600"] {
        let found = Standing::of(&life, &asks(request), windows, T + 60_000);
        assert_eq!(found, MustValidate(Stale), "{directives} {request}");
        let found = stand_in(&life, &asks(request), windows, T + 60_000);
        assert_eq!(found, None, "{directives} {request}");
    }
}

/// RFC 5861 §3: stale while it is refreshed, for the answer's window or else the route's.
#[test]
fn a_stale_answer_is_served_while_it_is_refreshed() {
    let route = StaleWindows { while_revalidate_ms: 30_000, if_error_ms: 0 };
    let stale = StaleServable(WhileRevalidate);
    for (response, request, windows, age_s, expected) in [
        ("max-age=60, stale-while-revalidate=10", "", NONE, 60, stale),
        ("max-age=60, stale-while-revalidate=10", "", NONE, 70, stale),
        ("max-age=60, stale-while-revalidate=10", "", NONE, 71, MustValidate(Stale)),
        ("max-age=60, stale-while-revalidate=10", "", route, 71, MustValidate(Stale)),
        ("max-age=60, stale-while-revalidate=0", "", route, 60, MustValidate(Stale)),
        ("max-age=60, stale-while-revalidate=x", "", route, 61, MustValidate(Stale)),
        ("max-age=60", "", route, 90, stale),
        ("max-age=60", "", route, 91, MustValidate(Stale)),
        ("max-age=60", "", NONE, 60, MustValidate(Stale)),
        ("max-age=60", "max-age=600", route, 70, MustValidate(Stale)),
        ("max-age=60", "min-fresh=1", route, 70, MustValidate(Stale)),
        ("max-age=60", "max-stale=5", route, 70, MustValidate(Stale)),
        ("max-age=60", "max-stale=20", route, 70, stale),
        ("max-age=60", "max-stale=600", route, 100, StaleServable(MaxStale)),
        ("max-age=60", "max-age=600, max-stale=20", route, 70, stale),
        ("max-age=60", "no-cache", route, 70, MustValidate(Request)),
    ] {
        let life = life(response, Sharing::Private);
        let found = Standing::of(&life, &asks(request), windows, T + age_s * 1_000);
        assert_eq!(found, expected, "{response} {request} {windows:?} at {age_s}");
    }
}

/// RFC 5861 §4: stale in place of an error, for the window of request, answer or route.
#[test]
fn a_stale_answer_stands_in_for_an_error() {
    let route = StaleWindows { while_revalidate_ms: 0, if_error_ms: 30_000 };
    for (response, request, windows, age_s, expected) in [
        ("max-age=60, stale-if-error=10", "", NONE, 70, true),
        ("max-age=60, stale-if-error=10", "", NONE, 71, false),
        ("max-age=60, stale-if-error=10", "", route, 80, false),
        ("max-age=60, stale-if-error=0", "", route, 61, false),
        ("max-age=60, stale-if-error=?", "", route, 61, false),
        ("max-age=60", "", route, 90, true),
        ("max-age=60", "", route, 91, false),
        ("max-age=60", "", NONE, 60, false),
        ("max-age=60", "stale-if-error=40", route, 100, true),
        ("max-age=60, stale-if-error=10", "stale-if-error=40", NONE, 100, true),
        ("max-age=60", "stale-if-error=5", route, 66, false),
        ("max-age=60", "max-age=0", route, 80, true),
        ("max-age=60", "min-fresh=60", route, 80, true),
        ("max-age=60", "max-stale=5", route, 80, true),
        ("max-age=60", "max-age=10", NONE, 30, true),
        ("max-age=60", "no-cache", route, 30, false),
        ("max-age=60, no-cache", "", route, 30, false),
    ] {
        let life = life(response, Sharing::Private);
        let found = stand_in(&life, &asks(request), windows, T + age_s * 1_000);
        let expected = expected.then_some(IfError);
        assert_eq!(found, expected, "{response} {request} {windows:?} at {age_s}");
    }
}

/// RFC 9111 §4.2.4: without anyone's leave a stale answer is not used, also while the origin is
/// down.
#[test]
fn nobodys_leave_is_no_leave() {
    let life = life("max-age=60", Sharing::Private);
    assert_eq!(stand_in(&life, &RequestDirectives::default(), NONE, T + 60_000), None);
    assert_eq!(standing("max-age=60", "", 60), MustValidate(Stale));
}

/// RFC 9111 §5.2.1.7: with only-if-cached the origin is not asked: what would need it is 504.
#[test]
fn only_if_cached_never_asks_the_origin() {
    for (request, age_s, expected) in [
        ("only-if-cached", 59, Fresh),
        ("only-if-cached", 60, GatewayTimeout),
        ("only-if-cached, max-stale", 90, StaleServable(MaxStale)),
        ("only-if-cached, max-stale=5", 90, GatewayTimeout),
        ("only-if-cached, no-cache", 0, GatewayTimeout),
        ("only-if-cached, max-age=5", 6, GatewayTimeout),
        ("only-if-cached, min-fresh=5", 56, GatewayTimeout),
    ] {
        assert_eq!(standing("max-age=60", request, age_s), expected, "{request} at {age_s}");
    }
    assert_eq!(standing("no-cache", "only-if-cached", 0), GatewayTimeout);
}

/// RFC 9111 §4.2.3, §5.2.1.1: the age that the answer came with counts in all of it.
#[test]
fn the_age_an_answer_came_with_counts() {
    let life = Life { initial_age_ms: 50_000, ..life("max-age=60", Sharing::Private) };
    let none = RequestDirectives::default();
    assert_eq!(Standing::of(&life, &none, NONE, T + 9_999), Fresh);
    assert_eq!(Standing::of(&life, &none, NONE, T + 10_000), MustValidate(Stale));
    assert_eq!(Standing::of(&life, &asks("max-age=40"), NONE, T), MustValidate(Request));
}

/// RFC 9211 §2.2: the words for why a request was forwarded.
#[test]
fn a_cause_has_its_word_in_cache_status() {
    assert_eq!([Request.fwd(), Response.fwd(), Stale.fwd()], ["request", "stale", "stale"]);
}

/// Requests and answers made of the directives that this file knows.
fn any_request() -> impl Strategy<Value = RequestDirectives> {
    let time = || proptest::option::of(0..200_u32);
    (any::<bool>(), any::<bool>(), time(), time(), time(), time()).prop_map(
        |(no_cache, only_if_cached, max_age_s, max_stale_s, min_fresh_s, stale_if_error_s)| {
            let none = RequestDirectives::default();
            let times = RequestDirectives { max_age_s, max_stale_s, min_fresh_s, ..none };
            RequestDirectives { no_cache, only_if_cached, stale_if_error_s, ..times }
        },
    )
}

fn any_life() -> impl Strategy<Value = Life> {
    let window = || proptest::option::of(0..200_000_u64);
    (any::<bool>(), any::<bool>(), window(), window(), 0..200_000_u64, 0..100_000_u64).prop_map(
        |(always_validate, never_stale, while_revalidate_ms, if_error_ms, lifetime_ms, age)| {
            let rules = Rules { always_validate, never_stale, while_revalidate_ms, if_error_ms };
            Life { received_ms: T, initial_age_ms: age, lifetime_ms, rules }
        },
    )
}

proptest! {
    /// RFC 9111 §4.2.4: whatever is combined, what forbids the use of a stale answer wins, and a
    /// request that forbids to ask the origin never has it asked.
    #[test]
    fn a_prohibition_wins_over_every_permission(
        life in any_life(),
        request in any_request(),
        while_revalidate_ms in 0..200_000_u64,
        if_error_ms in 0..200_000_u64,
        after in 0..500_000_u64,
    ) {
        let windows = StaleWindows { while_revalidate_ms, if_error_ms };
        let now = T + after;
        let standing = Standing::of(&life, &request, windows, now);
        let stand_in = stand_in(&life, &request, windows, now);
        let is_stale = !life.is_fresh(now);
        if life.rules.always_validate || request.no_cache {
            prop_assert!(matches!(standing, MustValidate(_) | GatewayTimeout));
            prop_assert_eq!(stand_in, None);
        }
        if life.rules.never_stale && is_stale {
            prop_assert!(matches!(standing, MustValidate(_) | GatewayTimeout));
            prop_assert_eq!(stand_in, None);
        }
        prop_assert!(standing != Fresh || !is_stale);
        prop_assert!(!matches!(standing, StaleServable(_)) || is_stale);
        prop_assert_eq!(standing == GatewayTimeout, request.only_if_cached && matches!(
            Standing::of(&life, &RequestDirectives { only_if_cached: false, ..request }, windows, now),
            MustValidate(_)
        ));
    }

    /// RFC 9111 §4.2, RFC 5861 §3, §4: what may not be served now may not be served later either.
    #[test]
    fn what_may_not_be_served_now_may_not_be_later(
        life in any_life(),
        request in any_request(),
        while_revalidate_ms in 0..200_000_u64,
        if_error_ms in 0..200_000_u64,
        after in 0..500_000_u64,
        more in 0..500_000_u64,
    ) {
        let windows = StaleWindows { while_revalidate_ms, if_error_ms };
        let rank = |now| match Standing::of(&life, &request, windows, now) {
            Fresh => 0,
            StaleServable(WhileRevalidate) => 1,
            StaleServable(_) => 2,
            MustValidate(_) | GatewayTimeout => 3,
        };
        let (now, later) = (T + after, T + after + more);
        prop_assert!(rank(now) <= rank(later));
        let stands = |now| stand_in(&life, &request, windows, now).is_some();
        prop_assert!(stands(now) || !stands(later));
    }
}
