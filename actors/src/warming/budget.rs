//! What warming may cost: calls a minute, calls and money a day.

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// Weight of the latest call in what a call is expected to cost.
const LATEST: u64 = 8;

/// Bounds of what is spent unasked; 0 of any of them = no calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetSettings {
    /// Most calls a minute.
    pub calls_a_minute: u64,
    /// Most calls a day.
    pub calls_a_day: u64,
    /// Most money a day, in millionths of the prices' currency.
    pub micros_a_day: u64,
}

/// Which bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// Calls of this minute.
    Minute,
    /// Calls of this day.
    Day,
    /// Money of this day.
    Money,
}

impl Spent {
    /// Returns the word in the operations API.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Minute => "calls_a_minute",
            Self::Day => "calls_a_day",
            Self::Money => "money_a_day",
        }
    }
}

/// What was spent within a span that begins with its first call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Span {
    began_ms: u64,
    calls: u64,
    micros: u64,
}

impl Span {
    fn at(&mut self, now_ms: u64, span_ms: u64) -> &mut Self {
        if now_ms.saturating_sub(self.began_ms) >= span_ms {
            *self = Self { began_ms: now_ms, ..Self::default() };
        }
        self
    }
}

/// What was spent, by the clock that does not go back.
#[derive(Debug, Clone)]
pub struct Budget {
    settings: BudgetSettings,
    /// Hundredths of it that may be used.
    share: u64,
    minute: Span,
    day: Span,
    /// Calls whose cost is not known yet.
    open: u64,
    /// What a call is expected to cost.
    expected_micros: u64,
}

impl Budget {
    /// Creates a budget of which nothing is spent.
    pub fn new(settings: BudgetSettings) -> Self {
        let (minute, day) = (Span::default(), Span::default());
        Self { settings, share: 100, minute, day, open: 0, expected_micros: 0 }
    }

    /// Changes how many hundredths of it may be used.
    pub fn set_share(&mut self, share: u64) {
        self.share = share.min(100);
    }

    /// Returns how many hundredths of it may be used.
    pub const fn share(&self) -> u64 {
        self.share
    }

