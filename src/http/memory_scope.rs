//! The memory scope of a request: what its body, its call and its answer hold is reserved from the
//! process's budget before it is read, and given back when the answer has been sent.
//!
//! A small request that a kept answer serves reserves nothing: its body lies in the connection's own
//! buffer. All others wait for their bytes, and are shed where those do not come in time.

use std::cell::RefCell;
use std::time::Duration;

use actix_web::HttpResponse;
use anteroom_actors::model::{MemoryBudget, Reservation};
use anteroom_actors::resolver::{FlightHold, UNRESERVED_BYTES};
use bytes::Bytes;

use super::error::ApiError;
use super::holding::holding;
use super::sent_entries::{SentEntries, SentEntry};

/// Bodies up to this size are not counted until they are sent on.
pub const UNCOUNTED_BYTES: usize = 64 * 1024;

/// What a body takes, times its length: as it came, in canonical form, and on its way upstream.
const COPIES: u64 = 3;

/// What a call takes beside bodies, in bytes: the part of its answer that a flight does not reserve,
/// and the buffers of two connections. Those of a large answer grow to twice as much and more, which
/// the part of the limit that is not given out is for.
const CALL_BYTES: u64 = UNRESERVED_BYTES as u64 + 32 * 1024;

/// What a request without its bytes is told: which key is short.
const SHORT: ApiError = ApiError::Shed("memory.threshold");

/// The memory of one request.
pub struct MemoryScope<'a> {
    budget: &'a MemoryBudget,
    sent: &'a SentEntries,
    wait: Duration,
    held: RefCell<Held>,
}

#[derive(Default)]
struct Held {
    reserved: Option<Reservation>,
    flights: Vec<FlightHold>,
    entries: Vec<SentEntry>,
}

impl<'a> MemoryScope<'a> {
    /// Begins a scope that holds nothing; each of its reservations waits for at most `wait`.
    pub fn new(budget: &'a MemoryBudget, sent: &'a SentEntries, wait: Duration) -> Self {
        Self { budget, sent, wait, held: RefCell::default() }
    }

    /// Reserves what a body of `length` bytes takes, where that is no small one.
    ///
    /// # Errors
    ///
    /// [`ApiError::Shed`] where the bytes are not there in time.
    pub async fn body(&self, length: usize) -> Result<(), ApiError> {
        if length <= UNCOUNTED_BYTES {
            return Ok(());
        }
        self.at_least(copies(length)).await
    }

    /// Reserves what a call takes whose request has a body of `length` bytes. Once is enough.
    ///
    /// # Errors
    ///
    /// [`ApiError::Shed`] where the bytes are not there in time.
    pub async fn call(&self, length: usize) -> Result<(), ApiError> {
        self.at_least(CALL_BYTES.saturating_add(copies(length))).await
    }

    /// Reserves `bytes` for an answer that is put together here, beside all else.
    ///
    /// # Errors
    ///
    /// [`ApiError::Shed`] where the bytes are not there in time.
    pub async fn answer(&self, bytes: usize) -> Result<(), ApiError> {
        self.more(u64::try_from(bytes).unwrap_or(u64::MAX)).await
    }

    /// Holds the memory of a flight's answer until it has been sent.
    pub fn hold(&self, flight: FlightHold) {
        self.held.borrow_mut().flights.push(flight);
    }

    /// Holds a kept answer that has been asked for and is sent now: L1 may have let go of it before
    /// that is done. It is in memory already, so there is nothing to wait for.
    pub fn sends(&self, body: &Bytes) {
        if body.len() > UNCOUNTED_BYTES {
            let entry = self.sent.enter(body);
            self.held.borrow_mut().entries.push(entry);
        }
    }

    /// As [`Self::sends`], for an answer that was read from L2 or L3.
    ///
    /// # Errors
    ///
    /// [`ApiError::Shed`] where the bytes are not there: not to wait with them in hand is what keeps
    /// many such answers from being in memory at once.
    pub fn read(&self, body: &Bytes) -> Result<(), ApiError> {
        if body.len() > UNCOUNTED_BYTES {
            let entry = self.sent.try_enter(body).ok_or(SHORT)?;
            self.held.borrow_mut().entries.push(entry);
        }
        Ok(())
    }

    async fn at_least(&self, bytes: u64) -> Result<(), ApiError> {
        let reserved = self.held.borrow().reserved.as_ref().map_or(0, Reservation::bytes);
        match bytes.saturating_sub(reserved) {
            0 => Ok(()),
            // In a box of its own: a small request's way need not carry the wait along.
            missing => Box::pin(self.more(missing)).await,
        }
    }

    async fn more(&self, bytes: u64) -> Result<(), ApiError> {
        let granted = self.budget.reserve(bytes, self.wait).await.map_err(|_over| SHORT)?;
        let mut held = self.held.borrow_mut();
        match &mut held.reserved {
            Some(reserved) => reserved.join(granted),
            None => held.reserved = Some(granted),
        }
        Ok(())
    }

    /// Lets `response` hold what is reserved until it has been sent.
    pub fn until_sent(self, response: HttpResponse) -> HttpResponse {
        let held = self.held.into_inner();
        let holds_nothing =
            held.reserved.is_none() && held.flights.is_empty() && held.entries.is_empty();
        if holds_nothing {
            return response;
        }
        holding(response, held)
    }
}

fn copies(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX).saturating_mul(COPIES)
}

#[cfg(test)]
#[path = "memory_scope_tests.rs"]
mod tests;
