use proptest::prelude::*;

use super::*;
use crate::caching::fields::FOREVER_S;

fn of(value: &str) -> ResponseDirectives {
    ResponseDirectives::parse([("cache-control", value.as_bytes())].into_iter())
}

fn names(names: &[&str]) -> Restriction {
    Restriction::Fields(names.iter().map(|name| (*name).into()).collect())
}

/// RFC 9111 §5.2.2.1–§5.2.2.10, RFC 5861 §3, §4, RFC 8246 §2: each directive, in any case.
#[test]
fn each_response_directive_is_read() {
    type Check = fn(&ResponseDirectives) -> bool;
    let cases: [(&str, Check); 15] = [
        ("max-age=60", |found| found.max_age_s == Some(60)),
        ("MAX-AGE=\"60\"", |found| found.max_age_s == Some(60)),
        ("s-maxage=60", |found| found.s_maxage_s == Some(60) && found.max_age_s.is_none()),
        ("no-cache", |found| found.no_cache.is_whole()),
        ("No-Store", |found| found.no_store),
        ("private", |found| found.private.is_whole()),
        ("public", |found| found.public),
        ("must-revalidate", |found| found.must_revalidate),
        ("proxy-revalidate", |found| found.proxy_revalidate),
        ("must-understand", |found| found.must_understand),
        ("immutable", |found| found.immutable),
        ("no-transform", |found| found.no_transform),
        ("stale-while-revalidate=30", |found| found.stale_while_revalidate_s == Some(30)),
        ("stale-if-error=30", |found| found.stale_if_error_s == Some(30)),
        ("a=1, PUBLIC ,max-age=1", |found| found.public && found.max_age_s == Some(1)),
    ];
    for (value, holds) in cases {
        assert!(holds(&of(value)), "{value}: {:?}", of(value));
    }
    assert_eq!(of(""), ResponseDirectives::default());
}

/// RFC 9111 §5.2.3: a directive nobody knows is ignored, and so is what its string holds.
#[test]
fn an_unknown_response_directive_is_ignored() {
    for value in ["community=\"UCI\"", "x", "x=\"no-store, max-age=60\"", "max-agex=1", "=1"] {
        assert_eq!(of(value), ResponseDirectives::default(), "{value}");
    }
    assert_eq!(of("x=\"max-age=3600\", max-age=1").max_age_s, Some(1));
    assert!(of("private, community=\"UCI\"").private.is_whole());
}

/// RFC 9111 §4.2.1: freshness that is no number, or is given twice and differs, is none.
#[test]
fn invalid_and_contradicting_lifetimes_are_stale() {
    for (value, seconds) in [
        ("max-age", Some(0)),
        ("max-age=", Some(0)),
        ("max-age=a100", Some(0)),
        ("max-age=100a", Some(0)),
        ("max-age=-100", Some(0)),
        ("max-age=100.5", Some(0)),
        ("max-age='100'", Some(0)),
        ("max-age =100", Some(0)),
        ("max-age= 100", Some(0)),
        ("max-age=\"100", Some(0)),
        ("max-age=100, max-age=1", Some(0)),
        ("max-age=1, max-age=100, max-age=100", Some(0)),
        ("max-age=100, max-age=100", Some(100)),
        ("max-age=0100", Some(100)),
        ("s-maxage=1", None),
    ] {
        assert_eq!(of(value).max_age_s, seconds, "{value}");
        let shared = value.replace("s-maxage", "x").replace("max-age", "s-maxage");
        assert_eq!(of(&shared).s_maxage_s, seconds, "{shared}");
    }
    let lines = [("cache-control", b"max-age=9".as_slice()), ("cache-control", b"max-age=1")];
    assert_eq!(ResponseDirectives::parse(lines.into_iter()).max_age_s, Some(0));
}

/// RFC 9111 §1.2.2: a lifetime too large to represent is 2^31 seconds.
#[test]
fn a_lifetime_too_large_to_represent_is_forever() {
    for text in ["2147483648", "2147483649", "4294967295", "4294967296", "99999999999999999999"] {
        assert_eq!(of(&format!("max-age={text}")).max_age_s, Some(FOREVER_S), "{text}");
    }
    assert_eq!(of("max-age=2147483647").max_age_s, Some(2_147_483_647));
}

