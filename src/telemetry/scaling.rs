//! What the scaler goes by and decides, upstream by upstream.

use anteroom_actors::model::GateReport;
use prometheus::{IntCounterVec, IntGaugeVec, Registry};

use super::metrics::{counters, gauge_value, gauges, set_counter};
use super::names;

/// The metrics of gates.
#[derive(Clone)]
pub(super) struct ScalingMetrics {
    limit: IntGaugeVec,
    under_way: IntGaugeVec,
    waiting: IntGaugeVec,
    refused: IntCounterVec,
}

impl ScalingMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            limit: gauges(registry, &names::UPSTREAM_LIMIT)?,
            under_way: gauges(registry, &names::UPSTREAM_CALLS)?,
            waiting: gauges(registry, &names::UPSTREAM_WAITING)?,
            refused: counters(registry, &names::UPSTREAM_REFUSED)?,
        })
    }

    /// Takes over how a gate is.
    pub(super) fn refresh(&self, gate: &GateReport) {
        let upstream = &*gate.upstream;
        self.limit.with_label_values(&[upstream]).set(i64::from(gate.limit));
        self.under_way.with_label_values(&[upstream]).set(i64::from(gate.under_way));
        for (caller, count) in ["user", "background"].into_iter().zip(gate.waiting) {
            let count = gauge_value(u64::try_from(count).unwrap_or(u64::MAX));
            self.waiting.with_label_values(&[upstream, caller]).set(count);
        }
        for (reason, count) in [("full", gate.refused_full), ("late", gate.refused_late)] {
            set_counter(&self.refused.with_label_values(&[upstream, reason]), count);
        }
    }
}
