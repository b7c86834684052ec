//! The store of conversations: what is committed stays, and many commit together.
//!
//! Turns that come while a transaction is being committed are written by the next one. Each is
//! answered when its transaction has reached the disk.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::connection::{Connection, Opener, Purpose};
use super::conversation_queries::{self as queries, Found, NewTurn};
use super::crew::{Crew, Ground, Job, Question};
use super::failure::Failure;
use crate::clock::SharedClock;
use crate::error::{ConversationError, LevelError};
use crate::model::{ConversationId, HistoryVersion, Purges, Turn};
use crate::settings::ConversationSettings;

/// Longest wait for an answer of the database's threads, in which a server may fail over.
const ANSWER: Duration = Duration::from_secs(5);
/// Most turns that wait to be committed.
const MAX_PENDING: usize = 900;
/// Most turns committed by one transaction.
const MAX_BATCH: usize = 256;
/// Threads that read.
const READERS: usize = 2;
/// Time between two sweeps, and how many conversations each removes.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
const SWEEP_BATCH: u64 = 100;

const WRITING: &str = "a turn of a conversation";
const READING: &str = "a conversation";

/// The store of conversations. Dropping it lets its threads write what is queued and end.
pub struct Conversations {
    settings: ConversationSettings,
    ground: Arc<Ground>,
    readers: Crew,
    writer: Crew,
    shared: Arc<Shared>,
    next_sweep: Mutex<Instant>,
}

/// What a [`Conversations`] tells about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConversationsSnapshot {
    /// Turns committed.
    pub written: u64,
    /// Transactions they were committed by.
    pub commits: u64,
    /// Turns that wait to be committed.
    pub pending: u64,
    /// Conversations removed because their lifetime was over.
    pub expired: u64,
    /// Threads that hang in a call at present and were replaced.
    pub hanging_threads: u64,
    /// Why the last write failed, until one succeeds.
    pub trouble: Option<String>,
    /// Why the file cannot be used until the next start.
    pub damage: Option<String>,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<VecDeque<Pending>>,
    written: AtomicU64,
    commits: AtomicU64,
    expired: AtomicU64,
    trouble: Mutex<Option<String>>,
}

struct Pending {
    new: NewTurn,
    reply: oneshot::Sender<Result<bool, Failure>>,
}

/// Commits what waits; a later one may find that nothing is left.
struct Commit(Arc<Shared>);

impl Job for Commit {
    fn run(self: Box<Self>, connection: Result<&mut Connection, Failure>) -> Result<(), Failure> {
        let shared = self.0;
        let batch: Vec<Pending> = {
            let mut pending = shared.pending.lock();
            let many = pending.len().min(MAX_BATCH);
            pending.drain(..many).collect()
        };
        if batch.is_empty() {
            return connection.map(|_| ());
        }
        let (new, replies): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|pending| (pending.new, pending.reply)).unzip();
        let written = connection.and_then(|open| {
            queries::append(open, &new).map_err(|error| Failure::of_statement(&error, ANSWER))
        });
        let outcome = written.as_ref().map(|_| ()).map_err(Clone::clone);
        shared.note(written.as_deref());
        for (index, reply) in replies.into_iter().enumerate() {
            let answer = match &written {
                Ok(written) => Ok(written.get(index).copied().unwrap_or_default()),
                Err(failure) => Err(failure.clone()),
            };
            // Fails only when the asker has left meanwhile.
            let _ = reply.send(answer);
        }
        outcome
    }
}

impl Shared {
    fn note(&self, written: Result<&[bool], &Failure>) {
        match written {
            Ok(written) => {
                let num = written.iter().filter(|is_there| **is_there).count();
                self.written.fetch_add(u64::try_from(num).unwrap_or_default(), Ordering::Relaxed);
                self.commits.fetch_add(1, Ordering::Relaxed);
                *self.trouble.lock() = None;
            }
            Err(failure) => {
                let text = failure.clone().into_level_error(WRITING).to_string();
                *self.trouble.lock() = Some(text);
            }
        }
    }
}

impl Conversations {
    /// Starts the threads, which open the database at once. Never waits; a database that cannot
    /// be opened is tried again by whatever is asked next.
    pub fn start(settings: &ConversationSettings, clock: SharedClock) -> Self {
        let ground = Arc::new(Ground {
            opener: Opener::of_conversations(settings),
            purges: Purges::new(1),
            damage: OnceLock::new(),
            abandoned: AtomicUsize::new(0),
            clock,
        });
        let crew = |size| Crew::start(Purpose::Conversing, size, Arc::clone(&ground));
        Self {
            settings: settings.clone(),
            readers: crew(READERS),
            writer: crew(1),
            shared: Arc::default(),
            next_sweep: Mutex::new(ground.clock.now()),
            ground,
        }
    }

    /// Returns a conversation, and as many of its latest turns as may be sent along, unless it is
    /// the version that is `known`.
    ///
    /// # Errors
    ///
    /// [`ConversationError::Unavailable`].
    pub async fn read(
        &self,
        id: ConversationId,
        known: Option<HistoryVersion>,
    ) -> Result<Found, ConversationError> {
        let wall_ms = self.ground.clock.wall_ms();
        let most = self.settings.max_history;
        let read = move |open: &mut Connection| queries::read(open, id, known, most, wall_ms);
        self.ask(&self.readers, READING, read).await
    }

