//! Conversations in the database, the recent ones in memory too.
//!
//! Memory is never believed alone: another gateway on the same database may have added a turn, or removed
//! the conversation. The database is asked each time which version it has; only where that is another
//! one are the messages read.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;

use super::history::within;
use super::recent::RecentHistories;
use crate::clock::SharedClock;
use crate::error::ConversationError;
use crate::model::{ConversationId, History, HistoryVersion, Turn};
use crate::settings::ConversationSettings;
use crate::store::{Conversations, ConversationsSnapshot, Found};

/// The conversations of all callers.
pub struct Remembered {
    store: Conversations,
    recent: RefCell<RecentHistories>,
    max_history: u64,
    from_memory: Cell<u64>,
}

/// What of it lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InMemory {
    /// Histories.
    pub count: u64,
    /// Their bytes, overhead included.
    pub bytes: u64,
    /// How often messages did not have to be read from the database.
    pub hits: u64,
    /// How many went to make room or under pressure.
    pub evictions: u64,
}

impl Remembered {
    /// Starts the database's threads, with nothing in memory.
    pub fn start(settings: &ConversationSettings, clock: SharedClock) -> Self {
        let recent = RecentHistories::new(settings.memory_count, settings.memory_bytes);
        Self {
            store: Conversations::start(settings, clock),
            recent: RefCell::new(recent),
            max_history: settings.max_history,
            from_memory: Cell::default(),
        }
    }

    /// Returns a conversation with those of its turns that are sent along; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`ConversationError::Unavailable`].
    pub async fn read(&self, id: ConversationId) -> Result<Option<History>, ConversationError> {
        // Held while the database is asked: it may leave memory meanwhile.
        let held = self.recent.borrow_mut().get(&id);
        let version = held.as_ref().map(|history| history.version());
        match self.store.read(id, version).await? {
            Found::Nothing => {
                self.recent.borrow_mut().remove(&id);
                Ok(None)
            }
            Found::Known => {
                self.from_memory.set(self.from_memory.get().saturating_add(1));
                Ok(held.map(Rc::unwrap_or_clone))
            }
            Found::New(mut history) => {
                self.cut(&mut history);
                self.keep(id, history.clone());
                Ok(Some(history))
            }
        }
    }

    /// Commits the turn that follows `after`.
    ///
    /// # Errors
    ///
    /// [`ConversationError::Changed`] where `after` is not the conversation's version any more,
    /// [`ConversationError::Unavailable`] where nobody knows whether it is there.
    pub async fn append(
        &self,
        id: ConversationId,
        after: HistoryVersion,
        system: Bytes,
        turn: Turn,
    ) -> Result<(), ConversationError> {
        let written = self.store.append(id, after, system.clone(), turn.clone()).await;
        let before = if after.turns == 0 {
            Some(History::default())
        } else {
            let held = self.recent.borrow_mut().get(&id);
            held.filter(|history| history.version() == after).map(Rc::unwrap_or_clone)
        };
        let (Ok((version, expires_at_ms)), Some(before)) = (&written, before) else {
            self.recent.borrow_mut().remove(&id);
            return written.map(|_| ());
        };
        let len = u64::try_from(turn.body.len()).unwrap_or(u64::MAX);
        let mut history = History {
            incarnation: version.incarnation,
            turns: version.turns,
            bytes: before.bytes.saturating_add(len),
            system,
            expires_at_ms: *expires_at_ms,
            recent: before.recent,
        };
        history.recent.push(turn);
        self.cut(&mut history);
        self.keep(id, history);
        Ok(())
    }

    /// Removes a conversation; tells whether there was one.
    ///
    /// # Errors
    ///
    /// [`ConversationError::Unavailable`].
    pub async fn forget(&self, id: ConversationId) -> Result<bool, ConversationError> {
        self.recent.borrow_mut().remove(&id);
        let was_there = self.store.forget(id).await;
        // Somebody may have looked meanwhile.
        self.recent.borrow_mut().remove(&id);
        was_there
    }

    /// Lets histories leave memory until `bytes` are freed or none is left, those used longest ago
    /// first; returns the bytes that went.
    pub fn free_memory(&self, bytes: u64) -> u64 {
        self.recent.borrow_mut().free(bytes)
    }

    /// Waits until the turns queued so far are committed or given up.
    pub async fn flush(&self) {
        self.store.flush().await;
    }

    /// Does what is due at this moment in the database; returns at once.
    pub fn tend(&self) {
        self.store.tend();
    }

    /// Returns the database's numbers.
    pub fn stored(&self) -> ConversationsSnapshot {
        self.store.snapshot()
    }

    /// Returns memory's numbers.
    pub fn in_memory(&self) -> InMemory {
        let recent = self.recent.borrow();
        InMemory {
            count: u64::try_from(recent.count()).unwrap_or(u64::MAX),
            bytes: recent.bytes(),
            hits: self.from_memory.get(),
            evictions: recent.evictions(),
        }
    }

    /// Cuts off the turns that are not sent along. A later turn needs none of them: what is sent along
    /// only loses its oldest.
    fn cut(&self, history: &mut History) {
        let kept = within(&history.recent, self.max_history).len();
        let cut = history.recent.len().saturating_sub(kept);
        history.recent.drain(..cut);
    }

    fn keep(&self, id: ConversationId, history: History) {
        // Without an incarnation its version does not tell it from another one.
        if history.incarnation != 0 {
            self.recent.borrow_mut().put(id, Rc::new(history));
        }
    }
}

#[cfg(test)]
#[path = "remembered_tests.rs"]
mod tests;
