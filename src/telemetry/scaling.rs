//! What the scaler goes by and decides, upstream by upstream.

use anteroom_actors::model::GateReport;
use anteroom_actors::scaler::WantedReplicas;
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Registry};

use super::metrics::{counters, gauge_value, gauges, opts, set_counter};
use super::names::{self, MetricName};

/// Registers gauges of fractions.
fn parts(registry: &Registry, metric: &MetricName) -> prometheus::Result<GaugeVec> {
    let gauges = GaugeVec::new(opts(metric), metric.labels)?;
    registry.register(Box::new(gauges.clone()))?;
    Ok(gauges)
}

/// The metrics of gates and of the fleet. Those of the fleet appear with the first look.
#[derive(Clone)]
pub(super) struct ScalingMetrics {
    limit: IntGaugeVec,
    under_way: IntGaugeVec,
    waiting: IntGaugeVec,
    refused: IntCounterVec,
    wanted: GaugeVec,
    saturation: GaugeVec,
}

impl ScalingMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            limit: gauges(registry, &names::UPSTREAM_LIMIT)?,
            under_way: gauges(registry, &names::UPSTREAM_CALLS)?,
            waiting: gauges(registry, &names::UPSTREAM_WAITING)?,
            refused: counters(registry, &names::UPSTREAM_REFUSED)?,
            wanted: parts(registry, &names::WANTED_REPLICAS)?,
            saturation: parts(registry, &names::SATURATION)?,
        })
    }

    /// Takes over how many gateways are wanted.
    pub(super) fn refresh_replicas(&self, seen: &WantedReplicas) {
        self.wanted.with_label_values::<&str>(&[]).set(seen.wanted);
        for (resource, part) in seen.saturation.parts() {
            self.saturation.with_label_values(&[resource]).set(part);
        }
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
