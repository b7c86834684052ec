//! The level as its askers see it, over a file and over a server that never answers.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::clock::{Clock as _, ManualClock, SystemClock};
use crate::message::{InsertKind, ask};
use crate::model::{CacheKey, Form, Freshness, Level};
use crate::settings::{BreakerSettings, Database as Place, EncodingSettings};

const DEADLINE: Duration = Duration::from_secs(20);

fn settings(database: Place) -> L3Settings {
    L3Settings {
        database,
        residence: Duration::from_secs(3_600),
        max_bytes: 1 << 30,
        max_record_bytes: 4_096,
        readers: 2,
        timeout: Duration::from_millis(500),
        connect_timeout: Duration::from_secs(1),
        queue_bytes: 1 << 20,
        batch_records: 10,
        sweep_interval: Duration::from_secs(60),
        sweep_batch: 100,
        encoding: EncodingSettings::default(),
        breaker: BreakerSettings {
            failures: 2,
            probe_after: Duration::from_millis(10),
            probe_at_most: Duration::from_millis(100),
        },
    }
}

fn file(folder: &Path) -> Place {
    Place::Sqlite(folder.join("anteroom.db"))
}

fn entry(number: u8, made_wall_ms: u64, body_len: usize) -> Arc<Entry> {
    Arc::new(Entry {
        key: CacheKey::new([number; 32]),
        status: 200,
        body: Bytes::from(vec![number; body_len]),
        freshness: Freshness {
            made_wall_ms,
            lifetime: Duration::from_secs(60).into(),
            ..Freshness::default()
        },
        ..Entry::default()
    })
}

/// A started level, asked as everyone asks it.
struct Asked {
    addr: Addr<L3Actor>,
    handle: LevelHandle,
}

impl Asked {
    fn start(settings: L3Settings, clock: SharedClock) -> Self {
        let addr = L3Actor::new(settings, Purges::default(), clock).start();
        let handle = LevelHandle::new(Level::L3, true);
        L3Actor::connect(&addr, &handle);
        Self { addr, handle }
    }

    async fn lookup(&self, number: u8) -> Result<Option<Arc<Entry>>, LevelError> {
        let lookup = Lookup { key: CacheKey::new([number; 32]), form: Form::Object };
        ask(&self.handle.lookup, lookup, DEADLINE).await.unwrap()
    }

    async fn insert(&self, entry: &Arc<Entry>) -> Result<InsertOutcome, LevelError> {
        let insert = Insert { entry: Arc::clone(entry), kind: InsertKind::New };
        ask(&self.handle.insert, insert, DEADLINE).await.unwrap()
    }

    async fn flush(&self) {
        ask(&self.handle.flush, Flush, DEADLINE).await.unwrap();
    }

    async fn report(&self) -> Report {
        self.addr.send(Ping).await.unwrap()
    }

    async fn count(&self, name: &str) -> u64 {
        let report = self.report().await;
        let found = report.counters.iter().find(|(found, _)| *found == name);
        found.unwrap_or_else(|| panic!("no counter {name}: {report:?}")).1
    }

    /// Pings until the report is as expected.
    async fn until(&self, holds: impl Fn(&Report) -> bool) {
        let reached = async { while !holds(&self.report().await) {} };
        if tokio::time::timeout(DEADLINE, reached).await.is_err() {
            panic!("never came true: {:?}", self.report().await);
        }
    }
}

#[actix::test]
async fn an_entry_is_found_as_long_as_it_is_fresh() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let level = Asked::start(settings(file(folder.path())), clock.clone());
    let kept = entry(1, clock.wall_ms(), 100);
    assert_eq!(level.lookup(1).await, Ok(None));
    assert_eq!(level.insert(&kept).await, Ok(InsertOutcome::Queued));
    level.flush().await;
    assert_eq!(level.report().await.pending, 0);
    assert_eq!(level.lookup(1).await, Ok(Some(kept)));
    clock.advance(Duration::from_secs(60));
    assert_eq!(level.lookup(1).await, Ok(None));
    for (name, expected) in [("lookups", 3), ("hits", 1), ("misses", 2), ("inserts", 1)] {
        assert_eq!(level.count(name).await, expected, "{name}");
    }
    assert_eq!(level.report().await.state, ActorState::Running);
}

