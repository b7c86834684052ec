//! The actor as its askers see it, over a resolver and an L1 that write down what they are asked.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::Mutex;

use super::super::testing::{call, key};
use super::*;
use crate::clock::{Clock as _, ManualClock};
use crate::message::{InsertKind, LevelHandle, Peek, Promote, Readiness, Slot, Warm, Warmed, ask};
use crate::model::{Entry, Usage};
use crate::warming::{BudgetSettings, ForecastSettings};

const DEADLINE: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_secs(60);

/// Resolver and L1 at once.
#[derive(Default, Clone)]
struct Others {
    promoted: Arc<Mutex<Vec<Promote>>>,
    warmed: Arc<Mutex<Vec<Warm>>>,
    shares: Arc<Mutex<Vec<f64>>>,
    have_nothing: Arc<AtomicBool>,
}

impl Actor for Others {
    type Context = Context<Self>;
}

impl Handler<Promote> for Others {
    type Result = MessageResult<Promote>;

    fn handle(&mut self, message: Promote, _ctx: &mut Self::Context) -> Self::Result {
        self.promoted.lock().push(message);
        let has_nothing = self.have_nothing.load(Relaxed);
        MessageResult(if has_nothing { Readiness::Absent } else { Readiness::Ready(10 * MINUTE) })
    }
}

impl Handler<Warm> for Others {
    type Result = MessageResult<Warm>;

    fn handle(&mut self, message: Warm, _ctx: &mut Self::Context) -> Self::Result {
        self.warmed.lock().push(message);
        let usage = Some(Usage { input_tokens: 1, output_tokens: 2 });
        MessageResult(Warmed { readiness: Readiness::Ready(10 * MINUTE), call: Some(usage) })
    }
}

impl Handler<WarmRoom> for Others {
    type Result = ();

    fn handle(&mut self, message: WarmRoom, _ctx: &mut Self::Context) {
        self.shares.lock().push(message.share);
    }
}

impl Handler<Peek> for Others {
    type Result = MessageResult<Peek>;

    fn handle(&mut self, _message: Peek, _ctx: &mut Self::Context) -> Self::Result {
        MessageResult(None::<Arc<Entry>>)
    }
}

#[derive(Debug)]
struct Idle;

impl Surroundings for Idle {
    fn is_called(&self, _upstream: &str) -> bool {
        true
    }

    fn is_busy(&self) -> bool {
        false
    }

    fn cost_micros(&self, _model: Option<&str>, usage: Option<Usage>) -> u64 {
        usage.map_or(0, |usage| usage.output_tokens)
    }
}

struct Asked {
    addr: Addr<WarmingActor>,
    handle: WarmingHandle,
    others: Others,
    clock: Arc<ManualClock>,
    critical: Arc<OnceLock<Vec<Arc<OriginCall>>>>,
    folder: tempfile::TempDir,
}

impl Asked {
    fn start() -> Self {
        let (others, clock) = (Others::default(), ManualClock::new());
        let address = others.clone().start();
        let l1 = LevelHandle::new(Level::L1, true);
        l1.warm_room.put(address.clone().recipient());
        l1.peek.put(address.clone().recipient());
        let (promote, warm) = (Slot::empty(), Slot::empty());
        promote.put(address.clone().recipient());
        warm.put(address.recipient());
        let budget = BudgetSettings { calls_a_minute: 10, calls_a_day: 100, micros_a_day: 1_000 };
        let (critical, folder) = (Arc::default(), tempfile::tempdir().unwrap());
        let plan = WarmingPlan {
            desk: DeskSettings {
                forecast: ForecastSettings::new(300_000),
                budget,
                calls_at_once: 2,
                request_bytes: 1 << 20,
            },
            critical: Arc::clone(&critical),
            surroundings: Arc::new(Idle),
            hot_keys: folder.path().join("hot.keys"),
            hot_keys_most: 100,
        };
        let shared: crate::clock::SharedClock = Arc::<ManualClock>::clone(&clock);
        let ports = WarmingPorts { l1, promote, warm, clock: shared };
        let addr = WarmingActor::new(plan, ports).start();
        let handle = WarmingHandle::new();
        WarmingActor::connect(&addr, &handle);
        Self { addr, handle, others, clock, critical, folder }
    }

    /// A session asks for keys, each of which was found like this.
    async fn tell(&self, session: u64, requests: &[(u32, Answered)]) {
        self.tell_fresh(session, requests, self.clock.wall_ms() + 86_400_000).await;
    }

