//! What the scaler sees, sets and decides.

use std::collections::BTreeMap;

use anteroom_actors::model::{CallGates, GateReport};
use anteroom_actors::scaler::{
    CurvePoint, Decision, OriginReport, Saturation, ScalingReport, TrafficReport, WantedReplicas,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::decided::DecisionShown;
use super::part_of_one;
use crate::http::openapi::words;

/// What the scaler sees and did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = Scaling)]
pub struct ScalingShown {
    /// `on`, or `advise` where it decides and sets nothing.
    #[schema(value_type = words::ScalingMode)]
    pub mode: &'static str,
    /// L1's size.
    pub l1: SizeShown,
    /// What L1 would hit by its size, smallest first.
    pub curve: Vec<CurvePointShown>,
    /// Requests of the curve's sample behind it.
    pub curve_requests: u64,
    /// Which part of the keys is in the sample.
    pub curve_sample: f64,
    /// The limits of the upstreams that have one, by name.
    pub upstreams: BTreeMap<String, LimitShown>,
    /// What warming may use.
    pub warming: ShareShown,
    /// How many gateways are wanted; null until that was looked at.
    #[schema(required)]
    pub replicas: Option<ReplicasShown>,
    /// What was answered in the last minutes.
    pub traffic: TrafficShown,
    /// The latest decisions, oldest first.
    #[schema(value_type = Vec<DecisionShown>)]
    pub decisions: Vec<Decision>,
}

/// A size, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Size)]
pub struct SizeShown {
    /// Now.
    pub bytes: u64,
    /// The least by the settings.
    pub least_bytes: u64,
    /// The largest by the settings.
    pub most_bytes: u64,
    /// The largest that memory allows now.
    pub allowed_bytes: u64,
}

/// What L1 would hit at one size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = CurvePoint)]
pub struct CurvePointShown {
    /// The size.
    pub bytes: u64,
    /// Hits of all requests, from 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    pub hit_ratio: f64,
}

/// The limit of an upstream's calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = CallLimit)]
pub struct LimitShown {
    /// Most calls at once, now.
    pub limit: u32,
    /// The least limit.
    pub least: u32,
    /// The largest limit.
    pub most: u32,
    /// The limit that is right; null until it is known.
    #[schema(required)]
    pub advised: Option<u32>,
    /// Seconds that are usual to an answer's head; null until some are known.
    #[schema(required)]
    pub usual_seconds: Option<f64>,
    /// Calls under way.
    pub under_way: u32,
    /// Calls in line.
    pub waiting: InLine,
    /// Calls that got no place.
    pub refused: NoPlaceShown,
}

/// Calls in line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct InLine {
    /// Of users.
    pub users: usize,
    /// In the background.
    pub background: usize,
    /// As many as there may be.
    pub most: usize,
}

/// Calls that got no place, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NoPlace)]
pub struct NoPlaceShown {
    /// The line was full.
    pub full: u64,
    /// It took too long.
    pub late: u64,
}

/// A part of what may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = Share)]
pub struct ShareShown {
    /// How much of its budget warming should use, from 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    pub budget_share: f64,
}

/// How many gateways are wanted.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Replicas)]
pub struct ReplicasShown {
    /// So many; 0.5 is a gateway with half of what it should have to do.
    pub wanted: f64,
    /// What the latest look alone would want.
    pub now: f64,
    /// The part that counts now.
    pub bound_by: &'static str,
    /// What is in use, over the last looks.
    pub saturation: SaturationShown,
    /// What should be.
    pub target: f64,
}

/// Which part of what there is is in use.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Saturation)]
pub struct SaturationShown {
    /// Requests that wait, of those that may.
    pub requests: f64,
    /// Busy time of the worker threads.
    pub workers: f64,
    /// Memory that requests and answers under way hold, of what there is for them.
    pub memory: f64,
    /// Calls of upstreams, those that wait too, of as many as may be.
    pub calls: f64,
}

/// What was answered in the last minutes; not from leases, which ask nobody.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = LatestTraffic)]
pub struct TrafficShown {
    /// Requests.
    pub requests: u64,
    /// Parts of them that L1, L2 and L3 answered.
    pub hit_ratio: [f64; 3],
    /// Entries that L1 has evicted.
    pub evictions: u64,
    /// Part of the requests that ended with an error of the gateway's own.
    pub errors: f64,
    /// Calls of origins, and those that were not let through.
    pub calls: u64,
    /// Part of these that failed, or were not let through.
    pub failed_calls: f64,
    /// Milliseconds within which half of the calls had their answer's head, to a power of two.
    pub call_ms_half: u64,
    /// The same for 95 of 100.
    pub call_ms_most: u64,
}

impl ScalingShown {
    /// Returns what `report` and `gates` show.
    pub fn of(mode: &'static str, gates: &CallGates, report: &ScalingReport) -> Self {
        let [bytes, least_bytes, most_bytes, allowed_bytes] = report.l1_bytes;
        let point = |&CurvePoint { size, hit_ratio }| CurvePointShown { bytes: size, hit_ratio };
        Self {
            mode,
            l1: SizeShown { bytes, least_bytes, most_bytes, allowed_bytes },
            curve: report.curve.iter().map(point).collect(),
            curve_requests: report.evidence,
            curve_sample: report.rate,
            upstreams: limits(gates, &report.origins),
            warming: ShareShown { budget_share: part_of_one(report.warming_share) },
            replicas: report.replicas.as_ref().map(ReplicasShown::of),
            traffic: TrafficShown::of(&report.traffic),
            decisions: report.decisions.clone(),
        }
    }
}

impl LimitShown {
    fn of(gate: &GateReport, origin: Option<&OriginReport>) -> Self {
        let [users, background] = gate.waiting;
        Self {
            limit: gate.limit,
            least: gate.settings.least,
            most: gate.settings.most,
            advised: origin.map(|origin| origin.limit),
            usual_seconds: origin.and_then(|origin| origin.usual_seconds),
            under_way: gate.under_way,
            waiting: InLine { users, background, most: gate.settings.queue },
            refused: NoPlaceShown { full: gate.refused_full, late: gate.refused_late },
        }
    }
}

impl ReplicasShown {
    fn of(replicas: &WantedReplicas) -> Self {
        // Without `..`: a new member does not compile until it is shown.
        let WantedReplicas { wanted, now, bound_by, saturation, target } = *replicas;
        let Saturation { requests, workers, memory, calls } = saturation;
        let saturation = SaturationShown { requests, workers, memory, calls };
        Self { wanted, now, bound_by, saturation, target }
    }
}

impl TrafficShown {
    fn of(traffic: &TrafficReport) -> Self {
        let TrafficReport {
            requests,
            hit_ratio,
            evictions,
            errors,
            calls,
            failed_calls,
            call_ms_half,
            call_ms_most,
        } = *traffic;
        Self {
            requests,
            hit_ratio,
            evictions,
            errors,
            calls,
            failed_calls,
            call_ms_half,
            call_ms_most,
        }
    }
}

/// Returns the limits of the upstreams that have one, by name.
pub fn limits(gates: &CallGates, origins: &[OriginReport]) -> BTreeMap<String, LimitShown> {
    let limits = gates.iter().map(|(name, gate)| {
        let origin = origins.iter().find(|origin| origin.upstream == *name);
        (name.to_string(), LimitShown::of(&gate.report(), origin))
    });
    limits.collect()
}
