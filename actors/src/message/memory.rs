//! What is asked of the watchdog over memory, and what it asks of those who hold much.
//!
//! An actor that wants to hear of pressure implements `Handler<PressureChanged>`, puts its recipient into a
//! slot, and has that slot in the list where actors are wired, before the watchdog starts:
//!
//! ```ignore
//! subscribers.subscribe(Subscribe { name: "warming", changed: warming.pressure.clone() });
//! ```
//!
//! One that holds what can be had again implements `Handler<CleanUp>` likewise, and is registered by
//! `subscribers.register(RegisterCleaner { .. })`. Those who come later send the same two messages to the
//! watchdog's [`MemoryHandle`]. The slot finds the actor again when it is re-created.

use actix::Message;

use super::{Flush, Slot};
use crate::model::{MemoryReading, PressureState};

/// Watchdog → subscriber: how short memory is now.
///
/// An event: at each change, and again every ten seconds (five under pressure), whether it has changed or
/// not. Loss: the subscriber learns of it then, as does one that was re-created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct PressureChanged {
    /// How short it is now.
    pub state: PressureState,
    /// Bytes that the whole process should give back; 0 when there is enough.
    pub target_bytes: u64,
}

/// Anyone → watchdog: tell this one of each [`PressureChanged`]. Answered once it is taken down, and
/// told at once where memory is short already. Another with the same name takes its place; it stays
/// when the watchdog is re-created. Deadline: a second. Loss: nothing is told.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Subscribe {
    /// Whose it is.
    pub name: &'static str,
    /// Where it is told. A slot: a re-created actor is found again.
    pub changed: Slot<PressureChanged>,
}

/// Watchdog → one who holds what can be had again: let go of some of it, in one bounded step.
///
/// Answers the bytes that went, as far as is known; asked again until that is 0 or enough went.
/// Deadline: half a second. Loss: less is freed than there could be.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "u64")]
pub struct CleanUp {
    /// Bytes that are still to go; 0 without pressure: only what is of no use any more.
    pub target_bytes: u64,
}

/// Anyone → watchdog: ask this one to [`CleanUp`]. Those who came first are asked first. Otherwise as
/// [`Subscribe`].
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct RegisterCleaner {
    /// Whose it is.
    pub name: &'static str,
    /// Where it is asked.
    pub clean_up: Slot<CleanUp>,
}

/// Anyone → watchdog: how is memory, now? Reads before it answers. Deadline: a second.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "MemoryReport")]
pub struct ObserveMemory;

/// The answer to [`ObserveMemory`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, actix::MessageResponse)]
pub struct MemoryReport {
    /// What was read.
    pub reading: MemoryReading,
    /// How short memory is.
    pub state: PressureState,
    /// Largest resident size of the last hour, in bytes.
    pub peak_bytes: u64,
    /// The last round of cleaning that is over.
    pub last_cleaning: Option<Cleaning>,
}

/// What a round of cleaning came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleaning {
    /// Bytes that were to go.
    pub asked_bytes: u64,
    /// Bytes that those who were asked let go of.
    pub freed_bytes: u64,
    /// Bytes by which the resident size fell: what the system has back.
    pub returned_bytes: u64,
}

/// Where the watchdog is asked.
#[derive(Debug, Clone)]
pub struct MemoryHandle {
    /// Takes [`Subscribe`].
    pub subscribe: Slot<Subscribe>,
    /// Takes [`RegisterCleaner`].
    pub register: Slot<RegisterCleaner>,
    /// Takes [`ObserveMemory`].
    pub observe: Slot<ObserveMemory>,
    /// Takes [`Flush`]: answered once no round of cleaning is under way.
    pub flush: Slot<Flush>,
}

impl MemoryHandle {
    /// Creates a handle without an actor.
    pub fn new() -> Self {
        Self {
            subscribe: Slot::empty(),
            register: Slot::empty(),
            observe: Slot::empty(),
            flush: Slot::empty(),
        }
    }
}

impl Default for MemoryHandle {
    fn default() -> Self {
        Self::new()
    }
}
