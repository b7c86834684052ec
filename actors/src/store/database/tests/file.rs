//! What only a SQLite file can suffer.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::sql_types::BigInt;
use diesel::{RunQueryDsl as _, SqliteConnection};
use diesel_migrations::MigrationHarness as _;

use super::*;

/// Another connection to the file.
fn another(path: &Path) -> SqliteConnection {
    let opener = Opener::new(&settings(Place::Sqlite(path.to_owned())));
    match opener.open(Purpose::Writing, 0) {
        Ok(Connection::Sqlite(open)) => open,
        _ => panic!("failed to open {}", path.display()),
    }
}

fn sqlite_at(path: &Path) -> Database {
    Database::start(
        &settings(Place::Sqlite(path.to_owned())),
        Purges::default(),
        ManualClock::new(),
    )
}

#[tokio::test]
async fn the_file_is_for_this_user_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/anteroom.db");
    let database = sqlite_at(&path);
    put(&database, [1]).await;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for file in ["anteroom.db", "anteroom.db-wal", "anteroom.db-shm"] {
        assert_eq!(mode(&path.with_file_name(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_file_damaged_in_any_way_is_moved_aside_at_start() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 4] = [
        ("not a database", |path| std::fs::write(path, "hello ".repeat(5_000)).unwrap()),
        ("truncated", |path| {
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_len(8_192).unwrap();
        }),
        ("noise in its pages", |path| {
            let mut bytes = std::fs::read(path).unwrap();
            bytes[4_096..].fill(0xa5);
            std::fs::write(path, bytes).unwrap();
        }),
        ("marked while in use", |path| {
            std::fs::write(path.with_file_name("anteroom.db-damaged"), "").unwrap();
        }),
    ];
    for (what, harm) in harms {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anteroom.db");
        let database = sqlite_at(&path);
        put(&database, 0..50).await;
        let mut other = another(&path);
        other.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop((other, database));
        harm(&path);

        let database = sqlite_at(&path);
        assert_eq!(get(&database, 1).await, None, "{what}");
        put(&database, [1]).await;
        assert!(get(&database, 1).await.is_some(), "{what}");
        let notice = database.snapshot().notice.unwrap_or_default();
        assert!(notice.contains("anteroom.db.damaged-1700000000000"), "{what}: {notice}");
        assert!(path.with_file_name("anteroom.db.damaged-1700000000000").exists(), "{what}");
        assert_eq!(database.snapshot().damage, None, "{what}");
    }
}

#[tokio::test]
async fn a_file_damaged_while_in_use_turns_the_level_off_until_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anteroom.db");
    let database = sqlite_at(&path);
    put(&database, [1]).await;
    let failed: Result<(), _> = database
        .ask(&database.core.readers, "a test", |_| {
            Err(Failure::of_text("database disk image is malformed", Duration::ZERO))
        })
        .await;
    assert!(failed.is_err());
    until(&database, |snapshot| snapshot.damage.is_some()).await;
    let skipped = Err(LevelError::Skipped("the database file is damaged"));
    assert_eq!(database.get(CacheKey::new([1; 32])).await, skipped);
    assert!(database.put(entry(2, HOUR)).is_err());
    // The level is off before the file is marked for the next start.
    let mark = folder.path().join("anteroom.db-damaged");
    until(&database, |_| mark.exists()).await;
    drop(database);

    let database = sqlite_at(&path);
    put(&database, [2]).await;
    assert!(database.snapshot().notice.is_some());
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_used_once_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("data");
    std::fs::write(&in_the_way, "a file where the folder should be").unwrap();
    let clock = ManualClock::new();
    let place = Place::Sqlite(in_the_way.join("anteroom.db"));
    let database = Database::start(&settings(place), Purges::default(), clock.clone());
    assert!(matches!(database.probe().await, Err(LevelError::Unreachable { .. })));
    // Opening it for the first upkeep may have failed before, and then writes pause.
    let _ = database.put(entry(1, HOUR));
    database.flushed().await;
    until(&database, |snapshot| snapshot.write_trouble.is_some()).await;
    assert_eq!(
        database.put(entry(1, HOUR)),
        Err(LevelError::Skipped("writes to the database fail"))
    );

    std::fs::remove_file(&in_the_way).unwrap();
    clock.advance(Duration::from_secs(1));
    database.tend();
    until(&database, |snapshot| snapshot.write_trouble.is_none()).await;
    put(&database, [1]).await;
    assert!(get(&database, 1).await.is_some());
}

#[tokio::test]
async fn a_locked_file_is_read_and_its_writes_are_dropped_until_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anteroom.db");
    let clock = ManualClock::new();
    let mut settings = settings(Place::Sqlite(path.clone()));
    settings.timeout = Duration::from_millis(1);
    let database = Database::start(&settings, Purges::default(), clock.clone());
    put(&database, [1]).await;
    let mut other = another(&path);
    other.batch_execute("BEGIN EXCLUSIVE").unwrap();
    put(&database, [2]).await;
    let locked = database.snapshot();
    assert_eq!((locked.written, locked.dropped), (1, 1));
    assert!(locked.write_trouble.is_some());
    assert!(get(&database, 1).await.is_some());
    other.batch_execute("COMMIT").unwrap();
    clock.advance(Duration::from_secs(1));
    put(&database, [2]).await;
    assert_eq!(database.snapshot().write_trouble, None);
}

#[tokio::test]
async fn space_of_rows_that_are_gone_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anteroom.db");
    let clock = ManualClock::new();
    let database =
        Database::start(&settings(Place::Sqlite(path.clone())), Purges::default(), clock.clone());
    put(&database, 0..200).await;
    let mut other = another(&path);
    let mut pages = || sql::<BigInt>("PRAGMA page_count").get_result::<i64>(&mut other).unwrap();
    let before = pages();
    clock.advance(HOUR);
    database.tend();
    until(&database, |snapshot| snapshot.expired == 200).await;
    // The steps after it are queued one behind the other.
    for _ in 0..10 {
        database.shared_secret([0; 32]).await.unwrap();
    }
    assert!(pages() * 2 < before, "{} of {before} pages", pages());
}

#[test]
fn the_schema_goes_down_and_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut open = another(&folder.path().join("anteroom.db"));
    assert!(connection::is_up_to_date(&mut open, &connection::SQLITE_MIGRATIONS));
    open.revert_all_migrations(connection::SQLITE_MIGRATIONS).unwrap();
    assert!(!connection::is_up_to_date(&mut open, &connection::SQLITE_MIGRATIONS));
    open.run_pending_migrations(connection::SQLITE_MIGRATIONS).unwrap();
    assert!(connection::is_up_to_date(&mut open, &connection::SQLITE_MIGRATIONS));
}
