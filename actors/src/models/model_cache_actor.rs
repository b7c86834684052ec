//! The actor of local models.
//!
//! * Owns: which models are loaded; it alone puts them on the shelf that their users look at.
//! * Answers: [`Load`], [`CleanUp`], [`Ping`].
//! * Sends: nothing.
//! * Fails how: open. A model that is not there, or cannot be loaded, is done without. A re-created actor
//!   begins with an empty shelf.
//! * Thread: an arbiter of its own; a load runs on a thread that ends with it, one at a time.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use actix::fut::wrap_future;
use actix::{
    Actor, ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler, MessageResult,
    ResponseFuture,
};
use tokio::sync::oneshot;

use super::residency::{Residency, Start, Wanted};
use super::shelf::LocalModels;
use crate::clock::SharedClock;
use crate::error::LoadError;
#[cfg(feature = "fault-injection")]
use crate::message::Panic;
use crate::message::{ActorState, CleanUp, Load, Ping, Report};
use crate::model::{LoadedModel, ModelLoader};

/// Wants that may wait in the mailbox; past it they are lost, and said again with the next use.
const MAILBOX: usize = 64;

/// Most who wait for one load; past it they are told that it is not there.
const MAX_WAITING: usize = 1_000;

type Waiting = oneshot::Sender<Result<(), LoadError>>;

/// The local models.
pub struct ModelCacheActor {
    residency: Residency,
    shelf: LocalModels,
    loader: ModelLoader,
    clock: SharedClock,
    waiting: BTreeMap<&'static str, Vec<Waiting>>,
    counters: Counters,
    last_error: Option<String>,
}

#[derive(Debug, Default)]
struct Counters {
    loads: u64,
    failures: u64,
    evictions: u64,
    last_load: Duration,
}

impl ModelCacheActor {
    /// Creates the actor, with nothing on the shelf.
    pub fn new(
        max_loaded: usize,
        shelf: LocalModels,
        loader: ModelLoader,
        clock: SharedClock,
    ) -> Self {
        // What a predecessor has left: nobody knows its bytes any more.
        for name in shelf.names() {
            shelf.put(name, None);
        }
        Self {
            residency: Residency::new(max_loaded),
            shelf,
            loader,
            clock,
            waiting: BTreeMap::new(),
            counters: Counters::default(),
            last_error: None,
        }
    }

    /// Puts the address of a started actor where it is asked.
    pub fn connect(addr: &Addr<Self>, shelf: &LocalModels) {
        shelf.load().put(addr.clone().recipient());
        shelf.clean_up().put(addr.clone().recipient());
    }

    /// Begins the next load, where one waits.
    fn start_next(&mut self, context: &mut Context<Self>) {
        let shelf = self.shelf.clone();
        let Some(Start { name, unload }) = self.residency.start(|name| shelf.last_use(name)) else {
            return;
        };
        for gone in unload {
            self.unload(gone);
        }
        let (began, loader) = (self.clock.now(), self.loader.clone());
        let (reply, loaded) = oneshot::channel();
        let load = move || {
            let loaded = catch_unwind(AssertUnwindSafe(|| loader(name)));
            let loaded = loaded.unwrap_or_else(|_| Err("it panicked".to_owned()));
            // Fails only when the actor has gone meanwhile.
            let _ = reply.send(loaded);
        };
        // A thread that cannot be started drops its end of the channel, too.
        let _ = std::thread::Builder::new().name("model-load".to_owned()).spawn(load);
        let landed = wrap_future::<_, Self>(loaded).map(move |loaded, actor, context| {
            let loaded = loaded.unwrap_or_else(|_| Err("its thread did not start".to_owned()));
            actor.landed(name, loaded, began);
            actor.start_next(context);
        });
        context.spawn(landed);
    }

    fn landed(&mut self, name: &'static str, loaded: Result<LoadedModel, String>, began: Instant) {
        let now = self.clock.now();
        self.residency.landed(loaded.as_ref().ok().map(|loaded| loaded.bytes), now);
        let told = match loaded {
            Ok(LoadedModel { model, bytes }) => {
                self.counters.loads += 1;
                self.counters.last_load = now.saturating_duration_since(began);
                self.last_error = None;
                self.shelf.put(name, Some(model));
                tracing::info!(model = name, bytes, "loaded a local model");
                Ok(())
            }
            Err(reason) => {
                self.counters.failures += 1;
                let error = LoadError::Failed { name, reason };
                tracing::warn!(%error, "tokens of its family are estimated");
                self.last_error = Some(error.to_string());
                Err(error)
            }
        };
        for waiting in self.waiting.remove(name).unwrap_or_default() {
            // Fails only when the asker has left meanwhile.
            let _ = waiting.send(told.clone());
        }
    }

    fn unload(&mut self, name: &'static str) {
        self.counters.evictions += 1;
        self.shelf.put(name, None);
    }

    fn want(
        &mut self,
        name: &'static str,
        context: &mut Context<Self>,
    ) -> Result<oneshot::Receiver<Result<(), LoadError>>, Result<(), LoadError>> {
        if !self.shelf.names().any(|known| known == name) {
            return Err(Err(LoadError::Unknown { name }));
        }
        match self.residency.want(name, self.clock.now()) {
            Wanted::There => Err(Ok(())),
            Wanted::Refused(error) => Err(Err(error)),
            Wanted::Awaited => {
                let (reply, answer) = oneshot::channel();
                let waiting = self.waiting.entry(name).or_default();
                waiting.retain(|waiting| !waiting.is_closed());
                if waiting.len() < MAX_WAITING {
                    waiting.push(reply);
                }
                self.start_next(context);
                Ok(answer)
            }
        }
    }
}

impl Actor for ModelCacheActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Load> for ModelCacheActor {
    type Result = ResponseFuture<Result<(), LoadError>>;

    fn handle(&mut self, Load { name }: Load, context: &mut Self::Context) -> Self::Result {
        let wanted = self.want(name, context);
        Box::pin(async move {
            match wanted {
                Ok(answer) => answer.await.unwrap_or(Err(LoadError::Interrupted { name })),
                Err(known) => known,
            }
        })
    }
}

impl Handler<CleanUp> for ModelCacheActor {
    type Result = MessageResult<CleanUp>;

    fn handle(&mut self, message: CleanUp, _: &mut Self::Context) -> Self::Result {
        let (shelf, now) = (self.shelf.clone(), self.clock.now());
        let gone = self.residency.free(message.target_bytes, now, |name| shelf.last_use(name));
        for resident in &gone {
            self.unload(resident.name);
        }
        MessageResult(gone.iter().map(|resident| resident.bytes).sum())
    }
}

impl Handler<Ping> for ModelCacheActor {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Self::Result {
        let residents = self.residency.residents();
        let state =
            if self.last_error.is_some() { ActorState::Degraded } else { ActorState::Running };
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let last_load = u64::try_from(self.counters.last_load.as_millis()).unwrap_or(u64::MAX);
        MessageResult(Report {
            state,
            pending: count(self.residency.coming()),
            last_error: self.last_error.clone(),
            counters: vec![
                ("loads", self.counters.loads),
                ("load_failures", self.counters.failures),
                ("evictions", self.counters.evictions),
                ("loaded", count(residents.len())),
                ("bytes", residents.iter().map(|resident| resident.bytes).sum()),
                ("load_ms", last_load),
            ],
        })
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<Panic> for ModelCacheActor {
    type Result = ();

    #[expect(clippy::panic, reason = "what the message asks for, in test builds only")]
    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("the local models were asked to panic");
    }
}
