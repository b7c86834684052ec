//! The actor that owns the flights.
//!
//! Owns: the [`FlightTable`]. Answers: `Resolve` at once, with a reader; `Encode`, `Warm`, `Promote`,
//! `Flush`, `Ping`. Takes: `Refresh`, `FlightEnded`, `KeyUnshareable`. Sends: `Lookup`, `Insert` to the
//! levels, `Claim` to L2, `Fetch` to the fetching threads. Fails how: when it dies, flights on the fetching
//! threads go on and serve their readers; those still at the levels dangle and are asked for again.
//! Thread: an arbiter of its own.

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message, MessageResult, ResponseFuture};
use futures_util::future::ready;

use super::ahead;
use super::claiming::Claiming;
use super::encoder::Encoder;
use super::fetch_actor::Fetch;
use super::flight::Flight;
use super::flight_table::{FlightTable, How, Part};
use super::handle::ResolverHandle;
use super::in_flight::InFlight;
use super::lookup::Levels;
use super::reader::Reader;
use super::replica_claim::Manner;
use super::way::{Ports, fly};
use super::writer::FlightWriter;
use crate::clock::SharedClock;
use crate::message::{
    ActorState, Flush, InsertKind, Ping, Promote, Readiness, Report, Slot, Warm, Warmed,
};
use crate::model::{
    CacheKey, CallGates, Caller, Encoding, Entry, GateReport, Level, Purges, Wants,
};
use crate::origin::OriginCall;
use crate::settings::FlightSettings;

/// Worker → resolver: the answer to `call`, from a level or the origin, shared with everyone who
/// asks the same. Answered at once with a reader. Deadline: a second. Loss: 503.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Joined")]
pub struct Resolve {
    /// What is asked.
    pub call: Arc<OriginCall>,
    /// What the request takes of what is kept.
    pub wants: Wants,
    /// A flight of its own: the answer was found not to be shareable.
    pub alone: bool,
}

/// Worker or resolver → resolver: a stale answer was served; fetch a new one behind, unless that is
/// under way. An event: loss costs freshness, and the next stale hit asks again.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Refresh {
    /// What is asked.
    pub call: Arc<OriginCall>,
    /// The stale answer and its level: others who ask meanwhile get it too.
    pub stale: (Arc<Entry>, Level),
}

/// The answer to [`Resolve`].
pub struct Joined {
    /// Reads the flight.
    pub reader: Reader,
}

/// Fetching thread → resolver: nobody need join this flight any more. Control: one a flight.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct FlightEnded {
    /// Which.
    pub flight: Arc<Flight>,
}

/// Gateway → resolver: a caller wants a kept answer in an encoding that it is not in. The reply comes when
/// that is worked out; at once where others wait for the same, or wait already.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Encode {
    /// Which answer; L1 holds it.
    pub entry: Arc<Entry>,
    /// The encoding.
    pub encoding: Encoding,
}

/// Fetching thread → resolver: answers of this key are their asker's alone. An event: loss costs
/// followers one detour.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct KeyUnshareable {
    /// Which key.
    pub key: CacheKey,
}

/// The owner of the flights.
pub struct ResolverActor {
    table: FlightTable,
    levels: Levels,
    encoder: Encoder,
    claiming: Claiming,
    fetchers: Vec<Slot<Fetch>>,
    next_fetcher: usize,
    in_flight: InFlight,
    clock: SharedClock,
    ended: Slot<FlightEnded>,
    refresh: Slot<Refresh>,
    led: u64,
    joined: u64,
    alone: u64,
    refreshes: u64,
    warmings: u64,
    promotions: u64,
    purges: Purges,
    gates: CallGates,
}

impl ResolverActor {
    /// Creates a resolver without flights; `own` are its own slots.
    pub fn new(
        settings: &FlightSettings,
        levels: Levels,
        fetchers: Vec<Slot<Fetch>>,
        own: &ResolverHandle,
        (purges, gates): (Purges, CallGates),
        clock: SharedClock,
    ) -> Self {
        Self {
            table: FlightTable::new(
                settings.unshareable_for,
                settings.max_unshareable,
                purges.clone(),
            ),
            claiming: Claiming::new(settings, levels.clone(), Arc::clone(&clock)),
            levels,
            encoder: Encoder::new(settings.encoding),
            fetchers,
            next_fetcher: 0,
            in_flight: InFlight::default(),
            clock,
            ended: own.ended.clone(),
            refresh: own.refresh.clone(),
            led: 0,
            joined: 0,
            alone: 0,
            refreshes: 0,
            warmings: 0,
            promotions: 0,
            purges,
            gates,
        }
    }

