//! Writing a flight: its head, then its body piece by piece, then one of its ends.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::answer_memory::AnswerMemory;
use super::flight::{End, Flight, Found, Kept, Progress, State, Timings};
use crate::error::OriginError;
use crate::model::MemoryBudget;
use crate::origin::Head;
use crate::settings::FlightSettings;

/// Nobody reads a flight that only passes on, so there is no point in going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NobodyReads;

/// The one who writes a flight. Dropped without [`land`](Self::land), [`fail`](Self::fail) or
/// [`found`](Self::found), it leaves the flight dangling, and followers elect another.
pub struct FlightWriter {
    flight: Arc<Flight>,
}

impl FlightWriter {
    pub(super) const fn new(flight: Arc<Flight>) -> Self {
        Self { flight }
    }

    /// Returns the flight.
    pub const fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    /// Notes how long something took.
    pub fn time(&self, note: impl FnOnce(&mut Timings)) {
        note(&mut self.flight.state.lock().timings);
    }

    /// Notes that the origin is asked from now on.
    pub fn calling(&self) {
        self.flight.state.lock().called = true;
    }

    /// Ends the flight with an entry that a level had.
    pub fn found(self, found: Found) {
        self.flight.update(|state| {
            state.progress = Progress::Found(found);
            state.end = Some(End::Landed(Kept::Not("hit")));
        });
    }

    /// Ends the flight of a request that wants nothing but what is kept, where nothing is.
    pub fn not_kept(self) {
        self.flight.update(|state| state.end = Some(End::NotKept));
    }

    /// Has the memory that the answer takes reserved from `budget`. Where it is not there the flight
    /// only passes on.
    pub fn account_to(&self, budget: &MemoryBudget) {
        self.flight.state.lock().memory = AnswerMemory::of(budget);
    }

    /// Shows the answer's head to everyone. When it cannot be shared, followers go alone.
    pub fn open(&self, head: Head, shareable: bool) {
        self.flight.update(|state| {
            state.progress = Progress::Open(Arc::new(head));
            state.shareable = shareable;
        });
    }

    /// Tells whether the answer's head has been shown.
    pub fn is_open(&self) -> bool {
        matches!(self.flight.state.lock().progress, Progress::Open(_))
    }

    /// Returns why the answer only passes on, if it does: it is too large to keep, or there is no memory
    /// for it.
    pub fn only_passes_on(&self) -> Option<&'static str> {
        self.flight.state.lock().passing_on
    }

    /// Adds a piece of the body. Past the cap of `settings` it waits for the slowest reader, which
    /// is cut after `reader_timeout`.
    ///
    /// # Errors
    ///
    /// [`NobodyReads`] when the flight only passes on and its last reader has left.
    pub async fn push(&self, piece: Bytes, settings: &FlightSettings) -> Result<(), NobodyReads> {
        let mut changed = self.flight.changed.subscribe();
        self.flight.update(|state| {
            state.held_bytes += piece.len();
            state.pieces.push_back(piece);
            if state.passing_on.is_none() {
                state.passing_on = state.why_not_recorded(settings.max_entry_bytes);
            }
            if state.passing_on.is_some() {
                state.drop_read_pieces();
            }
        });
        while self.presses_back(settings)? {
            let waited = tokio::time::timeout(settings.reader_timeout, changed.changed()).await;
            if waited.is_err() {
                self.flight.update(State::cut_slowest);
            }
        }
        Ok(())
    }

    fn presses_back(&self, settings: &FlightSettings) -> Result<bool, NobodyReads> {
        let mut state = self.flight.state.lock();
        if state.passing_on.is_none() {
            return Ok(false);
        }
        if state.readers.is_empty() {
            return Err(NobodyReads);
        }
        state.drop_read_pieces();
        Ok(state.held_bytes > state.memory.window(settings.window_bytes))
    }

    /// Returns the whole body in one piece of just its size, or `None` when the flight only passes on.
    pub fn whole(&self) -> Option<Bytes> {
        let pieces = {
            let state = self.flight.state.lock();
            if state.passing_on.is_some() {
                return None;
            }
            state.pieces.clone()
        };
        // Copied even where it is one piece: that may be a part of a larger read buffer, which an
        // entry would hold on to for as long as it is kept.
        let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
        for piece in &pieces {
            whole.extend_from_slice(piece);
        }
        Some(whole.freeze())
    }

    /// Ends the flight with a whole answer; `whole` is what [`Self::whole`] returned.
    pub fn land(self, kept: Kept, whole: Option<Bytes>) {
        self.flight.update(|state| {
            if let Some(whole) = &whole {
                state.share_whole(whole);
            }
            state.whole = whole;
            state.end = Some(End::Landed(kept));
        });
    }

    /// Ends the flight with an error.
    pub fn fail(self, error: OriginError) {
        self.flight.update(|state| state.end = Some(End::Failed(error)));
    }

    /// Resolves when nobody reads.
    pub async fn until_deserted(&self) {
        self.until(|state| state.readers.is_empty()).await;
    }

    /// Resolves when somebody reads.
    pub async fn until_read(&self) {
        self.until(|state| !state.readers.is_empty()).await;
    }

    /// Resolves when somebody has joined the one who began the flight.
    pub async fn until_followed(&self) {
        self.until(State::is_followed).await;
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) {
        let mut changed = self.flight.changed.subscribe();
        while !holds(&self.flight.state.lock()) {
            // The sender lives as long as the flight, which `self` holds.
            let _ = changed.changed().await;
        }
    }
}

impl Drop for FlightWriter {
    fn drop(&mut self) {
        self.flight.update(|state| {
            if state.end.is_none() {
                state.end = Some(End::Dangling);
            }
        });
    }
}
