//! Days of the Gregorian calendar, counted from 1970-01-01.

/// A day has no leap seconds here, as in Unix time.
pub(super) const MS_A_DAY: u64 = 86_400_000;

/// The last year that four digits can say.
pub(super) const LAST_YEAR: u64 = 9_999;

const EPOCH_YEAR: u64 = 1_970;

/// One day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) year: u64,
    /// 0 for January.
    pub(super) month: usize,
    /// 1 for the first.
    pub(super) day: u64,
}

impl Day {
    /// Returns a day that exists; `month` from 0. Years up to [`LAST_YEAR`].
    pub(super) fn new(year: u64, month: usize, day: u64) -> Option<Self> {
        let length = month_lengths(year).get(month).copied()?;
        (year <= LAST_YEAR && (1..=length).contains(&day)).then_some(Self { year, month, day })
    }

    /// Returns the day of a wall time, and the second of that day. What is after the last day is
    /// its last second.
    pub(super) fn split(wall_ms: u64) -> (Self, u64) {
        let end = days_before(LAST_YEAR + 1) * MS_A_DAY;
        let wall_ms = wall_ms.min(end - 1);
        let days = wall_ms / MS_A_DAY;
        // At least the year before is right: no year is longer than 366 days.
        let mut year = EPOCH_YEAR + days / 366;
        while days_before(year + 1) <= days {
            year += 1;
        }
        let mut left = days - days_before(year);
        let mut month = 0;
        for length in month_lengths(year) {
            if left < length {
                break;
            }
            left -= length;
            month += 1;
        }
        (Self { year, month, day: left + 1 }, wall_ms % MS_A_DAY / 1_000)
    }

    /// Returns the wall time of a second of this day, in milliseconds; 0 before 1970.
    pub(super) fn at(self, second: u64) -> Option<u64> {
        if self.year < EPOCH_YEAR {
            return Some(0);
        }
        Some(self.number() * MS_A_DAY + second * 1_000)
    }

    /// Returns the day of the week, 0 for Sunday.
    pub(super) fn weekday(self) -> usize {
        // 1970-01-01 was a Thursday.
        usize::try_from((self.number() + 4) % 7).unwrap_or_default()
    }

    fn number(self) -> u64 {
        let months: u64 = month_lengths(self.year).iter().take(self.month).sum();
        days_before(self.year) + months + self.day - 1
    }
}

/// Returns the days from the epoch to the first of `year`, 0 for earlier ones.
const fn days_before(year: u64) -> u64 {
    if year < EPOCH_YEAR {
        return 0;
    }
    365 * (year - EPOCH_YEAR) + leap_years_to(year - 1) - leap_years_to(EPOCH_YEAR - 1)
}

const fn leap_years_to(year: u64) -> u64 {
    year / 4 - year / 100 + year / 400
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn month_lengths(year: u64) -> [u64; 12] {
    [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}
