//! Metrics and logs.

pub mod logging;
mod metrics;
pub mod names;
mod recorder_actor;

pub use metrics::{ClientMetrics, LeaseHits, Metrics};
pub use recorder_actor::RecorderActor;
