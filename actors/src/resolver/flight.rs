//! A flight: written by the one who calls the origin, read by everyone who waits.
//!
//! A flight ends in one of five ways. *Landed*: the answer is whole. *Failed*: the error goes to
//! everyone; one before any byte lets a follower lead anew. *Not shareable*, known at the head:
//! followers go alone. *Dangling*: the writer was dropped without a word. *Timed out*: a failure
//! that is not worth another try, as everyone has waited for it.
//!
//! Up to the cap the whole answer is kept, so that a late reader begins at its first byte. Past
//! it the flight only passes on: nobody joins any more, and the slowest reader presses back.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::answer_memory::AnswerMemory;
use super::reader::{Reader, Role};
use super::writer::FlightWriter;
use crate::error::OriginError;
use crate::model::{CacheKey, Entry, Labels, Level, Usage};
use crate::origin::Head;

/// Whether a landed answer is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// For so long.
    For(Duration),
    /// Not, for this reason (a token).
    Not(&'static str),
}

/// A kept answer that ends a flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The answer.
    pub entry: Arc<Entry>,
    /// Where it was.
    pub level: Level,
    /// What the origin said in its place, where it was asked.
    pub instead_of: Option<InsteadOf>,
}

/// What the origin said where a kept answer is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InsteadOf {
    /// Label of its failure, `not-modified` for none; a token.
    pub label: &'static str,
    /// Status of its answer, where there was one.
    pub status: Option<u16>,
    /// Whether the kept answer was fresh: the request did not take it as it was.
    pub was_fresh: bool,
}

/// How long the parts of a flight took, and why it went upstream, for the leader's report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Lookups in L1 (the second one), L2, L3; `None` where not asked.
    pub lookups: [Option<Duration>; 3],
    /// From the start of the call to the answer's head.
    pub upstream: Option<Duration>,
    /// Whether a kept answer was fresh that was not served; `None` where there was none.
    pub passed_over: Option<bool>,
    /// From the start of the call to the answer's end.
    pub whole: Option<Duration>,
    /// What the call cost, where the answer says so and is kept.
    pub usage: Option<Usage>,
}

/// How far a flight is.
#[derive(Debug, Clone)]
pub(super) enum Progress {
    /// The levels are asked, or the origin has not answered yet.
    Waiting,
    /// A level had it.
    Found(Found),
    /// The origin's answer has begun.
    Open(Arc<Head>),
}

/// How a flight ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// The answer is whole.
    Landed(Kept),
    /// It is not, and this is why.
    Failed(OriginError),
    /// The writer is gone without a word.
    Dangling,
    /// Nothing is kept, and the request wants nothing else.
    NotKept,
}

/// The number of the first reader.
const LEADER: u64 = 0;

/// What writer and readers share. Every critical section is short and waits for nothing.
pub(super) struct State {
    pub(super) progress: Progress,
    pub(super) end: Option<End>,
    /// The pieces still held; the first of them is number `first`.
    pub(super) pieces: VecDeque<Bytes>,
    pub(super) first: usize,
    pub(super) held_bytes: usize,
    pub(super) memory: AnswerMemory,
    /// The whole answer in one piece, once landed within the cap.
    pub(super) whole: Option<Bytes>,
    /// Set where pieces that all readers have read are dropped, with the reason.
    pub(super) passing_on: Option<&'static str>,
    pub(super) shareable: bool,
    /// Whether the origin has been asked: from then on another try may cost a second call.
    pub(super) called: bool,
    /// Next piece of each reader.
    pub(super) readers: HashMap<u64, usize>,
    next_reader: u64,
    pub(super) timings: Timings,
}

impl State {
    /// Lets the pieces be parts of `whole`: their own memory is not needed any more.
    pub(super) fn share_whole(&mut self, whole: &Bytes) {
        if self.first > 0 || self.held_bytes != whole.len() {
            return;
        }
        let mut rest = whole.clone();
        for piece in &mut self.pieces {
            *piece = rest.split_to(piece.len().min(rest.len()));
        }
    }

    /// Reserves what is held by now; returns why that cannot go on.
    pub(super) fn why_not_recorded(&mut self, most: usize) -> Option<&'static str> {
        if self.held_bytes > most {
            Some("too-large")
        } else if self.memory.record(self.held_bytes) {
            None
        } else {
            Some("memory-short")
        }
    }

    /// Tells whether somebody reads who has joined.
    pub(super) fn is_followed(&self) -> bool {
        self.readers.keys().any(|id| *id != LEADER)
    }

    pub(super) fn drop_read_pieces(&mut self) {
        let slowest = self.readers.values().copied().min().unwrap_or(usize::MAX);
        while self.first < slowest {
            let Some(piece) = self.pieces.pop_front() else { break };
            self.first += 1;
            self.held_bytes -= piece.len();
        }
        self.memory.pass_on(self.held_bytes);
    }

    pub(super) fn cut_slowest(&mut self) {
        if let Some(slowest) = self.readers.values().copied().min() {
            self.readers.retain(|_, next| *next > slowest);
        }
    }
}

/// One upstream call and everyone who waits for it.
pub struct Flight {
    /// What is asked.
    pub key: CacheKey,
    /// What its answer can be purged by.
    pub labels: Labels,
    pub(super) state: Mutex<State>,
    /// Says that the state has changed; readers and the writer listen.
    pub(super) changed: watch::Sender<()>,
}

impl Flight {
    /// Creates a flight with its writer and its first reader, the leader.
    pub fn lead(key: CacheKey, labels: Labels) -> (FlightWriter, Reader) {
        let flight = Arc::new(Self {
            key,
            labels,
            state: Mutex::new(State {
                progress: Progress::Waiting,
                end: None,
                pieces: VecDeque::new(),
                first: 0,
                held_bytes: 0,
                memory: AnswerMemory::default(),
                whole: None,
                passing_on: None,
                shareable: true,
                called: false,
                readers: HashMap::new(),
                next_reader: LEADER,
                timings: Timings::default(),
            }),
            changed: watch::channel(()).0,
        });
        let leader = flight.add_reader(Role::Leads);
        (FlightWriter::new(flight), leader)
    }

    /// Adds a reader who begins at the first byte, unless nobody may join any more: the flight
    /// failed, cannot be shared, only passes on, or brought an answer that is not kept. Whoever
    /// asks after such an end asks anew.
    pub fn join(self: &Arc<Self>) -> Option<Reader> {
        {
            let state = self.state.lock();
            let is_over = match state.end {
                None => false,
                // What is stale already, or to be validated at each use, is of its time's askers.
                Some(End::Landed(Kept::For(fresh))) => fresh.is_zero(),
                Some(End::Landed(Kept::Not(_))) => !matches!(state.progress, Progress::Found(_)),
                Some(End::Failed(_) | End::Dangling | End::NotKept) => true,
            };
            if is_over || state.passing_on.is_some() || !state.shareable {
                return None;
            }
        }
        Some(self.add_reader(Role::Follows))
    }

    /// Tells whether the answer is whole.
    pub fn has_landed(&self) -> bool {
        matches!(self.state.lock().end, Some(End::Landed(_)))
    }

    fn add_reader(self: &Arc<Self>, role: Role) -> Reader {
        let mut state = self.state.lock();
        let id = state.next_reader;
        state.next_reader += 1;
        state.readers.insert(id, 0);
        drop(state);
        self.changed.send_replace(());
        Reader::new(Arc::clone(self), id, role)
    }

    pub(super) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock());
        self.changed.send_replace(());
        result
    }
}

#[cfg(test)]
#[path = "flight_tests.rs"]
mod tests;
