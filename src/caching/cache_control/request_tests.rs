use proptest::prelude::*;

use super::*;

fn of(lines: &[(&str, &str)]) -> RequestDirectives {
    RequestDirectives::parse(lines.iter().map(|(name, value)| (*name, value.as_bytes())))
}

fn cache_control(value: &str) -> RequestDirectives {
    of(&[("cache-control", value)])
}

/// RFC 9111 §5.2.1.1–§5.2.1.7, RFC 5861 §4: each directive, in any case, token or quoted.
#[test]
fn each_request_directive_is_read() {
    let none = RequestDirectives::default();
    for (value, expected) in [
        ("no-cache", RequestDirectives { no_cache: true, ..none }),
        ("NO-STORE", RequestDirectives { no_store: true, ..none }),
        ("no-transform", RequestDirectives { no_transform: true, ..none }),
        ("Only-If-Cached", RequestDirectives { only_if_cached: true, ..none }),
        ("max-age=60", RequestDirectives { max_age_s: Some(60), ..none }),
        ("max-age=\"60\"", RequestDirectives { max_age_s: Some(60), ..none }),
        ("max-stale", RequestDirectives { max_stale_s: Some(FOREVER_S), ..none }),
        ("max-stale=5", RequestDirectives { max_stale_s: Some(5), ..none }),
        ("min-fresh=5", RequestDirectives { min_fresh_s: Some(5), ..none }),
        ("stale-if-error=9", RequestDirectives { stale_if_error_s: Some(9), ..none }),
        ("", none),
        (
            "no-store,max-age=0 , no-cache",
            RequestDirectives { no_store: true, no_cache: true, max_age_s: Some(0), ..none },
        ),
    ] {
        assert_eq!(cache_control(value), expected, "{value}");
    }
}

/// RFC 9111 §5.2.3: unknown directives change nothing, also where they hold known ones.
#[test]
fn an_unknown_request_directive_is_ignored() {
    for value in ["foo", "foo=bar", "foo=\"no-store, max-age=0\"", "no-store-x", "x-no-cache=1"] {
        assert_eq!(cache_control(value), RequestDirectives::default(), "{value}");
    }
    assert!(cache_control("foo=\"a, b\", no-store").no_store);
}

/// RFC 9111 §5.2.1, §4.2.1: a time that is no number is the strictest one.
#[test]
fn a_time_that_is_no_number_trusts_the_store_least() {
    for argument in ["=", "=x", "=-1", "=1.5", "= 5", "=\"5", "='5'"] {
        assert_eq!(cache_control(&format!("max-age{argument}")).max_age_s, Some(0));
        assert_eq!(cache_control(&format!("max-stale{argument}")).max_stale_s, Some(0));
        assert_eq!(cache_control(&format!("min-fresh{argument}")).min_fresh_s, Some(FOREVER_S));
        let on_error = cache_control(&format!("stale-if-error{argument}")).stale_if_error_s;
        assert_eq!(on_error, Some(0));
    }
    assert_eq!(cache_control("max-age").max_age_s, Some(0));
    assert_eq!(cache_control("min-fresh").min_fresh_s, Some(FOREVER_S));
}

/// RFC 9111 §1.2.2: more seconds than can be counted are 2^31.
#[test]
fn too_many_seconds_in_a_request_are_forever() {
    assert_eq!(cache_control("max-age=99999999999999999999").max_age_s, Some(FOREVER_S));
    assert_eq!(cache_control("max-stale=2147483649").max_stale_s, Some(FOREVER_S));
}

/// RFC 9111 §4.2.1: of two times the stricter holds, on one line or on two.
#[test]
fn of_two_times_the_stricter_holds() {
    let one_line = "max-age=5, max-age=9, max-stale, max-stale=3, min-fresh=1, min-fresh=4";
    let two_lines = of(&[
        ("cache-control", "max-age=9, max-stale=3, min-fresh=4"),
        ("cache-control", "max-age=5"),
    ]);
    for directives in [cache_control(one_line), two_lines] {
        assert_eq!(directives.max_age_s, Some(5));
        assert_eq!(directives.max_stale_s, Some(3));
        assert_eq!(directives.min_fresh_s, Some(4));
    }
}

/// RFC 9111 §5.4, RFC 7234 §5.4: Pragma counts where there is no Cache-Control.
#[test]
fn pragma_counts_only_without_cache_control() {
    for (lines, no_cache) in [
        (vec![("pragma", "no-cache")], true),
        (vec![("pragma", "foo, No-Cache")], true),
        (vec![("pragma", "foo")], false),
        (vec![("pragma", "no-cache"), ("cache-control", "max-age=60")], false),
        (vec![("cache-control", ""), ("pragma", "no-cache")], false),
        (vec![("pragma", "no-cache"), ("cache-control", "no-cache")], true),
    ] {
        assert_eq!(of(&lines).no_cache, no_cache, "{lines:?}");
    }
}

/// RFC 9111 §5.2.1: a request without directives is the default.
#[test]
fn a_request_without_directives_asks_for_nothing() {
    let fields = [("accept", "no-cache"), ("authorization", "Bearer no-store")];
    assert_eq!(of(&fields), RequestDirectives::default());
    assert_eq!(of(&[]), RequestDirectives::default());
}

proptest! {
    /// RFC 9111 §5.2.1: no value makes the parser panic, and no time is beyond 2^31.
    #[test]
    fn any_request_value_is_read(value in proptest::collection::vec(any::<u8>(), 0..120)) {
        let fields = [("cache-control", value.as_slice()), ("pragma", value.as_slice())];
        let directives = RequestDirectives::parse(fields.into_iter());
        let times = [directives.max_age_s, directives.max_stale_s, directives.min_fresh_s];
        prop_assert!(times.into_iter().flatten().all(|seconds| seconds <= FOREVER_S));
    }

    /// RFC 9111 §5.2: whatever stands around it, a restriction is seen.
    #[test]
    fn a_restriction_is_seen_among_anything(
        before in "[a-z=\" ]{0,20}",
        after in "[a-z=\", \\\\]{0,20}",
    ) {
        // A closed string could hold it; an odd number of quotes is an open one.
        prop_assume!(before.matches('"').count() % 2 == 0);
        let value = format!("{before},no-store,{after}");
        prop_assert!(cache_control(&value).no_store, "{value}");
    }
}
