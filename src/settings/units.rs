//! Quantities with their unit: durations (`250ms`, `5s`) and sizes (`64MiB`).
//!
//! A bare number is refused: nobody can tell whether `300` are seconds or milliseconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const TIME_UNITS: &[(&str, u64)] =
    &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const SIZE_UNITS: &[(&str, u64)] = &[
    ("PiB", 1 << 50),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Why a text is not a quantity. Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Digits alone.
    #[error("a bare number has no unit; units are {0}")]
    NoUnit(&'static str),
    /// No digits in front, a sign, a fraction or a space.
    #[error("not a whole number with its unit; units are {0}")]
    NotANumber(&'static str),
    /// A unit that is not known.
    #[error("an unknown unit; units are {0}")]
    UnknownUnit(&'static str),
    /// More than 64 bits hold.
    #[error("too large a number")]
    TooLarge,
}

/// A duration as people write it: a whole number of `ms`, `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration {
    millis: u64,
}

impl HumanDuration {
    const UNITS: &'static str = "ms, s, m, h, d";

    /// Makes a duration of milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self { millis }
    }

    /// Makes a duration of seconds; past 64 bits of milliseconds it stays at the largest.
    pub const fn from_secs(seconds: u64) -> Self {
        Self { millis: seconds.saturating_mul(1_000) }
    }

    /// Returns the duration.
    pub const fn get(self) -> Duration {
        Duration::from_millis(self.millis)
    }
}

/// A number of bytes as people write it: a whole number of `B`, `KiB`, `MiB`, `GiB`, `TiB`, `PiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize {
    bytes: u64,
}

impl ByteSize {
    const UNITS: &'static str = "B, KiB, MiB, GiB, TiB, PiB";

    /// Makes a size of bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self { bytes }
    }

    /// Makes a size of KiB; past 64 bits of bytes it stays at the largest.
    pub const fn from_kib(kib: u64) -> Self {
        Self { bytes: kib.saturating_mul(1 << 10) }
    }

    /// Makes a size of MiB; past 64 bits of bytes it stays at the largest.
    pub const fn from_mib(mib: u64) -> Self {
        Self { bytes: mib.saturating_mul(1 << 20) }
    }

    /// Makes a size of GiB; past 64 bits of bytes it stays at the largest.
    pub const fn from_gib(gib: u64) -> Self {
        Self { bytes: gib.saturating_mul(1 << 30) }
    }

    /// Returns the bytes.
    pub const fn as_u64(self) -> u64 {
        self.bytes
    }

    /// Returns the bytes, at most what an address can count on this machine.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX)
    }
}

/// Reads `<digits><unit>` and returns it in the smallest unit of `units`.
fn parse(text: &str, units: &[(&str, u64)], names: &'static str) -> Result<u64, UnitError> {
    let unit = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let digits = text.strip_suffix(unit).unwrap_or_default();
    match (digits.is_empty(), unit.is_empty()) {
        (true, _) => return Err(UnitError::NotANumber(names)),
        (false, true) => return Err(UnitError::NoUnit(names)),
        (false, false) => {}
    }
    if !unit.chars().all(|letter| letter.is_ascii_alphabetic()) {
        return Err(UnitError::NotANumber(names));
    }
    let (_, factor) =
        units.iter().find(|(name, _)| *name == unit).ok_or(UnitError::UnknownUnit(names))?;
    let number: u64 = digits.parse().map_err(|_| UnitError::TooLarge)?;
    number.checked_mul(*factor).ok_or(UnitError::TooLarge)
}

/// Writes `amount` in the largest unit that divides it, so that reading it gives the same back.
fn write(
    amount: u64,
    units: &[(&str, u64)],
    zero: &str,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    if amount == 0 {
        return f.write_str(zero);
    }
    for (name, factor) in units {
        if amount.is_multiple_of(*factor) {
            return write!(f, "{}{name}", amount / factor);
        }
    }
    Ok(())
}

