//! The watchdog over the process's memory.
//!
//! * Owns: the readings of the last hour, the state of pressure.
//! * Answers: [`Subscribe`], [`RegisterCleaner`], [`ObserveMemory`], [`Flush`], [`Ping`].
//! * Sends: [`PressureChanged`] to subscribers, at each change and with each round of cleaning;
//!   [`CleanUp`] to cleaners, one round at a time.
//! * Fails: open. Without it nothing is shed; the list of those who want to hear outlives it, and its
//!   successor finds the pressure out with its first reading.
//! * Thread: an arbiter of its own, as it owns a timer and gives pages back.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler, MessageResult,
    ResponseFuture, WrapFuture as _,
};
use tokio::sync::Notify;

use super::allotment::allotment;
use super::history::History;
use super::hysteresis::{Course, Hysteresis};
use super::probe::{GiveBack, MemoryProbe};
use super::subscribers::Subscribers;
use crate::clock::SharedClock;
#[cfg(feature = "fault-injection")]
use crate::message::Panic;
use crate::message::{
    ActorState, CleanUp, Cleaning, Flush, MemoryHandle, MemoryReport, ObserveMemory, Ping,
    PressureChanged, RegisterCleaner, Report, Slot, Subscribe, ask,
};
use crate::model::{MemoryBudget, MemoryReading, PressureState};
use crate::settings::MemorySettings;

/// Longest wait for one step of a cleaner.
const STEP_DEADLINE: Duration = Duration::from_millis(500);

/// Most steps of one cleaner in a round.
const MOST_STEPS: usize = 10_000;

/// What the watchdog works with.
pub struct Surroundings {
    /// Reads the memory; of the watchdog's own thread.
    pub probe: Box<dyn MemoryProbe>,
    /// Gives freed pages back.
    pub give_back: GiveBack,
    /// Those who want to hear.
    pub subscribers: Subscribers,
    /// What requests and answers under way may hold, for the watchdog to set.
    pub budget: MemoryBudget,
    /// The time.
    pub clock: SharedClock,
}

/// The watchdog.
pub struct MemoryWatchdog {
    settings: MemorySettings,
    probe: Box<dyn MemoryProbe>,
    give_back: GiveBack,
    subscribers: Subscribers,
    budget: MemoryBudget,
    clock: SharedClock,
    history: History,
    hysteresis: Hysteresis,
    is_cleaning: bool,
    cleaned: Arc<Notify>,
    last_cleaning: Option<Cleaning>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    readings: u64,
    unreadable: u64,
    changes: u64,
    lost: u64,
    rounds: u64,
    asked_bytes: u64,
    freed_bytes: u64,
    returned_bytes: u64,
}

impl MemoryWatchdog {
    /// Creates the watchdog.
    pub fn new(settings: MemorySettings, surroundings: Surroundings) -> Self {
        let Surroundings { probe, give_back, subscribers, budget, clock } = surroundings;
        let hysteresis = Hysteresis::new(subscribers.last_told(), settings.tidy_every, clock.now());
        Self {
            settings,
            probe,
            give_back,
            subscribers,
            budget,
            clock,
            history: History::default(),
            hysteresis,
            is_cleaning: false,
            cleaned: Arc::default(),
            last_cleaning: None,
            counters: Counters::default(),
        }
    }

    /// Puts the address of a started watchdog where its askers look for it.
    pub fn connect(addr: &Addr<Self>, handle: &MemoryHandle) {
        handle.subscribe.put(addr.clone().recipient());
        handle.register.put(addr.clone().recipient());
        handle.observe.put(addr.clone().recipient());
        handle.flush.put(addr.clone().recipient());
    }

    /// Reads, tells of a change, and begins a round of cleaning where one is due.
    fn look(&mut self, ctx: &mut Context<Self>) {
        let Some(reading) = self.probe.read(self.settings.threshold_bytes) else {
            self.counters.unreadable += 1;
            return;
        };
        self.counters.readings += 1;
        self.history.add(reading);
        let Course { state, has_changed, clean } = self.hysteresis.take(&reading, self.clock.now());
        self.allot(reading, state);
        if has_changed {
            self.counters.changes += 1;
            log_change(state, &reading);
        }
        // Again with each round: whoever was re-created, or had no place for the message, is told then.
        if self.settings.optimize && (has_changed || clean.is_some()) {
            self.counters.lost += self.subscribers.tell(self.pressure());
        }
        if let Some(asked_bytes) = clean
            && self.settings.optimize
            && !self.is_cleaning
        {
            self.begin_round(asked_bytes, reading.resident_bytes, ctx);
        }
    }

    fn allot(&self, reading: MemoryReading, state: PressureState) {
        if self.settings.optimize {
            let start = self.subscribers.start(reading);
            // The limit of now: a control group's may change.
            let start = MemoryReading { limit_bytes: reading.limit_bytes, ..start };
            self.budget.set_total(allotment(&start, self.settings.bounded_bytes, state));
        }
    }

    fn pressure(&self) -> PressureChanged {
        let state = self.hysteresis.state();
        let reading = self.history.latest().copied().unwrap_or_default();
        PressureChanged { state, target_bytes: super::to_free(state, &reading) }
    }

    fn begin_round(&mut self, asked_bytes: u64, before: u64, ctx: &mut Context<Self>) {
        self.is_cleaning = true;
        let round = cleaned(self.subscribers.cleaners(), asked_bytes).into_actor(self);
        ctx.spawn(round.map(move |freed_bytes, watchdog, _| {
            watchdog.end_round(Cleaning { asked_bytes, freed_bytes, returned_bytes: 0 }, before);
        }));
    }

