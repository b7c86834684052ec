//! The last minute, five minutes and hour of traffic.
//!
//! What comes in goes into the open step of five seconds. A step that is over is added to three rings
//! of coarser and coarser stretches; a window is what one ring holds, and the open step. It is
//! therefore longer than its name by at most one stretch of its ring: 5 s, 30 s and 5 min.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::stretch::{Flows, LeaseTimes, Stretch};
use anteroom_actors::model::SampleBatch;

/// Length of a step.
const STEP: Duration = Duration::from_secs(5);

/// How far back to look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Window {
    /// One minute.
    Minute,
    /// Five minutes.
    #[default]
    FiveMinutes,
    /// One hour.
    Hour,
}

impl Window {
    /// All windows.
    pub const ALL: [Self; 3] = [Self::Minute, Self::FiveMinutes, Self::Hour];

    /// Returns its name in queries and answers.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::FiveMinutes => "5m",
            Self::Hour => "1h",
        }
    }

    /// Returns the window called `label`.
    pub fn of(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.label() == label)
    }

    /// Returns how many steps a stretch of its ring has, and how many whole stretches the ring holds.
    const fn shape(self) -> (u64, u64) {
        match self {
            Self::Minute => (1, 12),
            Self::FiveMinutes => (6, 10),
            Self::Hour => (60, 12),
        }
    }
}

/// What was answered in a window, and how long the window really is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// What was answered.
    pub stretch: Stretch,
    /// How long it took: shorter than its name after the recorder's start.
    pub lasted: Duration,
}

/// Stretches of one length, the oldest first, each with its number since the start.
#[derive(Debug)]
struct Ring {
    steps: u64,
    most: u64,
    stretches: VecDeque<(u64, Stretch)>,
}

impl Ring {
    fn new(window: Window) -> Self {
        let (steps, most) = window.shape();
        Self { steps, most, stretches: VecDeque::new() }
    }

    /// Adds a step that is over.
    fn add(&mut self, step: u64, stretch: &Stretch) {
        let number = step / self.steps;
        match self.stretches.back_mut() {
            Some((own, latest)) if *own == number => latest.add(stretch),
            _ => self.stretches.push_back((number, stretch.clone())),
        }
    }

    /// Lets go of what is too old at `step`.
    fn turn(&mut self, step: u64) {
        let oldest = self.oldest(step);
        while self.stretches.front().is_some_and(|(number, _)| *number < oldest) {
            self.stretches.pop_front();
        }
    }

    const fn oldest(&self, step: u64) -> u64 {
        (step / self.steps).saturating_sub(self.most)
    }
}

/// The windows. Bounds: 38 stretches.
#[derive(Debug)]
pub struct Windows {
    started: Instant,
    /// Number of the open step since the start.
    step: u64,
    open: Stretch,
    rings: [Ring; 3],
    latest: Flows,
}

impl Windows {
    /// Begins at `now`, when `flows` had grown to this.
    pub fn new(now: Instant, flows: Flows) -> Self {
        let rings = Window::ALL.map(Ring::new);
        Self { started: now, step: 0, open: Stretch::default(), rings, latest: flows }
    }

    /// Brings the windows to `now`. What `flows` have grown by since the last call belongs to the step
    /// that was open then: called at least every second, it is in the right one.
    pub fn turn(&mut self, now: Instant, flows: Flows) {
        self.open.take_flows(&flows.since(&self.latest));
        self.latest = flows;
        let since = now.saturating_duration_since(self.started);
        let step = since.as_secs() / STEP.as_secs();
        if step <= self.step {
            return;
        }
        let over = std::mem::take(&mut self.open);
        let is_empty = over == Stretch::default();
        for ring in &mut self.rings {
            if !is_empty {
                ring.add(self.step, &over);
            }
            ring.turn(step);
        }
        self.step = step;
    }

    /// Takes in a worker's samples.
    pub fn take(&mut self, batch: &SampleBatch) {
        self.open.take(batch);
    }

    /// Takes in hits that a worker answered from its leases.
    pub fn take_leases(&mut self, times: &LeaseTimes) {
        self.open.take_leases(times);
    }

    /// Returns what was answered in `window` up to `now`, which is that of the last [`Self::turn`].
    pub fn look(&self, window: Window, now: Instant) -> Looked {
        let [minute, five_minutes, hour] = &self.rings;
        let ring = match window {
            Window::Minute => minute,
            Window::FiveMinutes => five_minutes,
            Window::Hour => hour,
        };
        let mut stretch = self.open.clone();
        ring.stretches.iter().for_each(|(_, older)| stretch.add(older));
        let begun = STEP.as_secs() * ring.oldest(self.step) * ring.steps;
        let since = now.saturating_duration_since(self.started);
        Looked { stretch, lasted: since.saturating_sub(Duration::from_secs(begun)) }
    }
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;
