//! The actor that sizes L1, and limits the calls to origins, by what is measured.
//!
//! Owns: the curve of L1's hit ratio, windows of what was answered, the laws of origins' limits, warming's
//! share, the number of gateways wanted, the log of decisions. Takes: [`SampleBatch`], [`OriginCalls`],
//! `PressureChanged`. Answers: [`ObserveScaling`], [`ObserveReplicas`], `Ping`. Sends: `Resize`, `ObserveEvictions` to L1, `BudgetShare` to warming, `ObserveMemory` to the
//! watchdog; sets the limits of gates. Fails how: L1 keeps its size, gates their limits; what was learned is
//! learned again.
//! Thread: an arbiter of its own, so that learning takes no time from requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler, Message, MessageResult,
    WrapFuture as _,
};

use super::busy::BusyShare;
use super::concurrency::{ConcurrencyLimit, ConcurrencySettings};
use super::decision::{Decision, DecisionLog, What};
use super::l1_sizer::L1Sizer;
use super::replicas::{ReplicaPolicy, Saturation, WantedReplicas};
use super::report::{OriginReport, ScalerHandle, ScalerPorts, ScalingReport};
use super::traffic::Traffic;
use super::warming_share::{ShareEvidence, shared};
use super::{Asked, headroom};
use crate::clock::SharedClock;
use crate::message::{
    ActorState, BudgetShare, ObserveEvictions, ObserveMemory, OriginCalls, Ping, PressureChanged,
    Report, Resize, WarmingWorth, ask,
};
use crate::model::{GateReport, PressureState, SampleBatch};
use crate::settings::{ScalerMode, ScalerSettings};

/// Batches that may wait; past it workers drop and count them.
const MAILBOX: usize = 256;

/// Longest wait for L1 and for the watchdog.
const ASK_DEADLINE: Duration = Duration::from_secs(1);

/// Operator → scaler: what do you know, and what have you done? Deadline: a second.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "ScalingReport")]
pub struct ObserveScaling;

/// Operator → scaler: how many gateways are wanted? Deadline: a second.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<WantedReplicas>")]
pub struct ObserveReplicas;

/// Sizes L1, and limits the calls to origins.
pub struct ScalerActor {
    settings: ScalerSettings,
    sizer: L1Sizer,
    traffic: Traffic,
    log: DecisionLog,
    limits: BTreeMap<Arc<str>, ConcurrencyLimit>,
    busy: BusyShare,
    replicas: ReplicaPolicy,
    wanted: Option<WantedReplicas>,
    /// Hundredths of its budget that warming should use.
    share: u64,
    ports: ScalerPorts,
    clock: SharedClock,
    started_at: Instant,
    allowed_bytes: u64,
    accesses: u64,
    skipped: u64,
    resizes: u64,
    failures: u64,
    limited: u64,
}

impl ScalerActor {
    /// Creates a scaler of the L1 and the origins behind `ports`.
    pub fn new(settings: ScalerSettings, ports: ScalerPorts, clock: SharedClock) -> Self {
        let limits = ports.gates.iter().map(|(upstream, gate)| {
            let settings = gate.settings();
            let bounds = ConcurrencySettings { least: settings.least, most: settings.most };
            // What one that died had set holds on.
            (Arc::clone(upstream), ConcurrencyLimit::new(bounds, gate.limit()))
        });
        let limits = limits.collect();
        let sizer = L1Sizer::new(settings.sizer, settings.l1_bytes);
        let started_at = clock.now();
        Self {
            traffic: Traffic::new(0),
            allowed_bytes: settings.l1_bytes,
            replicas: ReplicaPolicy::new(settings.replicas),
            settings,
            sizer,
            log: DecisionLog::default(),
            limits,
            busy: BusyShare::default(),
            wanted: None,
            share: 100,
            ports,
            clock,
            started_at,
            accesses: 0,
            skipped: 0,
            resizes: 0,
            failures: 0,
            limited: 0,
        }
    }

    /// Puts the address of a started scaler where those who tell and ask it look.
    pub fn connect(addr: &Addr<Self>, handle: &ScalerHandle) {
        handle.samples.put(addr.clone().recipient());
        handle.calls.put(addr.clone().recipient());
        handle.pressure.put(addr.clone().recipient());
        handle.observe.put(addr.clone().recipient());
        handle.replicas.put(addr.clone().recipient());
    }

