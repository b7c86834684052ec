//! How many calls an origin gets at once, by how long it takes and what it refuses.
//!
//! The law is Gradient2 of Netflix's `concurrency-limits` (github.com/Netflix/concurrency-limits,
//! `Gradient2Limit`), over windows of calls as its `WindowedLimit` has them: where the answers of late
//! take longer than usual by more than a tolerance, they queue somewhere, and the limit falls by that
//! ratio; else it rises by the square root of itself, which is the queue that is granted. What an origin
//! refuses for its load (429, 503, 529, time-outs) cuts the limit by a tenth, as TCP does on loss
//! (additive increase, multiplicative decrease; D.-M. Chiu, R. Jain, 1989). A limit that is not reached
//! says nothing, and stays.

use std::time::Duration;

/// Calls in a window before it is looked at.
const WINDOW_CALLS: u32 = 20;

/// By how many times the usual time may be passed before it counts as queueing. Answers of models differ
/// widely in length.
const TOLERANCE: f64 = 2.0;

/// The least part of itself that one window leaves of the limit.
const LEAST_GRADIENT: f64 = 0.5;

/// How much of the new limit is taken at each window.
const SMOOTHING: f64 = 0.2;

/// Windows that the usual time goes over, about.
const USUAL_OVER: f64 = 300.0;

/// What is left of the limit after a window with refusals.
const BACK_OFF: f64 = 0.9;

/// Refusals that count, as a part of a window's calls: one among many is no sign of load.
const MOST_REFUSED: f64 = 0.05;

/// Between which numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ConcurrencySettings {
    /// The least limit.
    pub least: u32,
    /// The largest limit, where it begins.
    pub most: u32,
}

/// How one call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// The origin began to answer after this time.
    Answered(Duration),
    /// It refused for its load, or did not answer in time.
    Refused,
    /// Anything else; it says nothing of load.
    Other,
}

/// Why the limit is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConcurrencyReason {
    /// Answers take much longer than usual.
    Slower,
    /// The origin refuses calls for its load.
    Refusals,
    /// Neither: there may be more.
    Well,
}

impl ConcurrencyReason {
    /// Returns the word in logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::Refusals => "refusals",
            Self::Well => "well",
        }
    }
}

/// What was seen in a window of calls, and the limit under which.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Window {
    /// Calls that ended.
    pub calls: u32,
    /// Of these, refused.
    pub refused: u32,
    /// Mean time to the answer's head, in seconds.
    pub seconds: f64,
    /// What is usual, in seconds.
    pub usual_seconds: f64,
    /// Most calls under way at once.
    pub most_under_way: u32,
    /// The limit, which may lie between two whole numbers.
    pub limit: f64,
    /// Its bounds.
    pub bounds: ConcurrencySettings,
}

/// Another limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NewLimit {
    /// The limit before.
    pub before: u32,
    /// The limit now.
    pub after: u32,
    /// Why.
    pub reason: ConcurrencyReason,
    /// What was seen.
    pub window: Window,
}

/// A limit on the calls under way at one origin.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit {
    settings: ConcurrencySettings,
    limit: f64,
    usual_seconds: Option<f64>,
    answered: u32,
    refused: u32,
    seconds: f64,
    most_under_way: u32,
}

impl ConcurrencyLimit {
    /// Creates a limit that stands at the most.
    pub fn new(settings: ConcurrencySettings) -> Self {
        let least = settings.least.max(1);
        let settings = ConcurrencySettings { least, most: settings.most.max(least) };
        Self {
            settings,
            limit: f64::from(settings.most),
            usual_seconds: None,
            answered: 0,
            refused: 0,
            seconds: 0.0,
            most_under_way: 0,
        }
    }

    /// Returns the limit.
    pub fn limit(&self) -> u32 {
        whole(self.limit)
    }

    /// Learns how a call ended, and how many were under way with it; returns the limit if it is another
    /// one now.
    pub fn ended(&mut self, end: CallEnd, under_way: u32) -> Option<NewLimit> {
        self.most_under_way = self.most_under_way.max(under_way);
        match end {
            CallEnd::Answered(time) => {
                self.answered += 1;
                self.seconds += time.as_secs_f64();
            }
            CallEnd::Refused => self.refused += 1,
            CallEnd::Other => {}
        }
        (self.answered + self.refused >= WINDOW_CALLS).then(|| self.close_window()).flatten()
    }

    fn close_window(&mut self) -> Option<NewLimit> {
        let seconds = self.seconds / f64::from(self.answered.max(1));
        let usual_seconds = self.learn_usual(seconds);
        let window = Window {
            calls: self.answered + self.refused,
            refused: self.refused,
            seconds,
            usual_seconds,
            most_under_way: self.most_under_way,
            limit: self.limit,
            bounds: self.settings,
        };
        (self.answered, self.refused, self.seconds, self.most_under_way) = (0, 0, 0.0, 0);
        let before = self.limit();
        let adapted = adapted(&window);
        self.limit = adapted.exact;
        let after = self.limit();
        let reason = adapted.reason?;
        (after != before).then_some(NewLimit { before, after, reason, window })
    }

    /// The mean of many windows; where those of late are much faster it follows sooner.
    fn learn_usual(&mut self, seconds: f64) -> f64 {
        if self.answered == 0 {
            return self.usual_seconds.unwrap_or(0.0);
        }
        let mut usual = self.usual_seconds.unwrap_or(seconds);
        usual += (seconds - usual) / USUAL_OVER;
        if usual > 2.0 * seconds {
            usual *= 0.95;
        }
        self.usual_seconds = Some(usual);
        usual
    }
}

/// What a window makes of the limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Adapted {
    exact: f64,
    reason: Option<ConcurrencyReason>,
}

impl Adapted {
    /// Returns the limit.
    pub(super) fn limit(self) -> u32 {
        whole(self.exact)
    }
}

/// The law itself.
pub(super) fn adapted(window: &Window) -> Adapted {
    let ConcurrencySettings { least, most } = window.bounds;
    let (least, most) = (f64::from(least), f64::from(most));
    let limit = window.limit;
    let becomes = |exact: f64, reason| Adapted { exact: exact.clamp(least, most), reason };
    // A large limit falls from what was really under way: cutting what nobody uses helps nobody.
    let used = f64::from(window.most_under_way).max(1.0);
    if f64::from(window.refused) > MOST_REFUSED * f64::from(window.calls) {
        return becomes(limit.min(used) * BACK_OFF, Some(ConcurrencyReason::Refusals));
    }
    let gradient = if window.seconds > 0.0 {
        (TOLERANCE * window.usual_seconds / window.seconds).clamp(LEAST_GRADIENT, 1.0)
    } else {
        1.0
    };
    if gradient < 1.0 {
        let wanted = limit.min(used) * gradient + limit.sqrt();
        let falls = limit + (wanted - limit) * SMOOTHING;
        return becomes(falls.min(limit), Some(ConcurrencyReason::Slower));
    }
    if used * 2.0 < limit {
        return becomes(limit, None);
    }
    becomes(limit + limit.sqrt() * SMOOTHING, Some(ConcurrencyReason::Well))
}

fn whole(limit: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between the bounds, which are whole numbers of 32 bits"
    )]
    let limit = limit.round() as u32;
    limit
}

#[cfg(test)]
#[path = "concurrency_tests.rs"]
mod tests;
