//! Metrics and logs.

pub mod logging;
mod metrics;
pub mod names;
mod recorder_actor;
mod savings;
mod sent;

pub use metrics::{ClientMetrics, LeaseHits, Metrics};
pub use recorder_actor::RecorderActor;
pub use sent::{SentBytes, SentCounters};
