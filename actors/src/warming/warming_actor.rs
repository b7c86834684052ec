//! The actor that has ready what will be asked for next.
//!
//! Owns: the [`Desk`]: patterns, requests, the queue, the ledger, the budget. Answers: [`WarmStart`],
//! [`WarmNow`], [`ObserveWarming`], `BudgetShare`, `Flush`, `Ping`; takes `SampleBatch`, [`Remember`], [`Rest`],
//! `PressureChanged`, [`Look`]. Sends: `WarmRoom`, `Peek` to L1; `Promote`, `Warm` to the resolver.
//! Fails how: what was learned is lost, nothing is warmed until its successor has learned; what was
//! under way goes on. Thread: an arbiter of its own, as it owns a timer.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use actix::fut::ActorFutureExt as _;
use actix::{
    Actor, Addr, AsyncContext as _, Context, Handler, Message, MessageResult, ResponseFuture,
    WrapFuture as _,
};
use futures_util::stream::{self, StreamExt as _};

use super::desk::{Desk, DeskSettings, Outcome, Task};
use super::errands::Progress;
use super::handle::WarmingHandle;
use super::hands::WarmingPorts;
use super::proposal::{Done, FoundIn, Seen, Tally};
use super::report::{self, Whole};
use super::surroundings::Surroundings;
use super::upkeep::Upkeep;
use crate::message::{
    ActorState, BudgetShare, Flush, Ping, PressureChanged, Report, WarmRoom, WarmingWorth,
};
use crate::model::{Access, CacheKey, Level, Outcome as Answered, PressureState, SampleBatch};
use crate::origin::OriginCall;
use crate::store::hot_keys;

pub use super::report::WarmingState;

/// Batches and requests that may wait; past it they are dropped and counted by their sender.
const MAILBOX: usize = 256;

/// How often it looks what is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Looks from one writing of the hottest keys to the next: half a minute.
const LOOKS_A_WRITING: u32 = 120;

/// Lookups of a warm start at a time.
const START_AT_ONCE: usize = 16;

/// The clock of the desk begins here: 0 stands for "not known" there.
const BEGIN_MS: u64 = 1_000;

/// Worker → warming: the request that an answer was asked for with; it can be repeated without
/// anybody's credential. An event: loss means that this answer is not fetched anew ahead of time.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Remember {
    /// The request.
    pub call: Arc<OriginCall>,
}

/// Start → warming: bring the hottest answers back to L1. Answers how many came, when all were tried;
/// the asker's deadline bounds the wait, and what has come by then stays. Loss: a cold L1.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "u64")]
pub struct WarmStart;

/// Operations → warming: have these answers ready. Answered at once; [`ObserveWarming`] tells how far
/// it is. Bound: 1,000 requests. Deadline: a second. Loss: nothing is warmed.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Progress")]
pub struct WarmNow {
    /// The requests.
    pub calls: Vec<Arc<OriginCall>>,
}

/// Operations → warming: how is it going? Answered at once. Deadline: a second.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "WarmingState")]
pub struct ObserveWarming;

/// Its own timer, or a test → warming: see what is due. An event.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Look;

/// Shutdown → warming: begin nothing any more; another process does. Loss: calls that another makes too.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Rest;

/// What warming works with.
#[derive(Clone)]
pub struct WarmingPlan {
    /// Bounds.
    pub desk: DeskSettings,
    /// Calls whose answers are kept ready always; empty until the gateway around it stands.
    pub critical: Arc<OnceLock<Vec<Arc<OriginCall>>>>,
    /// The gateway around it.
    pub surroundings: Arc<dyn Surroundings>,
    /// Where the hottest keys are written for the next start; nowhere if empty.
    pub hot_keys: PathBuf,
    /// How many of them; 0 = none.
    pub hot_keys_most: usize,
}

/// Has ready what will be asked for next.
pub struct WarmingActor {
    plan: WarmingPlan,
    desk: Desk,
    ports: WarmingPorts,
    began: Instant,
    warm_share: f64,
    looks: u32,
    rests: bool,
}

impl WarmingActor {
    /// Creates an actor that has learned nothing yet.
    pub fn new(plan: WarmingPlan, ports: WarmingPorts) -> Self {
        let desk = Desk::new(plan.desk.clone(), Arc::clone(&plan.surroundings));
        let began = ports.clock.now();
        Self { plan, desk, ports, began, warm_share: 0.0, looks: 0, rests: false }
    }

