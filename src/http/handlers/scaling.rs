//! What operators see of the scaler.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpResponse, HttpResponseBuilder};
use anteroom_actors::message::ask;
use anteroom_actors::scaler::{ObserveScaling, ScalingReport};
use serde_json::{Value, json};

use crate::http::gateway::Gateway;
use crate::http::operations::error;

/// Longest wait for the actor, which answers at once.
const DEADLINE: Duration = Duration::from_secs(1);

/// The curve, L1's bounds, traffic and the latest decisions.
pub async fn show(gateway: Data<Gateway>) -> HttpResponse {
    let Some(settings) = gateway.settings.scaler() else {
        return HttpResponse::Ok().json(json!({"mode": "off"}));
    };
    match ask(&gateway.topology.scaler.observe, ObserveScaling, DEADLINE).await {
        Ok(report) => HttpResponse::Ok().json(report_json(settings.mode.label(), &report)),
        Err(_gone) => {
            let response: HttpResponseBuilder = HttpResponse::ServiceUnavailable();
            error(response, "the scaler does not answer; ask again")
        }
    }
}

/// Returns what `report` shows.
pub(in crate::http) fn report_json(mode: &str, report: &ScalingReport) -> Value {
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
        "traffic": report.traffic,
        "decisions": report.decisions,
    })
}
