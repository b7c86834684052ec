//! The gateway as warming sees it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anteroom_actors::model::Usage;
use anteroom_actors::warming::Surroundings;

use super::admission::Admission;
use crate::savings::Book;
use crate::upstream::Upstreams;

/// What warming has to know of users, upstreams and prices.
pub struct AroundWarming {
    /// Users who wait.
    pub admission: Admission,
    /// Whom calls go to.
    pub upstreams: Arc<Upstreams>,
    /// What calls cost.
    pub savings: Arc<Book>,
}

impl fmt::Debug for AroundWarming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AroundWarming")
    }
}

impl Surroundings for AroundWarming {
    fn is_called(&self, upstream: &str) -> bool {
        !self.upstreams.health().any(|health| health.name == upstream && health.is_open)
    }

    fn is_busy(&self) -> bool {
        self.admission.is_half_taken()
    }

    fn cost_micros(&self, model: Option<&str>, usage: Option<Usage>) -> u64 {
        self.savings.call(model, usage, Duration::ZERO).cost.micros()
    }
}
