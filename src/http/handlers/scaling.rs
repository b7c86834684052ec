//! What operators see of the scaler and of what it sets.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpResponse, HttpResponseBuilder};
use anteroom_actors::message::ask;
use anteroom_actors::model::CallGates;
use anteroom_actors::scaler::{ObserveScaling, OriginReport, ScalingReport};
use serde_json::{Value, json};

use crate::http::gateway::Gateway;
use crate::http::operations::error;

/// Longest wait for the actor, which answers at once.
const DEADLINE: Duration = Duration::from_secs(1);

/// The curve, L1's bounds, traffic, the calls of upstreams and the latest decisions.
pub async fn show(gateway: Data<Gateway>) -> HttpResponse {
    let gates = &gateway.topology.gates;
    let Some(settings) = gateway.in_force().settings.scaler() else {
        let upstreams = upstreams_json(gates, &[]);
        return HttpResponse::Ok().json(json!({"mode": "off", "upstreams": upstreams}));
    };
    match ask(&gateway.topology.scaler.observe, ObserveScaling, DEADLINE).await {
        Ok(report) => HttpResponse::Ok().json(report_json(settings.mode.label(), gates, &report)),
        Err(_gone) => {
            let response: HttpResponseBuilder = HttpResponse::ServiceUnavailable();
            error(response, "the scaler does not answer; ask again")
        }
    }
}

/// Returns hundredths as a part of one.
pub(super) fn part_of_one(hundredths: u64) -> f64 {
    f64::from(u32::try_from(hundredths).unwrap_or(u32::MAX)) / 100.0
}

/// Returns the limits of the upstreams that have one, by name.
fn upstreams_json(gates: &CallGates, origins: &[OriginReport]) -> Value {
    let upstreams = gates.iter().map(|(name, gate)| {
        let gate = gate.report();
        let [users, background] = gate.waiting;
        let origin = origins.iter().find(|origin| origin.upstream == *name);
        let shown = json!({
            "limit": gate.limit,
            "least": gate.settings.least,
            "most": gate.settings.most,
            "advised": origin.map(|origin| origin.limit),
            "usual_seconds": origin.and_then(|origin| origin.usual_seconds),
            "under_way": gate.under_way,
            "waiting": {"users": users, "background": background, "most": gate.settings.queue},
            "refused": {"full": gate.refused_full, "late": gate.refused_late},
        });
        (name.to_string(), shown)
    });
    Value::Object(upstreams.collect())
}

/// Returns what `report` and `gates` show.
pub(in crate::http) fn report_json(mode: &str, gates: &CallGates, report: &ScalingReport) -> Value {
    let [bytes, least_bytes, most_bytes, allowed_bytes] = report.l1_bytes;
    json!({
        "mode": mode,
        "l1": {
            "bytes": bytes,
            "least_bytes": least_bytes,
            "most_bytes": most_bytes,
            "allowed_bytes": allowed_bytes,
        },
        "curve": report.curve,
        "curve_requests": report.evidence,
        "curve_sample": report.rate,
        "upstreams": upstreams_json(gates, &report.origins),
        "warming": {"budget_share": part_of_one(report.warming_share)},
        "replicas": report.replicas,
        "traffic": report.traffic,
        "decisions": report.decisions,
    })
}
