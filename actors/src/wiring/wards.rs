//! How each actor is made, connected and watched.

use std::sync::Arc;

use actix::{Actor, Addr};

use super::topology::MemoryPlan;
use super::topology::{ModelPlan, ScalerPlan};
use super::watch::Ward;
use crate::cache::{L1Actor, L2Actor, L3Actor};
use crate::clock::SharedClock;
use crate::conversation::ConversationActor;
use crate::message::{
    BudgetShare, ConversationHandle, Flush, LevelHandle, MemoryHandle, PurgeHandle, Slot, Touched,
};
use crate::model::{CallGates, MemoryBudget, Purges, Versions};
use crate::models::ModelCacheActor;
use crate::origin::OriginFactory;
use crate::purging::PurgeActor;
use crate::resolver::{Fetch, FetchActor, FetchPorts, Levels, ResolverActor, ResolverHandle};
use crate::scaler::{ScalerActor, ScalerHandle, ScalerPorts};
use crate::settings::{
    ConversationSettings, FlightSettings, L1Settings, L2Settings, L3Settings, PurgeSettings,
};
use crate::warming::{WarmingActor, WarmingHandle, WarmingPlan, WarmingPorts};
use crate::watchdog::{MemoryWatchdog, Subscribers, Surroundings};

/// What several actors know together.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) purges: Purges,
    pub(super) versions: Versions,
    pub(super) budget: MemoryBudget,
    pub(super) gates: CallGates,
    pub(super) clock: SharedClock,
}

/// Collects the slots for injected panics; nothing in other builds.
#[derive(Default)]
pub(super) struct Panics {
    #[cfg(feature = "fault-injection")]
    pub(super) slots: std::collections::BTreeMap<String, Slot<crate::message::Panic>>,
}

#[cfg(feature = "fault-injection")]
trait MayPanic: Actor<Context = actix::Context<Self>> + actix::Handler<crate::message::Panic> {}
#[cfg(feature = "fault-injection")]
impl<A> MayPanic for A where
    A: Actor<Context = actix::Context<A>> + actix::Handler<crate::message::Panic>
{
}
#[cfg(not(feature = "fault-injection"))]
trait MayPanic: Actor {}
#[cfg(not(feature = "fault-injection"))]
impl<A: Actor> MayPanic for A {}

impl Panics {
    #[cfg(feature = "fault-injection")]
    fn port<A: MayPanic>(&mut self, name: &str) -> impl Fn(&Addr<A>) + Send + 'static + use<A> {
        let slot = self.slots.entry(name.to_owned()).or_insert_with(Slot::empty).clone();
        move |addr| slot.put(addr.clone().recipient())
    }

    #[cfg(not(feature = "fault-injection"))]
    #[expect(clippy::unused_self, reason = "the other build's form uses it")]
    fn port<A: MayPanic>(&mut self, _name: &str) -> impl Fn(&Addr<A>) + Send + 'static + use<A> {
        |_addr| {}
    }
}

fn level_in_flight(handle: &LevelHandle) -> impl Fn() -> usize + Send + 'static + use<> {
    let handle = handle.clone();
    move || handle.in_flight()
}

pub(super) fn l1_ward(
    settings: L1Settings,
    [handle, l2, l3]: [&LevelHandle; 3],
    touched: &Slot<Touched>,
    known: &Known,
    panics: &mut Panics,
) -> Ward {
    let (known, in_flight) = (known.clone(), level_in_flight(handle));
    let (handle, touched, panic) = (handle.clone(), touched.clone(), panics.port("l1"));
    let further = [l2.clone(), l3.clone()];
    Ward::on(
        "l1",
        move || {
            let Known { purges, versions, clock, .. } = known.clone();
            L1Actor::new(settings.clone(), further.clone(), purges, versions, clock)
        },
        move |addr| {
            L1Actor::connect(addr, &handle, &touched);
            panic(addr);
        },
        in_flight,
    )
}

