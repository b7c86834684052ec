//! What a request tells the counters.

use std::sync::Arc;
use std::time::Duration;

use super::{Access, Outcome};

/// One answered request.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Position of the route in the settings.
    pub route: usize,
    /// How it was answered.
    pub outcome: Outcome,
    /// Status code sent.
    pub status: u16,
    /// From the request's arrival to the answer's head.
    pub total: Duration,
    /// Time spent asking L1, L2, L3; `None` where a level was not asked.
    pub lookups: [Option<Duration>; 3],
    /// From the start of the upstream call to its answer's head, where this request led one.
    pub upstream: Option<Duration>,
    /// Label of the upstream's failure, where there was one.
    pub upstream_error: Option<&'static str>,
    /// Why the answer was not kept, where it was not.
    pub discarded: Option<&'static str>,
}

/// What one worker saw, in order. Lost when the receiver is behind: counting never waits. Cheap to
/// clone: all receivers share it.
#[derive(Debug, Clone)]
pub struct SampleBatch {
    /// The samples. Hits by leases have none.
    pub samples: Arc<[Sample]>,
    /// What was asked for, hits by leases too; empty where nobody learns from it.
    pub accesses: Arc<[Access]>,
    /// How many samples this receiver has missed since its last batch because it was behind.
    pub dropped: u64,
    /// How many accesses it has missed, because it was behind or they were too many.
    pub dropped_accesses: u64,
}
