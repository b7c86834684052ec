//! The watchdog as the others see it, with readings that the test gives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::*;
use crate::clock::ManualClock;

const DEADLINE: Duration = Duration::from_secs(20);

const LIMIT: u64 = 1_000;

/// A process of whatever size the test says.
#[derive(Clone, Default)]
struct Process(Arc<AtomicU64>);

impl MemoryProbe for Process {
    fn read(&mut self, threshold_bytes: u64) -> Option<MemoryReading> {
        match self.0.load(Ordering::Relaxed) {
            u64::MAX => None,
            resident_bytes => Some(MemoryReading {
                resident_bytes,
                virtual_bytes: 9_000,
                limit_bytes: threshold_bytes,
            }),
        }
    }
}

/// One who lets go of a hundred bytes a step, from what it holds.
struct Hoard {
    held: u64,
    asked: Arc<Mutex<Vec<u64>>>,
    heard: Arc<Mutex<Vec<PressureChanged>>>,
}

impl Actor for Hoard {
    type Context = Context<Self>;
}

impl Handler<CleanUp> for Hoard {
    type Result = MessageResult<CleanUp>;

    fn handle(&mut self, message: CleanUp, _: &mut Self::Context) -> Self::Result {
        self.asked.lock().push(message.target_bytes);
        let freed = self.held.min(100).min(message.target_bytes);
        self.held -= freed;
        MessageResult(freed)
    }
}

impl Handler<PressureChanged> for Hoard {
    type Result = ();

    fn handle(&mut self, message: PressureChanged, _: &mut Self::Context) {
        self.heard.lock().push(message);
    }
}

struct Stage {
    process: Process,
    clock: Arc<ManualClock>,
    subscribers: Subscribers,
    budget: MemoryBudget,
    given_back: Arc<AtomicUsize>,
    handle: MemoryHandle,
    ping: Slot<Ping>,
    optimize: bool,
}

impl Stage {
    fn new() -> Self {
        let process = Process::default();
        process.0.store(100, Ordering::Relaxed);
        Self {
            process,
            clock: ManualClock::new(),
            subscribers: Subscribers::default(),
            budget: MemoryBudget::unlimited(),
            given_back: Arc::default(),
            handle: MemoryHandle::new(),
            ping: Slot::empty(),
            optimize: true,
        }
    }

    /// Starts a watchdog, or another one after it.
    fn start(&self) -> &Self {
        let settings = MemorySettings {
            threshold_bytes: LIMIT,
            optimize: self.optimize,
            bounded_bytes: 200,
            // Never by itself: the test looks.
            read_every: Duration::from_secs(86_400),
            tidy_every: Duration::from_secs(60),
        };
        let (process, given_back) = (self.process.clone(), Arc::clone(&self.given_back));
        // What is given back is gone from the process.
        let give_back = Arc::new({
            let process = self.process.clone();
            move || {
                given_back.fetch_add(1, Ordering::Relaxed);
                process.0.fetch_sub(30, Ordering::Relaxed);
            }
        });
        let surroundings = Surroundings {
            probe: Box::new(process),
            give_back,
            subscribers: self.subscribers.clone(),
            budget: self.budget.clone(),
            clock: Arc::clone(&self.clock) as SharedClock,
        };
        let watchdog = MemoryWatchdog::new(settings, surroundings);
        let addr = watchdog.start();
        MemoryWatchdog::connect(&addr, &self.handle);
        self.ping.put(addr.recipient());
        self
    }

    /// Lets the process be so large, waits until the watchdog has seen it and has cleaned up.
    async fn at(&self, resident: u64) -> MemoryReport {
        self.process.0.store(resident, Ordering::Relaxed);
        let report = ask(&self.handle.observe, ObserveMemory, DEADLINE).await.unwrap();
        ask(&self.handle.flush, Flush, DEADLINE).await.unwrap();
        report
    }

    async fn hoard(&self, name: &'static str, held: u64) -> Watched {
        let watched = Watched::default();
        let (asked, heard) = (Arc::clone(&watched.asked), Arc::clone(&watched.heard));
        let addr = Hoard { held, asked, heard }.start();
        let (clean_up, changed) = (Slot::empty(), Slot::empty());
        clean_up.put(addr.clone().recipient());
        changed.put(addr.recipient());
        let register = RegisterCleaner { name, clean_up };
        ask(&self.handle.register, register, DEADLINE).await.unwrap();
        ask(&self.handle.subscribe, Subscribe { name, changed }, DEADLINE).await.unwrap();
        watched
    }

    async fn counter(&self, name: &str) -> u64 {
        let report = ask(&self.ping, Ping, DEADLINE).await.unwrap();
        report.counters.iter().find(|(known, _)| *known == name).unwrap().1
    }
}

#[derive(Default)]
struct Watched {
    asked: Arc<Mutex<Vec<u64>>>,
    heard: Arc<Mutex<Vec<PressureChanged>>>,
}

impl Watched {
    fn asked(&self) -> Vec<u64> {
        std::mem::take(&mut *self.asked.lock())
    }

    fn heard(&self) -> Vec<(PressureState, u64)> {
        let heard = std::mem::take(&mut *self.heard.lock());
        heard.into_iter().map(|changed| (changed.state, changed.target_bytes)).collect()
    }
}

