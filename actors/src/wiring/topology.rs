//! Which actors there are, who holds whose address, and in which order they start and stop.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Arbiter};

use super::health::SystemHealth;
use super::sentinel_actor::{Observe, SentinelActor};
use super::wards::{
    Known, Panics, conversation_ward, fetch_ward, l1_ward, l2_ward, l3_ward, memory_ward,
    model_ward, purge_ward, resolver_ward, scaler_ward, warming_ward,
};
use super::watch::Ward;
use crate::clock::SharedClock;
use crate::error::AskError;
use crate::message::{
    CatchUp, ConversationHandle, Flush, LevelHandle, MemoryHandle, OriginCalls, PurgeHandle,
    RegisterCleaner, Slot, Subscribe, Touched, ask,
};
use crate::model::{
    CallGates, GateSettings, Level, MemoryBudget, ModelLoader, Purges, SampleBatch, TellCalls,
    Versions,
};
use crate::models::LocalModels;
use crate::origin::OriginFactory;
use crate::resolver::{FetchPorts, Levels, ResolverHandle};
use crate::scaler::{ScalerHandle, Workload};
use crate::settings::{
    ConversationSettings, FlightSettings, L1Settings, L2Settings, L3Settings, MemorySettings,
    PurgeSettings, ScalerSettings, SentinelSettings,
};
use crate::warming::{Rest, WarmStart, WarmingHandle, WarmingPlan, WarmingPorts};
use crate::watchdog::{GiveBack, ProbeFactory, Subscribers};

/// Longest wait for the sentinel's answer.
const OBSERVE_DEADLINE: Duration = Duration::from_secs(2);

/// Longest wait, at the end, for purges that a level has not recorded yet.
const LAST_OFFER: Duration = Duration::from_secs(1);

/// What to start.
pub struct Plan {
    /// Bounds of L1.
    pub l1: L1Settings,
    /// L2, where it is on.
    pub l2: Option<L2Settings>,
    /// L3, where it is on.
    pub l3: Option<L3Settings>,
    /// How purges spread.
    pub purge: PurgeSettings,
    /// Where conversations lie.
    pub conversations: ConversationSettings,
    /// How much memory the process may have.
    pub memory: MemoryPlan,
    /// Which local models there are.
    pub models: ModelPlan,
    /// How flights end.
    pub flights: FlightSettings,
    /// What has answers ready before they are asked for, where it is on.
    pub warming: Option<WarmingPlan>,
    /// What sizes L1, limits calls and warming, and tells how many gateways are wanted; nothing where all keep
    /// their bounds.
    pub scaler: Option<ScalerPlan>,
    /// How the sentinel watches.
    pub sentinel: SentinelSettings,
    /// Where answers come from.
    pub origin: OriginFactory,
    /// Which upstreams get a bounded number of calls at once, by name.
    pub gates: Vec<(Arc<str>, GateSettings)>,
    /// Actors of the gateway package, watched with the others.
    pub others: Vec<Ward>,
    /// The time.
    pub clock: SharedClock,
}

/// What watches over the process's memory.
pub struct MemoryPlan {
    /// How much there may be.
    pub settings: MemorySettings,
    /// Reads how much there is.
    pub probe: ProbeFactory,
    /// Gives freed pages back to the system.
    pub give_back: GiveBack,
}

/// What the scaler goes by.
pub struct ScalerPlan {
    /// Bounds.
    pub settings: ScalerSettings,
    /// The gateway around it.
    pub workload: Arc<dyn Workload>,
}

/// Which models may run in this process, and how many at once.
pub struct ModelPlan {
    /// Most models loaded.
    pub max_loaded: usize,
    /// Where they stand.
    pub shelf: LocalModels,
    /// How they are loaded.
    pub loader: ModelLoader,
}

/// The running actors' addresses. Cheap to clone.
#[derive(Clone)]
pub struct Topology {
    /// L1.
    pub l1: LevelHandle,
    /// L2.
    pub l2: LevelHandle,
    /// L3.
    pub l3: LevelHandle,
    /// L1's, for hits answered from leases.
    pub touched: Slot<Touched>,
    /// L1, L2 and L3 as one, for who asks for many keys.
    pub levels: Levels,
    /// The resolver.
    pub resolver: ResolverHandle,
    /// What has been purged.
    pub purges: Purges,
    /// Purges more.
    pub purging: PurgeHandle,
    /// Callers' conversations.
    pub conversations: ConversationHandle,
    /// The watchdog over memory.
    pub memory: MemoryHandle,
    /// What requests and answers under way may hold.
    pub budget: MemoryBudget,
    /// How many calls each upstream gets at once.
    pub gates: CallGates,
    /// What was replaced in L1.
    pub versions: Versions,
    /// Has answers ready before they are asked for.
    pub warming: WarmingHandle,
    /// Sizes L1, limits calls and warming, tells how many gateways are wanted.
    pub scaler: ScalerHandle,
    /// Those who learn from traffic.
    pub learners: Arc<[Slot<SampleBatch>]>,
    fetching: Arc<[Slot<Flush>]>,
    sentinel: Slot<Observe>,
    #[cfg(feature = "fault-injection")]
    panics: Arc<std::collections::BTreeMap<String, Slot<crate::message::Panic>>>,
}

