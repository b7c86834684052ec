//! The actor that counts.
//!
//! Owns: nothing but its counts; the metrics are shared. Takes: `SampleBatch`. Answers: `Ping`.
//! Sends: nothing. Fails how: samples are lost while it is re-created; their number is counted by
//! the workers. Thread: an arbiter of its own, so that counting takes no time from requests.

use actix::{Actor, Context, Handler, MessageResult};
use anteroom_actors::message::{ActorState, Ping, Report};
use anteroom_actors::model::SampleBatch;

use super::Metrics;

/// Batches that may wait; past it workers drop and count them.
const MAILBOX: usize = 256;

/// Takes the workers' samples into the metrics.
pub struct RecorderActor {
    metrics: Metrics,
    batches: u64,
    samples: u64,
}

impl RecorderActor {
    /// Creates a recorder into `metrics`.
    pub const fn new(metrics: Metrics) -> Self {
        Self { metrics, batches: 0, samples: 0 }
    }
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
    }
}

impl Handler<Ping> for RecorderActor {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, _message: Ping, _ctx: &mut Self::Context) -> Self::Result {
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