    /// Asks how much memory there is, then decides.
    fn look(&mut self, ctx: &mut Context<Self>) {
        self.traffic.turn(self.now_ms());
        self.look_at_load();
        self.look_at_warming(ctx);
        self.look_at_evictions(ctx);
        let memory = ask(&self.ports.memory.observe, ObserveMemory, ASK_DEADLINE);
        ctx.spawn(memory.into_actor(self).map(|report, scaler, ctx| {
            if let Ok(report) = report {
                let now_bytes = scaler.sizer.now_bytes();
                scaler.allowed_bytes = headroom::allowed(now_bytes, &report.reading, report.state);
            }
            scaler.decide(ctx);
        }));
    }

    fn look_at_evictions(&mut self, ctx: &mut Context<Self>) {
        let evictions = ask(&self.ports.evictions, ObserveEvictions, ASK_DEADLINE);
        ctx.spawn(evictions.into_actor(self).map(|ever, scaler, _| {
            if let Ok(ever) = ever {
                scaler.traffic.evicted(ever);
            }
        }));
    }

    fn look_at_load(&mut self) {
        let load = self.ports.workload.load();
        let (now, now_ms) = (self.clock.now(), self.now_ms());
        let busy = self.busy.look(&load, now);
        let gates = self.gates();
        let seen = Saturation::of(&load, busy, &self.ports.budget.report(), gates.iter());
        self.wanted = Some(self.replicas.look(seen, now_ms));
    }

    /// Tells warming its share, as it may be one that was re-created, and decides by what it answers.
    fn look_at_warming(&mut self, ctx: &mut Context<Self>) {
        let applies = self.settings.mode == ScalerMode::On;
        let share = if applies { self.share } else { 100 };
        let worth = ask(&self.ports.share, BudgetShare { share }, ASK_DEADLINE);
        ctx.spawn(worth.into_actor(self).map(move |worth, scaler, ctx| {
            let decided = worth.is_ok_and(|worth| scaler.decide_share(&worth, applies));
            if decided && applies {
                let told =
                    ask(&scaler.ports.share, BudgetShare { share: scaler.share }, ASK_DEADLINE);
                ctx.spawn(told.into_actor(scaler).map(|_, _, _| ()));
            }
        }));
    }

    /// Decides how much of its budget warming may use; returns whether that is another part.
    fn decide_share(&mut self, worth: &WarmingWorth, applied: bool) -> bool {
        let evidence = ShareEvidence::of(self.share, &self.gates(), worth);
        let Some((share, reason)) = shared(&evidence) else { return false };
        let before = std::mem::replace(&mut self.share, share);
        let what = What::WarmingShare { reason, evidence };
        let at_ms = self.clock.wall_ms();
        self.take_down(Decision { at_ms, before, after: share, applied, what });
        true
    }

    fn gates(&self) -> Vec<GateReport> {
        self.ports.gates.iter().map(|(_, gate)| gate.report()).collect()
    }

    /// Logs a decision, and keeps it.
    fn take_down(&mut self, decision: Decision) {
        decision.tell();
        self.log.add(decision);
    }

    /// Returns the time since this actor's start, which no change of the system's clock moves.
    fn now_ms(&self) -> u64 {
        let since = self.clock.now().saturating_duration_since(self.started_at);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn decide(&mut self, ctx: &mut Context<Self>) {
        let applies = self.settings.mode == ScalerMode::On;
        let decided = self.sizer.decide(self.allowed_bytes, self.now_ms());
        if let Some(mut decision) = decided {
            (decision.applied, decision.at_ms) = (applies, self.clock.wall_ms());
            if applies {
                self.resizes += 1;
                self.resize(decision.after, ctx);
            }
            self.take_down(decision);
        } else if applies {
            // A re-created L1 has the size of the settings again.
            self.resize(self.sizer.now_bytes(), ctx);
        }
    }

    /// Gives L1 a size; it says which one it took.
    fn resize(&mut self, max_bytes: u64, ctx: &mut Context<Self>) {
        let resized = ask(&self.ports.resize, Resize { max_bytes }, ASK_DEADLINE);
        ctx.spawn(resized.into_actor(self).map(|taken, scaler, _| match taken {
            Ok(bytes) if bytes != scaler.sizer.now_bytes() => scaler.sizer.resized(bytes),
            Ok(_) => {}
            Err(_) => scaler.failures += 1,
        }));
    }
}

fn origin_report((upstream, limit): (&Arc<str>, &ConcurrencyLimit)) -> OriginReport {
    let (limit, usual_seconds) = (limit.limit(), limit.usual_seconds());
    OriginReport { upstream: Arc::clone(upstream), limit, usual_seconds }
}

impl Actor for ScalerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.look_at_load();
        // Those of L1 until now are not of late.
        self.look_at_evictions(ctx);
        ctx.run_interval(self.settings.interval, Self::look);
    }
}