    /// Puts this actor's address where its askers look.
    pub fn connect(addr: &Addr<Self>, handle: &WarmingHandle) {
        handle.samples.put(addr.clone().recipient());
        handle.remember.put(addr.clone().recipient());
        handle.pressure.put(addr.clone().recipient());
        handle.rest.put(addr.clone().recipient());
        handle.start.put(addr.clone().recipient());
        handle.now.put(addr.clone().recipient());
        handle.share.put(addr.clone().recipient());
        handle.observe.put(addr.clone().recipient());
        handle.flush.put(addr.clone().recipient());
    }

    fn now_ms(&self) -> u64 {
        let since = self.ports.clock.now().duration_since(self.began);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX).saturating_add(BEGIN_MS)
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        self.looks += 1;
        if self.looks >= LOOKS_A_WRITING {
            self.looks = 0;
            // L1 may have been made anew since it was told.
            self.warm_share = -1.0;
            let written = self.write_hot_keys();
            ctx.spawn(written.into_actor(self));
        }
        if self.desk.upkeep.is_empty()
            && let Some(critical) = self.plan.critical.get()
        {
            self.desk.upkeep = Upkeep::new(critical.iter().map(Arc::clone));
        }
        let now_ms = self.now_ms();
        self.desk.look(now_ms);
        self.go_on(ctx);
    }

    /// Begins what may begin.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        while let Some(task) = self.desk.next(self.now_ms()) {
            self.tell_share();
            let work = self.ports.clone().carry_out(task.clone()).into_actor(self);
            ctx.spawn(work.map(move |outcome, warming, ctx| warming.ended(&task, outcome, ctx)));
        }
        self.tell_share();
    }

    fn ended(&mut self, task: &Task, outcome: Outcome, ctx: &mut Context<Self>) {
        let now_ms = self.now_ms();
        self.desk.ended(task, outcome, now_ms);
        self.go_on(ctx);
    }

    /// Tells L1 how much room there is to be for what is warmed; only where it changes.
    fn tell_share(&mut self) {
        let share = self.desk.warm_share();
        let is_new = (share - self.warm_share).abs() > f64::EPSILON;
        if is_new && self.ports.l1.warm_room.tell(WarmRoom { share }) {
            self.warm_share = share;
        }
    }

    fn write_hot_keys(&self) -> impl Future<Output = ()> + use<> {
        let most = self.plan.hot_keys_most;
        let hottest = self.desk.forecast.hottest(most, self.now_ms());
        let keys: Vec<CacheKey> = hottest.into_iter().map(|(key, _)| key).collect();
        let path = self.plan.hot_keys.clone();
        async move {
            // Nothing learned is no reason to forget what was.
            if keys.is_empty() || path.as_os_str().is_empty() {
                return;
            }
            let written = tokio::task::spawn_blocking(move || hot_keys::write(&path, &keys)).await;
            if let Ok(Err(error)) = written {
                tracing::warn!(%error, "failed to write the hottest keys");
            }
        }
    }
}

fn seen(access: &Access, at_ms: u64, wall_ms: u64) -> Option<Seen> {
    let found = match access.outcome {
        Answered::Hit(Level::L1) => FoundIn::L1,
        Answered::Hit(Level::L2 | Level::L3) => FoundIn::Beyond,
        Answered::Stale | Answered::Miss | Answered::Coalesced => FoundIn::Nowhere,
        Answered::Bypass | Answered::Error => return None,
    };
    Some(Seen {
        key: access.key,
        session: access.session,
        // A scope's keys are nobody else's: it is its own everybody.
        is_one_of_many: access.session != access.scope,
        found,
        fresh_for_ms: access.fresh_until_ms.checked_sub(wall_ms).filter(|left_ms| *left_ms > 0),
        at_ms,
    })
}

impl Actor for WarmingActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(LOOK_EVERY, |warming, ctx| warming.look(ctx));
    }
}

impl Handler<SampleBatch> for WarmingActor {
    type Result = ();

    fn handle(&mut self, message: SampleBatch, ctx: &mut Self::Context) {
        let (now_ms, wall_ms) = (self.now_ms(), self.ports.clock.wall_ms());
        for seen in message.accesses.iter().filter_map(|access| seen(access, now_ms, wall_ms)) {
            self.desk.seen(&seen);
        }
        self.go_on(ctx);
    }
}

