//! One turn of a conversation at a time, in the order of asking.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use crate::message::TurnHold;
use crate::model::ConversationId;

type Gate = Arc<tokio::sync::Mutex<()>>;

/// Who has a turn at present. Cheap to clone. Holds only conversations somebody holds or waits for.
#[derive(Debug, Clone, Default)]
pub struct TurnLocks {
    gates: Arc<Mutex<HashMap<ConversationId, Gate>>>,
}

impl TurnLocks {
    /// Waits for a turn of `id`, at most for `deadline`; first come, first served.
    pub async fn take(&self, id: ConversationId, deadline: Duration) -> Option<TurnHold> {
        let gate = Arc::clone(self.gates.lock().entry(id).or_default());
        let mut held = Held { locks: self.clone(), id, turn: None };
        held.turn = tokio::time::timeout(deadline, gate.lock_owned()).await.ok();
        held.turn.is_some().then(|| TurnHold::new(held))
    }

    /// Returns how many conversations have a turn under way.
    pub fn under_way(&self) -> usize {
        self.gates.lock().len()
    }
}

/// A turn, or the wait for one.
struct Held {
    locks: TurnLocks,
    id: ConversationId,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.turn = None;
        let mut gates = self.locks.gates.lock();
        // Nobody can come between: new askers take the same lock first.
        if gates.get(&self.id).is_some_and(|gate| Arc::strong_count(gate) == 1) {
            gates.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ConversationId = ConversationId::new([1; 32]);
    const OTHER: ConversationId = ConversationId::new([2; 32]);
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn turns_of_one_conversation_come_one_after_another() {
        let locks = TurnLocks::default();
        let first = locks.take(ID, SECOND).await.expect("a turn");
        let other = locks.take(OTHER, SECOND).await.expect("another's turn");
        assert!(locks.take(ID, SECOND).await.is_none(), "not while it is held");
        let waiting = locks.take(ID, SECOND);
        let (second, ()) = tokio::join!(waiting, async { drop(first) });
        assert!(second.is_some(), "it comes when the one before has gone");
        drop(second);
        drop(other);
        assert_eq!(locks.under_way(), 0, "nothing is left behind");
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_leaves_nothing() {
        let locks = TurnLocks::default();
        let first = locks.take(ID, SECOND).await.expect("a turn");
        assert!(locks.take(ID, SECOND).await.is_none());
        assert_eq!(locks.under_way(), 1);
        drop(first);
        assert_eq!(locks.under_way(), 0);
    }
}
