//! The actor of local models, with a loader that follows a script and a clock that the test moves.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor as _, Addr};
use anteroom_actors::clock::{ManualClock, SharedClock};
use anteroom_actors::error::LoadError;
use anteroom_actors::message::{ActorState, CleanUp, Load, Panic, Ping, Report, ask};
use anteroom_actors::model::{LoadedModel, LocalModel, ModelLoader};
use anteroom_actors::models::{LocalModels, ModelCacheActor};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longer than a model stays at least.
const LONG: Duration = Duration::from_secs(60);

const NAMES: [&str; 3] = ["a", "b", "c"];

/// Counts bytes as tokens.
struct Bytes;

impl LocalModel for Bytes {
    fn count_tokens(&self, text: &str) -> u64 {
        u64::try_from(text.len()).unwrap_or(u64::MAX)
    }
}

struct Stage {
    shelf: LocalModels,
    actor: Addr<ModelCacheActor>,
    clock: Arc<ManualClock>,
    loads: Arc<Mutex<Vec<&'static str>>>,
    ends: Sender<Result<u64, &'static str>>,
}

impl Stage {
    /// A load ends when the test says how; at most two models.
    fn start() -> Self {
        let (ends, script) = channel();
        let (clock, loads) = (ManualClock::new(), Arc::<Mutex<Vec<_>>>::default());
        let shelf = LocalModels::new(&NAMES);
        let loader = scripted(script, &clock, &loads);
        let own = Arc::clone(&clock) as SharedClock;
        let actor = ModelCacheActor::new(2, shelf.clone(), loader, own).start();
        ModelCacheActor::connect(&actor, &shelf);
        Self { shelf, actor, clock, loads, ends }
    }

    async fn load(&self, name: &'static str) -> Result<(), LoadError> {
        ask(self.shelf.load(), Load { name }, PATIENCE).await.expect("an answer")
    }

    async fn loaded(&self, name: &'static str, bytes: u64) {
        self.ends.send(Ok(bytes)).expect("a loader");
        self.load(name).await.expect("a model");
    }

    async fn report(&self) -> Report {
        self.actor.send(Ping).await.expect("an answer")
    }

    async fn counter(&self, name: &str) -> u64 {
        let report = self.report().await;
        report.counters.iter().find(|(known, _)| *known == name).expect("a counter").1
    }

    fn on_shelf(&self) -> Vec<&'static str> {
        NAMES.into_iter().filter(|name| self.shelf.get(name).is_some()).collect()
    }
}

fn scripted(
    script: Receiver<Result<u64, &'static str>>,
    clock: &Arc<ManualClock>,
    loads: &Arc<Mutex<Vec<&'static str>>>,
) -> ModelLoader {
    let (script, clock, loads) = (Mutex::new(script), Arc::clone(clock), Arc::clone(loads));
    Arc::new(move |name| {
        loads.lock().expect("a lock").push(name);
        let end = script.lock().expect("a lock").recv().expect("an end");
        clock.advance(Duration::from_millis(200));
        match end {
            Ok(bytes) => Ok(LoadedModel { model: Arc::new(Bytes), bytes }),
            Err("panic") => panic!("the loader was asked to panic"),
            Err(reason) => Err(reason.to_owned()),
        }
    })
}

#[actix_rt::test]
async fn a_use_has_a_model_loaded_once_and_waits_for_nothing() {
    let stage = Stage::start();
    for _ in 0..5 {
        assert!(stage.shelf.get("a").is_none(), "not loaded yet");
    }
    assert_eq!(stage.report().await.pending, 1, "one load for all");
    let (first, second, ()) = tokio::join!(stage.load("a"), stage.load("a"), async {
        stage.ends.send(Ok(70)).expect("a loader");
    });
    assert_eq!((first, second), (Ok(()), Ok(())));
    let model = stage.shelf.get("a").expect("a model");
    assert_eq!(model.count_tokens("four"), 4);
    assert_eq!(*stage.loads.lock().expect("a lock"), ["a"]);
    let report = stage.report().await;
    assert_eq!((report.state, report.pending), (ActorState::Running, 0));
    for (name, value) in
        [("loads", 1), ("loaded", 1), ("bytes", 70), ("load_ms", 200), ("evictions", 0)]
    {
        assert_eq!(stage.counter(name).await, value, "{name}");
    }
}

