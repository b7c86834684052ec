//! Is the gateway alive, is it ready, how are its actors?

use actix_web::HttpResponse;
use actix_web::web::Data;
use anteroom_actors::message::ActorState;
use anteroom_actors::wiring::{ActorHealth, SystemHealth};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

use crate::http::error_body::ErrorBody;
use crate::http::gateway::Gateway;
use crate::http::openapi::{shared, words};

/// How the process is.
#[derive(Serialize, ToSchema)]
struct Live {
    status: IsLive,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum IsLive {
    Live,
}

/// The process answers.
#[utoipa::path(
    get, path = "/health/live", operation_id = "live", security(()),
    responses((status = 200, description = "It does.", body = Live)),
)]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Live { status: IsLive::Live })
}

/// What works beside what is needed.
#[derive(Serialize, ToSchema)]
struct Ready<'a> {
    status: IsReady,
    /// Actors that are there, while what they stand for is not, or whose heartbeat is late.
    degraded: Vec<&'a str>,
    /// Actors that are being made anew.
    restarting: Vec<&'a str>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum IsReady {
    Ready,
}

/// Why requests are better sent elsewhere.
#[derive(Serialize, ToSchema)]
struct NotReady {
    status: IsNotReady,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<&'static str>,
}

#[derive(Serialize, ToSchema)]
enum IsNotReady {
    #[serde(rename = "stopping")]
    Stopping,
    #[serde(rename = "not ready")]
    NotReady,
}

impl NotReady {
    fn response(status: IsNotReady, reason: Option<&'static str>) -> HttpResponse {
        HttpResponse::ServiceUnavailable().json(Self { status, reason })
    }
}

/// The gateway takes requests.
///
/// A level that is away does not count against it; it is named.
#[utoipa::path(
    get, path = "/health/ready", operation_id = "ready", security(()),
    responses(
        (status = 200, description = "It does; a level that is away is named.", body = Ready),
        (status = 503, description = "It starts or stops.", body = NotReady),
    ),
)]
pub async fn ready(gateway: Data<Gateway>) -> HttpResponse {
    if gateway.is_stopping() {
        return NotReady::response(IsNotReady::Stopping, None);
    }
    let Ok(health) = gateway.topology.observe().await else {
        return NotReady::response(IsNotReady::NotReady, Some("the sentinel does not answer"));
    };
    let named = |state: ActorState| -> Vec<&str> {
        let actors = health.actors.iter().filter(|actor| actor.state == state);
        actors.map(|actor| actor.name.as_str()).collect()
    };
    HttpResponse::Ok().json(Ready {
        status: IsReady::Ready,
        degraded: named(ActorState::Degraded),
        restarting: named(ActorState::Restarting),
    })
}

/// All actors.
#[derive(Serialize, ToSchema)]
struct Actors<'a> {
    actors: Vec<Actor<'a>>,
}

/// One actor.
#[derive(Serialize, ToSchema)]
struct Actor<'a> {
    name: &'a str,
    #[schema(value_type = words::ActorState)]
    state: &'static str,
    /// Work that it has accepted and not finished.
    pending: u64,
    /// How often it was made anew.
    restarts: u64,
    /// Milliseconds since its last heartbeat; null before the first.
    #[schema(required)]
    heartbeat_age_ms: Option<u64>,
    /// Its last error.
    #[schema(required)]
    last_error: Option<&'a str>,
    /// Its own numbers: present values, and counts since its start.
    counters: BTreeMap<&'static str, u64>,
}

/// How every actor is.
#[utoipa::path(
    get, path = "/health/actors", operation_id = "actors",
    responses(
        (
            status = 200, body = Actors,
            description = "Name, state, pending work, restarts, last heartbeat, last error and counters of each.",
        ),
        (status = 503, response = shared::Away),
    ),
)]
pub async fn actors(gateway: Data<Gateway>) -> HttpResponse {
    match gateway.topology.observe().await {
        Ok(health) => HttpResponse::Ok().json(Actors::of(&health)),
        Err(error) => HttpResponse::ServiceUnavailable()
            .json(ErrorBody::away(format!("failed to ask the sentinel: {error}"))),
    }
}

impl<'a> Actors<'a> {
    fn of(health: &'a SystemHealth) -> Self {
        Self { actors: health.actors.iter().map(Actor::of).collect() }
    }
}

impl<'a> Actor<'a> {
    fn of(actor: &'a ActorHealth) -> Self {
        let millis = |age: std::time::Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        Self {
            name: &actor.name,
            state: actor.state.label(),
            pending: actor.pending,
            restarts: actor.restarts,
            heartbeat_age_ms: actor.heartbeat_age.map(millis),
            last_error: actor.last_error.as_deref(),
            counters: actor.counters.iter().copied().collect(),
        }
    }
}

/// Makes an actor panic. Test builds only.
#[cfg(feature = "fault-injection")]
pub async fn panic(gateway: Data<Gateway>, name: actix_web::web::Path<String>) -> HttpResponse {
    if gateway.topology.panic(&name) {
        HttpResponse::Accepted().finish()
    } else {
        HttpResponse::NotFound().finish()
    }
}
