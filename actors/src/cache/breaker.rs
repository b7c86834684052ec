//! When to leave a level out because its server fails, and when to try it again.

use std::time::{Duration, Instant};

use crate::settings::BreakerSettings;

/// Counts failures in a row; at the limit it opens, and only a probe that succeeds closes it.
///
/// Law: closed → open after `failures` failures with no success between (0 counts as 1). Open →
/// one probe at a time; the wait before it is `probe_after`, doubled after each failed probe, at
/// most `probe_at_most`. What calls from before the opening report while it is open changes
/// nothing: a reply that was on its way says little about the server now.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: State,
    times_opened: u64,
}

#[derive(Debug)]
enum State {
    Closed { failures_in_row: u32 },
    Open { wait: Duration, probe_at: Instant, probing: bool },
}

impl Breaker {
    /// Creates a closed breaker.
    pub const fn new(settings: BreakerSettings) -> Self {
        Self { settings, state: State::Closed { failures_in_row: 0 }, times_opened: 0 }
    }

    /// Tells whether the level may be asked.
    pub const fn allows(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Tells whether the level is left out.
    pub const fn is_open(&self) -> bool {
        !self.allows()
    }

    /// Notes a call that its server answered.
    pub const fn succeeded(&mut self) {
        if let State::Closed { failures_in_row } = &mut self.state {
            *failures_in_row = 0;
        }
    }

    /// Notes a call that failed at `now`; returns true when this one opened the breaker.
    pub fn failed(&mut self, now: Instant) -> bool {
        let State::Closed { failures_in_row } = &mut self.state else { return false };
        *failures_in_row = failures_in_row.saturating_add(1);
        if *failures_in_row < self.settings.failures {
            return false;
        }
        let wait = self.settings.probe_after.min(self.settings.probe_at_most);
        self.state = State::Open { wait, probe_at: later(now, wait), probing: false };
        self.times_opened = self.times_opened.saturating_add(1);
        true
    }

    /// Tells whether a probe should be sent at `now`: open, none under way, the wait is over.
    pub fn probe_due(&self, now: Instant) -> bool {
        matches!(self.state, State::Open { probe_at, probing: false, .. } if now >= probe_at)
    }

    /// Notes that a probe is under way.
    pub const fn probe_started(&mut self) {
        if let State::Open { probing, .. } = &mut self.state {
            *probing = true;
        }
    }

    /// Notes that the probe failed at `now`: the next one waits twice as long.
    pub fn probe_failed(&mut self, now: Instant) {
        let longest = self.settings.probe_at_most;
        if let State::Open { wait, probe_at, probing } = &mut self.state {
            *wait = wait.saturating_mul(2).min(longest);
            *probe_at = later(now, *wait);
            *probing = false;
        }
    }

    /// Notes that the probe succeeded: the level may be asked again.
    pub const fn probe_succeeded(&mut self) {
        self.state = State::Closed { failures_in_row: 0 };
    }

    /// Returns how often it has opened.
    pub const fn times_opened(&self) -> u64 {
        self.times_opened
    }
}

/// Adds, and stays where it is if the sum is past what an instant can hold.
fn later(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait).unwrap_or(now)
}

#[cfg(test)]
mod tests;