impl Topology {
    /// Starts every actor on an arbiter of its own, each after those it asks, and the sentinel
    /// over them.
    /// Must run inside an actix system.
    pub fn start(plan: Plan) -> Self {
        let l1 = LevelHandle::new(Level::L1, true);
        let l2 = LevelHandle::new(Level::L2, plan.l2.is_some());
        let l3 = LevelHandle::new(Level::L3, plan.l3.is_some());
        let touched = Slot::empty();
        let resolver = ResolverHandle::new();
        let levels = Levels::new(
            [l1.clone(), l2.clone(), l3.clone()],
            Arc::clone(&plan.clock),
            plan.flights.level_budget,
            plan.flights.l2_timeout,
        );
        let mut panics = Panics::default();
        let scaler = ScalerHandle::new();
        let calls = scaler.calls.clone();
        let tell: TellCalls = Arc::new(move |upstream, counts| {
            let upstream = Arc::clone(upstream);
            // Without a scaler nobody listens: the limit stays.
            let _ = calls.tell(OriginCalls { upstream, counts });
        });
        let known = Known {
            gates: CallGates::new(plan.gates, &tell),
            purges: Purges::new(plan.purge.max_labels),
            versions: Versions::default(),
            // Until the first reading; where it is only watched, for ever.
            budget: MemoryBudget::unlimited(),
            clock: plan.clock,
        };
        let purging = PurgeHandle::new();
        let memory = MemoryHandle::new();
        let conversations = ConversationHandle::new();
        let subscribers = Subscribers::default();
        // In this order: what is had again for the least goes first.
        for (name, clean_up) in [
            ("models", plan.models.shelf.clean_up()),
            ("conversations", &conversations.clean_up),
            ("l1", &l1.clean_up),
        ] {
            subscribers.register(RegisterCleaner { name, clean_up: clean_up.clone() });
        }
        let warming = WarmingHandle::new();
        if plan.warming.is_some() {
            let changed = warming.pressure.clone();
            subscribers.subscribe(Subscribe { name: "warming", changed });
        }
        if plan.scaler.is_some() {
            let changed = scaler.pressure.clone();
            subscribers.subscribe(Subscribe { name: "scaler", changed });
        }
        let mut wards = vec![
            memory_ward(plan.memory, subscribers, &memory, &known, &mut panics),
            l1_ward(plan.l1, [&l1, &l2, &l3], &touched, &known, &mut panics),
            l2_ward(plan.l2, &l2, &purging, &known, &mut panics),
            l3_ward(plan.l3, &l3, &known, &mut panics),
            purge_ward(plan.purge, [&l2, &l3], &purging, &known, &mut panics),
            conversation_ward(plan.conversations, &conversations, &known, &mut panics),
            model_ward(plan.models, &known, &mut panics),
        ];
        let mut fetching = Vec::new();
        let mut fetch_wards = Vec::new();
        let mut fetchers = Vec::new();
        for number in 0..plan.flights.fetch_threads.max(1) {
            let (fetch, flush) = (Slot::empty(), Slot::empty());
            let name = format!("fetch-{number}");
            fetch_wards.push(fetch_ward(
                &name,
                (&plan.flights, &plan.origin, &levels),
                &known,
                FetchPorts {
                    ended: resolver.ended.clone(),
                    unshareable: resolver.unshareable.clone(),
                },
                (&fetch, &flush),
                &mut panics,
            ));
            fetchers.push(fetch);
            fetching.push(flush);
        }
        wards.extend(fetch_wards);
        wards.push(resolver_ward(
            plan.flights,
            levels.clone(),
            fetchers,
            &resolver,
            &known,
            &mut panics,
        ));
        let mut learners = Vec::new();
        if plan.warming.is_some() {
            learners.push(warming.samples.clone());
        }
        if plan.scaler.is_some() {
            learners.push(scaler.samples.clone());
        }
        let ports = WarmingPorts {
            l1: l1.clone(),
            promote: resolver.promote.clone(),
            warm: resolver.warm.clone(),
            clock: Arc::clone(&known.clock),
        };
        wards.push(warming_ward(plan.warming, ports, &warming, &mut panics));
        let ports = (&l1, &warming.share, &memory);
        wards.push(scaler_ward(plan.scaler, &scaler, ports, &known, &mut panics));
        #[cfg(feature = "fault-injection")]
        panics.slots.extend(
            plan.others.iter().filter_map(|ward| Some((ward.name.clone(), ward.panic.clone()?))),
        );
        wards.extend(plan.others);

        let sentinel = Slot::empty();
        let (settings, clock) = (plan.sentinel, known.clock);
        let watcher = SentinelActor::start_in_arbiter(&Arbiter::new().handle(), move |_ctx| {
            SentinelActor::new(wards, settings, clock)
        });
        sentinel.put(watcher.recipient());
        Self {
            l1,
            l2,
            l3,
            touched,
            levels,
            resolver,
            purges: known.purges,
            purging,
            conversations,
            memory,
            budget: known.budget,
            gates: known.gates,
            versions: known.versions,
            warming,
            scaler,
            learners: learners.into(),
            fetching: fetching.into(),
            sentinel,
            #[cfg(feature = "fault-injection")]
            panics: Arc::new(panics.slots),
        }
    }