    async fn tell_fresh(&self, session: u64, requests: &[(u32, Answered)], fresh_until_ms: u64) {
        let access = |(number, outcome): &(u32, Answered)| Access {
            key: key(*number),
            scope: 0,
            session,
            fresh_until_ms,
            size_bytes: 0,
            outcome: *outcome,
        };
        let batch = SampleBatch {
            samples: Arc::default(),
            accesses: requests.iter().map(access).collect(),
            dropped: 0,
            dropped_accesses: 0,
        };
        self.addr.send(batch).await.unwrap();
    }

    async fn state(&self) -> WarmingState {
        ask(&self.handle.observe, ObserveWarming, DEADLINE).await.unwrap()
    }

    /// Waits until nothing is under way.
    async fn settle(&self) -> WarmingState {
        for _ in 0..10_000 {
            let state = self.state().await;
            if (state.under_way, state.waiting) == ((0, 0), (0, 0)) {
                return state;
            }
            tokio::task::yield_now().await;
        }
        panic!("something is under way still");
    }

    async fn look(&self) -> WarmingState {
        self.addr.send(Look).await.unwrap();
        self.settle().await
    }
}

const FOUND: Answered = Answered::Hit(Level::L1);
const BEYOND: Answered = Answered::Hit(Level::L2);

#[actix::test]
async fn what_follows_is_promoted_into_room_that_l1_is_told_to_keep() {
    let warming = Asked::start();
    for session in 1..40 {
        warming.clock.advance(15 * MINUTE);
        warming.tell(session, &[(1, BEYOND)]).await;
        let tally = warming.settle().await.tally;
        let is_there = tally.done > tally.used + tally.wasted;
        warming.tell(session, &[(2, if is_there { FOUND } else { BEYOND })]).await;
    }
    let state = warming.settle().await;
    assert!(state.tally.used >= 15, "{:?}", state.tally);
    assert_eq!((state.tally.wasted, state.tally.calls), (0, 0));
    let promoted = warming.others.promoted.lock().clone();
    assert!(promoted.iter().all(|it| it.key == key(2)), "{promoted:?}");
    let (trials, real): (Vec<&Promote>, Vec<&Promote>) =
        promoted.iter().partition(|it| it.in_l1.is_none());
    assert!(trials.len() >= 10);
    assert!(real.iter().all(|it| it.in_l1 == Some(InsertKind::Warmed) && it.unless_held));
    let shares = warming.others.shares.lock().clone();
    assert!(
        shares.iter().any(|share| *share > 0.0) && shares.windows(2).all(|two| two[0] != two[1])
    );
    assert!(shares.last().is_some_and(|share| *share <= 0.0), "nothing waits: {shares:?}");
}

#[actix::test]
async fn what_is_popular_is_fetched_before_it_runs_out_with_its_own_request() {
    let warming = Asked::start();
    warming.addr.send(Remember { call: call(1, 10) }).await.unwrap();
    let (mut stale_ms, mut calls) = (0, 0);
    for round in 0_u64..3 * 3_600 / 5 {
        warming.clock.advance(Duration::from_millis(4_000 + round % 7 * 300));
        warming.look().await;
        let (wall_ms, made) = (warming.clock.wall_ms(), warming.others.warmed.lock().len());
        let is_over = stale_ms <= wall_ms;
        if is_over || made > calls {
            (stale_ms, calls) = (wall_ms + 600_000, made);
        }
        let outcome = if is_over { Answered::Miss } else { FOUND };
        warming.tell_fresh(1, &[(1, outcome)], stale_ms).await;
    }
    let state = warming.settle().await;
    let calls = u64::try_from(warming.others.warmed.lock().len()).unwrap();
    assert!(calls >= 5 && state.counts.calls == calls, "{state:?}");
    assert!(state.tally.used >= calls - 1, "{state:?}");
    assert_eq!(state.spent.1, calls);
    assert_eq!(state.spent.2, 2 * calls, "two millionths each");
    let warmed = warming.others.warmed.lock().clone();
    assert!(warmed.iter().all(|warm| warm.call.key == key(1) && warm.in_l1 == InsertKind::Warmed));
}

