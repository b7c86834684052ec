//! What one worker answers from its leases: the most frequent answer of all.

use std::time::Duration;

use prometheus::local::LocalHistogram;
use prometheus::{Histogram as SharedHistogram, IntCounter};

use super::histogram::Histogram;

/// What one worker answered from its leases on one route, until it is brought to the metrics and the
/// recorder.
pub struct LeaseHits {
    requests: IntCounter,
    seconds: LocalHistogram,
    times: Histogram,
}

impl LeaseHits {
    /// Creates counts that go into these metrics of the route.
    pub fn new(requests: &IntCounter, seconds: &SharedHistogram) -> Self {
        Self { requests: requests.clone(), seconds: seconds.local(), times: Histogram::whole() }
    }

    /// Counts one hit.
    pub fn record(&mut self, total: Duration) {
        self.seconds.observe(total.as_secs_f64());
        self.times.record(total);
    }

    /// Brings what was counted into the metrics.
    pub fn flush(&mut self) {
        self.requests.inc_by(self.seconds.get_sample_count());
        self.seconds.flush();
    }

    /// Returns a copy of the times that the recorder was not told of yet; `None` without any.
    pub fn untold(&self) -> Option<Histogram> {
        (self.times.count() > 0).then(|| self.times.compact())
    }

    /// Notes that the recorder was told of them.
    pub fn told(&mut self) {
        // Most routes have none, and clearing touches much memory.
        if self.times.count() > 0 {
            self.times.clear();
        }
    }
}
