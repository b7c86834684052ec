//! What the sentinel knows of one actor, and when to re-create it: plain decisions.

use std::time::{Duration, Instant};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Arbiter, ArbiterHandle, Context, Handler};

use super::health::ActorHealth;
use crate::error::AskError;
use crate::message::{ActorState, Ping, Report, Slot};

/// First wait before an actor that died again is re-created; doubles up to [`BACK_OFF_AT_MOST`].
const BACK_OFF: Duration = Duration::from_millis(100);
const BACK_OFF_AT_MOST: Duration = Duration::from_secs(10);

/// An actor that lived so long has recovered: its next death is re-created at once.
const RECOVERED_AFTER: Duration = Duration::from_secs(30);

/// A freshly started actor: the arbiter it lives on.
pub struct Spawned {
    /// Ends the thread when the actor is re-created on another.
    pub arbiter: ArbiterHandle,
}

/// An actor under the sentinel's watch.
pub struct Ward {
    /// Its name in health, metrics and logs.
    pub name: String,
    /// Where it is pinged.
    pub ping: Slot<Ping>,
    /// Counts asks that wait for its answer.
    pub in_flight: Box<dyn Fn() -> usize + Send>,
    /// Starts it on a new arbiter and fills its slots; `None` where the settings have it off.
    pub factory: Option<Box<dyn Fn() -> Spawned + Send>>,
    /// Where it is made to panic, if it can be.
    #[cfg(feature = "fault-injection")]
    pub panic: Option<Slot<crate::message::Panic>>,
}

impl Ward {
    /// Creates a ward that the settings have off.
    pub fn off(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ping: Slot::empty(),
            in_flight: Box::new(|| 0),
            factory: None,
            #[cfg(feature = "fault-injection")]
            panic: None,
        }
    }

    /// Creates a ward whose actor is made by `make`, on an arbiter of its own, and whose address
    /// is spread by `connect`.
    pub fn on<A>(
        name: &str,
        make: impl Fn() -> A + Clone + Send + 'static,
        connect: impl Fn(&Addr<A>) + Send + 'static,
        in_flight: impl Fn() -> usize + Send + 'static,
    ) -> Self
    where
        A: Actor<Context = Context<A>> + Handler<Ping>,
        A::Context: ToEnvelope<A, Ping>,
    {
        let ping = Slot::empty();
        let pinged = ping.clone();
        let factory = move || {
            let arbiter = Arbiter::new().handle();
            let make = make.clone();
            let addr = A::start_in_arbiter(&arbiter, move |_ctx| make());
            connect(&addr);
            pinged.put(addr.recipient());
            Spawned { arbiter }
        };
        Self {
            name: name.to_owned(),
            ping,
            in_flight: Box::new(in_flight),
            factory: Some(Box::new(factory)),
            #[cfg(feature = "fault-injection")]
            panic: None,
        }
    }

    /// Lets tests make the actor panic, in the slot that its `connect` fills.
    #[cfg(feature = "fault-injection")]
    #[must_use]
    pub fn panicking_at(mut self, slot: &Slot<crate::message::Panic>) -> Self {
        self.panic = Some(slot.clone());
        self
    }
}

/// The answer to a ping, and whose it is.
pub(super) struct Heard {
    /// [`Watched::restarts`] when the ping was sent.
    pub(super) incarnation: u64,
    pub(super) answer: Result<Report, AskError>,
}

/// A ward and what was heard of it.
pub(super) struct Watched {
    pub(super) ward: Ward,
    arbiter: Option<ArbiterHandle>,
    report: Option<Report>,
    heard_at: Option<Instant>,
    late: bool,
    pub(super) restarts: u64,
    started_at: Instant,
    back_off: Duration,
    not_before: Instant,
    dead: bool,
}

impl Watched {
    /// Starts the ward, if it is on.
    pub(super) fn start(ward: Ward, now: Instant) -> Self {
        let arbiter = ward.factory.as_ref().map(|factory| factory().arbiter);
        Self {
            ward,
            arbiter,
            report: None,
            heard_at: None,
            late: false,
            restarts: 0,
            started_at: now,
            back_off: BACK_OFF,
            not_before: now,
            dead: false,
        }
    }

    /// Notes the answer to a ping. Only a closed address is a death: a late answer may be load.
    /// What a former incarnation says does not count: rounds overlap, and the second one to hear
    /// of a death must not end the successor.
    pub(super) fn heard(&mut self, heard: Heard, now: Instant) {
        if heard.incarnation != self.restarts {
            return;
        }
        match heard.answer {
            Ok(report) => {
                self.report = Some(report);
                self.heard_at = Some(now);
                self.late = false;
            }
            Err(AskError::TimedOut(_)) => self.late = true,
            Err(AskError::Closed) => self.dead = true,
        }
    }

    /// Re-creates the actor if it is dead and the back-off allows; returns whether it did.
    pub(super) fn revive(&mut self, now: Instant) -> bool {
        let Some(factory) = self.ward.factory.as_ref() else { return false };
        if !self.dead || now < self.not_before {
            return false;
        }
        if now.duration_since(self.started_at) > RECOVERED_AFTER {
            self.back_off = BACK_OFF;
        }
        if let Some(old) = self.arbiter.take() {
            old.stop();
        }
        self.arbiter = Some(factory().arbiter);
        self.dead = false;
        self.restarts += 1;
        self.started_at = now;
        self.not_before = now + self.back_off;
        self.back_off = (self.back_off * 2).min(BACK_OFF_AT_MOST);
        true
    }

    /// Returns what health shows.
    pub(super) fn health(&self, now: Instant, late_after: Duration) -> ActorHealth {
        let heartbeat_age = self.heard_at.map(|heard| now.duration_since(heard));
        let late = self.late || heartbeat_age.is_some_and(|age| age > late_after);
        let waiting = u64::try_from((self.ward.in_flight)()).unwrap_or(u64::MAX);
        let report = self.report.as_ref();
        let own_error = report.and_then(|report| report.last_error.clone());
        let state = match report {
            _ if self.ward.factory.is_none() => ActorState::Disabled,
            _ if self.dead => ActorState::Restarting,
            None if late => ActorState::Degraded,
            None => ActorState::Restarting,
            Some(_) if late => ActorState::Degraded,
            Some(report) => report.state,
        };
        ActorHealth {
            name: self.ward.name.clone(),
            state,
            pending: waiting + report.map_or(0, |report| report.pending),
            restarts: self.restarts,
            heartbeat_age,
            last_error: own_error.or_else(|| late.then(|| "no heartbeat in time".to_owned())),
            counters: report.map(|report| report.counters.clone()).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_that_two_rounds_heard_of_counts_once() {
        let now = crate::clock::Clock::now(&*crate::clock::ManualClock::new());
        let mut watched = Watched::start(Ward::off("test"), now);
        let closed = |incarnation| Heard { incarnation, answer: Err(AskError::Closed) };
        watched.heard(closed(0), now);
        assert!(watched.dead);
        // As `revive` leaves it.
        (watched.dead, watched.restarts) = (false, 1);
        watched.heard(closed(0), now);
        assert!(!watched.dead, "the former incarnation's death, heard of by the second round");
        watched.heard(closed(1), now);
        assert!(watched.dead);
    }
}
