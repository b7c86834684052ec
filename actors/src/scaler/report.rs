//! What the scaler shows, and where it is told and asked.

use std::sync::Arc;

use super::decision::Decision;
use super::replicas::WantedReplicas;
use super::scaler_actor::{ObserveReplicas, ObserveScaling};
use super::traffic::TrafficReport;
use super::workload::Workload;
use super::{CurvePoint, SIZES};
use crate::message::{
    BudgetShare, MemoryHandle, ObserveEvictions, OriginCalls, PressureChanged, Resize, Slot,
};
use crate::model::{CallGates, MemoryBudget, SampleBatch};

/// What the scaler knows and has done.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalingReport {
    /// What L1 would hit by its size, smallest first.
    pub curve: [CurvePoint; SIZES],
    /// Requests of the curve's sample behind it.
    pub evidence: u64,
    /// Which part of the keys is in the sample.
    pub rate: f64,
    /// L1's size, its least and its largest by the settings, and the largest that memory allows now, in
    /// bytes.
    pub l1_bytes: [u64; 4],
    /// What was answered in the last minutes.
    pub traffic: TrafficReport,
    /// What is known of the origins whose calls are limited.
    pub origins: Vec<OriginReport>,
    /// How much of its budget warming should use, in hundredths.
    pub warming_share: u64,
    /// How many gateways are wanted, once that was looked at.
    pub replicas: Option<WantedReplicas>,
    /// The latest decisions, oldest first.
    pub decisions: Vec<Decision>,
}

/// What the scaler knows of one origin.
#[derive(Debug, Clone, PartialEq)]
pub struct OriginReport {
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// The limit that is right; its gate's own where it is in effect.
    pub limit: u32,
    /// Seconds that are usual to an answer's head, once some are known.
    pub usual_seconds: Option<f64>,
}

/// Whom the scaler asks, and what it reads and sets.
#[derive(Debug, Clone)]
pub struct ScalerPorts {
    /// L1's size.
    pub resize: Slot<Resize>,
    /// How many entries L1 has evicted.
    pub evictions: Slot<ObserveEvictions>,
    /// Warming's part of its budget.
    pub share: Slot<BudgetShare>,
    /// How memory is.
    pub memory: MemoryHandle,
    /// What requests and answers under way hold.
    pub budget: MemoryBudget,
    /// How many calls each origin gets at once.
    pub gates: CallGates,
    /// The gateway around it.
    pub workload: Arc<dyn Workload>,
}

/// Where the scaler is told and asked.
#[derive(Debug, Clone)]
pub struct ScalerHandle {
    /// Takes what workers report.
    pub samples: Slot<SampleBatch>,
    /// Takes what calls said of their origin's load.
    pub calls: Slot<OriginCalls>,
    /// Takes changes of memory pressure.
    pub pressure: Slot<PressureChanged>,
    /// Takes [`ObserveScaling`].
    pub observe: Slot<ObserveScaling>,
    /// Takes [`ObserveReplicas`].
    pub replicas: Slot<ObserveReplicas>,
}

impl ScalerHandle {
    /// Creates a handle without an actor.
    pub fn new() -> Self {
        Self {
            samples: Slot::empty(),
            calls: Slot::empty(),
            pressure: Slot::empty(),
            observe: Slot::empty(),
            replicas: Slot::empty(),
        }
    }
}

impl Default for ScalerHandle {
    fn default() -> Self {
        Self::new()
    }
}
