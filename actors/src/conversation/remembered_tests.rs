//! What memory says is what the database says, whoever else writes there.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::ManualClock;
use crate::settings::Database;

const LIFETIME: Duration = Duration::from_secs(60);

fn id(number: u8) -> ConversationId {
    ConversationId::new([number; 32])
}

fn turn(messages: u64, opens: bool, text: &str) -> Turn {
    Turn { messages, opens, body: Bytes::from(text.to_owned()) }
}

fn settings(folder: &tempfile::TempDir) -> ConversationSettings {
    ConversationSettings {
        database: Database::Sqlite(folder.path().join("conversations.db")),
        max_history: 6,
        max_bytes: 1 << 20,
        lifetime: LIFETIME,
        memory_count: 2,
        memory_bytes: 1 << 20,
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(1),
    }
}

fn start(settings: &ConversationSettings, clock: &Arc<ManualClock>) -> Remembered {
    Remembered::start(settings, Arc::clone(clock) as SharedClock)
}

/// Begins or goes on with what this one believes was said.
async fn say(on: &Remembered, id: ConversationId, turn: Turn) -> Result<(), ConversationError> {
    let before = on.read(id).await.expect("a database").unwrap_or_default();
    on.append(id, before.version(), Bytes::from_static(b"system"), turn).await
}

#[tokio::test]
async fn what_is_in_memory_is_not_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = ManualClock::new();
    let conversations = start(&settings(&folder), &clock);
    say(&conversations, id(1), turn(2, true, "a")).await.expect("the first turn");
    say(&conversations, id(1), turn(2, true, "b")).await.expect("the second turn");
    let InMemory { count, hits, .. } = conversations.in_memory();
    assert_eq!((count, hits), (1, 1), "once, before the second turn");
    assert!(conversations.free_memory(1) > 0);
    let read = conversations.read(id(1)).await.expect("a database").expect("a history");
    assert_eq!(read.recent.len(), 2, "from the database");
    assert_eq!(conversations.in_memory().hits, 1);
    assert_eq!(conversations.in_memory().evictions, 1);
}

#[tokio::test]
async fn a_conversation_whose_lifetime_is_over_is_not_remembered() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = ManualClock::new();
    let conversations = start(&settings(&folder), &clock);
    say(&conversations, id(1), turn(2, true, "a")).await.expect("the first turn");
    clock.advance(LIFETIME);
    assert_eq!(conversations.read(id(1)).await, Ok(None));
    assert_eq!(conversations.in_memory().count, 0);
}

/// Removed and begun anew elsewhere, with as many turns: the turn under way belongs to neither.
#[tokio::test]
async fn a_turn_is_not_added_to_another_conversation_of_the_same_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (clock, settings) = (ManualClock::new(), settings(&folder));
    let (one, other) = (start(&settings, &clock), start(&settings, &clock));
    say(&one, id(1), turn(2, true, "a")).await.expect("the first turn");
    let before = one.read(id(1)).await.expect("a database").expect("a history");
    assert_eq!(other.forget(id(1)).await, Ok(true));
    say(&other, id(1), turn(2, true, "anew")).await.expect("the first turn");
    let late = one.append(id(1), before.version(), Bytes::new(), turn(2, true, "b")).await;
    assert_eq!(late, Err(ConversationError::Changed));
    let read = one.read(id(1)).await.expect("a database").expect("a history");
    assert_eq!(read.recent, [turn(2, true, "anew")]);
}

#[derive(Debug, Clone)]
enum Step {
    Say { on: usize, id: u8, messages: u64, opens: bool },
    Forget { on: usize, id: u8 },
    FreeMemory { on: usize },
    Wait { secs: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let on = || 0_usize..2;
    let id = || 0_u8..4;
    let step = prop_oneof![
        6 => (on(), id(), 1_u64..4, any::<bool>())
            .prop_map(|(on, id, messages, opens)| Step::Say { on, id, messages, opens }),
        1 => (on(), id()).prop_map(|(on, id)| Step::Forget { on, id }),
        1 => on().prop_map(|on| Step::FreeMemory { on }),
        1 => (1_u64..50).prop_map(|secs| Step::Wait { secs }),
    ];
    prop::collection::vec(step, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Two gateways with memory and one without, on one database: all see the same at all times.
    #[test]
    fn memory_never_says_another_thing_than_the_database(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let folder = tempfile::tempdir().expect("a folder");
            let (clock, settings) = (ManualClock::new(), settings(&folder));
            let gateways = [start(&settings, &clock), start(&settings, &clock)];
            let plain = ConversationSettings { memory_count: 0, ..settings };
            let plain = start(&plain, &clock);
            for (serial, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Say { on, id: number, messages, opens } => {
                        let said = turn(messages, opens, &format!("turn {serial}"));
                        say(&gateways[on], id(number), said).await.expect("nobody else is at it");
                    }
                    Step::Forget { on, id: number } => {
                        gateways[on].forget(id(number)).await.expect("a database");
                    }
                    Step::FreeMemory { on } => {
                        gateways[on].free_memory(u64::MAX);
                    }
                    Step::Wait { secs } => clock.advance(Duration::from_secs(secs)),
                }
                for number in 0..4 {
                    let expected = plain.read(id(number)).await.expect("a database");
                    for gateway in &gateways {
                        let read = gateway.read(id(number)).await.expect("a database");
                        assert_eq!(read, expected, "conversation {number} after step {serial}");
                        assert!(gateway.in_memory().count <= 2);
                    }
                }
            }
            assert_eq!(plain.in_memory().hits, 0);
        });
    }
}