    /// Returns what may be used of `most`: a part, rounded up.
    fn part_of(&self, most: u64) -> u64 {
        let part = (u128::from(most) * u128::from(self.share)).div_ceil(100);
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// Returns which bound forbids one more call now, if one does. Calls under way count with what a
    /// call is expected to cost.
    pub fn forbids(&mut self, now_ms: u64) -> Option<Spent> {
        let minute = self.minute.at(now_ms, MINUTE_MS).calls;
        let day = *self.day.at(now_ms, DAY_MS);
        let BudgetSettings { calls_a_minute, calls_a_day, micros_a_day } = self.settings;
        let micros = self.part_of(micros_a_day);
        let expected = self.expected_micros.saturating_mul(self.open.saturating_add(1));
        if minute >= self.part_of(calls_a_minute) {
            Some(Spent::Minute)
        } else if day.calls >= self.part_of(calls_a_day) {
            Some(Spent::Day)
        } else if day.micros >= micros || day.micros.saturating_add(expected) > micros {
            Some(Spent::Money)
        } else {
            None
        }
    }

    /// A call begins.
    pub fn begin(&mut self, now_ms: u64) {
        for span in [self.minute.at(now_ms, MINUTE_MS), self.day.at(now_ms, DAY_MS)] {
            span.calls = span.calls.saturating_add(1);
        }
        self.open = self.open.saturating_add(1);
    }

    /// It has ended, and cost so much; nothing where no call was made after all.
    pub fn end(&mut self, cost_micros: Option<u64>, now_ms: u64) {
        self.open = self.open.saturating_sub(1);
        let Some(cost) = cost_micros else {
            for span in [self.minute.at(now_ms, MINUTE_MS), self.day.at(now_ms, DAY_MS)] {
                span.calls = span.calls.saturating_sub(1);
            }
            return;
        };
        let day = self.day.at(now_ms, DAY_MS);
        day.micros = day.micros.saturating_add(cost);
        let others = u128::from(self.expected_micros) * u128::from(LATEST - 1);
        let mean = (others + u128::from(cost)).div_ceil(u128::from(LATEST));
        self.expected_micros = u64::try_from(mean).unwrap_or(u64::MAX);
    }

    /// Returns the bounds.
    pub const fn settings(&self) -> BudgetSettings {
        self.settings
    }

    /// Returns what was spent as of `now_ms`: calls of the minute, calls and millionths of the day.
    pub fn spent(&mut self, now_ms: u64) -> (u64, u64, u64) {
        let minute = self.minute.at(now_ms, MINUTE_MS).calls;
        let day = self.day.at(now_ms, DAY_MS);
        (minute, day.calls, day.micros)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: BudgetSettings =
        BudgetSettings { calls_a_minute: 3, calls_a_day: 5, micros_a_day: 1_000 };

    #[test]
    fn each_bound_holds_and_ends_with_its_span() {
        let mut budget = Budget::new(SETTINGS);
        for _ in 0..3 {
            assert_eq!(budget.forbids(1_000), None);
            budget.begin(1_000);
            budget.end(Some(10), 1_000);
        }
        assert_eq!(budget.forbids(1_000), Some(Spent::Minute));
        assert_eq!(budget.forbids(MINUTE_MS), None);
        for _ in 0..2 {
            budget.begin(MINUTE_MS);
            budget.end(Some(10), MINUTE_MS);
        }
        assert_eq!(budget.forbids(3 * MINUTE_MS), Some(Spent::Day));
        assert_eq!(budget.spent(3 * MINUTE_MS), (0, 5, 50));
        assert_eq!(budget.forbids(DAY_MS), None);
        assert_eq!(budget.spent(DAY_MS), (0, 0, 0));
    }

    #[test]
    fn money_is_kept_back_for_calls_under_way() {
        let mut budget =
            Budget::new(BudgetSettings { calls_a_minute: 100, calls_a_day: 100, ..SETTINGS });
        for _ in 0..20 {
            budget.expected_micros = 0;
            budget.day = Span::default();
            budget.begin(0);
            budget.end(Some(800), 0);
        }
        // 100 is expected of the next.
        assert_eq!((budget.spent(0).2, budget.forbids(0)), (800, None));
        budget.begin(0);
        assert_eq!(budget.forbids(0), None);
        budget.begin(0);
        assert_eq!(budget.forbids(0), Some(Spent::Money));
    }

    #[test]
    fn a_call_that_was_not_made_costs_nothing() {
        let mut budget = Budget::new(SETTINGS);
        budget.begin(0);
        budget.end(None, 0);
        assert_eq!(budget.spent(0), (0, 0, 0));
        let mut none = Budget::new(BudgetSettings { micros_a_day: 0, ..SETTINGS });
        assert_eq!(none.forbids(0), Some(Spent::Money));
    }

    #[test]
    fn a_share_is_a_part_of_each_bound() {
        let mut budget = Budget::new(SETTINGS);
        budget.set_share(40);
        for spent in [None, None, Some(Spent::Minute)] {
            assert_eq!(budget.forbids(0), spent);
            budget.begin(0);
            budget.end(Some(100), 0);
        }
        budget.set_share(30);
        assert_eq!(budget.forbids(MINUTE_MS), Some(Spent::Day), "two of five");
        budget.set_share(0);
        assert_eq!(budget.forbids(2 * DAY_MS), Some(Spent::Minute));
        budget.set_share(1_000);
        assert_eq!((budget.share(), budget.forbids(2 * DAY_MS)), (100, None));
    }

    proptest! {
        #[test]
        fn no_more_is_begun_than_the_bounds_allow(
            steps in prop::collection::vec((0_u64..40_000, 0_u64..400, 0_u8..3), 0..300),
        ) {
            let mut budget = Budget::new(SETTINGS);
            let (mut now_ms, mut open, mut begun) = (0, 0_u32, Vec::new());
            for (step_ms, cost, what) in steps {
                now_ms += step_ms;
                if what > 0 && open > 0 {
                    open -= 1;
                    budget.end((what == 1).then_some(cost), now_ms);
                } else if budget.forbids(now_ms).is_none() {
                    budget.begin(now_ms);
                    open += 1;
                    begun.push(now_ms);
                }
                let (minute, day, micros) = budget.spent(now_ms);
                prop_assert!(minute <= 3 && day <= 5);
                // At most what was under way beyond the bound.
                prop_assert!(micros < 1_000 + 400 * 5);
            }
        }
    }
}
