//! When to leave an upstream alone because it fails, and when to try it again.

use std::time::{Duration, Instant};

use super::spec::BreakerSpec;

/// What is told to who comes while a probe is under way: its end may be near.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Counts failed calls in a row; at the limit it opens, and only an answered probe closes it.
///
/// Law: closed → open after `failures` failed calls with no answered one between (0 = never). Open
/// → after the wait one call is let through as a probe. Answered: closed. Failed: open again, for
/// twice the wait, at most `open_at_most`; the first wait is `open_for`, and each is up to a
/// quarter longer at random, so that many gateways do not come back in step. A probe that has not
/// ended within the wait keeps the next one back no longer: a slow answer must not shut an upstream
/// that is well again. What calls from before an opening or a closing report later changes nothing.
#[derive(Debug)]
pub(super) struct Breaker {
    spec: BreakerSpec,
    state: State,
    /// Number of the present state; each opening and each closing begins a new one.
    period: u64,
    probes: u64,
}

#[derive(Debug)]
enum State {
    Closed { failures_in_row: u32 },
    Open { wait: Duration, probe_at: Instant, probe: Option<Probe> },
}

/// The probe under way.
#[derive(Debug)]
struct Probe {
    number: u64,
    /// From here on another may be sent.
    lapses_at: Instant,
}

/// A call that was let through, to report its end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    period: u64,
    probe: Option<u64>,
}

impl Ticket {
    /// Tells whether the call is a probe.
    pub(super) const fn is_probe(self) -> bool {
        self.probe.is_some()
    }
}

/// What a call says about its upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It answers.
    Answered,
    /// It fails: no connection, no answer, no answer in time, or one of [`is_failure`].
    Failed,
    /// Nothing: the caller broke off, or something of ours did.
    Unknown,
}

/// What came of an end that was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It opened, or stays open, for so long.
    Opened(Duration),
    /// It closed.
    Closed,
}

/// Tells whether a status says that the upstream itself fails.
///
/// 429 does not: it is about one credential, whose owner gets it with its Retry-After.
pub(super) const fn is_failure(status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504 | 529)
}

impl Breaker {
    /// Creates a closed breaker.
    pub(super) const fn new(spec: BreakerSpec) -> Self {
        Self { spec, state: State::Closed { failures_in_row: 0 }, period: 0, probes: 0 }
    }

    /// Lets a call through at `now`, or tells how long it had better wait.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        let State::Open { wait, probe_at, probe } = &mut self.state else {
            return Ok(Ticket { period: self.period, probe: None });
        };
        if now < *probe_at {
            return Err(probe_at.duration_since(now));
        }
        if let Some(probe) = probe
            && now < probe.lapses_at
        {
            return Err(probe.lapses_at.duration_since(now).min(LOOK_AGAIN));
        }
        self.probes = self.probes.saturating_add(1);
        *probe = Some(Probe { number: self.probes, lapses_at: later(now, *wait) });
        Ok(Ticket { period: self.period, probe: Some(self.probes) })
    }

    /// Notes the end of a call at `now`; `random` is any number, another one each time.
    pub(super) fn ended(
        &mut self,
        ticket: Ticket,
        end: End,
        now: Instant,
        random: u64,
    ) -> Option<Turn> {
        if ticket.period != self.period {
            return None;
        }
        match (&mut self.state, end) {
            (_, End::Unknown) => {
                self.abandoned(ticket);
                None
            }
            (State::Closed { failures_in_row }, End::Answered) => {
                *failures_in_row = 0;
                None
            }
            (State::Closed { failures_in_row }, End::Failed) => {
                *failures_in_row = failures_in_row.saturating_add(1);
                let is_enough = self.spec.failures > 0 && *failures_in_row >= self.spec.failures;
                is_enough.then(|| self.open(self.spec.open_for, now, random))
            }
            (State::Open { .. }, End::Answered) => {
                self.state = State::Closed { failures_in_row: 0 };
                self.period = self.period.saturating_add(1);
                Some(Turn::Closed)
            }
            (State::Open { wait, probe, .. }, End::Failed) => {
                let wait = wait.saturating_mul(2);
                is_present(probe.as_ref(), ticket).then(|| self.open(wait, now, random))
            }
        }
    }

    /// Notes that a call ended without saying anything about the upstream: if it was the probe
    /// under way, the next call is one.
    pub(super) fn abandoned(&mut self, ticket: Ticket) {
        if let State::Open { probe, .. } = &mut self.state
            && is_present(probe.as_ref(), ticket)
        {
            *probe = None;
        }
    }

    fn open(&mut self, wait: Duration, now: Instant, random: u64) -> Turn {
        let wait = wait.min(self.spec.open_at_most);
        let quarter_ms = u64::try_from(wait.as_millis() / 4).unwrap_or(u64::MAX).max(1);
        let for_now = wait.saturating_add(Duration::from_millis(random % quarter_ms));
        self.state = State::Open { wait, probe_at: later(now, for_now), probe: None };
        self.period = self.period.saturating_add(1);
        Turn::Opened(for_now)
    }

    /// Tells whether the call of `ticket` may be sent again: as long as it stays closed. A probe is
    /// one call.
    pub(super) const fn allows_repeat(&self, ticket: Ticket) -> bool {
        matches!(self.state, State::Closed { .. }) && ticket.period == self.period
    }

    /// Tells whether it is open; it is until a probe was answered.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }
}

fn is_present(probe: Option<&Probe>, ticket: Ticket) -> bool {
    probe.is_some_and(|probe| Some(probe.number) == ticket.probe)
}

/// Adds, and stays where it is if the sum is past what an instant can hold.
fn later(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait).unwrap_or(now)
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