    /// Asks how all actors are, now.
    ///
    /// # Errors
    ///
    /// When the sentinel is gone or late.
    pub async fn observe(&self) -> Result<SystemHealth, AskError> {
        ask(&self.sentinel, Observe, OBSERVE_DEADLINE).await
    }

    /// Waits until each level that is on was asked for the purges it holds, at most for `deadline`;
    /// returns whether all were.
    pub async fn catch_up(&self, deadline: Duration) -> bool {
        ask(&self.purging.catch_up, CatchUp, deadline).await.is_ok()
    }

    /// Waits until the answers asked for most before the last stop are back in L1, at most for
    /// `deadline`; returns how many are, if all were tried.
    pub async fn warm_start(&self, deadline: Duration) -> Option<u64> {
        ask(&self.warming.start, WarmStart, deadline).await.ok()
    }

    /// Waits until flights have ended and what they left is written, at most for `deadline`:
    /// resolver and fetching threads, then L2 and L3, as work flows. Flights may take three
    /// quarters of it: one that hangs leaves the levels their time. Returns whether all was done.
    pub async fn drain(&self, deadline: Duration) -> bool {
        let mut flights = vec![&self.resolver.flush];
        flights.extend(self.fetching.iter());
        let levels = [&self.l2, &self.l3].into_iter().filter(|level| level.enabled);
        let levels: Vec<_> = levels.map(|level| &level.flush).collect();
        let work = async {
            let landed = flushed(flights, deadline.mul_f32(0.75)).await;
            // What is not recorded now is what the levels' own restarts do not know.
            flushed(vec![&self.purging.flush], LAST_OFFER.min(deadline.mul_f32(0.1))).await;
            let mut written = flushed(vec![&self.conversations.flush], deadline).await;
            if self.warming.flush.is_open() {
                written &= flushed(vec![&self.warming.flush], deadline).await;
            }
            flushed(levels, deadline).await && landed && written
        };
        tokio::time::timeout(deadline, work).await.unwrap_or(false)
    }

    /// Waits until what another process begins with is written, at most for `deadline`: the names of the
    /// hottest answers, and what waits for L2 and L3. Everything goes on meanwhile.
    pub async fn hand_down(&self, deadline: Duration) {
        let levels = [&self.l2, &self.l3].into_iter().filter(|level| level.enabled);
        let mut slots: Vec<_> = levels.map(|level| &level.flush).collect();
        if self.warming.flush.is_open() {
            slots.insert(0, &self.warming.flush);
        }
        flushed(slots, deadline).await;
    }

    /// Has nothing done ahead of requests any more: another process does it.
    pub fn rest(&self) {
        self.warming.rest.tell(Rest);
    }

    /// Makes the actor called `name` panic; false where there is none.
    #[cfg(feature = "fault-injection")]
    pub fn panic(&self, name: &str) -> bool {
        self.panics.get(name).is_some_and(|slot| slot.tell(crate::message::Panic))
    }
}

/// Asks each of `slots` in turn to end its work; returns whether all have within `deadline`.
async fn flushed(slots: Vec<&Slot<Flush>>, deadline: Duration) -> bool {
    let work = async {
        let mut done = true;
        for slot in slots {
            done &= ask(slot, Flush, deadline).await.is_ok();
        }
        done
    };
    tokio::time::timeout(deadline, work).await.unwrap_or(false)
}
