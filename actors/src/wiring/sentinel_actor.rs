//! The actor that watches all others.
//!
//! Owns: a factory and the last heartbeat of every actor. Answers: `Observe` after a fresh round
//! of pings. Sends: `Ping`. Fails how: if it dies, the others serve on, unwatched; `/health/ready`
//! then fails, so that whoever runs the process replaces it. Thread: an arbiter of its own, as it
//! owns a timer.

use std::rc::Rc;
use std::time::Duration;

use actix::{
    Actor, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture,
    fut::ActorFutureExt,
};
use futures_util::future::join_all;

use super::health::{ActorHealth, SystemHealth};
use super::watch::{Heard, Ward, Watched};
use crate::clock::SharedClock;
use crate::message::{ActorState, Ping, ask};
use crate::settings::SentinelSettings;

/// Longest wait for pings when somebody asks how the actors are.
const OBSERVE_DEADLINE: Duration = Duration::from_millis(250);

/// Operator → sentinel: how are all actors, now? Pings them first, so that the answer is later
/// than everything that happened before the question. Deadline: a second. Loss: no health.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "SystemHealth")]
pub struct Observe;

/// The watcher. This actor is not supervised and stays as simple as possible.
pub struct SentinelActor {
    watched: Vec<Watched>,
    settings: SentinelSettings,
    clock: SharedClock,
    rounds: u64,
}

impl SentinelActor {
    /// Starts every ward, in order, and watches it.
    pub fn new(wards: Vec<Ward>, settings: SentinelSettings, clock: SharedClock) -> Self {
        let now = clock.now();
        let watched = wards.into_iter().map(|ward| Watched::start(ward, now)).collect();
        Self { watched, settings, clock, rounds: 0 }
    }

    /// Pings all, at once.
    fn ping(&self, deadline: Duration) -> impl Future<Output = Vec<Option<Heard>>> + use<> {
        let pings: Vec<_> = self
            .watched
            .iter()
            .map(|watched| {
                let ping = ask(&watched.ward.ping, Ping, deadline);
                watched.ward.factory.as_ref().map(|_on| (watched.restarts, ping))
            })
            .collect();
        join_all(pings.into_iter().map(|ping| async move {
            match ping {
                Some((incarnation, ping)) => Some(Heard { incarnation, answer: ping.await }),
                None => None,
            }
        }))
    }

    fn heard(&mut self, answers: Vec<Option<Heard>>) {
        self.rounds += 1;
        let now = self.clock.now();
        for (watched, heard) in self.watched.iter_mut().zip(answers) {
            let Some(heard) = heard else { continue };
            watched.heard(heard, now);
            if watched.revive(now) {
                tracing::warn!(
                    actor = %watched.ward.name,
                    restarts = watched.restarts,
                    "an actor died and was re-created"
                );
            }
        }
    }

    fn health(&self) -> SystemHealth {
        let now = self.clock.now();
        let late_after = self.settings.late_after;
        let mut actors: Vec<_> =
            self.watched.iter().map(|watched| watched.health(now, late_after)).collect();
        actors.push(ActorHealth {
            name: "sentinel".to_owned(),
            state: ActorState::Running,
            pending: 0,
            restarts: 0,
            heartbeat_age: Some(Duration::ZERO),
            last_error: None,
            counters: vec![("rounds", self.rounds)],
        });
        SystemHealth { actors }
    }
}

impl Actor for SentinelActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let interval = self.settings.interval;
        let busy = Rc::new(std::cell::Cell::new(false));
        ctx.run_interval(interval, move |sentinel, ctx| {
            // A round that waits for a late actor is not overtaken by the next.
            if busy.replace(true) {
                return;
            }
            let busy = Rc::clone(&busy);
            let round = sentinel.ping(interval).into_actor(sentinel);
            ctx.spawn(round.map(move |answers, sentinel, _ctx| {
                busy.set(false);
                sentinel.heard(answers);
            }));
        });
    }
}

impl Handler<Observe> for SentinelActor {
    type Result = ResponseActFuture<Self, SystemHealth>;

    fn handle(&mut self, _message: Observe, _ctx: &mut Self::Context) -> Self::Result {
        let round = self.ping(OBSERVE_DEADLINE).into_actor(self);
        Box::pin(round.map(|answers, sentinel, _ctx| {
            sentinel.heard(answers);
            sentinel.health()
        }))
    }
}
