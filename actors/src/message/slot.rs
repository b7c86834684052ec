//! Where the address of an actor stands, so that a re-created actor is found by all who hold it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::{Message, Recipient};
use arc_swap::ArcSwapOption;

/// The current recipient of one kind of message. Cheap to clone; all clones see a swap at once.
pub struct Slot<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    inner: Arc<Inner<M>>,
}

struct Inner<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    recipient: ArcSwapOption<Recipient<M>>,
    in_flight: AtomicUsize,
}

/// Counts one ask while it lives.
pub(super) struct InFlight<M>(Arc<Inner<M>>)
where
    M: Message + Send + 'static,
    M::Result: Send;

impl<M> Drop for InFlight<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<M> Slot<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    /// Creates a slot with no actor in it: asks end as closed until one is put in.
    pub fn empty() -> Self {
        Self {
            inner: Arc::new(Inner {
                recipient: ArcSwapOption::empty(),
                in_flight: AtomicUsize::new(0),
            }),
        }
    }

    /// Puts `recipient` in the place of the present one.
    pub fn put(&self, recipient: Recipient<M>) {
        self.inner.recipient.store(Some(Arc::new(recipient)));
    }

    /// Returns the present recipient.
    pub fn current(&self) -> Option<Arc<Recipient<M>>> {
        self.inner.recipient.load_full()
    }

    /// Tells whether the present actor takes messages; false where there is none, or a dead one.
    pub fn is_open(&self) -> bool {
        self.inner.recipient.load().as_ref().is_some_and(|recipient| recipient.connected())
    }

    /// Sends an event that may be lost; returns false when it was (mailbox full, actor gone).
    ///
    /// All tells go through the one recipient stored here: a fresh clone would always find a
    /// free place in the mailbox (DESIGN A3, A4).
    pub fn tell(&self, message: M) -> bool {
        self.inner
            .recipient
            .load()
            .as_ref()
            .is_some_and(|recipient| recipient.try_send(message).is_ok())
    }

    /// Sends a control message that must not be lost while the actor lives. Its sender bounds
    /// how many there are; the mailbox does not.
    pub fn deliver(&self, message: M) {
        if let Some(recipient) = self.inner.recipient.load().as_ref() {
            #[expect(clippy::disallowed_methods, reason = "control messages, bounded by flights")]
            recipient.do_send(message);
        }
    }

    /// Returns how many asks wait for an answer.
    pub fn in_flight(&self) -> usize {
        self.inner.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn enter(&self) -> InFlight<M> {
        self.inner.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(&self.inner))
    }
}

impl<M> Clone for Slot<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<M> fmt::Debug for Slot<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("in_flight", &self.in_flight()).finish_non_exhaustive()
    }
}
