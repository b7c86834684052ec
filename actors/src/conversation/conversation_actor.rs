//! Callers' conversations: their turns, one after another, in the database.
//!
//! * Owns: the turns under way, the histories in memory and the database's threads.
//! * Answers: [`Recall`], [`Append`], [`Look`], [`Forget`], [`Flush`], [`CleanUp`], [`Ping`].
//! * Sends: nothing.
//! * Fails: closed. A turn that cannot be committed is told to its caller; nothing is dropped
//!   silently. Where this actor is re-created while a turn is under way, the turn's number keeps
//!   another from being written in its place.
//! * Thread: any arbiter; statements run on threads of the database's own.

use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext as _, Context, Handler, MessageResult, ResponseFuture};

use super::{Remembered, TurnLocks};
use crate::clock::SharedClock;
use crate::error::ConversationError;
#[cfg(feature = "fault-injection")]
use crate::message::Panic;
use crate::message::{
    ActorState, Append, CleanUp, ConversationHandle, Flush, Forget, Look, Ping, Recall, Report,
    TurnHold,
};
use crate::model::History;
use crate::settings::ConversationSettings;

/// Time between two looks after the database's threads.
const TEND_EVERY: Duration = Duration::from_millis(500);

/// The conversations.
pub struct ConversationActor {
    conversations: Rc<Remembered>,
    locks: TurnLocks,
    max_bytes: u64,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    recalls: u64,
    appends: u64,
    forgets: u64,
}

impl ConversationActor {
    /// Creates the actor and starts the database's threads.
    pub fn new(settings: &ConversationSettings, clock: SharedClock) -> Self {
        Self {
            conversations: Rc::new(Remembered::start(settings, clock)),
            locks: TurnLocks::default(),
            max_bytes: settings.max_bytes,
            counters: Counters::default(),
        }
    }

    /// Puts the address of a started actor where its askers look for it.
    pub fn connect(addr: &Addr<Self>, handle: &ConversationHandle) {
        handle.recall.put(addr.clone().recipient());
        handle.append.put(addr.clone().recipient());
        handle.look.put(addr.clone().recipient());
        handle.forget.put(addr.clone().recipient());
        handle.flush.put(addr.clone().recipient());
        handle.clean_up.put(addr.clone().recipient());
    }
}

impl Actor for ConversationActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(TEND_EVERY, |actor, _| actor.conversations.tend());
    }
}

impl Handler<Recall> for ConversationActor {
    type Result = ResponseFuture<Result<(History, TurnHold), ConversationError>>;

    fn handle(&mut self, Recall { id, wait }: Recall, _: &mut Self::Context) -> Self::Result {
        self.counters.recalls += 1;
        let (conversations, locks) = (Rc::clone(&self.conversations), self.locks.clone());
        let most = self.max_bytes;
        Box::pin(async move {
            let hold = locks.take(id, wait).await;
            let hold = hold.ok_or(ConversationError::Busy { waited: wait })?;
            let history = conversations.read(id).await?.unwrap_or_default();
            if history.bytes >= most {
                return Err(ConversationError::Full { most });
            }
            Ok((history, hold))
        })
    }
}

impl Handler<Append> for ConversationActor {
    type Result = ResponseFuture<Result<(), ConversationError>>;

    fn handle(&mut self, append: Append, _: &mut Self::Context) -> Self::Result {
        self.counters.appends += 1;
        let conversations = Rc::clone(&self.conversations);
        Box::pin(async move {
            let Append { id, after, system, turn, hold } = append;
            let appended = conversations.append(id, after, system, turn).await;
            drop(hold);
            appended
        })
    }
}

impl Handler<Look> for ConversationActor {
    type Result = ResponseFuture<Result<Option<History>, ConversationError>>;

    fn handle(&mut self, Look { id }: Look, _: &mut Self::Context) -> Self::Result {
        let conversations = Rc::clone(&self.conversations);
        Box::pin(async move { conversations.read(id).await })
    }
}

impl Handler<Forget> for ConversationActor {
    type Result = ResponseFuture<Result<bool, ConversationError>>;

    fn handle(&mut self, Forget { id, wait }: Forget, _: &mut Self::Context) -> Self::Result {
        self.counters.forgets += 1;
        let (conversations, locks) = (Rc::clone(&self.conversations), self.locks.clone());
        Box::pin(async move {
            let hold = locks.take(id, wait).await;
            let _hold = hold.ok_or(ConversationError::Busy { waited: wait })?;
            conversations.forget(id).await
        })
    }
}

impl Handler<Flush> for ConversationActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        let conversations = Rc::clone(&self.conversations);
        Box::pin(async move { conversations.flush().await })
    }
}

impl Handler<CleanUp> for ConversationActor {
    type Result = MessageResult<CleanUp>;

    fn handle(&mut self, message: CleanUp, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.conversations.free_memory(message.target_bytes))
    }
}

impl Handler<Ping> for ConversationActor {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Self::Result {
        let (store, memory) = (self.conversations.stored(), self.conversations.in_memory());
        let error = store.damage.or(store.trouble);
        let state = if error.is_some() { ActorState::Degraded } else { ActorState::Running };
        let under_way = u64::try_from(self.locks.under_way()).unwrap_or(u64::MAX);
        MessageResult(Report {
            state,
            pending: store.pending,
            last_error: error,
            counters: vec![
                ("recalls", self.counters.recalls),
                ("appends", self.counters.appends),
                ("forgets", self.counters.forgets),
                ("turns_written", store.written),
                ("commits", store.commits),
                ("expired", store.expired),
                ("turns_under_way", under_way),
                ("memory_hits", memory.hits),
                ("evictions", memory.evictions),
                ("in_memory", memory.count),
                ("bytes", memory.bytes),
                ("hanging_threads", store.hanging_threads),
            ],
        })
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<Panic> for ConversationActor {
    type Result = ();

    #[expect(clippy::panic, reason = "what the message asks for, in test builds only")]
    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("the conversations were asked to panic");
    }
}