/// RFC 9111 §5.2.2.4, §5.2.2.7: the qualified forms name fields; what cannot be read means all.
#[test]
fn qualified_forms_name_fields_and_doubtful_ones_mean_the_whole() {
    for (argument, expected) in [
        ("=\"Set-Cookie\"", names(&["set-cookie"])),
        ("=\"A, b ,,C\"", names(&["a", "b", "c"])),
        ("=Set-Cookie", names(&["set-cookie"])),
        ("", Restriction::Whole),
        ("=", Restriction::Whole),
        ("=\"\"", Restriction::Whole),
        ("=\"a b\"", Restriction::Whole),
        ("=\"a\\\"b\"", Restriction::Whole),
        ("=\"a", Restriction::Whole),
        ("=\"a\"x", Restriction::Whole),
        ("=\"a, Cache-Control\"", Restriction::Whole),
        ("=vary", Restriction::Whole),
    ] {
        assert_eq!(of(&format!("no-cache{argument}")).no_cache, expected, "no-cache{argument}");
        assert_eq!(of(&format!("private{argument}")).private, expected, "private{argument}");
    }
    for (value, expected) in [
        ("private=\"a\", private=\"b\"", names(&["a", "b"])),
        ("private=\"a\", private", Restriction::Whole),
        ("private, private=\"a\"", Restriction::Whole),
        ("public", Restriction::Absent),
    ] {
        assert_eq!(of(value).private, expected, "{value}");
    }
    assert!(names(&["a"]).names("a") && !names(&["a"]).names("b"));
    assert!(!Restriction::Whole.names("a") && !Restriction::Absent.names("a"));
}

/// RFC 9111 §5.2.2.7: a list longer than any that is meant is not kept in memory.
#[test]
fn a_list_of_too_many_names_means_the_whole() {
    let list = |count: usize| vec!["x"; count].join(",");
    assert!(of(&format!("private=\"{}\"", list(MOST_NAMES + 1))).private.is_whole());
    assert!(!of(&format!("private=\"{}\"", list(MOST_NAMES))).private.is_whole());
}

/// RFC 9111 §5.2: no argument is defined for these; a restriction holds all the same, a
/// permission does not.
#[test]
fn a_superfluous_argument_keeps_restrictions_and_voids_permissions() {
    let found = of("no-store=1, must-revalidate=x, proxy-revalidate=\"y\", no-transform=1");
    assert!(found.no_store && found.must_revalidate);
    assert!(found.proxy_revalidate && found.no_transform);
    let found = of("public=1, must-understand=1, immutable=\"x\"");
    assert!(!found.public && !found.must_understand && !found.immutable);
}

/// RFC 9111 §3.5: which directives let a shared cache use the answer to a request with a
/// credential.
#[test]
fn three_directives_allow_sharing_of_answers_to_credentials() {
    for (value, allows) in [
        ("public", true),
        ("s-maxage=60", true),
        ("s-maxage=0", true),
        ("must-revalidate", true),
        ("max-age=60", false),
        ("proxy-revalidate", false),
        ("no-cache", false),
        ("public=1", false),
        ("s-maxage=x", false),
        ("must-revalidate=1", false),
        ("", false),
    ] {
        assert_eq!(of(value).allows_sharing_of_authorized(), allows, "{value}");
    }
}

/// RFC 5861 §3, §4: windows that cannot be read are closed, of two the shorter holds.
#[test]
fn a_window_that_is_no_number_is_closed() {
    for (value, expected) in [
        ("stale-while-revalidate", Some(0)),
        ("stale-while-revalidate=x", Some(0)),
        ("stale-while-revalidate=9, stale-while-revalidate=4", Some(4)),
        ("stale-if-error=1", None),
    ] {
        assert_eq!(of(value).stale_while_revalidate_s, expected, "{value}");
    }
    assert_eq!(of("stale-if-error=a").stale_if_error_s, Some(0));
}

/// RFC 9111 §5.4: Pragma has no meaning in an answer.
#[test]
fn pragma_means_nothing_in_an_answer() {
    let fields = [("pragma", b"no-cache, no-store".as_slice())];
    assert_eq!(ResponseDirectives::parse(fields.into_iter()), ResponseDirectives::default());
}

proptest! {
    /// RFC 9111 §5.2.2: no value makes the parser panic, and no time is beyond 2^31.
    #[test]
    fn any_response_value_is_read(value in proptest::collection::vec(any::<u8>(), 0..160)) {
        let found = ResponseDirectives::parse([("cache-control", value.as_slice())].into_iter());
        let times = [found.max_age_s, found.s_maxage_s, found.stale_if_error_s];
        prop_assert!(times.into_iter().flatten().all(|seconds| seconds <= FOREVER_S));
    }

    /// RFC 9111 §4.2.1: however often lifetimes are given, the result is none longer than one of
    /// them.
    #[test]
    fn repeated_lifetimes_never_add_up(times in proptest::collection::vec(0..100_u32, 1..6)) {
        let list: Vec<_> = times.iter().map(|seconds| format!("max-age={seconds}")).collect();
        let found = of(&list.join(", ")).max_age_s.unwrap();
        prop_assert!(times.contains(&found) || found == 0);
        prop_assert!(found <= *times.iter().min().unwrap());
    }
}
