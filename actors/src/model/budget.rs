//! What may be held of requests and answers under way: a number of bytes, reserved before they are read.
//!
//! Who wants bytes that are not there waits in line, so that a large request is not passed by small
//! ones for ever. One that is larger than all there is may go when it is alone.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Most requests in line; past it they are refused at once.
const MOST_WAITING: usize = 4_096;

/// The bytes are not there, and were not in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the memory for it is not there")]
pub struct OverBudget;

/// A number of bytes that parts of the process share. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct MemoryBudget {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    total: u64,
    reserved: u64,
    waiting: VecDeque<Waiting>,
    peak: u64,
    waits: u64,
    refusals: u64,
}

#[derive(Debug)]
struct Waiting {
    bytes: u64,
    granted: oneshot::Sender<Reservation>,
}

/// How a budget is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BudgetReport {
    /// Bytes there are.
    pub total_bytes: u64,
    /// Bytes reserved now; may be more than the total for a moment.
    pub reserved_bytes: u64,
    /// Most bytes ever reserved.
    pub peak_bytes: u64,
    /// Requests in line now.
    pub waiting: u64,
    /// Requests that had to wait.
    pub waits: u64,
    /// Requests that were refused.
    pub refusals: u64,
}

impl MemoryBudget {
    /// Creates a budget of `total` bytes.
    pub fn new(total: u64) -> Self {
        let inner =
            Inner { total, reserved: 0, waiting: VecDeque::new(), peak: 0, waits: 0, refusals: 0 };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Creates a budget without an end.
    pub fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// Changes how many bytes there are. What is reserved stays.
    pub fn set_total(&self, total: u64) {
        self.inner.lock().total = total;
        self.serve_the_line();
    }

    /// Reserves `bytes` if they are there and nobody waits.
    pub fn try_reserve(&self, bytes: u64) -> Option<Reservation> {
        let mut inner = self.inner.lock();
        let is_there = inner.waiting.is_empty() && inner.take(bytes);
        inner.refusals += u64::from(!is_there);
        is_there.then(|| self.reservation(bytes))
    }

    /// Reserves `bytes` that are held already, whether they are there or not.
    pub fn reserve_anyway(&self, bytes: u64) -> Reservation {
        self.inner.lock().add(bytes);
        self.reservation(bytes)
    }

    /// Reserves `bytes`, waiting for them in line, at most for `deadline`.
    ///
    /// # Errors
    ///
    /// [`OverBudget`] when they are not there in time, or too many wait already.
    pub async fn reserve(&self, bytes: u64, deadline: Duration) -> Result<Reservation, OverBudget> {
        let granted = {
            let mut inner = self.inner.lock();
            if inner.waiting.is_empty() && inner.take(bytes) {
                drop(inner);
                return Ok(self.reservation(bytes));
            }
            if inner.waiting.len() >= MOST_WAITING {
                inner.refusals += 1;
                return Err(OverBudget);
            }
            inner.waits += 1;
            let (granted, receiver) = oneshot::channel();
            inner.waiting.push_back(Waiting { bytes, granted });
            receiver
        };
        let _in_line = InLine(self);
        match tokio::time::timeout(deadline, granted).await {
            Ok(Ok(reservation)) => Ok(reservation),
            Ok(Err(_)) | Err(_) => {
                self.inner.lock().refusals += 1;
                Err(OverBudget)
            }
        }
    }

    /// Returns how the budget is.
    pub fn report(&self) -> BudgetReport {
        let inner = self.inner.lock();
        let waiting = inner.waiting.iter().filter(|waiting| !waiting.granted.is_closed()).count();
        BudgetReport {
            total_bytes: inner.total,
            reserved_bytes: inner.reserved,
            peak_bytes: inner.peak,
            waiting: u64::try_from(waiting).unwrap_or(u64::MAX),
            waits: inner.waits,
            refusals: inner.refusals,
        }
    }

    fn reservation(&self, bytes: u64) -> Reservation {
        Reservation { budget: self.clone(), bytes }
    }

    fn give_back(&self, bytes: u64) {
        if bytes > 0 {
            let mut inner = self.inner.lock();
            inner.reserved = inner.reserved.saturating_sub(bytes);
            if inner.waiting.is_empty() {
                return;
            }
            drop(inner);
            self.serve_the_line();
        }
    }

    /// Gives the first in line what they wait for, as far as it goes. What nobody waits for any more
    /// is dropped outside the lock: it gives its bytes back itself.
    fn serve_the_line(&self) {
        loop {
            let mut inner = self.inner.lock();
            let Some(first) = inner.waiting.front() else { return };
            let (bytes, is_gone) = (first.bytes, first.granted.is_closed());
            if !is_gone && !inner.take(bytes) {
                return;
            }
            let Some(first) = inner.waiting.pop_front() else { return };
            drop(inner);
            if !is_gone {
                let _ = first.granted.send(self.reservation(bytes));
            }
        }
    }
}

/// One in line. When it leaves, in whatever way, it may have been the first, for whom all others
/// waited.
struct InLine<'a>(&'a MemoryBudget);

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.serve_the_line();
    }
}

impl Inner {
    fn take(&mut self, bytes: u64) -> bool {
        let is_there = self.reserved.saturating_add(bytes) <= self.total || self.reserved == 0;
        if is_there {
            self.add(bytes);
        }
        is_there
    }

    fn add(&mut self, bytes: u64) {
        self.reserved = self.reserved.saturating_add(bytes);
        self.peak = self.peak.max(self.reserved);
    }
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report().fmt(f)
    }
}

/// Bytes of a budget; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: MemoryBudget,
    bytes: u64,
}

impl Reservation {
    /// Returns how many bytes are reserved.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reserves more, if `more` bytes are there; returns whether they were. What is under way goes
    /// before those who wait, but leaves them a quarter of all there is.
    pub fn try_grow(&mut self, more: u64) -> bool {
        let mut inner = self.budget.inner.lock();
        let most = inner.total - inner.total / 4;
        let is_there = inner.reserved.saturating_add(more) <= most;
        if is_there {
            inner.add(more);
        }
        drop(inner);
        self.bytes = self.bytes.saturating_add(if is_there { more } else { 0 });
        is_there
    }

    /// Reserves `more` bytes, waiting for them at most for `deadline`.
    ///
    /// # Errors
    ///
    /// [`OverBudget`]; what was reserved stays so.
    pub async fn grow(&mut self, more: u64, deadline: Duration) -> Result<(), OverBudget> {
        let budget = self.budget.clone();
        self.join(budget.reserve(more, deadline).await?);
        Ok(())
    }

    /// Reserves more bytes that are held already, whether they are there or not.
    pub fn grow_anyway(&mut self, more: u64) {
        self.budget.inner.lock().add(more);
        self.bytes = self.bytes.saturating_add(more);
    }

    /// Gives back what is above `bytes`.
    pub fn shrink_to(&mut self, bytes: u64) {
        let above = self.bytes.saturating_sub(bytes);
        self.bytes -= above;
        self.budget.give_back(above);
    }

    /// Takes another one's bytes over; both are of one budget.
    pub fn join(&mut self, mut other: Self) {
        self.bytes = self.bytes.saturating_add(std::mem::take(&mut other.bytes));
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
