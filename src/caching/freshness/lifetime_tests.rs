use proptest::prelude::*;

use super::*;
use crate::caching::date::format_http_date;
use crate::caching::fields::FOREVER_S;

const T: u64 = 1_781_524_800_000;
const DAY: u64 = 86_400_000;
const GUESS: Heuristic = Heuristic { longest_ms: DAY, otherwise_ms: 0 };

fn lifetime(
    sharing: Sharing,
    status: u16,
    lines: &[(&'static str, String)],
    heuristic: Heuristic,
) -> Lifetime {
    let fields = lines.iter().map(|(name, value)| (*name, value.as_bytes()));
    let directives = ResponseDirectives::parse(fields.clone());
    Lifetime::of(fields, status, &directives, sharing, T, heuristic)
}

fn says(value: &str) -> (&'static str, String) {
    ("cache-control", value.to_owned())
}

fn dated(name: &'static str, ms: u64) -> (&'static str, String) {
    (name, format_http_date(ms))
}

/// RFC 9111 §4.2.1: s-maxage where shared, then max-age, then Expires, then heuristics.
#[test]
fn the_first_source_of_a_lifetime_counts() {
    use LifetimeSource::{Expires, Heuristic as Guessed, MaxAge, SMaxAge};
    let all = [
        says("max-age=60, s-maxage=30"),
        dated("date", T),
        dated("expires", T + 90_000),
        dated("last-modified", T - 10 * DAY),
    ];
    let without = |dropped: usize| &all[dropped..];
    for (sharing, lines, ms, source) in [
        (Sharing::Shared, without(0), 30_000, SMaxAge),
        (Sharing::Private, without(0), 60_000, MaxAge),
        (Sharing::Shared, without(1), 90_000, Expires),
        (Sharing::Private, without(1), 90_000, Expires),
        (Sharing::Private, without(3), DAY, Guessed),
    ] {
        let found = lifetime(sharing, 200, lines, GUESS);
        assert_eq!(found, Lifetime { ms, source }, "{sharing:?} {lines:?}");
    }
    let only_shared = [says("s-maxage=30")];
    assert_eq!(lifetime(Sharing::Private, 200, &only_shared, GUESS).source, Guessed);
    assert_eq!(lifetime(Sharing::Shared, 200, &only_shared, GUESS).ms, 30_000);
}

/// RFC 9111 §5.3: with max-age, or s-maxage in a shared cache, Expires is ignored, even where
/// max-age is 0 or unreadable.
#[test]
fn expires_is_ignored_where_there_is_max_age() {
    let expires = dated("expires", T + 90_000);
    for (sharing, value, ms) in [
        (Sharing::Private, "max-age=5", 5_000),
        (Sharing::Private, "max-age=0", 0),
        (Sharing::Private, "max-age=x", 0),
        (Sharing::Shared, "s-maxage=5", 5_000),
        (Sharing::Private, "s-maxage=5", 90_000),
    ] {
        let lines = [says(value), dated("date", T), expires.clone()];
        assert_eq!(lifetime(sharing, 200, &lines, GUESS).ms, ms, "{sharing:?} {value}");
    }
}

/// RFC 9111 §5.3: an Expires that is no date, "0" above all, is long past.
#[test]
fn an_invalid_expires_is_in_the_past() {
    for value in ["0", "-1", "", "soon", "Mon, 15 Jun 2030 12:00:00 UTC", "2030-01-01"] {
        let lines = [("expires", value.to_owned()), dated("last-modified", T - 10 * DAY)];
        let found = lifetime(Sharing::Private, 200, &lines, GUESS);
        let expected = Lifetime { ms: 0, source: LifetimeSource::Expires };
        assert_eq!(found, expected, "{value}");
    }
}

/// RFC 9111 §4.2.1: Expires is counted from Date, or from the receipt where there is none; two
/// that differ are stale.
#[test]
fn expires_counts_from_the_date_of_the_answer() {
    let in_an_hour = dated("expires", T + 3_600_000);
    for (lines, ms) in [
        (vec![in_an_hour.clone()], 3_600_000),
        (vec![in_an_hour.clone(), dated("date", T - 1_800_000)], 5_400_000),
        (vec![in_an_hour.clone(), dated("date", T + 1_800_000)], 1_800_000),
        (vec![in_an_hour.clone(), ("date", "x".to_owned())], 3_600_000),
        (vec![dated("expires", T), dated("date", T)], 0),
        (vec![dated("expires", T - 5_000), dated("date", T)], 0),
        (vec![in_an_hour.clone(), in_an_hour.clone()], 3_600_000),
        (vec![in_an_hour, dated("expires", T + 9_000_000)], 0),
        (vec![dated("expires", T), dated("expires", T + 9_000_000)], 0),
    ] {
        assert_eq!(lifetime(Sharing::Private, 200, &lines, GUESS).ms, ms, "{lines:?}");
    }
}

/// RFC 9111 §4.2: Expires is never later than it says.
#[test]
fn expires_is_kept_to_the_second_it_names() {
    let lines = [dated("expires", T + 1_000), dated("date", T)];
    assert_eq!(lifetime(Sharing::Private, 200, &lines, GUESS).ms, 1_000);
}

/// RFC 9111 §4.2.2: a tenth of the time since the last change, bounded.
#[test]
fn a_tenth_of_the_time_since_the_last_change_is_guessed() {
    for (modified, ms) in [
        (dated("last-modified", T - 100_000), 10_000),
        (dated("last-modified", T - 10 * DAY), DAY),
        (dated("last-modified", T - 1_000 * DAY), DAY),
        (dated("last-modified", T), 0),
        (dated("last-modified", T + DAY), 0),
        (("last-modified", "long ago".to_owned()), 0),
    ] {
        let lines = [dated("date", T), modified];
        let found = lifetime(Sharing::Private, 200, &lines, GUESS);
        let expected = Lifetime { ms, source: LifetimeSource::Heuristic };
        assert_eq!(found, expected, "{lines:?}");
        assert_eq!(lifetime(Sharing::Private, 200, &lines, Heuristic::NONE).ms, 0);
    }
}

/// RFC 9111 §4.2.2: without any hint the route's lifetime is the guess.
#[test]
fn without_any_hint_the_routes_lifetime_is_the_guess() {
    let route = Heuristic { longest_ms: DAY, otherwise_ms: 300_000 };
    let found = lifetime(Sharing::Private, 200, &[], route);
    assert_eq!(found, Lifetime { ms: 300_000, source: LifetimeSource::Heuristic });
    for (status, ms) in [(203, 300_000), (301, 300_000), (404, 0), (501, 0), (302, 0)] {
        assert_eq!(lifetime(Sharing::Private, status, &[], route).ms, ms, "{status}");
    }
    let lines = [dated("date", T), dated("last-modified", T - 100_000)];
    assert_eq!(lifetime(Sharing::Private, 200, &lines, route).ms, 10_000);
}

/// RFC 9111 §4.2.2: nothing is guessed where an explicit lifetime is there, nor of a status that
/// is not on the list, unless the answer is marked as cacheable.
#[test]
fn nothing_is_guessed_where_it_is_not_allowed() {
    use LifetimeSource::{Expires, Heuristic as Guessed, MaxAge, Nothing};
    let modified = dated("last-modified", T - 10 * DAY);
    for (sharing, status, control, source) in [
        (Sharing::Private, 200, "", Guessed),
        (Sharing::Private, 404, "", Guessed),
        (Sharing::Private, 302, "", Nothing),
        (Sharing::Private, 500, "", Nothing),
        (Sharing::Private, 302, "public", Guessed),
        (Sharing::Shared, 302, "public", Guessed),
        (Sharing::Private, 302, "private", Guessed),
        (Sharing::Shared, 302, "private", Nothing),
        (Sharing::Private, 302, "private=\"x\"", Nothing),
        (Sharing::Private, 200, "max-age=0", MaxAge),
        (Sharing::Private, 200, "max-age=?", MaxAge),
    ] {
        let lines = [says(control), modified.clone()];
        let found = lifetime(sharing, status, &lines, GUESS);
        assert_eq!(found.source, source, "{sharing:?} {status} {control}");
    }
    let lines = [("expires", "0".to_owned()), modified];
    assert_eq!(lifetime(Sharing::Private, 200, &lines, GUESS).source, Expires);
}

proptest! {
    /// RFC 9111 §4.2.2: a guess is never longer than a tenth, and never longer than the bound.
    #[test]
    fn a_guess_is_never_longer_than_its_bounds(age_s in 0..2_000_000_000_u64, bound in 0..DAY) {
        let modified_ms = (T - T % 1_000).saturating_sub(age_s * 1_000);
        let lines = [dated("date", T), dated("last-modified", modified_ms)];
        let heuristic = Heuristic { longest_ms: bound, otherwise_ms: 0 };
        let found = lifetime(Sharing::Private, 200, &lines, heuristic);
        prop_assert!(found.ms <= bound && found.ms <= age_s * 100);
    }

    /// RFC 9111 §4.2.1: no fields and no clock make the arithmetic overflow.
    #[test]
    fn any_fields_give_a_lifetime(
        value in proptest::collection::vec(any::<u8>(), 0..40),
        at in any::<u64>(),
    ) {
        let names = ["cache-control", "expires", "date", "last-modified"];
        let fields = names.iter().map(|name| (*name, value.as_slice()));
        let directives = ResponseDirectives::parse(fields.clone());
        let found = Lifetime::of(fields, 200, &directives, Sharing::Shared, at, GUESS);
        prop_assert!(found.ms <= u64::from(FOREVER_S) * 1_000 || found.ms <= 253_402_300_800_000);
    }
}
