//! The process stays inside its memory: how much there is, when it is short, who gives some back.

mod allotment;
mod history;
mod hysteresis;
mod memory_watchdog_actor;
mod probe;
mod subscribers;

pub use allotment::allotment;
pub use history::{History, MOST_READINGS};
pub use hysteresis::{CRITICAL_FROM, Course, ELEVATED_FROM, Hysteresis, next_state, to_free};
pub use memory_watchdog_actor::{MemoryWatchdog, Surroundings};
pub use probe::{GiveBack, MemoryProbe, ProbeFactory, SystemProbe, limit_of, system_probe};
pub use subscribers::Subscribers;