#[actix::test]
async fn under_pressure_nothing_is_warmed_until_it_is_over() {
    let warming = Asked::start();
    let pressure = |state| PressureChanged { state, target_bytes: 1 };
    warming.addr.send(pressure(PressureState::Elevated)).await.unwrap();
    let asked = WarmNow { calls: vec![call(1, 0), call(2, 0)] };
    let progress = ask(&warming.handle.now, asked, DEADLINE).await.unwrap();
    assert_eq!((progress.number, progress.total), (1, 2));
    let state = warming.state().await;
    assert!(state.paused && state.waiting == (0, 2), "{state:?}");
    warming.addr.send(pressure(PressureState::Nominal)).await.unwrap();
    let state = warming.settle().await;
    assert_eq!((state.errands[0].ready, state.errands[0].called), (2, 0), "a level has them");
    warming.others.have_nothing.store(true, Relaxed);
    ask(&warming.handle.now, WarmNow { calls: vec![call(3, 0)] }, DEADLINE).await.unwrap();
    let state = warming.settle().await;
    assert_eq!((state.errands[1].ready, state.errands[1].called), (1, 1));
    assert!(warming.others.warmed.lock().iter().all(|warm| warm.in_l1 == InsertKind::New));
}

#[actix::test]
async fn where_another_process_warms_nothing_is_whatever_becomes_of_memory() {
    let warming = Asked::start();
    assert!(warming.handle.rest.tell(Rest));
    let nominal = PressureChanged { state: PressureState::Nominal, target_bytes: 0 };
    warming.addr.send(nominal).await.unwrap();
    ask(&warming.handle.now, WarmNow { calls: vec![call(1, 0)] }, DEADLINE).await.unwrap();
    let state = warming.state().await;
    assert!(state.paused && state.waiting == (0, 1), "{state:?}");
}

#[actix::test]
async fn what_is_critical_is_ready_from_the_start_and_brought_anew_before_it_leaves() {
    let warming = Asked::start();
    warming.critical.set(vec![call(1, 0)]).unwrap();
    warming.others.have_nothing.store(true, Relaxed);
    let state = warming.look().await;
    assert!(state.critical[0].1.is_ready);
    assert_eq!(warming.others.warmed.lock().len(), 1);
    warming.look().await;
    warming.clock.advance(Duration::from_secs(294));
    warming.look().await;
    assert_eq!(warming.others.warmed.lock().len(), 1);
    // L1 keeps it for five minutes; a further level has it by now.
    warming.others.have_nothing.store(false, Relaxed);
    warming.clock.advance(Duration::from_secs(1));
    warming.look().await;
    assert_eq!((warming.others.warmed.lock().len(), warming.others.promoted.lock().len()), (1, 2));
    assert!(warming.state().await.critical[0].1.is_ready);
}

#[actix::test]
async fn the_hottest_keys_are_written_and_brought_back_at_the_next_start() {
    let warming = Asked::start();
    let start = || ask(&warming.handle.start, WarmStart, DEADLINE);
    assert_eq!(start().await, Ok(0), "there is no file yet");
    warming
        .tell(1, &[(1, FOUND), (2, FOUND), (1, FOUND), (3, FOUND), (1, FOUND), (2, FOUND)])
        .await;
    ask(&warming.handle.flush, Flush, DEADLINE).await.unwrap();
    let path = warming.folder.path().join("hot.keys");
    assert_eq!(hot_keys::read(&path, 2).unwrap(), [key(1), key(2)]);
    warming.others.promoted.lock().clear();
    assert_eq!(start().await, Ok(3));
    let promoted = warming.others.promoted.lock().clone();
    let keys: Vec<CacheKey> = promoted.iter().map(|it| it.key).collect();
    assert_eq!(keys, [key(3), key(2), key(1)], "the hottest last");
    assert!(promoted.iter().all(|it| it.in_l1 == Some(InsertKind::New)));
    warming.others.have_nothing.store(true, Relaxed);
    assert_eq!(start().await, Ok(0));
}

#[actix::test]
async fn its_numbers_are_shown() {
    let warming = Asked::start();
    warming.tell(1, &[(1, FOUND), (2, Answered::Bypass)]).await;
    let report = warming.addr.send(Ping).await.unwrap();
    let count = |name: &str| report.counters.iter().find(|(own, _)| *own == name).unwrap().1;
    assert_eq!((count("learned"), count("known_keys"), count("paused")), (1, 1, 0));
    assert!(count("pattern_bytes") > 0);
}
