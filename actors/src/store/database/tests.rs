//! The store over SQLite always, and over PostgreSQL where `ANTEROOM_TEST_POSTGRES` names an
//! empty database of its own.

mod file;
mod purges;

use super::*;
use crate::clock::ManualClock;
use crate::model::{Freshness, Header};
use crate::settings::{BreakerSettings, Database as Place, EncodingSettings};

const HOUR: Duration = Duration::from_secs(3_600);

fn settings(database: Place) -> L3Settings {
    L3Settings {
        database,
        residence: HOUR,
        max_bytes: 1 << 30,
        max_record_bytes: 1 << 20,
        readers: 2,
        timeout: Duration::from_millis(500),
        connect_timeout: Duration::from_secs(1),
        queue_bytes: 1 << 20,
        batch_records: 10,
        sweep_interval: Duration::from_secs(60),
        sweep_batch: 7,
        encoding: EncodingSettings::default(),
        breaker: BreakerSettings {
            failures: 3,
            probe_after: Duration::from_millis(100),
            probe_at_most: Duration::from_secs(1),
        },
    }
}

fn entry(number: u8, lifetime: Duration) -> Arc<Entry> {
    Arc::new(Entry {
        key: CacheKey::new([number; 32]),
        status: 200,
        headers: [Header { name: "content-type".into(), value: Bytes::from_static(b"a/b") }].into(),
        body: Bytes::from(vec![number; 1_000]),
        freshness: Freshness {
            made_wall_ms: ManualClock::START_WALL_MS,
            lifetime: lifetime.into(),
            ..Freshness::default()
        },
        ..Entry::default()
    })
}

async fn put(database: &Database, entries: impl IntoIterator<Item = u8>) {
    for number in entries {
        database.put(entry(number, HOUR)).unwrap();
    }
    database.flushed().await;
}

async fn get(database: &Database, number: u8) -> Option<Entry> {
    database.get(CacheKey::new([number; 32])).await.unwrap()
}

/// Asks the writing thread again and again, so that it goes on, until `holds`.
async fn until(database: &Database, holds: impl Fn(&DatabaseSnapshot) -> bool) {
    for _ in 0..10_000 {
        if holds(&database.snapshot()) {
            return;
        }
        let _ = database.shared_secret([0; 32]).await;
        std::thread::yield_now();
    }
    panic!("never came true: {:?}", database.snapshot());
}

#[expect(clippy::disallowed_methods, reason = "names the server of a test run")]
fn postgres() -> Option<Place> {
    std::env::var("ANTEROOM_TEST_POSTGRES").ok().map(Place::Postgres)
}

/// Runs `scenario` over each database there is, one after the other, from empty tables.
async fn on_each<F: AsyncFn(L3Settings)>(scenario: F) {
    static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let folder = tempfile::tempdir().unwrap();
    scenario(settings(Place::Sqlite(folder.path().join("new/anteroom.db")))).await;
    if let Some(place) = postgres() {
        let _alone = ONE_AT_A_TIME.lock().await;
        let settings = settings(place);
        let mut open = Opener::new(&settings).open(Purpose::Writing, 0).unwrap();
        let Connection::Postgres(open) = &mut open else { panic!("not a server") };
        diesel::connection::SimpleConnection::batch_execute(
            open,
            "TRUNCATE entries, purges, secrets",
        )
        .unwrap();
        scenario(settings).await;
    }
}

#[tokio::test]
async fn what_is_written_is_read_also_after_a_restart() {
    on_each(async |settings| {
        let database = Database::start(&settings, Purges::default(), ManualClock::new());
        assert_eq!(get(&database, 1).await, None);
        put(&database, 0..25).await;
        put(&database, 0..3).await;
        assert_eq!(get(&database, 24).await.as_ref(), Some(&*entry(24, HOUR)));
        until(&database, |snapshot| snapshot.entries == 25).await;
        let before = database.snapshot();
        assert_eq!((before.pending_rows, before.pending_bytes, before.written), (0, 0, 28));
        drop(database);

        let database = Database::start(&settings, Purges::default(), ManualClock::new());
        assert_eq!(get(&database, 24).await.as_ref(), Some(&*entry(24, HOUR)));
        until(&database, |snapshot| snapshot.entries == 25).await;
        assert_eq!(database.snapshot().bytes, before.bytes);
    })
    .await;
}

#[tokio::test]
async fn a_row_expires_when_residence_and_lifetime_are_over() {
    on_each(async |settings| {
        let clock = ManualClock::new();
        let database = Database::start(&settings, Purges::default(), clock.clone());
        for number in 0..20 {
            database.put(entry(number, Duration::from_secs(1))).unwrap();
        }
        database.put(entry(99, 2 * HOUR)).unwrap();
        database.flushed().await;
        clock.advance(HOUR - Duration::from_millis(1));
        assert!(get(&database, 0).await.is_some(), "kept for its residence, though stale");
        clock.advance(Duration::from_millis(1));
        assert_eq!(get(&database, 0).await, None);
        assert!(get(&database, 99).await.is_some(), "kept for its lifetime");

        database.tend();
        until(&database, |snapshot| snapshot.expired == 20).await;
        assert_eq!(database.snapshot().entries, 1);
    })
    .await;
}

