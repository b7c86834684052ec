//! What a request tells the counters.

use std::time::Duration;

use super::Outcome;

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

/// Samples of one worker, in order. Lost when the receiver is behind: counting never waits.
#[derive(Debug, Clone)]
pub struct SampleBatch {
    /// The samples.
    pub samples: Vec<Sample>,
    /// How many samples were dropped since the last batch because the receiver was behind.
    pub dropped: u64,
}
