//! What the scaler has to know of the gateway around it.

use std::fmt;
use std::time::Duration;

/// How much the gateway's workers have to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GatewayLoad {
    /// Requests that wait for a level or an upstream now.
    pub in_flight: usize,
    /// Most that may.
    pub most_in_flight: usize,
    /// How long all worker threads together have been busy since their start.
    pub busy: Duration,
    /// Worker threads.
    pub workers: usize,
}

/// The gateway, as far as its load goes. Answers at once.
pub trait Workload: fmt::Debug + Send + Sync {
    /// Returns the load of now.
    fn load(&self) -> GatewayLoad;
}
