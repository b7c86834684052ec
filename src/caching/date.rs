//! Dates in field values (RFC 9110 §5.6.7).

mod calendar;
mod rfc3339;

use self::calendar::{Day, MS_A_DAY};
pub use self::rfc3339::parse_rfc3339;
use super::fields::trim_ows;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// From Sunday on, as [`Day::weekday`] counts.
const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The longest that 50 years can be, with 13 leap days, in milliseconds.
const FIFTY_YEARS_MS: u64 = (50 * 365 + 13) * MS_A_DAY;

/// Reads a date in any of the three forms, in milliseconds since the Unix epoch.
///
/// `now_ms` settles the century of the form with two digits: the latest year that is no more than
/// 50 years ahead. A date before 1970 is 0. Names are read in any case (RFC 9111 §4.2).
/// Errors: `None` for anything else, zones other than GMT included.
pub fn parse_http_date(text: &[u8], now_ms: u64) -> Option<u64> {
    let text = trim_ows(text);
    imf_fixdate(text).or_else(|| rfc850(text, now_ms)).or_else(|| asctime(text))
}

/// Writes a date in the form that senders use (IMF-fixdate), fractions of a second left out.
///
/// Range: to the end of the year 9999; what is later is written as that.
pub fn format_http_date(wall_ms: u64) -> String {
    let (day, second) = Day::split(wall_ms);
    let weekday = WEEKDAYS.get(day.weekday()).and_then(|name| name.get(..3)).unwrap_or_default();
    let month = MONTHS.get(day.month).copied().unwrap_or_default();
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!(
        "{weekday}, {:02} {month} {:04} {hour:02}:{minute:02}:{:02} GMT",
        day.day,
        day.year,
        second % 60
    )
}

/// Writes an instant as RFC 3339 has it, in UTC and to the millisecond. Range as [`format_http_date`].
pub fn format_rfc3339(wall_ms: u64) -> String {
    let (day, second) = Day::split(wall_ms);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!(
        "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{:02}.{:03}Z",
        day.year,
        day.month + 1,
        day.day,
        second % 60,
        wall_ms % 1_000
    )
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &[u8]) -> Option<u64> {
    let mut text = Cursor(text);
    text.short_weekday()?;
    text.word(", ")?;
    let day = text.number(2)?;
    text.word(" ")?;
    let month = text.month()?;
    text.word(" ")?;
    let year = text.number(4)?;
    text.word(" ")?;
    let second = text.time_of_day()?;
    text.word(" GMT")?;
    text.end()?;
    Day::new(year, month, day)?.at(second)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850(text: &[u8], now_ms: u64) -> Option<u64> {
    let mut text = Cursor(text);
    text.one_of(&WEEKDAYS)?;
    text.word(", ")?;
    let day = text.number(2)?;
    text.word("-")?;
    let month = text.month()?;
    text.word("-")?;
    let short_year = text.number(2)?;
    text.word(" ")?;
    let second = text.time_of_day()?;
    text.word(" GMT")?;
    text.end()?;
    let last_year = Day::split(now_ms.saturating_add(FIFTY_YEARS_MS)).0.year;
    let latest = last_year - (last_year % 100 + 100 - short_year) % 100;
    let at = |year| Day::new(year, month, day)?.at(second);
    let is_near = |ms: &u64| *ms <= now_ms.saturating_add(FIFTY_YEARS_MS);
    at(latest).filter(is_near).or_else(|| at(latest.checked_sub(100)?))
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(text: &[u8]) -> Option<u64> {
    let mut text = Cursor(text);
    text.short_weekday()?;
    text.word(" ")?;
    let month = text.month()?;
    text.word(" ")?;
    let day = if text.word(" ").is_some() { text.number(1)? } else { text.number(2)? };
    text.word(" ")?;
    let second = text.time_of_day()?;
    text.word(" ")?;
    let year = text.number(4)?;
    text.end()?;
    Day::new(year, month, day)?.at(second)
}

/// What is left of a text. Each step takes what it names, or nothing.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn word(&mut self, word: &str) -> Option<()> {
        let (start, rest) = self.0.split_at_checked(word.len())?;
        start.eq_ignore_ascii_case(word.as_bytes()).then(|| self.0 = rest)
    }

    fn number(&mut self, digits: usize) -> Option<u64> {
        let (start, rest) = self.0.split_at_checked(digits)?;
        if !start.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        Some(start.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit & 0x0f)))
    }

    fn one_of(&mut self, words: &[&str]) -> Option<usize> {
        words.iter().position(|word| self.word(word).is_some())
    }

    fn short_weekday(&mut self) -> Option<()> {
        WEEKDAYS.iter().find_map(|day| self.word(day.get(..3)?))
    }

    fn month(&mut self) -> Option<usize> {
        self.one_of(&MONTHS)
    }

    /// Returns the second of the day; 60 is there for leap seconds.
    fn time_of_day(&mut self) -> Option<u64> {
        let hour = self.number(2).filter(|hour| *hour < 24)?;
        self.word(":")?;
        let minute = self.number(2).filter(|minute| *minute < 60)?;
        self.word(":")?;
        let second = self.number(2).filter(|second| *second <= 60)?;
        Some(hour * 3_600 + minute * 60 + second)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
#[path = "date_tests.rs"]
mod tests;
