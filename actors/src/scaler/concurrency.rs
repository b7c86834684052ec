//! How many calls an origin gets at once, by how long it takes and what it refuses.
//!
//! The law is Gradient2 of Netflix's `concurrency-limits` (github.com/Netflix/concurrency-limits,
//! `Gradient2Limit`), over windows of calls as its `WindowedLimit` has them: where the answers of late
//! take longer than usual by more than a tolerance, they queue somewhere, and the limit falls by that
//! ratio; else it rises by the square root of itself, which is the queue that is granted. What an origin
//! refuses for its load (429, 503, 504, 529, time-outs) cuts the limit by a tenth, as TCP does on loss
//! (additive increase, multiplicative decrease; D.-M. Chiu, R. Jain, 1989). A limit that is not reached
//! says nothing, and stays.
//!
//! One thing is added, for answers of models take long for reasons of their own: where fewer calls at once
//! are not answered sooner, they did not queue, and what they take is usual from then on.

use crate::model::CallCounts;

/// By how many times the usual time may be passed before it counts as queueing. Answers of models differ
/// widely in length.
const TOLERANCE: f64 = 2.0;

/// The least part of itself that one window leaves of the limit, before smoothing.
const LEAST_GRADIENT: f64 = 0.5;

/// How much of the new limit is taken at each window.
const SMOOTHING: f64 = 0.5;

/// Windows that the usual time goes over, about.
const USUAL_OVER: f64 = 300.0;

/// What is left of the limit after a window with refusals.
const BACK_OFF: f64 = 0.9;

/// Refusals that count, as a part of a window's calls: one among many is no sign of load.
const MOST_REFUSED: f64 = 0.05;

/// A limit that came this near is another one only then: a part of it. Each change is told and kept.
const STEP: f64 = 0.1;

/// With this part of the calls at once, in the window after the one in which the limit came so far ...
const FEWER: f64 = 0.7;

/// ... they have to be answered in this part of the time, if they queued.
const SOONER: f64 = 0.85;

/// Between which numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ConcurrencySettings {
    /// The least limit.
    pub least: u32,
    /// The largest limit, where it begins.
    pub most: u32,
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
    /// The limit by the law, which may lie between two whole numbers.
    pub exact: f64,
    /// The limit.
    pub limit: u32,
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
    bounds: ConcurrencySettings,
    exact: f64,
    limit: u32,
    usual_seconds: Option<f64>,
    fall: Option<Fall>,
}

/// A fall of the limit because answers are slow.
#[derive(Debug, Clone, Copy)]
struct Fall {
    /// Seconds to an answer's head when it began.
    seconds: f64,
    /// Calls at once then.
    from: f64,
    /// Whether there are few enough by now to judge it; calls that were begun before end first.
    is_far: bool,
}

impl ConcurrencyLimit {
    /// Creates a limit that stands at `limit`.
    pub fn new(bounds: ConcurrencySettings, limit: u32) -> Self {
        let least = bounds.least.max(1);
        let bounds = ConcurrencySettings { least, most: bounds.most.max(least) };
        let limit = limit.clamp(bounds.least, bounds.most);
        Self { bounds, exact: f64::from(limit), limit, usual_seconds: None, fall: None }
    }

    /// Returns the limit.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Returns what is usual, in seconds to an answer's head; nothing before the first window.
    pub const fn usual_seconds(&self) -> Option<f64> {
        self.usual_seconds
    }

    /// Learns of a window of calls; returns the limit if it is another one now.
    pub fn learn(&mut self, counts: &CallCounts) -> Option<NewLimit> {
        if counts.calls() == 0 {
            return None;
        }
        let seconds = (counts.answered > 0).then(|| counts.seconds / f64::from(counts.answered));
        if let Some(seconds) = seconds {
            self.learn_usual(seconds);
        }
        let window = Window {
            calls: counts.calls(),
            refused: counts.refusals(),
            seconds: seconds.unwrap_or(0.0),
            usual_seconds: self.usual_seconds.unwrap_or(0.0),
            most_under_way: counts.most_under_way,
            exact: self.exact,
            limit: self.limit,
            bounds: self.bounds,
        };
        let adapted = adapted(&window);
        self.fall = match adapted.reason {
            Some(ConcurrencyReason::Slower) => {
                let from = self.exact.min(f64::from(window.most_under_way));
                let begun = Fall { seconds: window.seconds, from, is_far: false };
                self.fall.or(Some(begun))
            }
            Some(ConcurrencyReason::Refusals) => self.fall,
            Some(ConcurrencyReason::Well) | None => None,
        };
        let before = self.limit;
        (self.exact, self.limit) = (adapted.exact, adapted.limit);
        let reason = adapted.reason.filter(|_| before != self.limit)?;
        Some(NewLimit { before, after: self.limit, reason, window })
    }

    /// The mean of many windows. Where those of late are much faster it follows sooner; where they are slow
    /// and fewer calls at once have not helped, at once.
    fn learn_usual(&mut self, seconds: f64) {
        let mut usual = self.usual_seconds.unwrap_or(seconds);
        usual += (seconds - usual) / USUAL_OVER;
        if usual > 2.0 * seconds {
            usual *= 0.95;
        }
        if let Some(fall) = &mut self.fall {
            if fall.is_far {
                if seconds > SOONER * fall.seconds {
                    usual = seconds;
                }
                *fall = Fall { seconds, from: self.exact, is_far: false };
            } else {
                fall.is_far = self.exact <= FEWER * fall.from;
            }
        }
        self.usual_seconds = Some(usual);
    }
}

/// What a window makes of the limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Adapted {
    exact: f64,
    /// The limit.
    pub(super) limit: u32,
    reason: Option<ConcurrencyReason>,
}

/// The law itself.
pub(super) fn adapted(window: &Window) -> Adapted {
    let ConcurrencySettings { least, most } = window.bounds;
    let limit = window.exact;
    let becomes = |exact: f64, reason| {
        let exact = exact.clamp(f64::from(least), f64::from(most));
        Adapted { exact, limit: stepped(exact, window), reason }
    };
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

/// Returns the limit that `exact` makes: the present one, unless it is a step away, or one of the bounds.
fn stepped(exact: f64, window: &Window) -> u32 {
    let ConcurrencySettings { least, most } = window.bounds;
    let now = f64::from(window.limit);
    let is_bound = exact <= f64::from(least) || exact >= f64::from(most);
    if !is_bound && (exact - now).abs() < (STEP * now).max(1.0) {
        return window.limit;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between the bounds, which are whole numbers of 32 bits"
    )]
    let limit = exact.round() as u32;
    limit
}

#[cfg(test)]
#[path = "concurrency_tests.rs"]
mod tests;