    fn end_round(&mut self, mut cleaning: Cleaning, before: u64) {
        (self.give_back)();
        let after = self.probe.read(self.settings.threshold_bytes);
        let after = after.map_or(before, |reading| reading.resident_bytes);
        cleaning.returned_bytes = before.saturating_sub(after);
        self.counters.rounds += 1;
        self.counters.asked_bytes += cleaning.asked_bytes;
        self.counters.freed_bytes += cleaning.freed_bytes;
        self.counters.returned_bytes += cleaning.returned_bytes;
        self.last_cleaning = Some(cleaning);
        self.is_cleaning = false;
        self.cleaned.notify_waiters();
        let Cleaning { asked_bytes, freed_bytes, returned_bytes } = cleaning;
        tracing::debug!(asked_bytes, freed_bytes, returned_bytes, "cleaned up");
    }
}

/// Once for each change; the numbers stand in health.
fn log_change(state: PressureState, reading: &MemoryReading) {
    let MemoryReading { resident_bytes, limit_bytes, .. } = *reading;
    if state == PressureState::Nominal {
        tracing::info!(resident_bytes, limit_bytes, "memory is no longer short");
    } else {
        let state = state.label();
        tracing::warn!(state, resident_bytes, limit_bytes, "memory is short");
    }
}

/// Asks the cleaners one after another until enough went; returns the bytes that did. Without
/// pressure each is asked once.
async fn cleaned(cleaners: Vec<(&'static str, Slot<CleanUp>)>, asked_bytes: u64) -> u64 {
    let mut freed: u64 = 0;
    for (name, cleaner) in cleaners {
        for _ in 0..MOST_STEPS {
            let target_bytes = asked_bytes.saturating_sub(freed);
            if asked_bytes > 0 && target_bytes == 0 {
                return freed;
            }
            match ask(&cleaner, CleanUp { target_bytes }, STEP_DEADLINE).await {
                Ok(bytes) => {
                    freed = freed.saturating_add(bytes);
                    if bytes == 0 || asked_bytes == 0 {
                        break;
                    }
                }
                Err(error) => {
                    tracing::debug!(name, %error, "did not clean up");
                    break;
                }
            }
        }
    }
    freed
}

impl Actor for MemoryWatchdog {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look(ctx);
        ctx.run_interval(self.settings.read_every, Self::look);
    }
}

impl Handler<Subscribe> for MemoryWatchdog {
    type Result = ();

    fn handle(&mut self, message: Subscribe, _: &mut Self::Context) {
        if self.settings.optimize && self.hysteresis.state() > PressureState::Nominal {
            self.counters.lost += u64::from(!message.changed.tell(self.pressure()));
        }
        self.subscribers.subscribe(message);
    }
}

impl Handler<RegisterCleaner> for MemoryWatchdog {
    type Result = ();

    fn handle(&mut self, message: RegisterCleaner, _: &mut Self::Context) {
        self.subscribers.register(message);
    }
}

impl Handler<ObserveMemory> for MemoryWatchdog {
    type Result = MemoryReport;

    fn handle(&mut self, _: ObserveMemory, ctx: &mut Self::Context) -> Self::Result {
        self.look(ctx);
        MemoryReport {
            reading: self.history.latest().copied().unwrap_or_default(),
            state: self.hysteresis.state(),
            peak_bytes: self.history.peak_bytes(),
            last_cleaning: self.last_cleaning,
        }
    }
}

impl Handler<Flush> for MemoryWatchdog {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        // Made here: it must not miss an end before it is first polled.
        let cleaned = self.is_cleaning.then(|| Arc::clone(&self.cleaned).notified_owned());
        Box::pin(async move {
            if let Some(cleaned) = cleaned {
                cleaned.await;
            }
        })
    }
}

impl Handler<Ping> for MemoryWatchdog {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Self::Result {
        let reading = self.history.latest().copied();
        let last_error = reading.is_none().then(|| "the system does not say".to_owned());
        let reading = reading.unwrap_or_default();
        let budget = self.budget.report();
        let Counters { readings, unreadable, changes, lost, rounds, .. } = self.counters;
        MessageResult(Report {
            state: if last_error.is_some() { ActorState::Degraded } else { ActorState::Running },
            pending: u64::from(self.is_cleaning),
            last_error,
            counters: vec![
                ("resident_bytes", reading.resident_bytes),
                ("virtual_bytes", reading.virtual_bytes),
                ("limit_bytes", reading.limit_bytes),
                ("used_permille", reading.permille()),
                ("peak_bytes", self.history.peak_bytes()),
                ("pressure", pressure_number(self.hysteresis.state())),
                ("budget_bytes", budget.total_bytes),
                ("reserved_bytes", budget.reserved_bytes),
                ("reserved_peak_bytes", budget.peak_bytes),
                ("reservations_waiting", budget.waiting),
                ("reservations_waited", budget.waits),
                ("reservations_refused", budget.refusals),
                ("readings", readings),
                ("unreadable", unreadable),
                ("pressure_changes", changes),
                ("pressure_untold", lost),
                ("cleanings", rounds),
                ("asked_bytes", self.counters.asked_bytes),
                ("freed_bytes", self.counters.freed_bytes),
                ("returned_bytes", self.counters.returned_bytes),
            ],
        })
    }
}

const fn pressure_number(state: PressureState) -> u64 {
    match state {
        PressureState::Nominal => 0,
        PressureState::Elevated => 1,
        PressureState::Critical => 2,
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<Panic> for MemoryWatchdog {
    type Result = ();

    #[expect(clippy::panic, reason = "what the message asks for, in test builds only")]
    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("the watchdog was asked to panic");
    }
}

#[cfg(test)]
#[path = "memory_watchdog_tests.rs"]
mod tests;
