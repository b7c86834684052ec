//! The actor that spreads purges.
//!
//! * Owns: what is known of the purges that L2 and L3 have recorded. The purges themselves are shared
//!   by all actors and threads of the process.
//! * Answers: [`Purge`], [`CatchUp`], [`Flush`], [`Ping`]; takes [`PurgesChanged`].
//! * Sends: [`HearPurges`](crate::message::HearPurges), [`RecordPurges`](crate::message::RecordPurges)
//!   to L2 and L3.
//! * Fails: what was purged here holds here and, where a level had recorded it, elsewhere; its
//!   successor finds by itself what a level lacks, because the purges outlive it.
//! * Thread: an arbiter of its own, as it owns a timer.

use std::rc::Rc;

use actix::{
    Actor, Addr, AsyncContext, Context, Handler, MessageResult, ResponseFuture, WrapFuture,
};

use super::distribution::Distribution;
use crate::clock::SharedClock;
#[cfg(feature = "fault-injection")]
use crate::message::Panic;
use crate::message::{
    ActorState, CatchUp, Flush, LevelHandle, Ping, Purge, PurgeHandle, Purged, PurgesChanged,
    Report,
};
use crate::model::Purges;
use crate::settings::PurgeSettings;

/// Calls of other gateways that may wait; those past it are heard by the next poll.
const MAILBOX: usize = 16;

/// Spreads purges.
pub struct PurgeActor {
    distribution: Rc<Distribution>,
}

impl PurgeActor {
    /// Creates the actor over `purges`; `levels` are L2 and L3.
    pub fn new(
        purges: Purges,
        levels: [LevelHandle; 2],
        settings: PurgeSettings,
        clock: SharedClock,
    ) -> Self {
        Self { distribution: Rc::new(Distribution::new(purges, levels, settings, clock)) }
    }

    /// Puts this actor's address where its askers look.
    pub fn connect(addr: &Addr<Self>, handle: &PurgeHandle) {
        handle.purge.put(addr.clone().recipient());
        handle.catch_up.put(addr.clone().recipient());
        handle.changed.put(addr.clone().recipient());
        handle.flush.put(addr.clone().recipient());
    }
}

impl Actor for PurgeActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(self.distribution.poll_interval(), |purging, ctx| {
            let distribution = Rc::clone(&purging.distribution);
            ctx.spawn(async move { distribution.poll().await }.into_actor(purging));
        });
    }
}

impl Handler<Purge> for PurgeActor {
    type Result = ResponseFuture<Purged>;

    fn handle(&mut self, message: Purge, _ctx: &mut Self::Context) -> Self::Result {
        let distribution = Rc::clone(&self.distribution);
        Box::pin(async move { distribution.purge(&message.labels).await })
    }
}

impl Handler<CatchUp> for PurgeActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _message: CatchUp, _ctx: &mut Self::Context) -> Self::Result {
        let distribution = Rc::clone(&self.distribution);
        Box::pin(async move { distribution.catch_up().await })
    }
}

impl Handler<PurgesChanged> for PurgeActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _message: PurgesChanged, _ctx: &mut Self::Context) -> Self::Result {
        let distribution = Rc::clone(&self.distribution);
        Box::pin(async move { distribution.poll_l2().await })
    }
}

impl Handler<Flush> for PurgeActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _message: Flush, _ctx: &mut Self::Context) -> Self::Result {
        let distribution = Rc::clone(&self.distribution);
        Box::pin(async move { distribution.catch_up().await })
    }
}

impl Handler<Ping> for PurgeActor {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, _message: Ping, _ctx: &mut Self::Context) -> Self::Result {
        let distribution = &self.distribution;
        let purges = distribution.purges();
        let degraded = distribution.why_degraded();
        let state = if degraded.is_some() { ActorState::Degraded } else { ActorState::Running };
        let waiting = number(distribution.num_lacking());
        MessageResult(Report {
            state,
            pending: waiting,
            last_error: degraded,
            counters: vec![
                ("applied", distribution.applied()),
                ("heard", purges.heard()),
                ("unrecorded", waiting),
                ("labels", number(purges.len())),
            ],
        })
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<Panic> for PurgeActor {
    type Result = ();

    #[expect(clippy::panic, reason = "what the message asks for, in test builds only")]
    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("purging was asked to panic");
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
