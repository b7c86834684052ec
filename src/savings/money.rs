//! Money in whole millionths.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Millionths in one unit of a currency.
const MICROS: u64 = 1_000_000;

/// An amount of money in millionths of a currency's unit; which currency is the table's matter.
///
/// Range: 0 to about 18 million million units. No arithmetic wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(u64);

/// A text is no amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// It is no plain decimal number without a sign.
    #[error("failed to read an amount of money: expected digits, as in 2.50")]
    NotDecimal,
    /// It has more than six digits after the point.
    #[error("failed to read an amount of money: more than six digits after the point")]
    TooFine,
    /// It is more than can be counted.
    #[error("failed to read an amount of money: more than 18446744073709")]
    TooLarge,
}

impl MoneyError {
    /// Returns the metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotDecimal => "not_decimal",
            Self::TooFine => "too_fine",
            Self::TooLarge => "too_large",
        }
    }
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The greatest amount, at which sums stay.
    pub const MAX: Self = Self(u64::MAX);

    /// Returns an amount of `micros` millionths.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns the amount in millionths.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Returns the sum, or nothing where it is more than [`Self::MAX`].
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Returns the sum, or [`Self::MAX`] where it is more.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Returns the amount `times` over, or [`Self::MAX`] where it is more.
    pub const fn saturating_mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }

    /// Returns the amount in units, as near as a float comes: for metrics, never for sums.
    pub fn as_units(self) -> f64 {
        // The same arithmetic as that of seconds and microseconds.
        Duration::from_micros(self.0).as_secs_f64()
    }

    /// Returns the difference, or [`Self::ZERO`] where it is less.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Units and six digits, as in `0.001250`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / MICROS, self.0 % MICROS)
    }
}

/// Reads units with up to six digits after a point, exactly: `2.50` is 2,500,000 millionths.
impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (units, digits) = text.split_once('.').unwrap_or((text, "0"));
        let is_number =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(units) || !is_number(digits) {
            return Err(MoneyError::NotDecimal);
        }
        if digits.len() > 6 {
            return Err(MoneyError::TooFine);
        }
        let whole: u64 = units.parse().map_err(|_| MoneyError::TooLarge)?;
        let part: u64 = format!("{digits:0<6}").parse().map_err(|_| MoneyError::NotDecimal)?;
        let micros = whole.checked_mul(MICROS).and_then(|micros| micros.checked_add(part));
        micros.map(Self).ok_or(MoneyError::TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_refused() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("2.50", Ok(2_500_000)),
            ("0.000001", Ok(1)),
            ("007.1", Ok(7_100_000)),
            ("18446744073709.551615", Ok(u64::MAX)),
            ("18446744073709.551616", Err(MoneyError::TooLarge)),
            ("99999999999999999999", Err(MoneyError::TooLarge)),
            ("0.0000001", Err(MoneyError::TooFine)),
            ("", Err(MoneyError::NotDecimal)),
            (".5", Err(MoneyError::NotDecimal)),
            ("5.", Err(MoneyError::NotDecimal)),
            ("-1", Err(MoneyError::NotDecimal)),
            ("+1", Err(MoneyError::NotDecimal)),
            ("1e3", Err(MoneyError::NotDecimal)),
            ("1.2.3", Err(MoneyError::NotDecimal)),
            ("1,5", Err(MoneyError::NotDecimal)),
            ("٣", Err(MoneyError::NotDecimal)),
        ] {
            assert_eq!(text.parse::<Money>(), expected.map(Money::from_micros), "{text}");
        }
    }

    #[test]
    fn sums_stop_at_the_ends() {
        let one = Money::from_micros(1);
        assert_eq!(Money::MAX.saturating_add(one), Money::MAX);
        assert_eq!(Money::MAX.checked_add(one), None);
        assert_eq!(one.checked_add(one), Some(Money::from_micros(2)));
        assert_eq!(one.saturating_sub(Money::MAX), Money::ZERO);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(micros in any::<u64>()) {
            let money = Money::from_micros(micros);
            prop_assert_eq!(money.to_string().parse(), Ok(money));
        }

        #[test]
        fn any_text_is_an_amount_or_an_error(text in any::<String>()) {
            if let Err(error) = text.parse::<Money>() {
                prop_assert!(!error.label().is_empty());
            }
        }
    }
}