    /// Puts this actor's address where its askers look.
    pub fn connect(addr: &Addr<Self>, handle: &ResolverHandle) {
        handle.resolve.put(addr.clone().recipient());
        handle.refresh.put(addr.clone().recipient());
        handle.encode.put(addr.clone().recipient());
        handle.warm.put(addr.clone().recipient());
        handle.promote.put(addr.clone().recipient());
        handle.ended.put(addr.clone().recipient());
        handle.unshareable.put(addr.clone().recipient());
        handle.flush.put(addr.clone().recipient());
    }

    fn take_off(
        &mut self,
        call: Arc<OriginCall>,
        wants: Wants,
        manner: Manner,
        (writer, in_l1, caller): (FlightWriter, InsertKind, Caller),
    ) {
        let fetcher = self.fetchers.get(self.next_fetcher).cloned();
        self.next_fetcher = (self.next_fetcher + 1) % self.fetchers.len().max(1);
        let Some(fetcher) = fetcher else { return };
        let ports = Ports {
            levels: self.levels.clone(),
            encoder: self.encoder.clone(),
            claiming: self.claiming.clone(),
            fetcher,
            ended: self.ended.clone(),
            refresh: self.refresh.clone(),
            in_l1,
            caller,
        };
        let task = fly(call, wants, manner, writer, ports);
        let counted = self.in_flight.enter();
        #[expect(clippy::disallowed_methods, reason = "Flush waits for what InFlight counts")]
        tokio::task::spawn_local(async move {
            let _counted = counted;
            task.await;
        });
    }
}

/// Returns a call as if it was asked for now: a purge from before must not meet its answer.
fn asked_now(call: &OriginCall, purges: &Purges) -> Arc<OriginCall> {
    let mut call = call.clone();
    call.labels.generation = purges.generation();
    Arc::new(call)
}

impl Actor for ResolverActor {
    type Context = Context<Self>;
}

impl Handler<Resolve> for ResolverActor {
    type Result = MessageResult<Resolve>;

    fn handle(&mut self, message: Resolve, _ctx: &mut Self::Context) -> Self::Result {
        let Resolve { call, wants, alone } = message;
        let how = if alone || wants.only_kept {
            How::Alone
        } else if wants.reload {
            How::Anew
        } else if wants.is_default() {
            How::Together
        } else {
            How::UnderWay
        };
        let wall_ms = self.clock.wall_ms();
        if matches!(how, How::Together | How::UnderWay)
            && let Some(found) = self.table.stands_by(&call.key, &wants, wall_ms)
        {
            let (writer, reader) = Flight::lead(call.key, call.labels.clone());
            writer.found(found);
            return MessageResult(Joined { reader });
        }
        let reader = match self.table.part(call.key, &call.labels, how, self.clock.now()) {
            Part::Follow(reader) => {
                self.joined += 1;
                reader
            }
            Part::Lead(writer, reader) => {
                self.led += 1;
                let flight = (writer, InsertKind::New, Caller::User);
                self.take_off(call, wants, Manner::of(&wants), flight);
                reader
            }
            Part::Alone(writer, reader) => {
                self.alone += 1;
                let flight = (writer, InsertKind::New, Caller::User);
                self.take_off(call, wants, Manner::Apart, flight);
                reader
            }
        };
        MessageResult(Joined { reader })
    }
}

impl Handler<Refresh> for ResolverActor {
    type Result = ();

    fn handle(&mut self, message: Refresh, _ctx: &mut Self::Context) {
        let Refresh { call, stale } = message;
        if self.table.is_under_way(&call.key) {
            return;
        }
        let part = self.table.part(call.key, &call.labels, How::Together, self.clock.now());
        if let Part::Lead(writer, _nobody_reads) = part {
            self.refreshes += 1;
            self.table.stand_by(call.key, stale);
            let flight = (writer, InsertKind::New, Caller::Background);
            self.take_off(call, Wants::FRESH, Manner::Refreshes, flight);
        }
    }
}