impl Handler<SampleBatch> for ScalerActor {
    type Result = ();

    fn handle(&mut self, batch: SampleBatch, _: &mut Self::Context) {
        let at_ms = self.now_ms();
        let wall_ms = self.clock.wall_ms();
        for access in &*batch.accesses {
            if let Some(asked) = Asked::of(access, self.settings.residence_ms, at_ms, wall_ms) {
                self.sizer.asked(&asked);
            }
        }
        self.sizer.skipped(batch.dropped_accesses);
        self.accesses += u64::try_from(batch.accesses.len()).unwrap_or(0);
        self.skipped += batch.dropped_accesses;
        self.traffic.take(&batch);
    }
}

impl Handler<OriginCalls> for ScalerActor {
    type Result = ();

    fn handle(&mut self, message: OriginCalls, _: &mut Self::Context) {
        let OriginCalls { upstream, counts } = message;
        let change = self.limits.get_mut(&upstream).and_then(|limit| limit.learn(&counts));
        let Some(change) = change else { return };
        let applied = self.settings.mode == ScalerMode::On;
        if applied && let Some(gate) = self.ports.gates.get(&upstream) {
            self.limited += 1;
            gate.set_limit(change.after);
        }
        self.take_down(Decision::of_calls(&upstream, change, applied, self.clock.wall_ms()));
    }
}

impl Handler<PressureChanged> for ScalerActor {
    type Result = ();

    fn handle(&mut self, message: PressureChanged, ctx: &mut Self::Context) {
        if message.state > PressureState::Nominal {
            let now_bytes = self.sizer.now_bytes();
            self.allowed_bytes =
                headroom::under_pressure(now_bytes, message.state, message.target_bytes);
            self.decide(ctx);
        }
    }
}

impl Handler<ObserveScaling> for ScalerActor {
    type Result = MessageResult<ObserveScaling>;

    fn handle(&mut self, _: ObserveScaling, _: &mut Self::Context) -> Self::Result {
        let sizer = &self.settings.sizer;
        let most = sizer.most_bytes.min(self.allowed_bytes);
        MessageResult(ScalingReport {
            curve: self.sizer.recent(),
            evidence: self.sizer.curve().evidence(),
            rate: self.sizer.curve().rate(),
            l1_bytes: [self.sizer.now_bytes(), sizer.least_bytes, sizer.most_bytes, most],
            traffic: self.traffic.report(),
            origins: self.limits.iter().map(origin_report).collect(),
            warming_share: self.share,
            replicas: self.wanted,
            decisions: self.log.latest().cloned().collect(),
        })
    }
}

impl Handler<ObserveReplicas> for ScalerActor {
    type Result = MessageResult<ObserveReplicas>;

    fn handle(&mut self, _: ObserveReplicas, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.wanted)
    }
}

impl Handler<Ping> for ScalerActor {
    type Result = MessageResult<Ping>;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Self::Result {
        MessageResult(Report {
            state: ActorState::Running,
            pending: 0,
            last_error: None,
            counters: vec![
                ("accesses", self.accesses),
                ("accesses_skipped", self.skipped),
                ("curve_requests", self.sizer.curve().evidence()),
                ("curve_entries", self.sizer.curve().entries()),
                ("decisions", self.log.count()),
                ("resizes", self.resizes),
                ("resize_failures", self.failures),
                ("limits_set", self.limited),
                ("warming_share", self.share),
                ("wanted_bytes", self.sizer.now_bytes()),
                ("allowed_bytes", self.allowed_bytes),
            ],
        })
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<crate::message::Panic> for ScalerActor {
    type Result = ();

    #[expect(clippy::panic, reason = "a test asked for it")]
    fn handle(&mut self, _: crate::message::Panic, _: &mut Self::Context) {
        panic!("a test asked the scaler to panic");
    }
}

#[cfg(test)]
#[path = "scaler_actor_tests.rs"]
mod tests;
