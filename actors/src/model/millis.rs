//! A span of time as it is kept with every answer.

use std::time::Duration;

/// A span of time in whole milliseconds: all that is stored of one, in half the room of a [`Duration`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(u64);

impl Millis {
    /// Takes so many milliseconds.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// Takes a span, rounded down; one of more than 500 million years is as good as that.
    #[expect(clippy::cast_possible_truncation, reason = "checked before")]
    pub const fn of(span: Duration) -> Self {
        let millis = span.as_millis();
        Self(if millis > u64::MAX as u128 { u64::MAX } else { millis as u64 })
    }

    /// Returns the span.
    pub const fn get(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// Returns how many milliseconds it has.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl From<Duration> for Millis {
    fn from(span: Duration) -> Self {
        Self::of(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_rounded_down_and_never_wraps() {
        for (span, millis) in [
            (Duration::ZERO, 0),
            (Duration::from_micros(1_999), 1),
            (Duration::from_secs(31_536_000), 31_536_000_000),
            (Duration::MAX, u64::MAX),
        ] {
            assert_eq!(Millis::from(span).as_u64(), millis, "{span:?}");
        }
        assert_eq!(Millis::new(1_500).get(), Duration::from_millis(1_500));
    }
}
