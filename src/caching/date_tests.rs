use proptest::prelude::*;

use super::*;

/// 2026-06-15 12:00:00 GMT.
const NOW: u64 = 1_781_524_800_000;

fn parse(text: &str) -> Option<u64> {
    parse_http_date(text.as_bytes(), NOW)
}

/// RFC 9110 §5.6.7: the three forms of one moment.
#[test]
fn the_three_forms_mean_the_same_moment() {
    for text in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "  Sun, 06 Nov 1994 08:49:37 GMT\t",
    ] {
        assert_eq!(parse(text), Some(784_111_777_000), "{text}");
    }
    for (text, ms) in [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 1_000),
        ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799_000),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800_000),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799_000),
        ("Mon, 15 Jun 2026 12:00:00 GMT", NOW),
        ("Mon Jun 15 12:00:00 2026", NOW),
        ("Wed, 01 Jan 1930 00:00:00 GMT", 0),
        ("Sat, 01 Jan 0000 00:00:00 GMT", 0),
    ] {
        assert_eq!(parse(text), Some(ms), "{text}");
    }
}

/// RFC 9111 §4.2: dates are matched in any case.
#[test]
fn dates_are_read_in_any_case() {
    for text in [
        "sun, 06 nov 1994 08:49:37 gmt",
        "SUN, 06 NOV 1994 08:49:37 GMT",
        "sunday, 06-NOV-94 08:49:37 gMT",
        "SUN NOV  6 08:49:37 1994",
    ] {
        assert_eq!(parse(text), Some(784_111_777_000), "{text}");
    }
}

/// RFC 9111 §4.2, §5.3: other zones and other forms are no dates.
#[test]
fn what_is_no_date_is_none() {
    for text in [
        "0",
        "-1",
        "",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 AEST",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT x",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08.49.37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun,  06 Nov 1994 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT",
        "Day, 06 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 1900 08:49:37 GMT",
        "Sun, 06 Nov 11994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun, \u{660}6 Nov 1994 08:49:37 GMT",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

/// RFC 9110 §5.6.7: two digits are a year in the past when they would be more than 50 years off.
#[test]
fn two_digits_of_a_year_are_never_more_than_fifty_years_ahead() {
    for (text, year) in [
        ("Monday, 15-Jun-26 11:00:00 GMT", 2026),
        ("Monday, 15-Jun-76 11:00:00 GMT", 2076),
        ("Monday, 17-Jun-76 11:00:00 GMT", 1976),
        ("Monday, 15-Jun-77 11:00:00 GMT", 1977),
        ("Monday, 15-Jun-99 11:00:00 GMT", 1999),
        ("Monday, 15-Jun-00 11:00:00 GMT", 2000),
        ("Monday, 15-Jun-60 11:00:00 GMT", 2060),
    ] {
        let found = parse(text).map(|ms| Day::split(ms).0.year);
        assert_eq!(found, Some(year), "{text}");
    }
    let in_2095 = 3_950_000_000_000;
    let found = parse_http_date(b"Monday, 15-Jun-05 11:00:00 GMT", in_2095);
    assert_eq!(found.map(|ms| Day::split(ms).0.year), Some(2105));
}

/// RFC 9110 §5.6.7: senders write IMF-fixdate.
#[test]
fn dates_are_written_in_the_fixed_form() {
    for (ms, text) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777_999, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_767_225_599_999, "Wed, 31 Dec 2025 23:59:59 GMT"),
        (1_767_225_600_000, "Thu, 01 Jan 2026 00:00:00 GMT"),
        (NOW, "Mon, 15 Jun 2026 12:00:00 GMT"),
        (253_402_300_799_999, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        assert_eq!(format_http_date(ms), text);
    }
}

proptest! {
    /// RFC 9110 §5.6.7: what is written is read back, to the second.
    #[test]
    fn a_written_date_is_read_back(second in 0..=253_402_300_799_u64) {
        let text = format_http_date(second * 1_000);
        prop_assert_eq!(text.len(), 29);
        prop_assert_eq!(parse_http_date(text.as_bytes(), NOW), Some(second * 1_000));
    }

    /// RFC 9110 §5.6.7: later moments have later days, and each day exists.
    #[test]
    fn days_follow_one_another(day in 0..2_932_896_u64) {
        let (here, second) = Day::split(day * MS_A_DAY + 1);
        prop_assert_eq!(second, 0);
        prop_assert_eq!(Day::new(here.year, here.month, here.day), Some(here));
        prop_assert_eq!(here.at(0), Some(day * MS_A_DAY));
        let (next, _) = Day::split((day + 1) * MS_A_DAY);
        prop_assert_eq!((here.weekday() + 1) % 7, next.weekday());
    }

    /// RFC 9110 §5.6.7: no bytes and no clock make the parser panic.
    #[test]
    fn any_bytes_are_a_date_or_none(
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
        now in any::<u64>(),
    ) {
        let _ = parse_http_date(&bytes, now);
    }

    /// RFC 9110 §5.6.7: nor does anything that looks like a date.
    #[test]
    fn anything_like_a_date_is_one_or_none(
        text in "(Sun|Sunday),? [0-9]{2}[ -](Nov|Feb)[ -][0-9]{2,4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT",
        now in any::<u64>(),
    ) {
        let _ = parse_http_date(text.as_bytes(), now);
    }
}

#[test]
fn an_instant_is_written_as_rfc_3339_has_it() {
    for (ms, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_827_696_789, "2000-02-29T12:34:56.789Z"),
        (1_798_675_199_999, "2026-12-30T23:59:59.999Z"),
    ] {
        assert_eq!(format_rfc3339(ms), text);
    }
}
