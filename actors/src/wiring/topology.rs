//! Which actors there are, who holds whose address, and in which order they start and stop.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Arbiter};

use super::health::SystemHealth;
use super::sentinel_actor::{Observe, SentinelActor};
use super::watch::Ward;
use crate::cache::{L1Actor, L2Actor, L3Actor};
use crate::clock::SharedClock;
use crate::error::AskError;
use crate::message::{Flush, LevelHandle, Slot, Touched, ask};
use crate::model::{Level, Purges, Versions};
use crate::origin::OriginFactory;
use crate::resolver::{Fetch, FetchActor, FetchPorts, Levels, ResolverActor, ResolverHandle};
use crate::settings::{FlightSettings, L1Settings, L2Settings, L3Settings, SentinelSettings};

/// Longest wait for the sentinel's answer.
const OBSERVE_DEADLINE: Duration = Duration::from_secs(2);

/// What to start.
pub struct Plan {
    /// Bounds of L1.
    pub l1: L1Settings,
    /// L2, where it is on.
    pub l2: Option<L2Settings>,
    /// L3, where it is on.
    pub l3: Option<L3Settings>,
    /// How flights end.
    pub flights: FlightSettings,
    /// How the sentinel watches.
    pub sentinel: SentinelSettings,
    /// Where answers come from.
    pub origin: OriginFactory,
    /// Actors of the gateway package, watched with the others.
    pub others: Vec<Ward>,
    /// The time.
    pub clock: SharedClock,
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
    /// The resolver.
    pub resolver: ResolverHandle,
    /// What has been purged.
    pub purges: Purges,
    /// What was replaced in L1.
    pub versions: Versions,
    fetching: Arc<[Slot<Flush>]>,
    sentinel: Slot<Observe>,
    #[cfg(feature = "fault-injection")]
    panics: Arc<std::collections::BTreeMap<String, Slot<crate::message::Panic>>>,
}

/// What several actors know together.
#[derive(Clone)]
struct Known {
    purges: Purges,
    versions: Versions,
    clock: SharedClock,
}

/// Collects the slots for injected panics; nothing in other builds.
#[derive(Default)]
struct Panics {
    #[cfg(feature = "fault-injection")]
    slots: std::collections::BTreeMap<String, Slot<crate::message::Panic>>,
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
        let known =
            Known { purges: Purges::default(), versions: Versions::default(), clock: plan.clock };
        let mut wards = vec![
            l1_ward(plan.l1, &l1, &touched, &known, &mut panics),
            l2_ward(plan.l2, &l2, &known, &mut panics),
            l3_ward(plan.l3, &l3, &known, &mut panics),
        ];
        let mut fetching = Vec::new();
        let mut fetch_wards = Vec::new();
        let mut fetchers = Vec::new();
        for number in 0..plan.flights.fetch_threads.max(1) {
            let (fetch, flush) = (Slot::empty(), Slot::empty());
            let name = format!("fetch-{number}");
            fetch_wards.push(fetch_ward(
                &name,
                (&plan.flights, &plan.origin, &levels, &known.clock),
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
        wards.push(resolver_ward(plan.flights, levels, fetchers, &resolver, &known, &mut panics));
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
            resolver,
            purges: known.purges,
            versions: known.versions,
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
            flushed(levels, deadline).await && landed
        };
        tokio::time::timeout(deadline, work).await.unwrap_or(false)
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

fn level_in_flight(handle: &LevelHandle) -> impl Fn() -> usize + Send + 'static + use<> {
    let handle = handle.clone();
    move || handle.in_flight()
}

fn l1_ward(
    settings: L1Settings,
    handle: &LevelHandle,
    touched: &Slot<Touched>,
    known: &Known,
    panics: &mut Panics,
) -> Ward {
    let (known, in_flight) = (known.clone(), level_in_flight(handle));
    let (handle, touched, panic) = (handle.clone(), touched.clone(), panics.port("l1"));
    Ward::on(
        "l1",
        move || {
            let Known { purges, versions, clock } = known.clone();
            L1Actor::new(settings.clone(), purges, versions, clock)
        },
        move |addr| {
            L1Actor::connect(addr, &handle, &touched);
            panic(addr);
        },
        in_flight,
    )
}

fn l2_ward(
    settings: Option<L2Settings>,
    handle: &LevelHandle,
    known: &Known,
    panics: &mut Panics,
) -> Ward {
    let Some(settings) = settings else { return Ward::off("l2") };
    let (known, in_flight) = (known.clone(), level_in_flight(handle));
    let (handle, panic) = (handle.clone(), panics.port("l2"));
    Ward::on(
        "l2",
        move || {
            let Known { purges, clock, .. } = known.clone();
            L2Actor::new(settings.clone(), purges, clock)
        },
        move |addr| {
            L2Actor::connect(addr, &handle);
            panic(addr);
        },
        in_flight,
    )
}

fn l3_ward(
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

fn fetch_ward(
    name: &str,
    (settings, origin, levels, clock): (&FlightSettings, &OriginFactory, &Levels, &SharedClock),
    ports: FetchPorts,
    (fetch, flush): (&Slot<Fetch>, &Slot<Flush>),
    panics: &mut Panics,
) -> Ward {
    let (settings, origin) = (settings.clone(), Arc::clone(origin));
    let (levels, clock) = (levels.clone(), Arc::clone(clock));
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
                Arc::clone(&clock),
            )
        },
        move |addr| {
            FetchActor::connect(addr, &fetch, &flush);
            panic(addr);
        },
        move || asked.in_flight(),
    )
}

fn resolver_ward(
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
            let Known { purges, clock, .. } = known.clone();
            let (levels, fetchers) = (levels.clone(), fetchers.clone());
            ResolverActor::new(&settings, levels, fetchers, &own, purges, clock)
        },
        move |addr| {
            ResolverActor::connect(addr, &handle);
            panic(addr);
        },
        move || asked.in_flight(),
    )
}