macro_rules! quantity {
    ($type:ident, $field:ident, $units:ident, $zero:literal, $expected:literal) => {
        impl FromStr for $type {
            type Err = UnitError;

            fn from_str(text: &str) -> Result<Self, UnitError> {
                parse(text, $units, Self::UNITS).map(|$field| Self { $field })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(self.$field, $units, $zero, f)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }

                    fn visit_u64<E: Error>(self, _: u64) -> Result<$type, E> {
                        Err(E::custom(UnitError::NoUnit($type::UNITS)))
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

quantity!(HumanDuration, millis, TIME_UNITS, "0s", "a duration, such as 250ms, 5s, 2h or 1d");
quantity!(ByteSize, bytes, SIZE_UNITS, "0B", "a size, such as 512KiB or 64MiB");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_unit_is_read_as_what_it_says() {
        for (text, millis) in
            [("0s", 0), ("250ms", 250), ("5s", 5_000), ("3m", 180_000), ("2h", 7_200_000)]
        {
            assert_eq!(text.parse(), Ok(HumanDuration::from_millis(millis)), "{text}");
        }
        assert_eq!("1d".parse(), Ok(HumanDuration::from_secs(86_400)));
        assert_eq!("512KiB".parse(), Ok(ByteSize::from_bytes(524_288)));
        assert_eq!("64MiB".parse(), Ok(ByteSize::from_mib(64)));
        assert_eq!("2GiB".parse(), Ok(ByteSize::from_gib(2)));
        assert_eq!("1PiB".parse(), Ok(ByteSize::from_gib(1 << 20)));
        assert_eq!("7B".parse(), Ok(ByteSize::from_bytes(7)));
    }

    #[test]
    fn what_is_not_a_number_with_a_unit_is_refused() {
        type Time = HumanDuration;
        assert!(matches!("300".parse::<Time>(), Err(UnitError::NoUnit(_))));
        assert!(matches!("64".parse::<ByteSize>(), Err(UnitError::NoUnit(_))));
        for text in ["", "s", "-5s", "+5s", "1.5s", "5 s", " 5s", "1h30m", "٣s"] {
            assert!(matches!(text.parse::<Time>(), Err(UnitError::NotANumber(_))), "{text}");
        }
        for text in ["5S", "5sec", "5MiB", "5us"] {
            assert!(matches!(text.parse::<Time>(), Err(UnitError::UnknownUnit(_))), "{text}");
        }
        for text in ["5MB", "5mib", "5K", "5s"] {
            assert!(matches!(text.parse::<ByteSize>(), Err(UnitError::UnknownUnit(_))), "{text}");
        }
        for text in ["18446744073709551616ms", "18446744073709551615s", "999999999999999d"] {
            assert_eq!(text.parse::<Time>(), Err(UnitError::TooLarge), "{text}");
        }
        assert_eq!("16384PiB".parse::<ByteSize>(), Err(UnitError::TooLarge));
    }

    #[test]
    fn the_largest_unit_that_fits_exactly_is_written() {
        assert_eq!(HumanDuration::from_secs(90).to_string(), "90s");
        assert_eq!(HumanDuration::from_secs(7_200).to_string(), "2h");
        assert_eq!(HumanDuration::from_millis(1_500).to_string(), "1500ms");
        assert_eq!(ByteSize::from_kib(2_048).to_string(), "2MiB");
        assert_eq!(ByteSize::from_bytes(1_025).to_string(), "1025B");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(amount: u64, shift in 0_u32..64) {
            let time = HumanDuration::from_millis(amount >> shift);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
            let size = ByteSize::from_bytes(amount >> shift << (shift / 2));
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,12}", digits in "[0-9]{0,25}") {
            let _ = text.parse::<HumanDuration>();
            let _ = format!("{digits}{text}").parse::<ByteSize>();
            let _ = format!("{digits}d").parse::<HumanDuration>();
        }
    }
}
