//! The actor that counts.
//!
//! Owns: the windows of what was answered of late, and its counts; the metrics are shared. Takes:
//! `SampleBatch`, [`LeaseHitsTold`]. Answers: [`ObserveWindow`], `Ping`. Sends: nothing. Fails how: the
//! windows begin anew; samples are lost while it is re-created, and their number is counted by the
//! workers. Thread: an arbiter of its own, so that counting takes no time from requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, Context, Handler, Message, MessageResult};
use anteroom_actors::clock::SharedClock;
use anteroom_actors::message::{ActorState, Ping, Report, Slot};
use anteroom_actors::model::SampleBatch;

use super::Metrics;
use super::stretch::{Flows, LeaseTimes};
use super::windows::{Looked, Window, Windows};
use crate::savings::Book;

/// Batches that may wait; past it workers drop and count them.
const MAILBOX: usize = 256;

/// The book is not read more often than this to keep the windows; who asks sees it as it is.
const TURN_EVERY: Duration = Duration::from_millis(250);

/// Worker → recorder: hits answered from leases since the last such message. An event: where it is
/// refused, the worker goes on adding to it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct LeaseHitsTold {
    /// How long they took, by route.
    pub times: LeaseTimes,
}

/// Operator → recorder: what was answered of late? Deadline: a second.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Looked")]
pub struct ObserveWindow {
    /// How far back.
    pub window: Window,
}

/// Where the recorder is told and asked. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RecorderHandle {
    /// Takes what workers report.
    pub samples: Slot<SampleBatch>,
    /// Takes hits by leases.
    pub lease_hits: Slot<LeaseHitsTold>,
    /// Takes [`ObserveWindow`].
    pub observe: Slot<ObserveWindow>,
}

impl RecorderHandle {
    /// Creates a handle without an actor.
    pub fn new() -> Self {
        Self { samples: Slot::empty(), lease_hits: Slot::empty(), observe: Slot::empty() }
    }
}

impl Default for RecorderHandle {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes the workers' samples into the metrics and the windows.
pub struct RecorderActor {
    metrics: Metrics,
    savings: Arc<Book>,
    clock: SharedClock,
    windows: Windows,
    turned: Instant,
    batches: u64,
    samples: u64,
}

impl RecorderActor {
    /// Creates a recorder into `metrics`; the windows show what `savings` grows by.
    pub fn new(metrics: Metrics, savings: Arc<Book>, clock: SharedClock) -> Self {
        let now = clock.now();
        let windows = Windows::new(now, flows(&metrics, &savings));
        Self { metrics, savings, clock, windows, turned: now, batches: 0, samples: 0 }
    }

    /// Puts the address of a started recorder where those who tell and ask it look.
    pub fn connect(addr: &Addr<Self>, handle: &RecorderHandle) {
        handle.samples.put(addr.clone().recipient());
        handle.lease_hits.put(addr.clone().recipient());
        handle.observe.put(addr.clone().recipient());
    }

    fn turn(&mut self) -> Instant {
        self.turned = self.clock.now();
        self.windows.turn(self.turned, flows(&self.metrics, &self.savings));
        self.turned
    }

    fn turn_now_and_then(&mut self) {
        if self.clock.now().saturating_duration_since(self.turned) >= TURN_EVERY {
            self.turn();
        }
    }
}

fn flows(metrics: &Metrics, savings: &Book) -> Flows {
    let (bodies, reshaped) = (metrics.sent_so_far(), metrics.payload_so_far());
    Flows { bodies, reshaped, saved: savings.total() }
}

impl Actor for RecorderActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<SampleBatch> for RecorderActor {
    type Result = ();

    fn handle(&mut self, batch: SampleBatch, _ctx: &mut Self::Context) {
        self.batches += 1;
        self.samples += u64::try_from(batch.samples.len()).unwrap_or(0);
        self.metrics.record(&batch);
        self.turn_now_and_then();
        self.windows.take(&batch);
    }
}

impl Handler<LeaseHitsTold> for RecorderActor {
    type Result = ();

    fn handle(&mut self, message: LeaseHitsTold, _ctx: &mut Self::Context) {
        self.turn_now_and_then();
        self.windows.take_leases(&message.times);
    }
}

impl Handler<ObserveWindow> for RecorderActor {
    type Result = MessageResult<ObserveWindow>;

    fn handle(&mut self, message: ObserveWindow, _ctx: &mut Self::Context) -> Self::Result {
        let now = self.turn();
        MessageResult(self.windows.look(message.window, now))
    }
}

impl Handler<Ping> for RecorderActor {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, _message: Ping, _ctx: &mut Self::Context) -> Self::Result {
        // Without traffic, too, what is over is over.
        self.turn_now_and_then();
        MessageResult(Report {
            state: ActorState::Running,
            pending: 0,
            last_error: None,
            counters: vec![("batches", self.batches), ("samples", self.samples)],
        })
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<anteroom_actors::message::Panic> for RecorderActor {
    type Result = ();

    #[expect(clippy::panic, reason = "a test asked for it")]
    fn handle(&mut self, _message: anteroom_actors::message::Panic, _ctx: &mut Self::Context) {
        panic!("a test asked the recorder to panic");
    }
}