pub(super) fn l2_ward(
    settings: Option<L2Settings>,
    handle: &LevelHandle,
    purging: &PurgeHandle,
    known: &Known,
    panics: &mut Panics,
) -> Ward {
    let Some(settings) = settings else { return Ward::off("l2") };
    let (known, in_flight) = (known.clone(), level_in_flight(handle));
    let (handle, panic) = (handle.clone(), panics.port("l2"));
    let changed = purging.changed.clone();
    Ward::on(
        "l2",
        move || {
            let Known { purges, clock, .. } = known.clone();
            L2Actor::new(settings.clone(), purges, changed.clone(), clock)
        },
        move |addr| {
            L2Actor::connect(addr, &handle);
            panic(addr);
        },
        in_flight,
    )
}

pub(super) fn l3_ward(
    settings: Option<L3Settings>,
    handle: &LevelHandle,
    known: &Known,
    panics: &mut Panics,
) -> Ward {
    let Some(settings) = settings else { return Ward::off("l3") };
    let (known, in_flight) = (known.clone(), level_in_flight(handle));
    let (handle, panic) = (handle.clone(), panics.port("l3"));
    Ward::on(
        "l3",
        move || {
            let Known { purges, clock, .. } = known.clone();
            L3Actor::new(settings.clone(), purges, clock)
        },
        move |addr| {
            L3Actor::connect(addr, &handle);
            panic(addr);
        },
        in_flight,
    )
}

pub(super) fn purge_ward(
    settings: PurgeSettings,
    [l2, l3]: [&LevelHandle; 2],
    handle: &PurgeHandle,
    known: &Known,
    panics: &mut Panics,
) -> Ward {
    let (known, levels) = (known.clone(), [l2.clone(), l3.clone()]);
    let (asked, handle, panic) = (handle.purge.clone(), handle.clone(), panics.port("purging"));
    Ward::on(
        "purging",
        move || {
            let Known { purges, clock, .. } = known.clone();
            PurgeActor::new(purges, levels.clone(), settings.clone(), clock)
        },
        move |addr| {
            PurgeActor::connect(addr, &handle);
            panic(addr);
        },
        move || asked.in_flight(),
    )
}

pub(super) fn conversation_ward(
    settings: ConversationSettings,
    handle: &ConversationHandle,
    known: &Known,
    panics: &mut Panics,
) -> Ward {
    let (clock, asked) = (Arc::clone(&known.clock), handle.clone());
    let (handle, panic) = (handle.clone(), panics.port("conversations"));
    Ward::on(
        "conversations",
        move || ConversationActor::new(&settings, Arc::clone(&clock)),
        move |addr| {
            ConversationActor::connect(addr, &handle);
            panic(addr);
        },
        move || asked.in_flight(),
    )
}

pub(super) fn memory_ward(
    plan: MemoryPlan,
    subscribers: Subscribers,
    handle: &MemoryHandle,
    known: &Known,
    panics: &mut Panics,
) -> Ward {
    let MemoryPlan { settings, probe, give_back } = plan;
    let (known, asked) = (known.clone(), handle.observe.clone());
    let (handle, panic) = (handle.clone(), panics.port("memory"));
    Ward::on(
        "memory",
        move || {
            let Known { budget, clock, .. } = known.clone();
            let surroundings = Surroundings {
                probe: probe(),
                give_back: Arc::clone(&give_back),
                subscribers: subscribers.clone(),
                budget,
                clock,
            };
            MemoryWatchdog::new(settings.clone(), surroundings)
        },
        move |addr| {
            MemoryWatchdog::connect(addr, &handle);
            panic(addr);
        },
        move || asked.in_flight(),
    )
}