#[actix_rt::test]
async fn the_least_recently_used_goes_when_another_is_wanted() {
    let stage = Stage::start();
    stage.loaded("a", 1).await;
    stage.loaded("b", 2).await;
    let refused = Err(LoadError::NoRoom { name: "c", most: 2 });
    assert_eq!(stage.load("c").await, refused, "both have only come");
    stage.clock.advance(LONG);
    assert!(stage.shelf.get("a").is_some(), "used after the other");
    stage.loaded("c", 4).await;
    assert_eq!((stage.counter("loaded").await, stage.counter("bytes").await), (2, 5));
    assert_eq!(stage.counter("evictions").await, 1);
    assert!(stage.shelf.get("a").is_some() && stage.shelf.get("c").is_some());
    assert_eq!(stage.load("none").await, Err(LoadError::Unknown { name: "none" }));
}

#[actix_rt::test]
async fn models_leave_when_memory_is_short_and_come_back_later() {
    let stage = Stage::start();
    stage.loaded("a", 30).await;
    stage.loaded("b", 50).await;
    assert!(stage.shelf.get("a").is_some());
    let clean_up = async |target_bytes| {
        ask(stage.shelf.clean_up(), CleanUp { target_bytes }, PATIENCE).await.expect("an answer")
    };
    assert_eq!(clean_up(0).await, 0, "none without need");
    let in_use = stage.shelf.get("a").expect("a model");
    assert_eq!(clean_up(1).await, 50, "the one used longest ago");
    assert_eq!(clean_up(1_000).await, 30);
    assert_eq!(stage.on_shelf(), Vec::<&str>::new());
    assert_eq!(in_use.count_tokens("who uses it goes on"), 19);
    assert_eq!(stage.load("a").await, Err(LoadError::MemoryShort { name: "a" }));
    stage.clock.advance(LONG);
    stage.loaded("a", 30).await;
    assert_eq!(stage.counter("loads").await, 3);
}

/// Neither an error nor a panic of a loader ends anything but that load.
#[actix_rt::test]
async fn a_load_that_fails_is_told_and_tried_again_later() {
    let stage = Stage::start();
    for (number, end) in (1..).zip(["it is not there", "panic"]) {
        stage.ends.send(Err(end)).expect("a loader");
        let failed = stage.load("a").await.expect_err("no model");
        assert_eq!(failed.label(), "failed", "{failed}");
        let report = stage.report().await;
        assert_eq!(report.state, ActorState::Degraded);
        assert!(report.last_error.expect("a reason").contains("local model a"));
        assert_eq!(stage.counter("load_failures").await, number);
        assert_eq!(stage.load("a").await, Err(LoadError::FailedBefore { name: "a" }));
        stage.clock.advance(LONG);
    }
    stage.loaded("a", 1).await;
    let report = stage.report().await;
    assert_eq!((report.state, report.last_error), (ActorState::Running, None));
}

/// Its models go with an actor that dies; its successor loads them anew.
#[actix_rt::test]
async fn a_successor_begins_with_an_empty_shelf() {
    let stage = Stage::start();
    stage.loaded("a", 1).await;
    stage.actor.send(Panic).await.expect_err("it died");
    assert_eq!(stage.on_shelf(), ["a"], "users do not notice");
    let (ends, script) = channel();
    let loader = scripted(script, &stage.clock, &stage.loads);
    let clock = Arc::clone(&stage.clock) as SharedClock;
    let actor = ModelCacheActor::new(2, stage.shelf.clone(), loader, clock).start();
    ModelCacheActor::connect(&actor, &stage.shelf);
    let stage = Stage { actor, ends, ..stage };
    assert_eq!(stage.counter("loaded").await, 0);
    stage.loaded("b", 1).await;
    assert_eq!(stage.on_shelf(), ["b"]);
}
