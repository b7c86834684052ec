//! The conversations' actor on a clock that the test moves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor as _, Addr};
use anteroom_actors::clock::{ManualClock, SharedClock};
use anteroom_actors::conversation::ConversationActor;
use anteroom_actors::error::ConversationError;
use anteroom_actors::message::{
    ActorState, Append, CleanUp, ConversationHandle, Flush, Forget, Look, Ping, Recall, Report,
    TurnHold, ask,
};
use anteroom_actors::model::{ConversationId, History, Turn};
use anteroom_actors::settings::{ConversationSettings, Database};
use bytes::Bytes;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
const LIFETIME: Duration = Duration::from_secs(3_600);
const ID: ConversationId = ConversationId::new([1; 32]);

struct Stage {
    handle: ConversationHandle,
    actor: Addr<ConversationActor>,
}

impl Stage {
    fn start(folder: &Path, clock: &Arc<ManualClock>) -> Self {
        let settings = ConversationSettings {
            database: Database::Sqlite(folder.join("conversations.db")),
            max_history: 4,
            max_bytes: 100,
            lifetime: LIFETIME,
            memory_count: 10,
            memory_bytes: 1 << 20,
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
        };
        let clock = Arc::clone(clock) as SharedClock;
        let actor = ConversationActor::new(&settings, clock).start();
        let handle = ConversationHandle::new();
        ConversationActor::connect(&actor, &handle);
        Self { handle, actor }
    }

    async fn recall(&self, wait: Duration) -> Result<(History, TurnHold), ConversationError> {
        ask(&self.handle.recall, Recall { id: ID, wait }, PATIENCE).await.expect("an answer")
    }

    async fn append(
        &self,
        (history, hold): (History, TurnHold),
        text: &str,
    ) -> Result<(), ConversationError> {
        let body = Bytes::from(text.to_owned());
        let turn = Turn { messages: 2, opens: true, body };
        let append =
            Append { id: ID, after: history.version(), system: history.system, turn, hold };
        ask(&self.handle.append, append, PATIENCE).await.expect("an answer")
    }

    async fn say(&self, text: &str) -> Result<(), ConversationError> {
        let begun = self.recall(PATIENCE).await?;
        self.append(begun, text).await
    }

    async fn look(&self) -> Option<(u64, Vec<Bytes>)> {
        let look = ask(&self.handle.look, Look { id: ID }, PATIENCE).await.expect("an answer");
        let history = look.expect("a database")?;
        Some((history.turns, history.recent.into_iter().map(|turn| turn.body).collect()))
    }

    async fn report(&self) -> Report {
        self.actor.send(Ping).await.expect("an answer")
    }
}

fn counter(report: &Report, name: &str) -> u64 {
    let found = report.counters.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no {name} in {report:?}")).1
}

#[actix_rt::test]
async fn turns_are_told_back_until_their_lifetime_is_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = ManualClock::new();
    let stage = Stage::start(folder.path(), &clock);
    assert_eq!(stage.look().await, None);
    for text in ["a", "b", "c"] {
        stage.say(text).await.expect("a turn");
        clock.advance(LIFETIME / 2);
    }
    let sent_along = vec![Bytes::from("b"), Bytes::from("c")];
    assert_eq!(stage.look().await, Some((3, sent_along.clone())), "two turns of two messages");
    let report = stage.report().await;
    assert_eq!(report.state, ActorState::Running);
    for (name, value) in
        [("recalls", 3), ("appends", 3), ("turns_written", 3), ("in_memory", 1), ("memory_hits", 3)]
    {
        assert_eq!(counter(&report, name), value, "{name}");
    }
    // Another actor on the same file knows nothing but what is written there.
    let again = Stage::start(folder.path(), &clock);
    assert_eq!(again.look().await, Some((3, sent_along)));
    clock.advance(LIFETIME / 2);
    assert_eq!((stage.look().await, again.look().await), (None, None));
    stage.say("anew").await.expect("a turn");
    assert_eq!(stage.look().await, Some((1, vec![Bytes::from("anew")])));
    assert_eq!(again.look().await, Some((1, vec![Bytes::from("anew")])));
}

#[actix_rt::test]
async fn a_turn_waits_for_the_one_before_or_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::start(folder.path(), &ManualClock::new());
    let first = stage.recall(PATIENCE).await.expect("a turn");
    let busy = stage.recall(Duration::ZERO).await.map(|_| ());
    assert_eq!(busy, Err(ConversationError::Busy { waited: Duration::ZERO }));
    assert_eq!(counter(&stage.report().await, "turns_under_way"), 1);
    let forget = Forget { id: ID, wait: Duration::ZERO };
    let busy = ask(&stage.handle.forget, forget, PATIENCE).await.expect("an answer");
    assert_eq!(busy, Err(ConversationError::Busy { waited: Duration::ZERO }));
    let (second, ended) = tokio::join!(stage.recall(PATIENCE), stage.append(first, "a"));
    ended.expect("the first turn");
    let second = second.expect("the second turn");
    assert_eq!(second.0.turns, 1, "it has heard the first");
    // Who gives up writes nothing, and the next one may.
    drop(second);
    stage.say("b").await.expect("a turn");
    assert_eq!(stage.look().await.map(|(turns, _)| turns), Some(2));
    assert_eq!(counter(&stage.report().await, "turns_under_way"), 0);
}

/// What leaves memory is still in the database.
#[actix_rt::test]
async fn histories_leave_memory_when_it_is_short() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::start(folder.path(), &ManualClock::new());
    stage.say("a").await.expect("a turn");
    let clean_up = async |target_bytes| {
        let clean_up = CleanUp { target_bytes };
        ask(&stage.handle.clean_up, clean_up, PATIENCE).await.expect("an answer")
    };
    let bytes = counter(&stage.report().await, "bytes");
    assert!(bytes > 0);
    assert_eq!(clean_up(0).await, 0, "none without need");
    assert_eq!(clean_up(1).await, bytes);
    let report = stage.report().await;
    for (name, value) in [("bytes", 0), ("in_memory", 0), ("evictions", 1)] {
        assert_eq!(counter(&report, name), value, "{name}");
    }
    assert_eq!(stage.look().await, Some((1, vec![Bytes::from("a")])));
}

#[actix_rt::test]
async fn a_conversation_is_bounded_and_can_be_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::start(folder.path(), &ManualClock::new());
    let forget = async || {
        let forget = Forget { id: ID, wait: PATIENCE };
        ask(&stage.handle.forget, forget, PATIENCE).await.expect("an answer")
    };
    assert_eq!(forget().await, Ok(false));
    stage.say(&"x".repeat(100)).await.expect("a turn");
    assert_eq!(stage.say("more").await, Err(ConversationError::Full { most: 100 }));
    assert_eq!(forget().await, Ok(true));
    assert_eq!(stage.look().await, None);
    assert_eq!(counter(&stage.report().await, "in_memory"), 0);
    stage.say("anew").await.expect("a turn");
    ask(&stage.handle.flush, Flush, PATIENCE).await.expect("an answer");
    assert_eq!(stage.report().await.pending, 0);
}
