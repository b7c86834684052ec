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
    use proptest::prelude::*;
    use tokio::time::{Instant, sleep};

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

    /// Somebody who asks for a turn.
    #[derive(Debug, Clone, Copy)]
    struct Asker {
        id: u8,
        comes_ms: u64,
        waits_ms: u64,
        holds_ms: u64,
    }

    fn asker() -> impl Strategy<Value = Asker> {
        (0_u8..3, 0_u64..60, 0_u64..40, 0_u64..20).prop_map(|(id, comes_ms, waits_ms, holds_ms)| {
            Asker { id, comes_ms, waits_ms, holds_ms }
        })
    }

    /// What became of the askers of each conversation.
    #[derive(Default)]
    struct Seen {
        /// Who came, in order.
        came: Vec<usize>,
        /// Who got a turn, in order.
        held: Vec<usize>,
        holder: Option<usize>,
        /// When the latest turn ended.
        ended: Option<Instant>,
    }

    async fn ask(locks: TurnLocks, seen: Arc<Mutex<Vec<Seen>>>, number: usize, asker: Asker) {
        let Asker { id, comes_ms, waits_ms, holds_ms } = asker;
        let wait = Duration::from_millis(waits_ms);
        sleep(Duration::from_millis(comes_ms)).await;
        let place = usize::from(id);
        seen.lock()[place].came.push(number);
        let since = Instant::now();
        let turn = locks.take(ConversationId::new([id; 32]), wait).await;
        let waited = since.elapsed();
        if turn.is_none() {
            assert!(waited >= wait, "{asker:?} was sent away after {waited:?}");
            let seen = &seen.lock()[place];
            // At the same instant as the end of a turn, the next one may be there without knowing.
            let is_held = seen.holder.is_some() || seen.ended == Some(Instant::now());
            assert!(is_held, "{asker:?} waited for nobody");
            return;
        }
        assert!(waited <= wait + Duration::from_millis(1), "{asker:?} waited {waited:?}");
        let before = seen.lock()[place].holder.replace(number);
        assert_eq!(before, None, "{asker:?} is beside another");
        seen.lock()[place].held.push(number);
        sleep(Duration::from_millis(holds_ms)).await;
        let ended = Some(Instant::now());
        seen.lock()[place].holder = None;
        seen.lock()[place].ended = ended;
        drop(turn);
    }

    proptest! {
        #[test]
        fn one_at_a_time_in_the_order_of_asking_and_nothing_is_left(
            askers in prop::collection::vec(asker(), 0..40),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build();
            runtime.expect("a runtime").block_on(async {
                let (locks, seen) = (TurnLocks::default(), Arc::<Mutex<Vec<Seen>>>::default());
                seen.lock().resize_with(3, Seen::default);
                let all = (0..)
                    .zip(askers)
                    .map(|(number, asker)| ask(locks.clone(), Arc::clone(&seen), number, asker));
                futures_util::future::join_all(all).await;
                assert_eq!(locks.under_way(), 0);
                for Seen { came, held, .. } in seen.lock().iter() {
                    let in_order: Vec<_> = came.iter().filter(|it| held.contains(it)).collect();
                    assert_eq!(held.iter().collect::<Vec<_>>(), in_order);
                }
            });
        }
    }
}
