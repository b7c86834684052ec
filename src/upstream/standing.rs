//! What all threads that call one upstream know of it together: its breaker, and a count of
//! repeats.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anteroom_actors::error::OriginError;
use parking_lot::Mutex;

use super::breaker::{Breaker, End, Ticket, Turn};
use super::spec::BreakerSpec;

/// How an upstream is doing.
#[derive(Debug)]
pub(super) struct Standing {
    upstream: Arc<str>,
    breaker: Mutex<Breaker>,
    retries: AtomicU64,
}

impl Standing {
    /// Begins with a closed breaker.
    pub(super) fn new(upstream: Arc<str>, spec: BreakerSpec) -> Self {
        Self { upstream, breaker: Mutex::new(Breaker::new(spec)), retries: AtomicU64::new(0) }
    }

    /// Lets a call through.
    ///
    /// Errors: [`OriginError::BreakerOpen`], without asking anybody.
    pub(super) fn admit(&self, now: Instant) -> Result<Pass<'_>, OriginError> {
        let admitted = self.breaker.lock().admit(now);
        match admitted {
            Ok(ticket) => Ok(Pass { standing: self, ticket, is_settled: false }),
            Err(retry_after) => {
                tracing::debug!(upstream = &*self.upstream, "the breaker is open: not called");
                let upstream = self.upstream.to_string();
                Err(OriginError::BreakerOpen { upstream, retry_after })
            }
        }
    }

    /// Counts a request that is sent again.
    pub(super) fn count_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how often a request was sent again.
    pub(super) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Tells whether the breaker is open.
    pub(super) fn is_open(&self) -> bool {
        self.breaker.lock().is_open()
    }
}

/// A call that was let through. Dropped without its end, as when its caller leaves, it has said
/// nothing about the upstream; if it was a probe, the next call may be one.
#[derive(Debug)]
pub(super) struct Pass<'s> {
    standing: &'s Standing,
    ticket: Ticket,
    is_settled: bool,
}

impl Pass<'_> {
    /// Tells whether the call tries out whether the upstream is well again.
    pub(super) const fn is_probe(&self) -> bool {
        self.ticket.is_probe()
    }

    /// Tells whether the call may be sent again.
    pub(super) fn allows_repeat(&self) -> bool {
        self.standing.breaker.lock().allows_repeat(self.ticket)
    }

    /// Notes what the call says about the upstream.
    pub(super) fn settle(mut self, end: End, now: Instant) {
        self.is_settled = true;
        let turn = self.standing.breaker.lock().ended(self.ticket, end, now, random());
        let upstream = &*self.standing.upstream;
        match turn {
            None => {}
            Some(Turn::Opened(wait)) => {
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(upstream, wait_ms, "upstream keeps failing: left alone");
            }
            Some(Turn::Closed) => tracing::info!(upstream, "upstream answers again"),
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.is_settled && self.is_probe() {
            self.standing.breaker.lock().abandoned(self.ticket);
        }
    }
}

/// Returns a random number: the hasher's own seed is the one at hand.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anteroom_actors::clock::{Clock as _, ManualClock};

    use super::*;

    fn standing() -> Standing {
        let wait = Duration::from_secs(1);
        let spec = BreakerSpec { failures: 2, open_for: wait, open_at_most: wait };
        Standing::new("up".into(), spec)
    }

    #[test]
    fn a_refused_call_learns_how_long_to_wait_and_costs_nothing() {
        let (standing, clock) = (standing(), ManualClock::new());
        for _ in 0..2 {
            standing.admit(clock.now()).unwrap().settle(End::Failed, clock.now());
        }
        assert!(standing.is_open());
        let error = standing.admit(clock.now()).unwrap_err();
        assert_eq!((error.label(), error.is_retryable()), ("breaker_open", false));
        let OriginError::BreakerOpen { retry_after, .. } = error else { panic!("{error}") };
        let expected = Duration::from_secs(1)..=Duration::from_millis(1_250);
        assert!(expected.contains(&retry_after), "{retry_after:?}");
    }

    #[test]
    fn a_probe_that_its_caller_gave_up_makes_room_for_the_next_one() {
        let (standing, clock) = (standing(), ManualClock::new());
        for _ in 0..2 {
            standing.admit(clock.now()).unwrap().settle(End::Failed, clock.now());
        }
        clock.advance(Duration::from_secs(2));
        let given_up = standing.admit(clock.now()).unwrap();
        assert!(given_up.is_probe() && !given_up.allows_repeat());
        assert!(standing.admit(clock.now()).is_err(), "one probe at a time");
        drop(given_up);
        let second = standing.admit(clock.now()).unwrap();
        assert!(second.is_probe());
        second.settle(End::Answered, clock.now());
        assert!(!standing.is_open());
        let call = standing.admit(clock.now()).unwrap();
        assert!(!call.is_probe() && call.allows_repeat());
    }
}
