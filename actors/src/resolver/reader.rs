//! Reading a flight: its head, then its body piece by piece or whole.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::flight::{End, Flight, Found, Kept, Progress, Timings};
use crate::error::OriginError;
use crate::origin::Head;

/// Who a reader is to its flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its request started the flight.
    Leads,
    /// It joined.
    Follows,
}

/// What a flight first has to say.
#[derive(Debug, Clone)]
pub enum FlightHead {
    /// A level had the answer.
    Found(Found),
    /// The origin's answer has begun.
    Open(Arc<Head>),
    /// The answer is the leader's alone: ask again, alone.
    GoAlone,
    /// No answer.
    Failed(OriginError),
    /// The flight ended without a word: ask again.
    Dangling {
        /// Whether the origin had been asked.
        called: bool,
    },
    /// Nothing is kept, and the request wants nothing else.
    NotKept,
}

/// A body read to its end.
#[derive(Debug, Clone)]
pub enum Whole {
    /// The body, and whether it is kept.
    Complete(Bytes, Kept),
    /// Not held as a whole, for this reason: read it piece by piece.
    PassingOn(&'static str),
    /// The origin did not bring it to an end.
    Failed(OriginError),
}

/// Keeps the memory of a flight's answer reserved.
pub struct FlightHold {
    _flight: Arc<Flight>,
}

/// One who waits for a flight. Dropping it leaves the flight, which goes on.
pub struct Reader {
    flight: Arc<Flight>,
    id: u64,
    role: Role,
    next: usize,
    changed: watch::Receiver<()>,
}

impl Reader {
    pub(super) fn new(flight: Arc<Flight>, id: u64, role: Role) -> Self {
        let changed = flight.changed.subscribe();
        Self { flight, id, role, next: 0, changed }
    }

    /// Returns whether this reader's request started the flight.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Returns what keeps the flight's memory reserved, for as long as its answer is being sent.
    pub fn hold(&self) -> FlightHold {
        FlightHold { _flight: Arc::clone(&self.flight) }
    }

    /// Returns how long the parts of the flight took so far.
    pub fn timings(&self) -> Timings {
        self.flight.state.lock().timings
    }

    /// Returns whether the answer is kept, once the flight has landed.
    pub fn kept(&self) -> Option<Kept> {
        match self.flight.state.lock().end {
            Some(End::Landed(kept)) => Some(kept),
            _ => None,
        }
    }

    /// Waits for the head. The origin's time-outs bound the wait.
    pub async fn head(&mut self) -> FlightHead {
        loop {
            self.changed.mark_unchanged();
            if let Some(head) = self.head_now() {
                return head;
            }
            self.wait().await;
        }
    }

    fn head_now(&self) -> Option<FlightHead> {
        let state = self.flight.state.lock();
        match (&state.progress, &state.end) {
            (Progress::Found(found), _) => Some(FlightHead::Found(found.clone())),
            (Progress::Open(_), _) if !state.shareable && self.role == Role::Follows => {
                Some(FlightHead::GoAlone)
            }
            (Progress::Open(head), _) => Some(FlightHead::Open(Arc::clone(head))),
            (Progress::Waiting, Some(End::Failed(error))) => {
                Some(FlightHead::Failed(error.clone()))
            }
            (Progress::Waiting, Some(End::NotKept)) => Some(FlightHead::NotKept),
            (Progress::Waiting, Some(_)) => Some(FlightHead::Dangling { called: state.called }),
            (Progress::Waiting, None) => None,
        }
    }

    /// Waits for the next piece of the body; `None` at its end.
    ///
    /// # Errors
    ///
    /// What ended the flight early, or [`OriginError::TooLarge`] when this reader was too slow
    /// for an answer that is only passed on.
    pub async fn next(&mut self) -> Option<Result<Bytes, OriginError>> {
        loop {
            self.changed.mark_unchanged();
            if let Some(ready) = self.next_now() {
                return ready;
            }
            self.wait().await;
        }
    }

    fn next_now(&mut self) -> Option<Option<Result<Bytes, OriginError>>> {
        let mut state = self.flight.state.lock();
        if !state.readers.contains_key(&self.id) {
            return Some(Some(Err(OriginError::TooLarge { upstream: String::new() })));
        }
        let at = self.next.checked_sub(state.first);
        if let Some(piece) = at.and_then(|at| state.pieces.get(at)).cloned() {
            self.next += 1;
            let (next, passing_on) = (self.next, state.passing_on);
            state.readers.insert(self.id, next);
            drop(state);
            if passing_on.is_some() {
                self.flight.changed.send_replace(());
            }
            return Some(Some(Ok(piece)));
        }
        match &state.end {
            None => None,
            Some(End::Landed(_)) => Some(None),
            Some(End::Failed(error)) => Some(Some(Err(error.clone()))),
            Some(End::Dangling | End::NotKept) => {
                Some(Some(Err(OriginError::Internal { upstream: String::new() })))
            }
        }
    }

    /// Waits for the whole body.
    pub async fn whole(&mut self) -> Whole {
        loop {
            self.changed.mark_unchanged();
            if let Some(ready) = self.whole_now() {
                return ready;
            }
            self.wait().await;
        }
    }

    fn whole_now(&self) -> Option<Whole> {
        let state = self.flight.state.lock();
        if let Some(reason) = state.passing_on {
            return Some(Whole::PassingOn(reason));
        }
        match (&state.end, &state.whole) {
            (None, _) => None,
            (Some(End::Landed(kept)), Some(whole)) => Some(Whole::Complete(whole.clone(), *kept)),
            (Some(End::Failed(error)), _) => Some(Whole::Failed(error.clone())),
            (Some(End::Landed(_) | End::Dangling | End::NotKept), _) => {
                Some(Whole::Failed(OriginError::Internal { upstream: String::new() }))
            }
        }
    }

    async fn wait(&mut self) {
        // An error would mean that the sender is gone; it lives in the flight this reader holds.
        let _ = self.changed.changed().await;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.flight.update(|state| state.readers.remove(&self.id));
    }
}
