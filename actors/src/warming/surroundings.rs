//! What warming has to know of the gateway around it.

use std::fmt;

use crate::model::Usage;

/// The gateway, as far as warming stands behind its users. Asked often: answers at once.
pub trait Surroundings: fmt::Debug + Send + Sync {
    /// Tells whether the upstream of this name is called at the moment: its breaker is closed.
    fn is_called(&self, upstream: &str) -> bool;

    /// Tells whether users wait for so much that nothing may be called beside.
    fn is_busy(&self) -> bool;

    /// Returns what a call cost, in millionths of the prices' currency.
    fn cost_micros(&self, model: Option<&str>, usage: Option<Usage>) -> u64;
}
