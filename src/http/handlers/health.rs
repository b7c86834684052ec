//! Is the gateway alive, is it ready, how are its actors?

use actix_web::HttpResponse;
use actix_web::web::Data;
use anteroom_actors::message::ActorState;
use anteroom_actors::wiring::SystemHealth;
use serde_json::{Map, Value, json};

use crate::http::gateway::Gateway;

/// The process answers.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "live"}))
}

/// The gateway takes requests: 200, or 503 while it starts or stops. A level that is away does
/// not count against it; it is named.
pub async fn ready(gateway: Data<Gateway>) -> HttpResponse {
    if gateway.is_stopping() {
        return HttpResponse::ServiceUnavailable().json(json!({"status": "stopping"}));
    }
    let Ok(health) = gateway.topology.observe().await else {
        let body = json!({"status": "not ready", "reason": "the sentinel does not answer"});
        return HttpResponse::ServiceUnavailable().json(body);
    };
    let named = |state: ActorState| -> Vec<&str> {
        let actors = health.actors.iter().filter(|actor| actor.state == state);
        actors.map(|actor| actor.name.as_str()).collect()
    };
    let body = json!({
        "status": "ready",
        "degraded": named(ActorState::Degraded),
        "restarting": named(ActorState::Restarting),
    });
    HttpResponse::Ok().json(body)
}

/// Every actor: name, state, depth, restarts, heartbeat, last error, counters.
pub async fn actors(gateway: Data<Gateway>) -> HttpResponse {
    match gateway.topology.observe().await {
        Ok(health) => HttpResponse::Ok().json(actors_json(&health)),
        Err(error) => HttpResponse::ServiceUnavailable().json(json!({
            "error": {"message": format!("failed to ask the sentinel: {error}"), "type": "api_error"}
        })),
    }
}

fn actors_json(health: &SystemHealth) -> Value {
    let actors: Vec<Value> = health
        .actors
        .iter()
        .map(|actor| {
            let counters: Map<String, Value> = actor
                .counters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
                .collect();
            let age_ms =
                actor.heartbeat_age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
            json!({
                "name": actor.name,
                "state": actor.state.label(),
                "pending": actor.pending,
                "restarts": actor.restarts,
                "heartbeat_age_ms": age_ms,
                "last_error": actor.last_error,
                "counters": counters,
            })
        })
        .collect();
    json!({ "actors": actors })
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
