//! The actor of a fetching thread.
//!
//! Owns: an origin with its connections, the calls under way. Takes: `Fetch`. Answers: `Flush`,
//! `Ping`. Sends: `FlightEnded`, `KeyUnshareable` to the resolver, `Insert` to the levels,
//! `Renew`, `Release` to L2. Fails
//! how: a call that panics leaves its flight dangling; the others go on. Thread: an arbiter of its
//! own, one of `flights.fetch_threads`.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message, MessageResult, ResponseFuture};
use futures_util::future::{Either, select};

use super::claiming::HeldClaim;
use super::encoder::Encoder;
use super::fetch::{Fetching, Landing, carry, place};
use super::flight::{Flight, Found, InsteadOf};
use super::in_flight::InFlight;
use super::lookup::Levels;
use super::resolver_actor::{FlightEnded, KeyUnshareable};
use super::writer::FlightWriter;
use crate::clock::SharedClock;
use crate::error::Fault;
use crate::message::{ActorState, Flush, InsertKind, Ping, Report, Slot};
use crate::model::{CallGates, Caller, Entry, Level, MemoryBudget};
use crate::origin::{OriginCall, OriginFactory};
use crate::settings::FlightSettings;

/// Resolver → fetching thread: call the origin for this flight. Answered at once. Loss: the
/// writer is dropped, the flight dangles, its readers ask again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Fetch {
    /// What to call.
    pub call: Arc<OriginCall>,
    /// Where its answer goes.
    pub writer: FlightWriter,
    /// A kept answer, for the case that the origin fails or still stands by it.
    pub fallback: Option<Fallback>,
    /// Keeps other gateways from making the same call, where L2 has granted it.
    pub claim: Option<HeldClaim>,
    /// What its answer is to L1.
    pub in_l1: InsertKind,
    /// Who wants it.
    pub caller: Caller,
}

/// A kept answer that is not served as it is.
#[derive(Debug, Clone)]
pub struct Fallback {
    /// The answer.
    pub entry: Arc<Entry>,
    /// Where it was.
    pub level: Level,
    /// Whether it may be served where the origin fails.
    pub stands_in: bool,
}

impl Fallback {
    /// Notes at `wall_ms` what the origin said in its place.
    pub(super) fn instead_of(
        &self,
        label: &'static str,
        status: Option<u16>,
        wall_ms: u64,
    ) -> InsteadOf {
        InsteadOf { label, status, was_fresh: self.entry.freshness.is_fresh(wall_ms) }
    }
}

/// Where a fetching thread reports.
#[derive(Debug, Clone)]
pub struct FetchPorts {
    /// The resolver's, for ended flights.
    pub ended: Slot<FlightEnded>,
    /// The resolver's, for keys that cannot be shared.
    pub unshareable: Slot<KeyUnshareable>,
}

/// Counters of a fetching thread, shared with its calls.
#[derive(Debug, Default)]
struct Counts {
    calls: Cell<u64>,
    failures: Cell<u64>,
    kept: Cell<u64>,
    fallbacks: Cell<u64>,
    last_error: RefCell<Option<String>>,
}

/// A fetching thread.
pub struct FetchActor {
    fetching: Fetching,
    levels: Levels,
    ports: FetchPorts,
    encoder: Encoder,
    in_flight: InFlight,
    counts: Rc<Counts>,
}

impl FetchActor {
    /// Creates the actor; the origin is made here, on the thread that will use it.
    pub fn new(
        settings: FlightSettings,
        factory: &OriginFactory,
        levels: Levels,
        ports: FetchPorts,
        (budget, gates, clock): (MemoryBudget, CallGates, SharedClock),
    ) -> Self {
        let orphans = Rc::new(Cell::new(0));
        let encoder = Encoder::new(settings.encoding);
        let (origin, settings) = (factory(), Rc::new(settings));
        let headers = Rc::default();
        let fetching = Fetching { origin, settings, clock, budget, gates, orphans, headers };
        let (in_flight, counts) = (InFlight::default(), Rc::default());
        Self { fetching, levels, ports, encoder, in_flight, counts }
    }

