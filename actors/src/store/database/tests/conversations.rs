//! Turns in a file: in order, whole, bounded in time.

use std::sync::Arc;

use bytes::Bytes;
use diesel::prelude::*;

use super::super::schema::conversation_turns;
use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::model::History;
use crate::settings::Database;

const ID: ConversationId = ConversationId::new([1; 32]);

fn settings(folder: &tempfile::TempDir) -> ConversationSettings {
    ConversationSettings {
        database: Database::Sqlite(folder.path().join("conversations.db")),
        max_history: 50,
        max_bytes: 1 << 20,
        lifetime: Duration::from_secs(60),
        memory_count: 0,
        memory_bytes: 0,
        timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(1),
    }
}

fn turn(text: &str) -> Turn {
    Turn { messages: 2, opens: true, body: Bytes::from(text.to_owned()) }
}

fn open(settings: &ConversationSettings) -> Conversations {
    Conversations::start(settings, Arc::new(SystemClock))
}

async fn read(store: &Conversations, id: ConversationId) -> Option<History> {
    match store.read(id, None).await.expect("a file") {
        Found::Nothing => None,
        Found::New(history) => Some(history),
        Found::Known => panic!("nothing was known"),
    }
}

/// Appends a turn to the latest version.
async fn say(
    store: &Conversations,
    id: ConversationId,
    text: &str,
) -> Result<HistoryVersion, ConversationError> {
    let after = read(store, id).await.unwrap_or_default().version();
    store.append(id, after, Bytes::new(), turn(text)).await.map(|(version, _)| version)
}

async fn bodies(store: &Conversations) -> Vec<Bytes> {
    read(store, ID).await.unwrap_or_default().recent.into_iter().map(|turn| turn.body).collect()
}

#[tokio::test]
async fn turns_come_back_in_order_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = settings(&folder);
    let store = open(&settings);
    assert_eq!(read(&store, ID).await, None);
    for text in ["a", "b", "c"] {
        say(&store, ID, text).await.expect("the next turn");
    }
    drop(store);
    let store = open(&settings);
    assert_eq!(bodies(&store).await, ["a", "b", "c"]);
    let history = read(&store, ID).await.expect("a history");
    assert_eq!((history.turns, history.bytes), (3, 3));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let file = folder.path().join("conversations.db");
        let mode = std::fs::metadata(file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_turn_that_is_not_the_next_one_is_not_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&settings(&folder));
    let append = async |after, text| {
        store.append(ID, after, Bytes::new(), turn(text)).await.map(|(version, _)| version)
    };
    let (none, early) = (HistoryVersion::default(), HistoryVersion { incarnation: 7, turns: 1 });
    assert_eq!(append(early, "early").await, Err(ConversationError::Changed));
    let one = append(none, "a").await.expect("the first turn");
    assert_eq!(append(none, "again").await, Err(ConversationError::Changed));
    let early = HistoryVersion { turns: 2, ..one };
    assert_eq!(append(early, "early").await, Err(ConversationError::Changed));
    let other = HistoryVersion { incarnation: one.incarnation ^ 1, ..one };
    assert_eq!(append(other, "of another").await, Err(ConversationError::Changed));
    let two = append(one, "b").await.expect("the second turn");
    assert_eq!(two, HistoryVersion { turns: 2, ..one });
    assert_eq!(bodies(&store).await, ["a", "b"]);
    assert_eq!(store.read(ID, Some(two)).await, Ok(Found::Known));
    assert!(matches!(store.read(ID, Some(one)).await, Ok(Found::New(_))));
}

#[tokio::test]
async fn who_comes_while_a_commit_is_under_way_shares_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&settings(&folder));
    let ids = (0..100).map(|number| ConversationId::new([number; 32]));
    let all = ids.map(|id| store.append(id, HistoryVersion::default(), Bytes::new(), turn("a")));
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let snapshot = store.snapshot();
    assert_eq!(snapshot.written, 100);
    assert!(snapshot.commits < 100, "{snapshot:?}");
}

#[tokio::test]
async fn a_forgotten_or_ended_conversation_begins_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = settings(&folder);
    let store = open(&settings);
    let one = say(&store, ID, "a").await.expect("the first turn");
    assert_eq!(store.forget(ID).await, Ok(true));
    assert_eq!(store.forget(ID).await, Ok(false));
    let late = store.append(ID, one, Bytes::new(), turn("b")).await;
    assert_eq!(late, Err(ConversationError::Changed));
    drop(store);
    settings.lifetime = Duration::ZERO;
    let store = open(&settings);
    say(&store, ID, "c").await.expect("the first turn");
    assert_eq!(read(&store, ID).await, None, "its lifetime is over");
    say(&store, ID, "d").await.expect("the first turn again");
}

/// The sweep looks every five seconds, takes a bounded number each time, the longest ended first, and
/// leaves what a later turn has kept alive.
#[tokio::test]
async fn what_has_ended_is_swept_with_its_turns_in_bounded_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = ManualClock::new();
    let settings = settings(&folder);
    let store = Conversations::start(&settings, Arc::clone(&clock) as SharedClock);
    let many = u8::try_from(SWEEP_BATCH).expect("few") + 20;
    let id = |number: u8| ConversationId::new([number; 32]);
    let all = (0..many).map(|number| say(&store, id(number), "a"));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    clock.advance(settings.lifetime / 2);
    say(&store, id(0), "b").await.expect("the second turn");
    let sweep = async || {
        store.tend();
        store.flush().await;
        store.snapshot().expired
    };
    assert_eq!(sweep().await, 0, "nothing has ended");
    clock.advance(settings.lifetime / 2);
    assert_eq!(sweep().await, SWEEP_BATCH);
    assert_eq!(sweep().await, SWEEP_BATCH, "not before it is due");
    clock.advance(SWEEP_EVERY);
    assert_eq!(sweep().await, u64::from(many) - 1, "all but the one that went on");
    clock.advance(SWEEP_EVERY);
    assert_eq!(sweep().await, u64::from(many) - 1);
    let file = folder.path().join("conversations.db");
    let mut open = SqliteConnection::establish(&file.to_string_lossy()).expect("a file");
    let rows = conversation_turns::table.count().get_result::<i64>(&mut open);
    assert_eq!(rows, Ok(2), "no turn is left behind");
    drop(store);
}

#[tokio::test]
async fn a_damaged_file_stays_where_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = settings(&folder);
    let file = folder.path().join("conversations.db");
    std::fs::write(&file, b"this is no database at all, and long enough".repeat(100))
        .expect("a file");
    let store = open(&settings);
    let read = store.read(ID, None).await;
    assert!(matches!(read, Err(ConversationError::Unavailable(_))), "{read:?}");
    assert!(store.snapshot().damage.is_some());
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
