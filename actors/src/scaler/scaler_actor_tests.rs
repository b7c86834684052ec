use std::sync::Arc;

use parking_lot::Mutex;

use super::*;
use crate::clock::ManualClock;
use crate::message::{
    BudgetShare, MemoryHandle, MemoryReport, ObserveEvictions, Slot, WarmingWorth,
};
use crate::model::{
    Access, CacheKey, CallCounts, CallEnd, CallGates, Caller, GateSettings, MemoryBudget,
    MemoryReading, Outcome, TellCalls,
};
use crate::scaler::{GatewayLoad, Workload};
use crate::settings::{ReplicaSettings, SizerSettings};

const MIB: u64 = 1 << 20;
const DEADLINE: Duration = Duration::from_secs(20);

/// An L1 that takes any size, and a watchdog that says what the test says.
#[derive(Clone)]
struct Stage {
    sizes: Arc<Mutex<Vec<u64>>>,
    shares: Arc<Mutex<Vec<u64>>>,
    evictions: Arc<Mutex<u64>>,
    worth: Arc<Mutex<WarmingWorth>>,
    memory: Arc<Mutex<MemoryReport>>,
}

impl Actor for Stage {
    type Context = Context<Self>;
}

impl Handler<Resize> for Stage {
    type Result = MessageResult<Resize>;

    fn handle(&mut self, message: Resize, _: &mut Self::Context) -> Self::Result {
        self.sizes.lock().push(message.max_bytes);
        MessageResult(message.max_bytes)
    }
}

impl Handler<ObserveEvictions> for Stage {
    type Result = u64;

    fn handle(&mut self, _: ObserveEvictions, _: &mut Self::Context) -> Self::Result {
        *self.evictions.lock()
    }
}

impl Handler<BudgetShare> for Stage {
    type Result = WarmingWorth;

    fn handle(&mut self, message: BudgetShare, _: &mut Self::Context) -> Self::Result {
        self.shares.lock().push(message.share);
        *self.worth.lock()
    }
}

impl Handler<ObserveMemory> for Stage {
    type Result = MemoryReport;

    fn handle(&mut self, _: ObserveMemory, _: &mut Self::Context) -> Self::Result {
        *self.memory.lock()
    }
}

struct Play {
    stage: Stage,
    handle: ScalerHandle,
    clock: Arc<ManualClock>,
    gates: CallGates,
    settings: ScalerSettings,
}

/// A gateway with a third of its places taken.
#[derive(Debug)]
struct ThirdTaken;

impl Workload for ThirdTaken {
    fn load(&self) -> GatewayLoad {
        let busy = Duration::from_secs(1);
        GatewayLoad { in_flight: 35, most_in_flight: 100, busy, workers: 2 }
    }
}

fn ports(gates: CallGates) -> ScalerPorts {
    ScalerPorts {
        resize: Slot::empty(),
        evictions: Slot::empty(),
        share: Slot::empty(),
        memory: MemoryHandle::new(),
        budget: MemoryBudget::unlimited(),
        gates,
        workload: Arc::new(ThirdTaken),
    }
}

/// One upstream, `up`, with 4 to 100 calls at once.
fn gates() -> CallGates {
    let settings = GateSettings {
        least: 4,
        most: 100,
        wait: Duration::from_secs(1),
        queue: 10,
        one_credential: true,
    };
    let tell: TellCalls = Arc::new(|_, _| {});
    CallGates::new(vec![("up".into(), settings)], &tell)
}

impl Play {
    fn start(mode: ScalerMode) -> Self {
        let reading =
            MemoryReading { resident_bytes: 100 * MIB, virtual_bytes: 0, limit_bytes: 1_000 * MIB };
        let report = MemoryReport { reading, ..MemoryReport::default() };
        let stage = Stage {
            sizes: Arc::default(),
            shares: Arc::default(),
            evictions: Arc::new(Mutex::new(100)),
            worth: Arc::default(),
            memory: Arc::new(Mutex::new(report)),
        };
        let (evictions, share) = (Slot::empty(), Slot::empty());
        let (resize, memory) = (Slot::empty(), MemoryHandle::new());
        let addr = stage.clone().start();
        resize.put(addr.clone().recipient());
        evictions.put(addr.clone().recipient());
        share.put(addr.clone().recipient());
        memory.observe.put(addr.recipient());
        let settings = ScalerSettings {
            mode,
            l1_bytes: 8 * MIB,
            residence_ms: 300_000,
            // The clock that timers run by is paused: each wait lets them come due.
            interval: Duration::from_secs(10),
            replicas: ReplicaSettings { target: 0.7, down_after: Duration::from_secs(300) },
            sizer: SizerSettings {
                least_bytes: MIB,
                most_bytes: 64 * MIB,
                least_weight: MIB / 10,
                cool_down: Duration::from_secs(60),
            },
        };
        let clock = ManualClock::new();
        let ports = ScalerPorts { resize, evictions, share, memory, ..ports(gates()) };
        let gates = ports.gates.clone();
        let actor = ScalerActor::new(settings.clone(), ports, clock.clone());
        let handle = ScalerHandle::new();
        ScalerActor::connect(&actor.start(), &handle);
        Self { stage, handle, clock, gates, settings }
    }