    /// Puts this actor's address where the resolver and shutdown look.
    pub fn connect(addr: &Addr<Self>, fetch: &Slot<Fetch>, flush: &Slot<Flush>) {
        fetch.put(addr.clone().recipient());
        flush.put(addr.clone().recipient());
    }
}

impl Actor for FetchActor {
    type Context = Context<Self>;
}

impl Handler<Fetch> for FetchActor {
    type Result = ();

    fn handle(&mut self, message: Fetch, _ctx: &mut Self::Context) {
        let task = fly(
            message,
            self.fetching.clone(),
            self.levels.clone(),
            self.ports.clone(),
            self.encoder.clone(),
            Rc::clone(&self.counts),
        );
        let counted = self.in_flight.enter();
        #[expect(clippy::disallowed_methods, reason = "Flush waits for what InFlight counts")]
        tokio::task::spawn_local(async move {
            let _counted = counted;
            task.await;
        });
    }
}

/// One call, from its start to the levels' answers.
async fn fly(
    job: Fetch,
    fetching: Fetching,
    levels: Levels,
    ports: FetchPorts,
    encoder: Encoder,
    counts: Rc<Counts>,
) {
    let Fetch { call, writer, fallback, claim, in_l1, caller } = job;
    let claim = RefCell::new(claim);
    let (flight, encoding) = (Arc::clone(writer.flight()), call.encoding);
    // Until its answer is encoded and written, which takes memory too.
    let _memory = Arc::clone(&flight);
    let on_unshareable = || {
        ports.unshareable.tell(KeyUnshareable { key: call.key });
        // Nobody need wait for what is not theirs.
        drop(claim.take());
    };
    let carried = async {
        let place = place(&call, caller, &writer, &fetching.gates).await?;
        writer.calling();
        counts.calls.set(counts.calls.get() + 1);
        let from = (&fetching, place);
        carry(&call, fallback.as_ref(), &writer, from, on_unshareable).await
    };
    let landing = while_renewed(&claim, &writer, carried).await;
    let claim = claim.into_inner();
    // What got no place was not called.
    let was_called = flight.state.lock().called;
    if let Err(error) = &landing
        && was_called
    {
        counts.failures.set(counts.failures.get() + 1);
        *counts.last_error.borrow_mut() = Some(error.to_string());
    }
    let landing = landing.or_else(|error| match &fallback {
        // Before any byte of an answer: the stale one is better than an error (RFC 5861 §4).
        Some(fallback)
            if fallback.stands_in && !writer.is_open() && error.fault() == Fault::Provider =>
        {
            let wall_ms = fetching.clock.wall_ms();
            Ok(Landing::Instead(fallback.instead_of(error.label(), None, wall_ms)))
        }
        _ => Err(error),
    });
    match landing {
        Ok(Landing::Whole { whole, kept, entries }) => {
            // In the mailboxes before anybody learns that the answer is whole.
            let inserts =
                entries.iter().map(|entry| keep(entry, &levels, in_l1, &counts)).collect();
            writer.land(kept, whole);
            let encoded = async {
                for entry in &entries {
                    encoder.encode(entry, encoding, &levels).await;
                }
            };
            end_when_kept(inserts, claim, &ports, flight, encoded).await;
        }
        Ok(Landing::Instead(instead_of)) => {
            if let Some(Fallback { entry, level, .. }) = fallback {
                counts.fallbacks.set(counts.fallbacks.get() + 1);
                writer.found(Found { entry, level, instead_of: Some(instead_of) });
            }
            ports.ended.deliver(FlightEnded { flight });
        }
        Ok(Landing::Unchanged(entry, is_kept)) => {
            let inserts =
                is_kept.then(|| keep(&entry, &levels, in_l1, &counts)).into_iter().collect();
            let wall_ms = fetching.clock.wall_ms();
            let instead_of = fallback
                .as_ref()
                .map(|fallback| fallback.instead_of("not-modified", Some(304), wall_ms));
            let level = fallback.map_or(Level::L1, |fallback| fallback.level);
            writer.found(Found { entry: Arc::clone(&entry), level, instead_of });
            let encoded = async {
                if is_kept {
                    encoder.encode(&entry, encoding, &levels).await;
                }
            };
            end_when_kept(inserts, claim, &ports, flight, encoded).await;
        }
        Err(error) => {
            writer.fail(error);
            ports.ended.deliver(FlightEnded { flight });
        }
    }
}

