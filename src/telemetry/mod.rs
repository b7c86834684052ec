//! Metrics, windows of what was answered of late, logs, and traces.

mod access_log;
mod exemplars;
mod exposition;
mod histogram;
mod lease_hits;
pub mod logging;
mod metrics;
pub mod names;
mod recorder_actor;
mod savings;
mod scaling;
mod sent;
mod spans;
mod stretch;
mod windows;

pub use access_log::{AccessLine, AccessLog};
pub use exemplars::{Exemplar, Exemplars};
pub use exposition::Exposition;
pub use histogram::{CLASSES, Histogram, RELATIVE_ERROR, Summary};
pub use lease_hits::LeaseHits;
pub use logging::Verbosity;
pub use metrics::{ClientMetrics, Metrics};
pub use recorder_actor::{LeaseHitsTold, ObserveWindow, RecorderActor, RecorderHandle};
pub use sent::{PayloadCounters, SentBytes, SentCounters};
pub use spans::{Span, SpanCounts, Spans, TraceContext, TracesError};
pub use stretch::{Flows, LeaseTimes, Stretch};
pub use windows::{Looked, Window, Windows};