#[actix::test]
async fn what_is_stale_or_too_large_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let level = Asked::start(settings(file(folder.path())), clock.clone());
    let stale = entry(1, clock.wall_ms() - 60_000, 100);
    let too_large = entry(2, clock.wall_ms(), 4_096);
    for refused in [stale, too_large] {
        assert_eq!(level.insert(&refused).await, Ok(InsertOutcome::Refused));
    }
    assert_eq!(level.count("insert_refusals").await, 2);
}

#[actix::test]
async fn a_damaged_record_is_a_miss_and_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let level = Asked::start(settings(file(folder.path())), clock.clone());
    assert!(level.insert(&entry(1, clock.wall_ms(), 100)).await.is_ok());
    level.flush().await;
    let path = folder.path().join("anteroom.db");
    let mut other =
        <diesel::SqliteConnection as diesel::Connection>::establish(path.to_str().unwrap())
            .unwrap();
    diesel::connection::SimpleConnection::batch_execute(
        &mut other,
        "PRAGMA busy_timeout=5000; UPDATE entries SET record = zeroblob(64)",
    )
    .unwrap();
    assert_eq!(level.lookup(1).await, Ok(None));
    assert_eq!((level.count("damaged").await, level.count("misses").await), (1, 1));
    level.until(|report| report.counters.contains(&("entries", 0))).await;
}

// CASES A-51: started without its database, up by itself when that comes.
#[actix::test]
async fn a_level_without_its_place_is_degraded_and_comes_up_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::write(&data, "a file where the folder should be").unwrap();
    let level = Asked::start(settings(file(&data)), Arc::new(SystemClock));
    level.until(|report| report.state == ActorState::Degraded).await;
    assert!(level.report().await.last_error.is_some());
    assert!(level.lookup(1).await.is_err());
    let kept = entry(1, SystemClock.wall_ms(), 100);
    // Dropped at once, or when it could not be written: as the level knows by then or not.
    let _ = level.insert(&kept).await;
    level.flush().await;
    assert_eq!(level.count("insert_drops").await, 1);

    std::fs::remove_file(&data).unwrap();
    level.until(|report| report.state == ActorState::Running).await;
    assert_eq!(level.insert(&kept).await, Ok(InsertOutcome::Queued));
    level.flush().await;
    assert_eq!(level.lookup(1).await, Ok(Some(kept)));
}

// CASES: time-outs count, so that a server that swallows everything is left out.
#[actix::test]
async fn a_server_that_never_answers_is_left_out_after_a_few_time_outs() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let place = Place::Postgres(format!("postgres://user:passphrase@127.0.0.1:{port}/cache"));
    let mut settings = settings(place);
    settings.timeout = Duration::from_millis(5);
    // No probe or check while the test runs, but the one at the start.
    let level = Asked::start(settings, ManualClock::new());
    for _ in 0..2 {
        assert!(matches!(level.lookup(1).await, Err(LevelError::TimedOut { .. })));
    }
    for _ in 0..10 {
        assert!(matches!(level.lookup(1).await, Err(LevelError::Skipped(_))));
    }
    let kept = entry(1, ManualClock::START_WALL_MS, 100);
    assert!(matches!(level.insert(&kept).await, Err(LevelError::Skipped(_))));
    let report = level.report().await;
    assert_eq!(report.state, ActorState::Degraded);
    assert!(!format!("{report:?}").contains("passphrase"));
    for (name, expected) in [("errors", 2), ("skipped", 10), ("insert_drops", 1)] {
        assert_eq!(level.count(name).await, expected, "{name}");
    }
    assert_eq!(level.count("breaker_opened").await, 1);
}