    /// Two hundred keys in turn, of which L1 has none: it has room for eighty.
    async fn loop_over(&self, keys: u64, requests: u64) {
        let accesses = (0..requests).map(|number| {
            let mut digest = [0; CacheKey::LEN];
            let word = (number % keys + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            digest[..8].copy_from_slice(&word.to_le_bytes());
            Access {
                key: CacheKey::new(digest),
                scope: 0,
                session: 0,
                fresh_until_ms: 0,
                size_bytes: 1_000,
                outcome: Outcome::Miss,
            }
        });
        let accesses: Vec<Access> = accesses.collect();
        let batch = SampleBatch {
            samples: Arc::default(),
            accesses: accesses.into(),
            dropped: 0,
            dropped_accesses: 0,
        };
        ask(&self.handle.samples, batch, DEADLINE).await.unwrap();
    }

    /// Lets one interval pass, of both clocks.
    async fn pass(&self) {
        self.clock.advance(Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10_001)).await;
    }

    async fn report(&self) -> ScalingReport {
        ask(&self.handle.observe, ObserveScaling, DEADLINE).await.unwrap()
    }

    fn last_size(&self) -> Option<u64> {
        self.stage.sizes.lock().last().copied()
    }
}

fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(async {
        tokio::time::pause();
        test.await;
    });
}

#[test]
fn l1_grows_where_it_pays_and_the_decision_is_logged() {
    run(async {
        let play = Play::start(ScalerMode::On);
        play.pass().await;
        assert_eq!(play.last_size(), Some(8 * MIB), "told again in case it was re-created");
        play.loop_over(200, 3_000).await;
        play.pass().await;
        assert_eq!(play.last_size(), Some(16 * MIB));
        // It rests for a minute.
        play.loop_over(200, 3_000).await;
        for _ in 0..5 {
            play.pass().await;
        }
        assert_eq!(play.last_size(), Some(16 * MIB));
        play.pass().await;
        play.pass().await;
        assert!(play.last_size() > Some(16 * MIB));
        let report = play.report().await;
        assert_eq!(report.evidence, 6_000);
        let [first, ..] = &report.decisions[..] else { panic!("{report:?}") };
        assert_eq!((first.before, first.after, first.applied), (8 * MIB, 16 * MIB, true));
        assert_eq!((first.reason(), first.again()), ("growth_pays", 16 * MIB));
        assert_eq!(Some(report.l1_bytes[0]), play.last_size());
    });
}

#[test]
fn advice_alone_changes_nothing() {
    run(async {
        let play = Play::start(ScalerMode::Advise);
        play.loop_over(200, 3_000).await;
        play.pass().await;
        assert_eq!(play.last_size(), None);
        let report = play.report().await;
        assert_eq!(report.decisions.len(), 1);
        assert!(!report.decisions[0].applied);
        assert_eq!(report.l1_bytes[0], 8 * MIB);
    });
}

/// Tells of a round of calls at `up`.
async fn calls(play: &Play, end: CallEnd, under_way: u32) {
    let mut counts = CallCounts::default();
    (0..under_way.max(20)).for_each(|_| counts.add(end, Some(0), under_way));
    ask(&play.handle.calls, OriginCalls { upstream: "up".into(), counts }, DEADLINE).await.unwrap();
}

#[test]
fn refusals_lower_an_origins_limit_and_the_decision_is_logged() {
    run(async {
        let play = Play::start(ScalerMode::On);
        let gate = play.gates.get("up").unwrap();
        calls(&play, CallEnd::Answered(Duration::from_millis(500)), 50).await;
        assert_eq!(gate.limit(), 100);
        calls(&play, CallEnd::Refused, 50).await;
        assert_eq!(gate.limit(), 45);
        let report = play.report().await;
        let [decision] = &report.decisions[..] else { panic!("{report:?}") };
        assert_eq!((decision.before, decision.after, decision.applied), (100, 45, true));
        assert_eq!((decision.reason(), decision.again()), ("refusals", 45));
        assert_eq!((report.origins[0].limit, report.origins[0].usual_seconds), (45, Some(0.5)));
        // A successor goes on from there.
        let ports = ports(play.gates.clone());
        let settings = play.settings.clone();
        let successor = ScalerActor::new(settings, ports, play.clock.clone());
        ScalerActor::connect(&successor.start(), &play.handle);
        assert_eq!(play.report().await.origins[0].limit, 45);
    });
}

