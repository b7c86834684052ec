//! What operators see of the scaler and of what it sets.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpResponse, HttpResponseBuilder};
use anteroom_actors::message::ask;
use anteroom_actors::scaler::ObserveScaling;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::gateway::Gateway;
use crate::http::openapi::shared;
use crate::http::operations::error;
use crate::http::performance::{LimitShown, ScalingShown, limits};

/// Longest wait for the actor, which answers at once.
const DEADLINE: Duration = Duration::from_secs(1);

/// What there is to tell of scaling.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ScalingPage)]
enum Page {
    Off(Off),
    On(Box<ScalingShown>),
}

/// The scaler is off.
#[derive(Serialize, ToSchema)]
#[schema(as = ScalingOff)]
struct Off {
    mode: IsOff,
    /// The limits of the upstreams that have one, by name.
    upstreams: BTreeMap<String, LimitShown>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum IsOff {
    Off,
}

/// The curve of L1's size and hit ratio, bounds, traffic, and the latest decisions.
#[utoipa::path(
    get, path = "/api/v1/scaling", operation_id = "scaling",
    responses(
        (
            status = 200, body = Page,
            description = "What the scaler sees and did; only the mode and the upstreams' limits where it is off.",
        ),
        (status = 503, response = shared::Away),
    ),
)]
pub async fn show(gateway: Data<Gateway>) -> HttpResponse {
    let gates = &gateway.topology.gates;
    let Some(settings) = gateway.in_force().settings.scaler() else {
        let off = Off { mode: IsOff::Off, upstreams: limits(gates, &[]) };
        return HttpResponse::Ok().json(Page::Off(off));
    };
    match ask(&gateway.topology.scaler.observe, ObserveScaling, DEADLINE).await {
        Ok(report) => {
            let shown = ScalingShown::of(settings.mode.label(), gates, &report);
            HttpResponse::Ok().json(Page::On(Box::new(shown)))
        }
        Err(_gone) => {
            let response: HttpResponseBuilder = HttpResponse::ServiceUnavailable();
            error(response, "the scaler does not answer; ask again")
        }
    }
}
