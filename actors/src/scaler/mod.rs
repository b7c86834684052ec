//! Sizing by what is measured: L1's bytes, the calls to origins at once, warming's part, replicas.
//!
//! * `curve`: what L1 would hit at other sizes, from `copy` after `copy` of its own policy.
//! * `sizing`: how many bytes L1 gets by that; `concurrency`: how many calls an origin gets at once.
//! * `l1_sizer`: curve and sizing together; `decision`: what was decided and why, to be made again.
//! * `warming_share`: how much of its budget warming may use.
//! * `replicas`: how many gateways the load of this one wants; `busy`, `workload`: what it goes by.
//! * `headroom`: how large memory lets L1 become; `traffic`: what was answered of late.
//! * `report`: what is shown; `scaler_actor`: moves the messages.

mod busy;
mod concurrency;
mod copy;
mod curve;
mod decision;
mod headroom;
mod l1_sizer;
mod replicas;
mod report;
mod scaler_actor;
mod sizing;
mod traffic;
mod warming_share;
mod workload;

pub use concurrency::{ConcurrencyLimit, ConcurrencyReason, ConcurrencySettings, NewLimit, Window};
pub use copy::{Asked, ENDLESS};
pub use curve::{Curve, CurveBounds, CurvePoint, SIZES};
pub use decision::{Decision, DecisionLog, What};
pub use l1_sizer::L1Sizer;
pub use replicas::{ReplicaPolicy, Saturation, WantedReplicas};
pub use report::{OriginReport, ScalerHandle, ScalerPorts, ScalingReport};
pub use scaler_actor::{ObserveReplicas, ObserveScaling, ScalerActor};
pub use sizing::{Sizing, SizingEvidence, SizingPolicy, SizingReason, hit_ratio_at, sized};
pub use traffic::TrafficReport;
pub use warming_share::{ShareEvidence, ShareReason, shared};
pub use workload::{GatewayLoad, Workload};

use crate::model::GateReport;

/// Returns an origin's calls, those in line too, as a part of its limit.
fn load_of(gate: &GateReport) -> f64 {
    let calls = gate.waiting_now().saturating_add(u64::from(gate.under_way));
    ratio(calls, u64::from(gate.limit.max(1)))
}

/// Returns `part` of `whole` as a fraction; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "a ratio needs no more than 53 bits")]
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