    /// Commits the turn that follows `after`, with others that wait. Returns the version it makes, and
    /// until when the conversation is kept now, in wall-clock ms.
    ///
    /// # Errors
    ///
    /// [`ConversationError::Changed`] where it is not the next one,
    /// [`ConversationError::Unavailable`] where nobody knows whether it is there.
    pub async fn append(
        &self,
        id: ConversationId,
        after: HistoryVersion,
        system: bytes::Bytes,
        turn: Turn,
    ) -> Result<(HistoryVersion, u64), ConversationError> {
        self.check_sound()?;
        let wall_ms = self.ground.clock.wall_ms();
        let lifetime = u64::try_from(self.settings.lifetime.as_millis()).unwrap_or(u64::MAX);
        let expires_at_ms = wall_ms.saturating_add(lifetime);
        let number = after.turns.saturating_add(1);
        let incarnation = if after.turns == 0 { new_incarnation() } else { after.incarnation };
        let new = NewTurn { id, number, incarnation, system, turn, wall_ms, expires_at_ms };
        let (reply, answer) = oneshot::channel();
        {
            let mut pending = self.shared.pending.lock();
            if pending.len() >= MAX_PENDING {
                return Err(unavailable(LevelError::Overloaded("the conversations")));
            }
            pending.push_back(Pending { new, reply });
        }
        // Where it is refused, those queued before it write this turn too.
        let _ = self.writer.push(Box::new(Commit(Arc::clone(&self.shared))));
        match answered(answer, WRITING).await? {
            true => Ok((HistoryVersion { incarnation, turns: number }, expires_at_ms)),
            false => Err(ConversationError::Changed),
        }
    }

    /// Removes a conversation; tells whether there was one.
    ///
    /// # Errors
    ///
    /// [`ConversationError::Unavailable`].
    pub async fn forget(&self, id: ConversationId) -> Result<bool, ConversationError> {
        let wall_ms = self.ground.clock.wall_ms();
        self.ask(&self.writer, READING, move |open| queries::forget(open, id, wall_ms)).await
    }

    /// Waits until the turns queued so far are committed or given up: there is one writer, which takes
    /// its work in order. No longer than an answer may take; each turn has a caller who is told.
    pub async fn flush(&self) {
        let _ = self.ask(&self.writer, WRITING, |_| Ok(())).await;
    }

    /// Does what is due at this moment: replaces threads that hang, sweeps. To be called a few
    /// times a second; returns at once.
    pub fn tend(&self) {
        self.readers.replace_stuck();
        self.writer.replace_stuck();
        let now = self.ground.clock.now();
        let mut next_sweep = self.next_sweep.lock();
        if now < *next_sweep {
            return;
        }
        *next_sweep = now.checked_add(SWEEP_EVERY).unwrap_or(now);
        let _ = self.writer.push(Box::new(Sweep {
            shared: Arc::clone(&self.shared),
            wall_ms: self.ground.clock.wall_ms(),
        }));
    }

    /// Returns the present numbers.
    pub fn snapshot(&self) -> ConversationsSnapshot {
        let shared = &self.shared;
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        ConversationsSnapshot {
            written: shared.written.load(Ordering::Relaxed),
            commits: shared.commits.load(Ordering::Relaxed),
            pending: count(shared.pending.lock().len()),
            expired: shared.expired.load(Ordering::Relaxed),
            hanging_threads: count(self.ground.abandoned.load(Ordering::Relaxed)),
            trouble: shared.trouble.lock().clone(),
            damage: self.ground.damage.get().cloned(),
        }
    }

    async fn ask<T, F>(
        &self,
        crew: &Crew,
        what: &'static str,
        work: F,
    ) -> Result<T, ConversationError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> diesel::QueryResult<T> + Send + 'static,
    {
        self.check_sound()?;
        let (reply, answer) = oneshot::channel();
        let work = move |open: &mut Connection| {
            work(open).map_err(|error| Failure::of_statement(&error, ANSWER))
        };
        if !crew.push(Box::new(Question { reply, work })) {
            return Err(unavailable(LevelError::Overloaded("the conversations")));
        }
        answered(answer, what).await
    }

    fn check_sound(&self) -> Result<(), ConversationError> {
        match self.ground.damage.get() {
            Some(_) => Err(unavailable(LevelError::Skipped("the conversations' file is damaged"))),
            None => Ok(()),
        }
    }
}

impl Drop for Conversations {
    fn drop(&mut self) {
        self.readers.close();
        self.writer.close();
    }
}

/// Removes what has expired.
struct Sweep {
    shared: Arc<Shared>,
    wall_ms: u64,
}

impl Job for Sweep {
    fn run(self: Box<Self>, connection: Result<&mut Connection, Failure>) -> Result<(), Failure> {
        let swept = queries::sweep(connection?, SWEEP_BATCH, self.wall_ms)
            .map_err(|error| Failure::of_statement(&error, ANSWER))?;
        self.shared.expired.fetch_add(u64::try_from(swept).unwrap_or_default(), Ordering::Relaxed);
        Ok(())
    }
}

/// Returns a random number between 1 and the largest that the databases take. Each [`RandomState`] has
/// keys of its own.
fn new_incarnation() -> u64 {
    (RandomState::new().build_hasher().finish() >> 1).max(1)
}

fn unavailable(error: LevelError) -> ConversationError {
    ConversationError::Unavailable(error)
}

async fn answered<T>(
    answer: oneshot::Receiver<Result<T, Failure>>,
    what: &'static str,
) -> Result<T, ConversationError> {
    match tokio::time::timeout(ANSWER, answer).await {
        Ok(Ok(answer)) => answer.map_err(|failure| unavailable(failure.into_level_error(what))),
        Ok(Err(_gone)) => {
            let reason = "its thread failed".to_owned();
            Err(unavailable(LevelError::Refused { what, reason }))
        }
        Err(_) => Err(unavailable(LevelError::TimedOut { what, waited: ANSWER })),
    }
}

#[cfg(test)]
#[path = "tests/conversations.rs"]
mod tests;
