//! The age of an answer when it comes (RFC 9111 §4.2.3, §5.1).

use crate::caching::date::parse_http_date;
use crate::caching::fields::{Fields, cut_at_comma, delta_seconds, first, ms, trim_ows};

/// When the exchange took place that brought an answer, or confirmed it. Wall milliseconds since
/// the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// When the request was sent upstream.
    pub requested_ms: u64,
    /// When the answer's head had come.
    pub received_ms: u64,
}

/// Returns the age of an answer when it came, in milliseconds: `corrected_initial_age`, by its
/// conservative formula.
///
/// Rule: RFC 9111 §4.2.3; the larger of what the clocks say (`Date`, to the second, as it is
/// written) and what caches on the way say (`Age`, counted from when the request was sent). A
/// `Date` in the future, an `Age` that is no number (§5.1), and a clock that steps back count 0.
pub fn initial_age_ms<'a>(fields: impl Fields<'a>, exchange: Exchange) -> u64 {
    let Exchange { requested_ms, received_ms } = exchange;
    let date_ms = first(fields.clone(), "date").and_then(|date| parse_http_date(date, received_ms));
    let received_second_ms = received_ms - received_ms % 1_000;
    let apparent_ms = date_ms.map_or(0, |date_ms| received_second_ms.saturating_sub(date_ms));
    let delay_ms = received_ms.saturating_sub(requested_ms);
    let corrected_ms = age_value_ms(fields).saturating_add(delay_ms);
    apparent_ms.max(corrected_ms)
}

/// Returns the first member of the Age field; 0 where there is none or it is no number (§5.1).
fn age_value_ms<'a>(fields: impl Fields<'a>) -> u64 {
    let value = first(fields, "age").unwrap_or_default();
    delta_seconds(trim_ows(cut_at_comma(value).0)).map_or(0, ms)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::caching::date::format_http_date;
    use crate::caching::fields::{FOREVER_S, Field};

    /// Some second of the year 2026.
    const T: u64 = 1_781_524_800_000;

    const fn at(requested_ms: u64, received_ms: u64) -> Exchange {
        Exchange { requested_ms, received_ms }
    }

    fn age(date: Option<u64>, age: Option<&str>, exchange: Exchange) -> u64 {
        let date = date.map(format_http_date);
        let date = date.iter().map(|date| ("date", date.as_bytes()));
        let age = age.iter().map(|age| ("age", age.as_bytes()));
        let fields: Vec<Field<'_>> = date.chain(age).collect();
        initial_age_ms(fields.into_iter(), exchange)
    }

    /// RFC 9111 §4.2.3: apparent age, age value, response delay, and the larger of both ways.
    #[test]
    fn the_initial_age_is_the_larger_of_both_ways() {
        for (date, value, exchange, expected) in [
            // Neither: only the delay.
            (None, None, at(T, T), 0),
            (None, None, at(T, T + 250), 250),
            // Apparent age.
            (Some(T - 5_000), None, at(T, T), 5_000),
            (Some(T - 5_000), None, at(T, T + 999), 5_000),
            (Some(T), None, at(T + 900, T + 900), 0),
            // Corrected age value: counted from the request, so that the delay adds to it.
            (None, Some("7"), at(T, T), 7_000),
            (None, Some("7"), at(T, T + 2_000), 9_000),
            (Some(T - 5_000), Some("7"), at(T, T), 7_000),
            (Some(T - 9_000), Some("7"), at(T, T + 1_000), 10_000),
            (Some(T - 9_000), Some("7"), at(T, T + 2_000), 11_000),
        ] {
            assert_eq!(age(date, value, exchange), expected, "{date:?} {value:?} {exchange:?}");
        }
    }

    /// RFC 9111 §4.2.3: a negative apparent age is 0; a clock that steps back delays nothing.
    #[test]
    fn an_age_is_never_negative() {
        assert_eq!(age(Some(T + 3_600_000), None, at(T, T)), 0);
        assert_eq!(age(None, None, at(T + 60_000, T)), 0);
        assert_eq!(age(Some(T + 3_600_000), Some("3"), at(T + 60_000, T)), 3_000);
    }

    /// RFC 9111 §5.1: the first member counts; what is no number is ignored.
    #[test]
    fn the_first_member_of_age_counts_and_an_invalid_one_does_not() {
        for (value, expected) in [
            ("7", 7_000),
            ("7, 100", 7_000),
            ("007", 7_000),
            ("100,7", 100_000),
            ("-7", 0),
            ("x", 0),
            ("7.5", 0),
            ("", 0),
            (",7", 0),
            ("\"7\"", 0),
        ] {
            assert_eq!(age(None, Some(value), at(T, T)), expected, "{value}");
        }
        let lines = [("age", b"7".as_slice()), ("age", b"9")];
        assert_eq!(initial_age_ms(lines.into_iter(), at(T, T)), 7_000);
    }

    /// RFC 9111 §1.2.2: an age too large to represent is 2^31 seconds, never a small one.
    #[test]
    fn an_age_too_large_to_represent_is_forever() {
        let forever = u64::from(FOREVER_S) * 1_000;
        assert_eq!(age(None, Some("99999999999999999999"), at(T, T)), forever);
    }

    /// RFC 9110 §6.6.1, RFC 9111 §4.2.3: a Date that is none is as absent.
    #[test]
    fn an_invalid_date_is_as_absent() {
        let fields = [("date", b"yesterday".as_slice())];
        assert_eq!(initial_age_ms(fields.into_iter(), at(T, T + 40)), 40);
    }

    proptest! {
        /// RFC 9111 §4.2.3: no fields and no clocks make the sum overflow, and an age is no less
        /// than what caches on the way say.
        #[test]
        fn any_fields_give_an_age(
            date in proptest::collection::vec(any::<u8>(), 0..32),
            seconds in any::<u32>(),
            requested_ms in any::<u64>(),
            received_ms in any::<u64>(),
        ) {
            let text = seconds.to_string();
            let fields = [("date", date.as_slice()), ("age", text.as_bytes())];
            let age = initial_age_ms(fields.into_iter(), at(requested_ms, received_ms));
            prop_assert!(age >= u64::from(seconds.min(FOREVER_S)) * 1_000);
        }
    }
}
