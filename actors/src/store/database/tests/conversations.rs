//! Turns in a file: in order, whole, bounded in time.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::clock::SystemClock;
use crate::settings::Database;

const ID: ConversationId = ConversationId::new([1; 32]);

fn settings(folder: &tempfile::TempDir) -> ConversationSettings {
    ConversationSettings {
        database: Database::Sqlite(folder.path().join("conversations.db")),
        max_history: 50,
        max_bytes: 1 << 20,
        lifetime: Duration::from_secs(60),
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

async fn bodies(store: &Conversations) -> Vec<Bytes> {
    let history = store.read(ID).await.expect("a file").unwrap_or_default();
    history.recent.into_iter().map(|turn| turn.body).collect()
}

#[tokio::test]
async fn turns_come_back_in_order_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = settings(&folder);
    let store = open(&settings);
    assert_eq!(store.read(ID).await, Ok(None));
    for (number, text) in (1..).zip(["a", "b", "c"]) {
        store.append(ID, number, Bytes::new(), turn(text)).await.expect("the next turn");
    }
    drop(store);
    let store = open(&settings);
    assert_eq!(bodies(&store).await, ["a", "b", "c"]);
    let history = store.read(ID).await.expect("a file").expect("a history");
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
    let append = |number, text| store.append(ID, number, Bytes::new(), turn(text));
    assert_eq!(append(2, "early").await, Err(ConversationError::Changed));
    assert_eq!(append(1, "a").await, Ok(()));
    assert_eq!(append(1, "again").await, Err(ConversationError::Changed));
    assert_eq!(append(3, "early").await, Err(ConversationError::Changed));
    assert_eq!(append(2, "b").await, Ok(()));
    assert_eq!(bodies(&store).await, ["a", "b"]);
}

#[tokio::test]
async fn who_comes_while_a_commit_is_under_way_shares_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&settings(&folder));
    let ids = (0..100).map(|number| ConversationId::new([number; 32]));
    let all = ids.map(|id| store.append(id, 1, Bytes::new(), turn("a")));
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
    store.append(ID, 1, Bytes::new(), turn("a")).await.expect("the first turn");
    assert_eq!(store.forget(ID).await, Ok(true));
    assert_eq!(store.forget(ID).await, Ok(false));
    assert_eq!(store.append(ID, 2, Bytes::new(), turn("b")).await, Err(ConversationError::Changed));
    drop(store);
    settings.lifetime = Duration::ZERO;
    let store = open(&settings);
    store.append(ID, 1, Bytes::new(), turn("c")).await.expect("the first turn");
    assert_eq!(store.read(ID).await, Ok(None), "its lifetime is over");
    store.append(ID, 1, Bytes::new(), turn("d")).await.expect("the first turn again");
}

#[tokio::test]
async fn a_damaged_file_stays_where_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = settings(&folder);
    let file = folder.path().join("conversations.db");
    std::fs::write(&file, b"this is no database at all, and long enough".repeat(100))
        .expect("a file");
    let store = open(&settings);
    let read = store.read(ID).await;
    assert!(matches!(read, Err(ConversationError::Unavailable(_))), "{read:?}");
    assert!(store.snapshot().damage.is_some());
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