impl Handler<Encode> for ResolverActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, message: Encode, _ctx: &mut Self::Context) -> Self::Result {
        let Encode { entry, encoding } = message;
        let (encoder, levels) = (self.encoder.clone(), self.levels.clone());
        let is_busy = encoder.is_busy();
        let counted = self.in_flight.enter();
        let work = async move {
            let _counted = counted;
            encoder.encode(&entry, encoding, &levels).await;
        };
        if is_busy {
            #[expect(clippy::disallowed_methods, reason = "Flush waits for what InFlight counts")]
            tokio::task::spawn_local(work);
            return Box::pin(std::future::ready(()));
        }
        Box::pin(work)
    }
}

impl Handler<Warm> for ResolverActor {
    type Result = ResponseFuture<Warmed>;

    fn handle(&mut self, message: Warm, _ctx: &mut Self::Context) -> Self::Result {
        let Warm { call, wants, in_l1 } = message;
        let call = asked_now(&call, &self.purges);
        let present = Warmed { readiness: Readiness::Present, call: None };
        if self.table.is_under_way(&call.key) {
            return Box::pin(ready(present));
        }
        let part = self.table.part(call.key, &call.labels, How::Together, self.clock.now());
        // An answer that is its asker's alone would be nobody's here.
        let Part::Lead(writer, reader) = part else { return Box::pin(ready(Warmed::NOTHING)) };
        self.warmings += 1;
        // What is only guessed is left to another gateway that fetches it; what is wanted is waited for.
        let manner = match in_l1 {
            InsertKind::Warmed => Manner::Refreshes,
            InsertKind::New | InsertKind::Converted | InsertKind::Encoded => Manner::Waits,
        };
        self.take_off(call, wants, manner, (writer, in_l1, Caller::Background));
        Box::pin(ahead::watch(reader, self.levels.clone()))
    }
}

impl Handler<Promote> for ResolverActor {
    type Result = ResponseFuture<Readiness>;

    fn handle(&mut self, message: Promote, _ctx: &mut Self::Context) -> Self::Result {
        self.promotions += u64::from(message.in_l1.is_some());
        Box::pin(ahead::promote(message, self.levels.clone()))
    }
}

impl Handler<FlightEnded> for ResolverActor {
    type Result = ();

    fn handle(&mut self, message: FlightEnded, _ctx: &mut Self::Context) {
        self.table.ended(&message.flight);
    }
}

impl Handler<KeyUnshareable> for ResolverActor {
    type Result = ();

    fn handle(&mut self, message: KeyUnshareable, _ctx: &mut Self::Context) {
        self.table.remember_unshareable(message.key, self.clock.now());
    }
}

impl Handler<Flush> for ResolverActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _message: Flush, _ctx: &mut Self::Context) -> Self::Result {
        let in_flight = self.in_flight.clone();
        Box::pin(async move { in_flight.none().await })
    }
}

impl Handler<Ping> for ResolverActor {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, _message: Ping, _ctx: &mut Self::Context) -> Self::Result {
        let flights = u64::try_from(self.table.len()).unwrap_or(u64::MAX);
        let gates: Vec<GateReport> = self.gates.iter().map(|(_, gate)| gate.report()).collect();
        let sum = |of: fn(&GateReport) -> u64| gates.iter().map(of).fold(0, u64::saturating_add);
        MessageResult(Report {
            state: ActorState::Running,
            pending: flights,
            last_error: None,
            counters: vec![
                ("flights", flights),
                ("led", self.led),
                ("joined", self.joined),
                ("alone", self.alone),
                ("refreshes", self.refreshes),
                ("warmings", self.warmings),
                ("promotions", self.promotions),
                ("claims_waited", self.claiming.counts.waited.get()),
                ("claims_taken_over", self.claiming.counts.taken_over.get()),
                ("origin_limit", sum(|gate| u64::from(gate.limit))),
                ("origin_under_way", sum(|gate| u64::from(gate.under_way))),
                ("origin_waiting", sum(GateReport::waiting_now)),
                ("origin_waits", sum(|gate| gate.waits)),
                ("origin_refused", sum(|gate| gate.refused_full.saturating_add(gate.refused_late))),
            ],
        })
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<crate::message::Panic> for ResolverActor {
    type Result = ();

    #[expect(clippy::panic, reason = "a test asked for it")]
    fn handle(&mut self, _message: crate::message::Panic, _ctx: &mut Self::Context) {
        panic!("a test asked the resolver to panic");
    }
}
