//! Instants as RFC 3339 has them.

use super::Cursor;
use super::calendar::{Day, MS_A_DAY};

const MS_A_MINUTE: u64 = 60_000;

/// Reads an instant of RFC 3339, such as `2026-11-26T16:24:00.007Z` or `2026-11-26 17:24:00+01:00`, in
/// milliseconds since the Unix epoch. What is finer than that is left out; a year before 1970 is 0.
///
/// Errors: `None` for anything else, times without an offset included.
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    let mut text = Cursor(text.as_bytes());
    let year = text.number(4)?;
    text.word("-")?;
    let month = text.number(2)?;
    text.word("-")?;
    let day = text.number(2)?;
    text.one_of(&["T", " "])?;
    let second = text.time_of_day()?;
    let millis = if text.word(".").is_some() { fraction(&mut text)? } else { 0 };
    let month = usize::try_from(month.checked_sub(1)?).ok()?;
    let local = Day::new(year, month, day)?.at(second)?.checked_add(millis)?;
    let instant = match text.one_of(&["Z", "+", "-"])? {
        0 => local,
        1 => local.saturating_sub(offset(&mut text)?),
        _ => local.checked_add(offset(&mut text)?)?,
    };
    text.end()?;
    Some(instant)
}

/// Reads one digit or more as the fraction of a second, in whole milliseconds.
fn fraction(text: &mut Cursor<'_>) -> Option<u64> {
    let mut millis = text.number(1)? * 100;
    let mut worth = 10;
    while let Some(digit) = text.number(1) {
        millis += digit * worth;
        worth /= 10;
    }
    Some(millis)
}

/// Reads `hh:mm`, in milliseconds: less than a day.
fn offset(text: &mut Cursor<'_>) -> Option<u64> {
    let hours = text.number(2)?;
    text.word(":")?;
    let minutes = text.number(2).filter(|minutes| *minutes < 60)?;
    Some((hours * 60 + minutes) * MS_A_MINUTE).filter(|offset| *offset < MS_A_DAY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::format_rfc3339;
    use super::*;

    #[test]
    fn instants_are_read_with_their_offset_or_not_at_all() {
        let instant = 1_764_174_240_000; // 2025-11-26T16:24:00Z
        for (text, expected) in [
            ("2025-11-26T16:24:00Z", Some(instant)),
            ("2025-11-26t16:24:00z", Some(instant)),
            ("2025-11-26 16:24:00.5Z", Some(instant + 500)),
            ("2025-11-26T16:24:00.007999999Z", Some(instant + 7)),
            ("2025-11-26T17:54:00+01:30", Some(instant)),
            ("2025-11-25T17:24:00-23:00", Some(instant)),
            ("1970-01-01T00:30:00+01:00", Some(0)),
            ("2024-02-29T23:59:60Z", Some(1_709_251_200_000)),
            ("2025-02-29T00:00:00Z", None),
            ("2025-00-10T00:00:00Z", None),
            ("2025-13-10T00:00:00Z", None),
            ("2025-11-26T24:00:00Z", None),
            ("2025-11-26T16:24:00", None),
            ("2025-11-26T16:24:00.Z", None),
            ("2025-11-26T16:24:00+24:00", None),
            ("2025-11-26T16:24:00+0100", None),
            ("2025-11-26T16:24:00Z ", None),
            ("2025-11-26", None),
            ("", None),
        ] {
            assert_eq!(parse_rfc3339(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ms in 0_u64..250_000_000_000_000) {
            prop_assert_eq!(parse_rfc3339(&format_rfc3339(ms)), Some(ms));
        }

        #[test]
        fn any_text_is_read_without_harm(text in "[0-9TZ:.+ -]{0,40}") {
            let _ = parse_rfc3339(&text);
        }
    }
}
