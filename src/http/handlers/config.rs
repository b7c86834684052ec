//! What operators see of the settings, and have read anew.

use std::collections::BTreeMap;
use std::path::PathBuf;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::cache_admin::is_json;
use crate::http::error_body::ErrorBody;
use crate::http::gateway::Gateway;
use crate::http::openapi::{shared, words};
use crate::http::operations::error;
use crate::reload::{Outcome, Record, Trigger};
use crate::settings::{Change, Problem, SettingsError, masked, sources_told};

/// The settings in force, and what became of changes to them.
#[derive(Serialize, ToSchema)]
#[schema(as = SettingsPage)]
struct Page<'a> {
    /// Their number: each reload that changes something counts it up.
    epoch: u64,
    /// The file they were read from; null without one.
    #[schema(required, value_type = Option<String>)]
    file: Option<PathBuf>,
    /// All of them, secrets masked.
    #[schema(value_type = Object)]
    settings: Value,
    /// The source of each value that is no default, by its key.
    sources: BTreeMap<String, String>,
    /// What waits for a restart.
    needs_restart: &'a [Change],
    /// What became of the latest reloads, latest first.
    #[schema(max_items = 50)]
    history: Vec<Reload<'a>>,
}

/// What became of a reload.
#[derive(Serialize, ToSchema)]
struct Reload<'a> {
    /// When, in milliseconds since the Unix epoch.
    at_unix_ms: u64,
    /// Why the settings were read anew.
    #[schema(value_type = words::Trigger)]
    trigger: &'static str,
    /// What became of it.
    #[schema(value_type = words::ReloadOutcome)]
    outcome: &'static str,
    /// The number of the settings in force after it.
    epoch: u64,
    /// What changed.
    changed: &'a [Change],
    /// What waits for a restart.
    needs_restart: &'a [Change],
    /// What is wrong, one by one.
    problems: Vec<ProblemShown<'a>>,
}

/// One thing that is wrong with settings.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
struct ProblemShown<'a> {
    /// The key; null, as all but the reason, where the file as a whole cannot be read.
    #[schema(required)]
    key: Option<&'a str>,
    /// The value, where it may be shown.
    #[schema(required)]
    value: Option<&'a str>,
    /// Where the value came from.
    #[schema(required)]
    source: Option<String>,
    /// What is wrong.
    reason: String,
    /// What would be right: a range or a form.
    #[schema(required)]
    allowed: Option<&'a str>,
}

/// A reload that was refused, and why.
#[derive(Serialize, ToSchema)]
#[schema(as = ReloadRefused)]
struct Refused<'a> {
    #[serde(flatten)]
    reload: Reload<'a>,
    #[serde(flatten)]
    why: ErrorBody<'a>,
}

/// The settings in force.
#[utoipa::path(
    get, path = "/api/v1/config", operation_id = "config",
    responses((
        status = 200, body = Page,
        description = "Secrets masked; the source of each value that is no default; what waits for a \
                       restart; what became of the latest reloads.",
    )),
)]
pub async fn show(gateway: Data<Gateway>) -> HttpResponse {
    let in_force = gateway.in_force();
    let known = gateway.reloads.known();
    HttpResponse::Ok().json(Page {
        epoch: in_force.epoch,
        file: gateway.reloads.file(),
        settings: masked(&in_force.settings),
        sources: sources_told(&in_force.settings, &known.sources),
        needs_restart: &known.needs_restart,
        history: known.history.latest().map(Reload::of).collect(),
    })
}

/// Read the settings anew.
///
/// What can change without a restart changes at once, or nothing does.
#[utoipa::path(
    post, path = "/api/v1/config/reload", operation_id = "reload",
    request_body(content = Option<Object>, content_type = "application/json", example = json!({})),
    responses(
        (
            status = 200, body = Reload,
            description = "The settings are right, and what can change without a restart has changed.",
        ),
        (status = 415, response = shared::Error),
        (
            status = 422, body = Refused,
            description = "The settings cannot be used; all of those in force stay.",
        ),
    ),
)]
pub async fn reload(gateway: Data<Gateway>, request: HttpRequest) -> HttpResponse {
    if !is_json(&request) {
        let text = "a reload has to be asked for as application/json";
        return error(HttpResponse::UnsupportedMediaType(), text);
    }
    let with_token = !gateway.in_force().settings.admin.token.is_empty();
    tracing::info!(with_token, "asked to read the settings anew");
    let record = gateway.reloads.reload(Trigger::Operator).await;
    let reload = Reload::of(&record);
    match &record.outcome {
        Outcome::Applied { .. } | Outcome::Apart { .. } => HttpResponse::Ok().json(reload),
        Outcome::Refused(failure) => {
            let why = ErrorBody::invalid(failure.to_string());
            HttpResponse::UnprocessableEntity().json(Refused { reload, why })
        }
    }
}

impl<'a> Reload<'a> {
    fn of(record: &'a Record) -> Self {
        let outcome = &record.outcome;
        Self {
            at_unix_ms: record.at_ms,
            trigger: record.trigger.label(),
            outcome: outcome.label(),
            epoch: record.epoch,
            changed: outcome.changed(),
            needs_restart: outcome.needs_restart(),
            problems: outcome.error().map(problems).unwrap_or_default(),
        }
    }
}

/// What is wrong, one by one; where the file as a whole cannot be read, without a key.
fn problems(failure: &SettingsError) -> Vec<ProblemShown<'_>> {
    let SettingsError::Invalid(problems) = failure else {
        let reason = failure.to_string();
        return vec![ProblemShown { key: None, value: None, source: None, reason, allowed: None }];
    };
    problems.iter().map(ProblemShown::of).collect()
}

impl<'a> ProblemShown<'a> {
    fn of(problem: &'a Problem) -> Self {
        Self {
            key: Some(&problem.key),
            value: problem.value.as_deref(),
            source: Some(problem.source.to_string()),
            reason: problem.reason.clone(),
            allowed: problem.allowed.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema as _;

    use super::*;
    use crate::reload::MOST_REMEMBERED;

    #[test]
    fn bounds_and_words_of_reloads_are_described_as_they_are() {
        let page = serde_json::to_value(Page::schema()).unwrap();
        assert_eq!(page["properties"]["history"]["maxItems"], MOST_REMEMBERED);
        let change = || vec![Change { key: "l1.max_entries".to_owned(), from: None, to: None }];
        let wrong = || SettingsError::Invalid(Vec::new());
        let none = Vec::new;
        let outcomes = [
            Outcome::Applied { changed: change(), needs_restart: none() },
            Outcome::Applied { changed: none(), needs_restart: none() },
            Outcome::Apart { needs_restart: change(), problems: wrong() },
            Outcome::Refused(wrong()),
        ];
        let words = serde_json::to_value(words::ReloadOutcome::schema()).unwrap();
        assert_eq!(words["enum"], serde_json::json!(outcomes.map(|outcome| outcome.label())));
    }
}