impl Handler<Remember> for WarmingActor {
    type Result = ();

    fn handle(&mut self, message: Remember, _ctx: &mut Self::Context) {
        if !self.desk.paused {
            self.desk.requests.remember(message.call);
        }
    }
}

impl Handler<PressureChanged> for WarmingActor {
    type Result = ();

    fn handle(&mut self, message: PressureChanged, ctx: &mut Self::Context) {
        self.desk.pause(self.rests || message.state != PressureState::Nominal);
        self.go_on(ctx);
    }
}

impl Handler<Rest> for WarmingActor {
    type Result = ();

    fn handle(&mut self, _message: Rest, _ctx: &mut Self::Context) {
        self.rests = true;
        self.desk.pause(true);
    }
}

impl Handler<Look> for WarmingActor {
    type Result = ();

    fn handle(&mut self, _message: Look, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}

impl Handler<WarmStart> for WarmingActor {
    type Result = ResponseFuture<u64>;

    fn handle(&mut self, _message: WarmStart, _ctx: &mut Self::Context) -> Self::Result {
        let (path, most) = (self.plan.hot_keys.clone(), self.plan.hot_keys_most);
        let ports = Rc::new(self.ports.clone());
        Box::pin(async move {
            if most == 0 || path.as_os_str().is_empty() {
                return 0;
            }
            let read = tokio::task::spawn_blocking(move || hot_keys::read(&path, most)).await;
            let mut keys = match read {
                Ok(Ok(keys)) => keys,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "failed to read the hottest keys");
                    return 0;
                }
                Err(_ended) => return 0,
            };
            // The coldest first: the hottest are those used last.
            keys.reverse();
            let promotions = keys.into_iter().map(|key| {
                let ports = Rc::clone(&ports);
                async move { ports.bring(key).await }
            });
            let promoted = stream::iter(promotions).buffered(START_AT_ONCE);
            let came = promoted.filter(|done| std::future::ready(matches!(done, Done::Loaded(_))));
            u64::try_from(came.count().await).unwrap_or(u64::MAX)
        })
    }
}

impl Handler<WarmNow> for WarmingActor {
    type Result = MessageResult<WarmNow>;

    fn handle(&mut self, message: WarmNow, ctx: &mut Self::Context) -> Self::Result {
        let now_ms = self.now_ms();
        let progress = self.desk.ask(message.calls, now_ms);
        self.go_on(ctx);
        MessageResult(progress)
    }
}

impl Handler<BudgetShare> for WarmingActor {
    type Result = WarmingWorth;

    fn handle(&mut self, message: BudgetShare, ctx: &mut Self::Context) -> Self::Result {
        self.desk.budget.set_share(message.share);
        self.go_on(ctx);
        let Tally { used, wasted, .. } = self.desk.forecast.tally();
        WarmingWorth { used, wasted, success: self.desk.forecast.success() }
    }
}

impl Handler<ObserveWarming> for WarmingActor {
    type Result = MessageResult<ObserveWarming>;

    fn handle(&mut self, _message: ObserveWarming, _ctx: &mut Self::Context) -> Self::Result {
        let now_ms = self.now_ms();
        let whole = Whole { warm_share: self.warm_share.max(0.0), now_ms };
        MessageResult(report::state(&mut self.desk, whole))
    }
}

impl Handler<Flush> for WarmingActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _message: Flush, _ctx: &mut Self::Context) -> Self::Result {
        Box::pin(self.write_hot_keys())
    }
}

impl Handler<Ping> for WarmingActor {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, _message: Ping, _ctx: &mut Self::Context) -> Self::Result {
        let (free, paid) = self.desk.waiting();
        MessageResult(Report {
            state: ActorState::Running,
            pending: u64::try_from(free + paid).unwrap_or(u64::MAX),
            last_error: None,
            counters: report::counters(&self.desk),
        })
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<crate::message::Panic> for WarmingActor {
    type Result = ();

    #[expect(clippy::panic, reason = "a test asked for it")]
    fn handle(&mut self, _message: crate::message::Panic, _ctx: &mut Self::Context) {
        panic!("a test asked warming to panic");
    }
}

#[cfg(test)]
#[path = "warming_actor_tests.rs"]
mod tests;
