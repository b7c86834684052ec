//! What calls to an origin say of its load.

use std::time::Duration;

/// Who wants a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A request that waits for it.
    User,
    /// Nobody waits: warming, a refresh behind a stale answer.
    Background,
}

/// How one call went, as far as the origin's load goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// The origin began to answer after this time.
    Answered(Duration),
    /// It refused for its load, or did not answer in time.
    Refused,
    /// It refused because this credential calls too often.
    Limited,
    /// Anything else; it says nothing of load.
    Other,
}

/// What a number of calls said together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CallCounts {
    /// Calls that the origin began to answer.
    pub answered: u32,
    /// Calls that it refused for its load.
    pub refused: u32,
    /// Calls that it refused for their credential's sake.
    pub limited: u32,
    /// Whether they had different credentials, or may have had.
    pub is_mixed: bool,
    /// Seconds to the heads of all that were answered, together.
    pub seconds: f64,
    /// Most calls under way at once.
    pub most_under_way: u32,
    credential: Option<u64>,
}

impl CallCounts {
    /// Takes in a call by the owner of `credential`, `None` where that is not known, while `under_way` were.
    pub fn add(&mut self, end: CallEnd, credential: Option<u64>, under_way: u32) {
        self.most_under_way = self.most_under_way.max(under_way);
        match end {
            CallEnd::Answered(time) => {
                self.answered = self.answered.saturating_add(1);
                self.seconds += time.as_secs_f64();
            }
            CallEnd::Refused => self.refused = self.refused.saturating_add(1),
            CallEnd::Limited => self.limited = self.limited.saturating_add(1),
            CallEnd::Other => return,
        }
        let is_other = self.credential.is_some_and(|first| Some(first) != credential);
        self.is_mixed |= is_other || credential.is_none();
        self.credential = self.credential.or(credential);
    }

    /// Returns how many calls there were.
    pub const fn calls(&self) -> u32 {
        self.answered.saturating_add(self.refused).saturating_add(self.limited)
    }

    /// Returns how many of them speak of too much load. What one credential is refused for its own sake
    /// is its owner's business where others call, too: they must not be slowed down by it.
    pub const fn refusals(&self) -> u32 {
        if self.is_mixed { self.refused } else { self.refused.saturating_add(self.limited) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_credential_counts_only_where_it_is_the_only_one() {
        let mut counts = CallCounts::default();
        counts.add(CallEnd::Limited, Some(7), 3);
        counts.add(CallEnd::Refused, Some(7), 9);
        counts.add(CallEnd::Answered(Duration::from_secs(2)), Some(7), 4);
        assert_eq!((counts.calls(), counts.refusals(), counts.most_under_way), (3, 2, 9));
        counts.add(CallEnd::Other, Some(8), 1);
        assert_eq!((counts.calls(), counts.refusals()), (3, 2), "it says nothing");
        counts.add(CallEnd::Answered(Duration::from_secs(1)), Some(8), 1);
        assert_eq!((counts.calls(), counts.refusals()), (4, 1));
        assert!((counts.seconds - 3.0).abs() < 1e-9);
    }

    #[test]
    fn where_it_is_not_known_whose_it_is_a_limited_credential_does_not_count() {
        let mut counts = CallCounts::default();
        counts.add(CallEnd::Limited, None, 3);
        counts.add(CallEnd::Refused, None, 3);
        assert_eq!((counts.calls(), counts.refusals()), (2, 1));
    }
}