#[tokio::test]
async fn the_oldest_go_when_there_are_too_many_bytes() {
    on_each(async |mut settings| {
        let size = u64::try_from(record::encoded_len(&entry(0, HOUR))).unwrap();
        settings.max_bytes = 20 * size;
        let clock = ManualClock::new();
        let database = Database::start(&settings, Purges::default(), clock.clone());
        for number in 0..30 {
            put(&database, [number]).await;
            clock.advance(Duration::from_millis(1));
        }
        until(&database, |snapshot| snapshot.bytes <= settings.max_bytes).await;
        let snapshot = database.snapshot();
        assert_eq!(snapshot.entries + snapshot.evicted, 30);
        assert!(snapshot.entries >= 18, "no more than needed: {snapshot:?}");
        assert_eq!(get(&database, 0).await, None);
        assert!(get(&database, 29).await.is_some());
    })
    .await;
}

fn overwrite(open: &mut Connection, number: u8, record: &[u8]) {
    use diesel::prelude::*;
    use schema::entries::{dsl, key};
    let row = diesel::update(dsl::entries.filter(key.eq(vec![number; 32])));
    let row = row.set(dsl::record.eq(record));
    connection::either!(open, open => row.execute(open)).unwrap();
}

#[tokio::test]
async fn a_record_that_is_damaged_or_too_large_is_not_served() {
    on_each(async |mut settings| {
        let database = Database::start(&settings, Purges::default(), ManualClock::new());
        put(&database, 1..3).await;
        let mut open = Opener::new(&settings).open(Purpose::Writing, 0).unwrap();
        let other = queries::get(&mut open, &CacheKey::new([1; 32]), 0, 1 << 20).unwrap().unwrap();
        overwrite(&mut open, 2, &other);
        assert_eq!(
            database.get(CacheKey::new([2; 32])).await,
            Err(LevelError::Damaged("another key"))
        );
        database.remove(CacheKey::new([2; 32]));
        until(&database, |snapshot| snapshot.entries == 1).await;
        assert_eq!(get(&database, 2).await, None);

        settings.max_record_bytes = other.len() - 1;
        let strict = Database::start(&settings, Purges::default(), ManualClock::new());
        assert_eq!(get(&strict, 1).await, None);
    })
    .await;
}

#[tokio::test]
async fn gateways_on_one_database_agree_on_the_secret() {
    on_each(async |settings| {
        let gateways: Vec<_> = (0..4)
            .map(|_| Database::start(&settings, Purges::default(), ManualClock::new()))
            .collect();
        let proposals = gateways.iter().zip(1..);
        let asked = proposals.map(|(gateway, number)| gateway.shared_secret([number; 32]));
        let secrets = futures_util::future::try_join_all(asked).await.unwrap();
        assert!(secrets.iter().all(|secret| secret == &secrets[0]), "{secrets:?}");
    })
    .await;
}

#[tokio::test]
async fn rows_past_the_queue_are_dropped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(Place::Sqlite(folder.path().join("anteroom.db")));
    settings.queue_bytes = 10;
    let database = Database::start(&settings, Purges::default(), ManualClock::new());
    assert_eq!(database.put(entry(1, HOUR)), Err(LevelError::Overloaded("database writes")));
    database.flushed().await;
}

#[tokio::test]
async fn a_job_that_panics_is_one_failed_job() {
    on_each(async |settings| {
        let database = Database::start(&settings, Purges::default(), ManualClock::new());
        for _ in 0..settings.readers * 2 {
            let failed: Result<(), _> =
                database.ask(&database.core.readers, "a test", |_| panic!("on purpose")).await;
            assert!(matches!(failed, Err(LevelError::Refused { .. })), "{failed:?}");
        }
        put(&database, [1]).await;
        assert!(get(&database, 1).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_thread_that_hangs_is_replaced_and_ends_when_it_is_let_go() {
    on_each(async |settings| {
        let clock = ManualClock::new();
        let database = Database::start(&settings, Purges::default(), clock.clone());
        database.probe().await.unwrap();
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let mut hanging = Vec::new();
        let core = &database.core;
        // All of them: a thread that is still opening its connection would seem to hang, too.
        let crews = std::iter::repeat_n(&core.readers, settings.readers).chain([&core.writer]);
        for crew in crews {
            let (held, (begun, has_begun)) = (Arc::clone(&held), oneshot::channel());
            let (reply, answer) = oneshot::channel();
            let work = move |_: &mut Connection| {
                let _ = begun.send(());
                held.lock().recv().map_err(|_| Failure::Refused("let go".to_owned()))
            };
            assert!(crew.push(Box::new(Question { reply, work })));
            has_begun.await.unwrap();
            hanging.push(answer);
        }
        let mut asked = std::pin::pin!(database.probe());
        assert!(futures_util::FutureExt::now_or_never(asked.as_mut()).is_none());
        clock.advance(Duration::from_secs(31));
        database.tend();
        asked.await.unwrap();
        assert_eq!(database.snapshot().hanging_threads, 3);

        drop(let_go);
        for answer in hanging {
            assert!(answer.await.unwrap().is_err());
        }
        until(&database, |snapshot| snapshot.hanging_threads == 0).await;
    })
    .await;
}
