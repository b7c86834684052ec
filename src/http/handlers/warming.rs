//! What operators see of warming, and have warmed.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::ALLOW;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use anteroom_actors::message::ask;
use anteroom_actors::origin::OriginCall;
use anteroom_actors::warming::{ObserveWarming, Progress, Record, WarmNow, WarmingState};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::cache_admin::is_json;
use super::submitted::{Mistake, Submitted, client_of};
use super::unasked::described;
use crate::http::body;
use crate::http::gateway::Gateway;
use crate::http::operations::error;
use crate::http::performance::rounded;

/// Longest wait for the actor, which answers at once.
const DEADLINE: Duration = Duration::from_secs(1);

/// Most requests warmed at a time.
const MOST_REQUESTS: usize = 1_000;

/// Largest body.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// Longest wait for it.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Patterns, queue, ledger and budget. Names answers by their keys: nothing of a request.
pub async fn show(gateway: Data<Gateway>) -> HttpResponse {
    if !gateway.in_force().settings.warming.enabled {
        return HttpResponse::Ok().json(json!({"enabled": false}));
    }
    match ask(&gateway.topology.warming.observe, ObserveWarming, DEADLINE).await {
        Ok(state) => HttpResponse::Ok().json(state_json(&gateway, &state)),
        Err(_gone) => away(),
    }
}

/// The body of [`warm`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted<'a> {
    #[serde(borrow)]
    requests: Vec<&'a RawValue>,
}

/// Has answers ready, now. All requests are right, or none is warmed.
pub async fn warm(
    gateway: Data<Gateway>,
    request: HttpRequest,
    mut payload: Payload,
) -> HttpResponse {
    if !gateway.in_force().settings.warming.enabled {
        return error(HttpResponse::Conflict(), "warming.enabled is false");
    }
    if !is_json(&request) {
        let text = "what to warm has to be application/json";
        return error(HttpResponse::UnsupportedMediaType(), text);
    }
    let text = match body::read(&request, &mut payload, MAX_BODY, BODY_WITHIN).await {
        Ok(text) => text,
        Err(failure) => {
            let text = format!("the body did not come whole, within 10 s and {MAX_BODY} bytes");
            return error(HttpResponseBuilder::new(failure.status()), &text);
        }
    };
    let calls = match calls(&gateway, &text).await {
        Ok(calls) => calls,
        Err(Mistake { field, reason }) => {
            return error(HttpResponse::BadRequest(), &format!("{field}: {reason}"));
        }
    };
    match ask(&gateway.topology.warming.now, WarmNow { calls }, DEADLINE).await {
        Ok(progress) => {
            tracing::info!(
                with_token = !gateway.in_force().settings.admin.token.is_empty(),
                errand = progress.number,
                requests = progress.total,
                "asked to warm"
            );
            HttpResponse::Accepted().json(progress_json(&progress))
        }
        Err(_gone) => away(),
    }
}

/// Another method than GET and POST.
pub async fn other_method() -> HttpResponse {
    let mut response = HttpResponse::MethodNotAllowed();
    response.insert_header((ALLOW, "GET, POST"));
    error(response, "this page takes a GET or a POST")
}

async fn calls(gateway: &Gateway, text: &[u8]) -> Result<Vec<Arc<OriginCall>>, Mistake> {
    let wanted: Wanted<'_> = serde_json::from_slice(text).map_err(|_| {
        Mistake::new("the body", "must be {\"requests\": [{path, method, headers, body}, …]}")
    })?;
    if !(1..=MOST_REQUESTS).contains(&wanted.requests.len()) {
        return Err(Mistake::new("requests", format!("1 to {MOST_REQUESTS} of them")));
    }
    let in_force = gateway.in_force();
    let mut calls = Vec::with_capacity(wanted.requests.len());
    for (position, request) in wanted.requests.into_iter().enumerate() {
        let at = |mistake: Mistake| {
            Mistake::new(format!("requests[{position}].{}", mistake.field), mistake.reason)
        };
        let mut submitted = Submitted::read(request.get().as_bytes()).map_err(at)?;
        let client = client_of(&in_force, &mut submitted)
            .map_err(|reason| at(Mistake::new("headers", reason)))?;
        calls.push(described(gateway, &in_force, &submitted, client).await.map_err(at)?);
    }
    Ok(calls)
}