/// Renews `claim` for as long as `carried` goes on. It is let go when the answer turns out to be too
/// large to keep: nobody need wait for that.
async fn while_renewed<T>(
    claim: &RefCell<Option<HeldClaim>>,
    writer: &FlightWriter,
    carried: impl Future<Output = T>,
) -> T {
    let every = claim.borrow().as_ref().map(HeldClaim::renewed_every);
    let Some(every) = every else { return carried.await };
    let renewing = pin!(async {
        loop {
            tokio::time::sleep(every).await;
            if writer.only_passes_on().is_some() {
                drop(claim.take());
            }
            if let Some(claim) = &*claim.borrow() {
                claim.renew();
            }
        }
    });
    match select(pin!(carried), renewing).await {
        Either::Left((landing, _)) => landing,
        Either::Right((never, _)) => never,
    }
}

/// Gives `entry` to all levels; it is in their mailboxes when this returns.
fn keep(
    entry: &Arc<Entry>,
    levels: &Levels,
    in_l1: InsertKind,
    counts: &Counts,
) -> [impl Future<Output = bool> + use<>; 3] {
    counts.kept.set(counts.kept.get() + 1);
    Level::ALL.map(|level| levels.insert_as(level, entry, in_l1))
}

/// Ends a flight: it stays joinable until L1 can answer in its place, and its claim stays until L2
/// can. Only `then` is its answer encoded, beside the writing of the further levels.
async fn end_when_kept<I: Future<Output = bool>>(
    inserts: Vec<[I; 3]>,
    claim: Option<HeldClaim>,
    ports: &FetchPorts,
    flight: Arc<Flight>,
    then: impl Future<Output = ()>,
) {
    if inserts.is_empty() {
        // Before the end is told: whoever waits elsewhere goes at once.
        drop(claim);
        ports.ended.deliver(FlightEnded { flight });
        return;
    }
    // What is kept in parts has no entry of the call's own key.
    let mut is_there = inserts.len() == 1;
    let (mut l1, mut l2, mut l3) = (Vec::new(), Vec::new(), Vec::new());
    for [first, second, third] in inserts {
        l1.push(first);
        l2.push(second);
        l3.push(third);
    }
    let l2 = async {
        for stored in futures_util::future::join_all(l2).await {
            is_there &= stored;
        }
        if let Some(claim) = claim {
            claim.release(is_there);
        }
    };
    let l1 = async {
        futures_util::future::join_all(l1).await;
        ports.ended.deliver(FlightEnded { flight });
        then.await;
    };
    futures_util::future::join3(l1, l2, futures_util::future::join_all(l3)).await;
}

impl Handler<Flush> for FetchActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _message: Flush, _ctx: &mut Self::Context) -> Self::Result {
        let in_flight = self.in_flight.clone();
        Box::pin(async move { in_flight.none().await })
    }
}

impl Handler<Ping> for FetchActor {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, _message: Ping, _ctx: &mut Self::Context) -> Self::Result {
        MessageResult(Report {
            state: ActorState::Running,
            pending: self.in_flight.count(),
            last_error: self.counts.last_error.borrow().clone(),
            counters: vec![
                ("calls", self.counts.calls.get()),
                ("failures", self.counts.failures.get()),
                ("kept", self.counts.kept.get()),
                ("fallbacks", self.counts.fallbacks.get()),
                ("orphans", u64::try_from(self.fetching.orphans.get()).unwrap_or(u64::MAX)),
            ],
        })
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<crate::message::Panic> for FetchActor {
    type Result = ();

    #[expect(clippy::panic, reason = "a test asked for it")]
    fn handle(&mut self, _message: crate::message::Panic, _ctx: &mut Self::Context) {
        panic!("a test asked a fetching thread to panic");
    }
}
