//! What operators see of the settings, and have read anew.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::cache_admin::is_json;
use crate::http::gateway::Gateway;
use crate::http::operations::error;
use crate::reload::{Outcome, Record, Trigger};
use crate::settings::{SettingsError, masked, sources_told};

/// The settings in force without secrets, the source of each that is no default, what waits for a
/// restart, and what became of the latest reloads.
pub async fn show(gateway: Data<Gateway>) -> HttpResponse {
    let in_force = gateway.in_force();
    let known = gateway.reloads.known();
    let history: Vec<Value> = known.history.latest().map(record_json).collect();
    HttpResponse::Ok().json(json!({
        "epoch": in_force.epoch,
        "file": gateway.reloads.file(),
        "settings": masked(&in_force.settings),
        "sources": sources_told(&in_force.settings, &known.sources),
        "needs_restart": known.needs_restart,
        "history": history,
    }))
}

/// Reads the settings anew. 200 where they are right, whatever of them waits for a restart; 422 where
/// they cannot be used and those in force stay.
pub async fn reload(gateway: Data<Gateway>, request: HttpRequest) -> HttpResponse {
    if !is_json(&request) {
        let text = "a reload has to be asked for as application/json";
        return error(HttpResponse::UnsupportedMediaType(), text);
    }
    let with_token = !gateway.in_force().settings.admin.token.is_empty();
    tracing::info!(with_token, "asked to read the settings anew");
    let record = gateway.reloads.reload(Trigger::Operator).await;
    let mut answer = record_json(&record);
    match &record.outcome {
        Outcome::Applied { .. } | Outcome::Apart { .. } => HttpResponse::Ok().json(answer),
        Outcome::Refused(failure) => {
            if let Value::Object(members) = &mut answer {
                let said = json!({"message": failure.to_string(), "type": "invalid_request_error"});
                members.insert("error".to_owned(), said);
            }
            HttpResponse::UnprocessableEntity().json(answer)
        }
    }
}

fn record_json(record: &Record) -> Value {
    let outcome = &record.outcome;
    json!({
        "at_unix_ms": record.at_ms,
        "trigger": record.trigger.label(),
        "outcome": outcome.label(),
        "epoch": record.epoch,
        "changed": outcome.changed(),
        "needs_restart": outcome.needs_restart(),
        "problems": outcome.error().map(problems_json).unwrap_or_default(),
    })
}

/// What is wrong, one by one; where the file as a whole cannot be read, without a key.
fn problems_json(failure: &SettingsError) -> Vec<Value> {
    let SettingsError::Invalid(problems) = failure else {
        return vec![json!({"key": null, "reason": failure.to_string()})];
    };
    problems
        .iter()
        .map(|problem| {
            json!({
                "key": problem.key,
                "value": problem.value,
                "source": problem.source.to_string(),
                "reason": problem.reason,
                "allowed": problem.allowed,
            })
        })
        .collect()
}