fn away() -> HttpResponse {
    let text = "warming does not answer; its actor is being made anew";
    HttpResponse::ServiceUnavailable()
        .json(json!({"error": {"message": text, "type": "api_error"}}))
}

fn state_json(gateway: &Gateway, state: &WarmingState) -> Value {
    let hottest: Vec<Value> = state
        .hottest
        .iter()
        .map(|(key, requests)| json!({"key": key.to_hex(), "requests": rounded(*requests)}))
        .collect();
    let errands: Vec<Value> = state.errands.iter().map(progress_json).collect();
    let (keys, contexts, bytes) = state.patterns;
    json!({
        "enabled": true,
        "paused": state.paused,
        "patterns": {
            "learned": state.counts.learned, "keys": keys, "sequences": contexts, "bytes": bytes,
            "hottest": hottest,
        },
        "queue": queue_json(state),
        "ledger": ledger_json(state),
        "budget": budget_json(gateway, state),
        "requests": requests_json(state),
        "critical": critical_json(state),
        "errands": errands,
    })
}

/// Returns the state without what names single answers and requests.
pub(in crate::http) fn summary_json(gateway: &Gateway, state: &WarmingState) -> Value {
    let (keys, contexts, bytes) = state.patterns;
    json!({
        "paused": state.paused,
        "patterns": {
            "learned": state.counts.learned, "keys": keys, "sequences": contexts, "bytes": bytes,
        },
        "queue": queue_json(state),
        "ledger": ledger_json(state),
        "budget": budget_json(gateway, state),
        "requests": requests_json(state),
    })
}

fn queue_json(state: &WarmingState) -> Value {
    json!({
        "lookups": {"waiting": state.waiting.0, "under_way": state.under_way.0},
        "calls": {"waiting": state.waiting.1, "under_way": state.under_way.1},
        "given_up": state.counts.given_up,
    })
}

fn requests_json(state: &WarmingState) -> Value {
    json!({
        "known": state.requests.0, "bytes": state.requests.1, "not_known": state.counts.unknown,
    })
}

fn ledger_json(state: &WarmingState) -> Value {
    let buckets: Vec<Value> = state
        .buckets
        .iter()
        .map(|(kind, from, record)| {
            let Record { used, wasted, .. } = *record;
            json!({
                "kind": kind, "confidence_from": from, "used": rounded(used),
                "wasted": rounded(wasted), "precision": record.precision().map(rounded),
            })
        })
        .collect();
    json!({
        "done": state.tally.done,
        "used": state.tally.used,
        "wasted": state.tally.wasted,
        "calls": state.counts.calls,
        "promoted": state.counts.promoted,
        "failed": state.counts.failed,
        "trials": state.counts.trials,
        "share_of_l1": rounded(state.warm_share),
        "kinds": buckets,
    })
}

fn budget_json(gateway: &Gateway, state: &WarmingState) -> Value {
    let (minute, day, micros) = state.spent;
    let bounds = state.budget;
    let money = |micros: u64| crate::savings::Money::from_micros(micros).to_string();
    json!({
        "calls_per_minute": {"spent": minute, "most": bounds.calls_a_minute},
        "calls_per_day": {"spent": day, "most": bounds.calls_a_day},
        "money_per_day": {
            "spent": money(micros), "most": money(bounds.micros_a_day),
            "currency": gateway.savings.currency(),
        },
        "share": super::scaling::part_of_one(state.budget_share),
        "held_back_by": state.held_back_by.map(|spent| spent.label()),
    })
}

fn critical_json(state: &WarmingState) -> Vec<Value> {
    let one = |(position, (call, standing)): (usize, &(Arc<OriginCall>, _))| {
        let standing: &anteroom_actors::warming::Standing = standing;
        json!({
            "position": position,
            "key": call.key.to_hex(),
            "method": call.method,
            "path": call.target,
            "ready": standing.is_ready,
            "failures": standing.failures,
            "next_in_ms": standing.next_in_ms,
        })
    };
    state.critical.iter().enumerate().map(one).collect()
}

fn progress_json(progress: &Progress) -> Value {
    let Progress { number, total, ready, called, failed } = *progress;
    json!({
        "errand": number,
        "state": if progress.is_over() { "done" } else { "under_way" },
        "total": total, "ready": ready, "called": called, "failed": failed,
    })
}
