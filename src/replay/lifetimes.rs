//! How long the levels keep what they were filled with.

use std::str::FromStr;

/// Without end.
pub const ENDLESS: u64 = u64::MAX;

/// Residence by level, in milliseconds of the log's clock: 0 means that the level is off,
/// [`ENDLESS`] that nothing leaves it for its age.
///
/// Residence in L1 and L2 runs from the fill, so that a hit below refills the levels above; nothing
/// outlives the longest of the three from its making.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// L1.
    pub l1_ms: u64,
    /// L2.
    pub l2_ms: u64,
    /// L3.
    pub l3_ms: u64,
}

impl Default for Lifetimes {
    /// The gateway's defaults: five minutes, half an hour, two hours.
    fn default() -> Self {
        Self { l1_ms: 300_000, l2_ms: 1_800_000, l3_ms: 7_200_000 }
    }
}

impl Lifetimes {
    /// Nothing leaves any level for its age.
    pub const NONE: Self = Self { l1_ms: ENDLESS, l2_ms: ENDLESS, l3_ms: ENDLESS };

    /// Returns how long an answer may be served, from its making.
    pub fn of_answer_ms(&self) -> u64 {
        self.l1_ms.max(self.l2_ms).max(self.l3_ms)
    }
}

/// Why a text names no lifetimes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no lifetime: write l1=300,l2=1800,l3=7200 (seconds; 0: the level is off; none: without end)"
)]
pub struct LifetimesError(String);

impl FromStr for Lifetimes {
    type Err = LifetimesError;

    /// Reads `l1=300,l2=1800,l3=7200`; a level that is not named keeps its default.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut lifetimes = Self::default();
        for part in text.split(',') {
            let error = || LifetimesError(part.to_owned());
            let (level, value) = part.split_once('=').ok_or_else(error)?;
            let ms = match value.trim() {
                "none" => ENDLESS,
                seconds => {
                    let seconds: u64 = seconds.parse().map_err(|_| error())?;
                    seconds.checked_mul(1_000).ok_or_else(error)?
                }
            };
            match level.trim() {
                "l1" => lifetimes.l1_ms = ms,
                "l2" => lifetimes.l2_ms = ms,
                "l3" => lifetimes.l3_ms = ms,
                _ => return Err(error()),
            }
        }
        Ok(lifetimes)
    }
}

/// When the levels' copies of one answer leave; in L1 where it is without bound.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filled {
    ends_ms: u64,
    l1_until_ms: u64,
    l2_until_ms: u64,
    l3_until_ms: u64,
}

/// Where an answer was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// In memory.
    L1,
    /// In Redis.
    L2,
    /// In the database.
    L3,
    /// Nowhere: it was made.
    Nowhere,
}

impl Filled {
    /// Returns until when a fill of L1 at `now_ms` holds.
    pub const fn l1_until_ms(&self) -> u64 {
        self.l1_until_ms
    }

    /// Tells whether L2 or L3 holds the answer.
    pub const fn is_below(&self, now_ms: u64) -> bool {
        self.l2_until_ms > now_ms || self.l3_until_ms > now_ms
    }

    /// Returns how long the answer is good from `now_ms` on: nothing where it is without end.
    pub fn fresh_for_ms(&self, now_ms: u64) -> Option<u64> {
        (self.ends_ms != ENDLESS).then(|| self.ends_ms.saturating_sub(now_ms))
    }

    /// Looks in L1 as if it had no bound, then below.
    pub fn look(&mut self, now_ms: u64, lifetimes: &Lifetimes) -> Found {
        if self.l1_until_ms > now_ms {
            return Found::L1;
        }
        self.look_below(now_ms, lifetimes)
    }

    /// Looks in L2, then in L3; makes the answer if it is in neither. Fills the levels above.
    pub fn look_below(&mut self, now_ms: u64, lifetimes: &Lifetimes) -> Found {
        let found = if self.l2_until_ms > now_ms {
            Found::L2
        } else if self.l3_until_ms > now_ms {
            Found::L3
        } else {
            self.ends_ms = now_ms.saturating_add(lifetimes.of_answer_ms());
            self.l3_until_ms = now_ms.saturating_add(lifetimes.l3_ms);
            Found::Nowhere
        };
        if found != Found::L2 {
            self.l2_until_ms = now_ms.saturating_add(lifetimes.l2_ms).min(self.ends_ms);
        }
        self.l1_until_ms = now_ms.saturating_add(lifetimes.l1_ms).min(self.ends_ms);
        found
    }
}

/// Hits by level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Hits {
    /// In memory.
    pub l1: u64,
    /// In Redis.
    pub l2: u64,
    /// In the database.
    pub l3: u64,
}

impl Hits {
    /// Counts one request.
    pub const fn count(&mut self, found: Found) {
        match found {
            Found::L1 => self.l1 += 1,
            Found::L2 => self.l2 += 1,
            Found::L3 => self.l3 += 1,
            Found::Nowhere => {}
        }
    }

    /// Returns all hits together.
    pub const fn all(&self) -> u64 {
        self.l1 + self.l2 + self.l3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_not_named_keeps_its_default() {
        let read = |text: &str| text.parse::<Lifetimes>().ok();
        assert_eq!(read("l1=300,l2=1800,l3=7200"), Some(Lifetimes::default()));
        assert_eq!(read("l2=0"), Some(Lifetimes { l2_ms: 0, ..Lifetimes::default() }));
        assert_eq!(read("l1=none,l2=none,l3=none"), Some(Lifetimes::NONE));
        for text in ["", "l1", "l4=3", "l1=-1", "l1=1.5", "l1=99999999999999999999"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_hit_below_refills_above_and_nothing_outlives_its_lifetime() {
        let lifetimes = Lifetimes::default();
        let mut answer = Filled::default();
        for (second, found) in [
            (0, Found::Nowhere),
            (299, Found::L1),
            (300, Found::L2),
            (599, Found::L1),
            (1_800, Found::L3),
            (2_100, Found::L2),
            // Filled anew at 7,000 from L3, but made at 0.
            (7_000, Found::L3),
            (7_199, Found::L1),
            (7_200, Found::Nowhere),
            (7_201, Found::L1),
        ] {
            assert_eq!(answer.look(second * 1_000, &lifetimes), found, "{second}");
        }
    }
}