#[test]
fn advice_leaves_an_origins_limit_alone() {
    run(async {
        let play = Play::start(ScalerMode::Advise);
        calls(&play, CallEnd::Refused, 50).await;
        let report = play.report().await;
        assert_eq!((report.decisions.len(), report.decisions[0].applied), (1, false));
        assert_eq!((report.origins[0].limit, play.gates.get("up").unwrap().limit()), (45, 100));
    });
}

#[test]
fn warming_gets_the_part_of_its_budget_that_it_is_worth_and_the_origin_has_room_for() {
    run(async {
        let play = Play::start(ScalerMode::On);
        let last = || play.stage.shares.lock().last().copied();
        play.pass().await;
        assert_eq!(last(), Some(100), "told again in case it was re-created");
        *play.stage.evictions.lock() += 7;
        *play.stage.worth.lock() = WarmingWorth { used: 5, wasted: 50, success: 0.2 };
        play.pass().await;
        play.pass().await;
        assert_eq!(last(), Some(40));
        let gate = play.gates.get("up").unwrap();
        let mut places = Vec::new();
        for _ in 0..100 {
            places.push(gate.enter(Caller::User, 0).await.unwrap());
        }
        play.pass().await;
        play.pass().await;
        assert_eq!(last(), Some(0));
        let report = play.report().await;
        assert_eq!((report.warming_share, report.traffic.evictions), (0, 7));
        let [.., wasted, busy] = &report.decisions[..] else { panic!("{report:?}") };
        assert_eq!((wasted.reason(), wasted.after, wasted.again()), ("wasted", 40, 40));
        assert_eq!((busy.reason(), busy.after, busy.again()), ("origin_busy", 0, 0));
        drop(places);
        play.pass().await;
        play.pass().await;
        assert!(last() > Some(0));
    });
}

#[test]
fn how_many_gateways_are_wanted_is_told_from_the_start_on() {
    run(async {
        let play = Play::start(ScalerMode::Advise);
        let wanted = || ask(&play.handle.replicas, ObserveReplicas, DEADLINE);
        let seen = wanted().await.unwrap().unwrap();
        assert_eq!((seen.wanted, seen.bound_by, seen.target), (0.5, "requests", 0.7));
        play.pass().await;
        assert_eq!(play.report().await.replicas, Some(seen));
    });
}

#[test]
fn without_room_in_memory_it_does_not_grow_and_under_pressure_it_shrinks() {
    run(async {
        let play = Play::start(ScalerMode::On);
        play.stage.memory.lock().reading.resident_bytes = 700 * MIB;
        play.loop_over(200, 3_000).await;
        play.pass().await;
        assert_eq!(play.last_size(), Some(8 * MIB));
        let critical = PressureChanged { state: PressureState::Critical, target_bytes: 3 * MIB };
        ask(&play.handle.pressure, critical, DEADLINE).await.unwrap();
        play.report().await;
        tokio::task::yield_now().await;
        assert_eq!(play.last_size(), Some(5 * MIB));
        let report = play.report().await;
        assert_eq!(report.decisions.last().map(Decision::reason), Some("over_bound"));
        // Until memory is there again.
        play.stage.memory.lock().state = PressureState::Elevated;
        play.loop_over(200, 3_000).await;
        for _ in 0..10 {
            play.pass().await;
        }
        assert_eq!(play.last_size(), Some(5 * MIB));
        *play.stage.memory.lock() = MemoryReport {
            reading: MemoryReading { limit_bytes: 1_000 * MIB, ..MemoryReading::default() },
            ..MemoryReport::default()
        };
        play.pass().await;
        assert_eq!(play.last_size(), Some(10 * MIB));
    });
}

#[test]
fn what_l1_could_not_change_is_not_learned_from() {
    run(async {
        let play = Play::start(ScalerMode::On);
        let access = Access {
            key: CacheKey::default(),
            scope: 0,
            session: 0,
            fresh_until_ms: 0,
            size_bytes: 0,
            outcome: Outcome::Bypass,
        };
        let batch = SampleBatch {
            samples: Arc::default(),
            accesses: vec![access; 100].into(),
            dropped: 0,
            dropped_accesses: 0,
        };
        ask(&play.handle.samples, batch, DEADLINE).await.unwrap();
        assert_eq!(play.report().await.evidence, 0);
    });
}