#[actix_rt::test]
async fn each_change_is_told_once_with_what_should_go() {
    let stage = Stage::new();
    stage.start();
    let one = stage.hoard("one", 0).await;
    for (resident, told) in [
        (500, vec![]),
        (850, vec![(PressureState::Elevated, 150)]),
        (860, vec![]),
        (960, vec![(PressureState::Critical, 260)]),
        (910, vec![]),
        (700, vec![(PressureState::Nominal, 0)]),
    ] {
        let report = stage.at(resident).await;
        assert_eq!(one.heard(), told, "{resident}: {report:?}");
        assert_eq!(report.reading.resident_bytes, resident);
    }
    // Again with each round of cleaning: one may have been re-created meanwhile.
    stage.clock.advance(Duration::from_secs(60));
    stage.at(500).await;
    assert_eq!(one.heard(), [(PressureState::Nominal, 0)]);
    stage.at(500).await;
    assert_eq!(one.heard().len(), 0);
    // One who comes late is told at once.
    stage.at(820).await;
    let late = stage.hoard("late", 0).await;
    stage.at(820).await;
    assert_eq!(late.heard(), [(PressureState::Elevated, 120)]);
    assert_eq!(stage.counter("pressure_changes").await, 4);
    assert_eq!(stage.counter("pressure_untold").await, 0);
}

#[actix_rt::test]
async fn cleaners_let_go_step_by_step_until_enough_went_and_pages_go_back() {
    let stage = Stage::new();
    stage.start();
    let first = stage.hoard("first", 150).await;
    let second = stage.hoard("second", 1_000).await;
    stage.at(960).await;
    // 260 are to go: 150 of the first, the rest of the second.
    assert_eq!(first.asked(), [260, 160, 110]);
    assert_eq!(second.asked(), [110, 10]);
    assert_eq!(stage.given_back.load(Ordering::Relaxed), 1);
    let report = stage.at(720).await;
    let cleaning = Cleaning { asked_bytes: 260, freed_bytes: 260, returned_bytes: 30 };
    assert_eq!(report.last_cleaning, Some(cleaning));
    assert_eq!((report.state, report.peak_bytes), (PressureState::Nominal, 960));
    assert_eq!(second.asked(), Vec::<u64>::new(), "enough went");
    assert_eq!(stage.counter("freed_bytes").await, 260);
}

#[actix_rt::test]
async fn without_pressure_there_is_tidying_now_and_then() {
    let stage = Stage::new();
    stage.start();
    let one = stage.hoard("one", 500).await;
    stage.at(100).await;
    assert_eq!(one.asked(), Vec::<u64>::new());
    stage.clock.advance(Duration::from_secs(60));
    stage.at(100).await;
    assert_eq!(one.asked(), [0], "asked once, for what is of no use any more");
    assert_eq!(stage.given_back.load(Ordering::Relaxed), 1);
    stage.at(100).await;
    assert_eq!(one.asked(), Vec::<u64>::new());
}

#[actix_rt::test]
async fn a_cleaner_that_is_gone_holds_nobody_up() {
    let stage = Stage::new();
    stage.start();
    let gone = RegisterCleaner { name: "gone", clean_up: Slot::empty() };
    ask(&stage.handle.register, gone, DEADLINE).await.unwrap();
    let one = stage.hoard("one", 50).await;
    stage.at(900).await;
    assert_eq!(one.asked(), [200, 150]);
}

#[actix_rt::test]
async fn the_list_outlives_the_watchdog_and_the_end_of_a_pressure_is_told() {
    let stage = Stage::new();
    stage.start();
    let one = stage.hoard("one", 500).await;
    stage.at(900).await;
    assert_eq!(one.heard(), [(PressureState::Elevated, 200)]);
    // Re-created, without the former's readings, when it is over.
    stage.process.0.store(100, Ordering::Relaxed);
    stage.start().at(100).await;
    assert_eq!(one.heard(), [(PressureState::Nominal, 0)]);
    stage.at(900).await;
    assert_eq!(one.heard(), [(PressureState::Elevated, 200)]);
}

#[actix_rt::test]
async fn requests_have_what_was_left_at_the_start_and_half_of_it_when_it_is_critical() {
    let stage = Stage::new();
    stage.start();
    // 850 of the 1,000, without the 100 of the start and 200 in caches.
    for (resident, total) in [(100, 550), (900, 550), (960, 275), (890, 550)] {
        stage.at(resident).await;
        assert_eq!(stage.budget.report().total_bytes, total, "at {resident}");
    }
    // A re-created one knows the start, not the load, for the start.
    stage.start().at(500).await;
    assert_eq!(stage.budget.report().total_bytes, 550);
    let _held = stage.budget.try_reserve(70);
    assert_eq!(stage.counter("reserved_bytes").await, 70);

    let watching = Stage { optimize: false, ..Stage::new() };
    watching.start().at(990).await;
    assert_eq!(watching.budget.report().total_bytes, u64::MAX);
}

#[actix_rt::test]
async fn switched_off_it_watches_and_asks_nobody() {
    let stage = Stage { optimize: false, ..Stage::new() };
    stage.start();
    let one = stage.hoard("one", 500).await;
    let report = stage.at(990).await;
    assert_eq!(report.state, PressureState::Critical);
    assert_eq!((one.heard().len(), one.asked().len()), (0, 0));
    assert_eq!(stage.given_back.load(Ordering::Relaxed), 0);
}

#[actix_rt::test]
async fn a_system_that_does_not_say_is_told_of() {
    let stage = Stage::new();
    stage.process.0.store(u64::MAX, Ordering::Relaxed);
    stage.start();
    let report = ask(&stage.ping, Ping, DEADLINE).await.unwrap();
    assert_eq!(report.state, ActorState::Degraded);
    stage.at(200).await;
    let report = ask(&stage.ping, Ping, DEADLINE).await.unwrap();
    assert_eq!((report.state, report.last_error), (ActorState::Running, None));
}