pub(super) fn scaler_ward(
    plan: Option<ScalerPlan>,
    handle: &ScalerHandle,
    (l1, share, memory): (&LevelHandle, &Slot<BudgetShare>, &MemoryHandle),
    known: &Known,
    panics: &mut Panics,
) -> Ward {
    let Some(plan) = plan else { return Ward::off("scaler") };
    let ScalerPlan { settings, workload } = plan;
    let (clock, asked) = (Arc::clone(&known.clock), handle.observe.clone());
    let (resize, evictions) = (l1.resize.clone(), l1.evictions.clone());
    let (share, memory, known) = (share.clone(), memory.clone(), known.clone());
    let (handle, panic) = (handle.clone(), panics.port("scaler"));
    Ward::on(
        "scaler",
        move || {
            let ports = ScalerPorts {
                resize: resize.clone(),
                evictions: evictions.clone(),
                share: share.clone(),
                memory: memory.clone(),
                budget: known.budget.clone(),
                gates: known.gates.clone(),
                workload: Arc::clone(&workload),
            };
            ScalerActor::new(settings.clone(), ports, Arc::clone(&clock))
        },
        move |addr| {
            ScalerActor::connect(addr, &handle);
            panic(addr);
        },
        move || asked.in_flight(),
    )
}

pub(super) fn model_ward(plan: ModelPlan, known: &Known, panics: &mut Panics) -> Ward {
    let ModelPlan { max_loaded, shelf, loader } = plan;
    let (clock, panic) = (Arc::clone(&known.clock), panics.port("models"));
    let (asked, own) = (shelf.load().clone(), shelf.clone());
    Ward::on(
        "models",
        move || {
            let (loader, clock) = (Arc::clone(&loader), Arc::clone(&clock));
            ModelCacheActor::new(max_loaded, own.clone(), loader, clock)
        },
        move |addr| {
            ModelCacheActor::connect(addr, &shelf);
            panic(addr);
        },
        move || asked.in_flight(),
    )
}

pub(super) fn warming_ward(
    plan: Option<WarmingPlan>,
    ports: WarmingPorts,
    handle: &WarmingHandle,
    panics: &mut Panics,
) -> Ward {
    let Some(plan) = plan else { return Ward::off("warming") };
    let (asked, handle, panic) = (handle.clone(), handle.clone(), panics.port("warming"));
    Ward::on(
        "warming",
        move || WarmingActor::new(plan.clone(), ports.clone()),
        move |addr| {
            WarmingActor::connect(addr, &handle);
            panic(addr);
        },
        move || asked.in_flight(),
    )
}

pub(super) fn fetch_ward(
    name: &str,
    (settings, origin, levels): (&FlightSettings, &OriginFactory, &Levels),
    known: &Known,
    ports: FetchPorts,
    (fetch, flush): (&Slot<Fetch>, &Slot<Flush>),
    panics: &mut Panics,
) -> Ward {
    let (settings, origin) = (settings.clone(), Arc::clone(origin));
    let (levels, known) = (levels.clone(), known.clone());
    let (fetch, flush, panic) = (fetch.clone(), flush.clone(), panics.port(name));
    let asked = fetch.clone();
    Ward::on(
        name,
        move || {
            FetchActor::new(
                settings.clone(),
                &origin,
                levels.clone(),
                ports.clone(),
                (known.budget.clone(), known.gates.clone(), Arc::clone(&known.clock)),
            )
        },
        move |addr| {
            FetchActor::connect(addr, &fetch, &flush);
            panic(addr);
        },
        move || asked.in_flight(),
    )
}

pub(super) fn resolver_ward(
    settings: FlightSettings,
    levels: Levels,
    fetchers: Vec<Slot<Fetch>>,
    handle: &ResolverHandle,
    known: &Known,
    panics: &mut Panics,
) -> Ward {
    let (known, own) = (known.clone(), handle.clone());
    let (asked, handle, panic) = (handle.resolve.clone(), handle.clone(), panics.port("resolver"));
    Ward::on(
        "resolver",
        move || {
            let Known { purges, gates, clock, .. } = known.clone();
            let (levels, fetchers) = (levels.clone(), fetchers.clone());
            ResolverActor::new(&settings, levels, fetchers, &own, (purges, gates), clock)
        },
        move |addr| {
            ResolverActor::connect(addr, &handle);
            panic(addr);
        },
        move || asked.in_flight(),
    )
}
