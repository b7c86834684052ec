//! Rows on their way to the database: bounded in bytes, taken in batches.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::queries::Row;

/// Rows that wait, and those in the hand of the writer.
///
/// There is no timer: whoever queues the first row schedules the writer, and while it commits one
/// batch the next one gathers. A *turn* is one run of the writer. A turn that hangs is given up;
/// what it reports later no longer counts.
#[derive(Debug)]
pub(super) struct WriteQueue {
    state: Mutex<State>,
    /// Rows written or given up since the start, in the order they were queued.
    settled: watch::Sender<u64>,
    max_bytes: usize,
    batch_records: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Row>,
    bytes_waiting: usize,
    rows_in_hand: usize,
    bytes_in_hand: usize,
    rows_accepted: u64,
    turn: u64,
    is_scheduled: bool,
}

/// Which run of the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn(u64);

impl WriteQueue {
    /// Creates an empty queue of at most `max_bytes`, taken `batch_records` at a time.
    pub(super) fn new(max_bytes: usize, batch_records: usize) -> Self {
        Self {
            state: Mutex::default(),
            settled: watch::Sender::new(0),
            max_bytes,
            batch_records: batch_records.max(1),
        }
    }

    /// Queues `row`; returns false, and drops it, when the queue is full.
    pub(super) fn push(&self, row: Row) -> bool {
        let mut state = self.state.lock();
        let held = state.bytes_waiting.saturating_add(state.bytes_in_hand);
        if held.saturating_add(row.size_bytes) > self.max_bytes {
            return false;
        }
        state.bytes_waiting += row.size_bytes;
        state.rows_accepted += 1;
        state.waiting.push_back(row);
        true
    }

    /// Returns a turn if there are rows and no turn is under way.
    pub(super) fn schedule(&self) -> Option<Turn> {
        let mut state = self.state.lock();
        if state.is_scheduled || state.waiting.is_empty() {
            return None;
        }
        state.is_scheduled = true;
        state.turn += 1;
        Some(Turn(state.turn))
    }

    /// Takes the batch of `turn`; empty when the turn was given up.
    pub(super) fn take(&self, turn: Turn) -> Vec<Row> {
        let mut state = self.state.lock();
        if Turn(state.turn) != turn {
            return Vec::new();
        }
        let num_rows = state.waiting.len().min(self.batch_records);
        let rows: Vec<Row> = state.waiting.drain(..num_rows).collect();
        let bytes: usize = rows.iter().map(|row| row.size_bytes).sum();
        state.bytes_waiting = state.bytes_waiting.saturating_sub(bytes);
        state.rows_in_hand = rows.len();
        state.bytes_in_hand = bytes;
        rows
    }

    /// Notes that the rows of `turn` are written or dropped; returns how many of them counted.
    pub(super) fn settle(&self, turn: Turn) -> u64 {
        let mut state = self.state.lock();
        if Turn(state.turn) == turn { self.settle_hand(&mut state) } else { 0 }
    }

    /// Ends `turn`, so that the next one can be scheduled.
    pub(super) fn end(&self, turn: Turn) {
        let mut state = self.state.lock();
        if Turn(state.turn) == turn {
            state.is_scheduled = false;
        }
    }

    /// Gives the present turn up; returns how many rows that loses.
    pub(super) fn give_up_turn(&self) -> u64 {
        let mut state = self.state.lock();
        let lost = self.settle_hand(&mut state);
        state.turn += 1;
        state.is_scheduled = false;
        lost
    }

    /// Returns rows and bytes that are neither written nor dropped.
    pub(super) fn pending(&self) -> (u64, u64) {
        let state = self.state.lock();
        let rows = state.waiting.len() + state.rows_in_hand;
        let bytes = state.bytes_waiting + state.bytes_in_hand;
        (u64::try_from(rows).unwrap_or(u64::MAX), u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// Waits until all rows queued before the call are written or given up.
    pub(super) async fn flushed(&self) {
        let target = self.state.lock().rows_accepted;
        let mut settled = self.settled.subscribe();
        // Fails only when the sender is gone, and that is here.
        let _ = settled.wait_for(|settled| *settled >= target).await;
    }

    fn settle_hand(&self, state: &mut State) -> u64 {
        let rows = u64::try_from(state.rows_in_hand).unwrap_or(u64::MAX);
        state.rows_in_hand = 0;
        state.bytes_in_hand = 0;
        self.settled.send_modify(|settled| *settled = settled.saturating_add(rows));
        rows
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::model::{CacheKey, Entry, Freshness};

    fn row(size_bytes: usize) -> Row {
        let entry = Entry {
            key: CacheKey::new([0; 32]),
            status: 200,
            body: Bytes::new(),
            freshness: Freshness {
                made_wall_ms: 0,
                lifetime: Duration::ZERO.into(),
                ..Freshness::default()
            },
            ..Entry::default()
        };
        Row { entry: Arc::new(entry), packed: None, stored_at_ms: 0, expires_at_ms: 0, size_bytes }
    }

    #[test]
    fn rows_in_hand_count_against_the_bound_until_they_are_settled() {
        let queue = WriteQueue::new(100, 10);
        assert!(queue.push(row(60)));
        assert!(!queue.push(row(60)));
        let turn = queue.schedule().unwrap();
        assert_eq!(queue.schedule(), None, "one turn at a time");
        assert_eq!(queue.take(turn).len(), 1);
        assert!(!queue.push(row(60)));
        assert_eq!(queue.pending(), (1, 60));
        assert_eq!(queue.settle(turn), 1);
        assert!(queue.push(row(60)));
    }

    #[test]
    fn a_turn_that_was_given_up_no_longer_counts() {
        let queue = WriteQueue::new(100, 1);
        assert!(queue.push(row(1)) && queue.push(row(1)));
        let hanging = queue.schedule().unwrap();
        assert_eq!(queue.take(hanging).len(), 1);
        assert_eq!(queue.give_up_turn(), 1);
        let next = queue.schedule().unwrap();
        assert_eq!(queue.take(next).len(), 1);
        assert_eq!(queue.settle(hanging), 0);
        queue.end(hanging);
        assert_eq!(queue.pending(), (1, 1), "the second row is in the new turn's hand");
        assert_eq!(queue.settle(next), 1);
    }

    #[tokio::test]
    async fn a_flush_waits_for_what_was_queued_before_it_and_no_longer() {
        let queue = WriteQueue::new(100, 1);
        queue.flushed().await;
        assert!(queue.push(row(1)));
        let flushed = queue.flushed();
        let mut flushed = std::pin::pin!(flushed);
        assert!(futures_util::FutureExt::now_or_never(flushed.as_mut()).is_none());
        assert!(queue.push(row(1)));
        let turn = queue.schedule().unwrap();
        queue.take(turn);
        queue.settle(turn);
        flushed.await;
        assert_eq!(queue.pending(), (1, 1));
    }
}
