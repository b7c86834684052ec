//! What operators see of warming, and have warmed.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::ALLOW;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use anteroom_actors::message::ask;
use anteroom_actors::origin::OriginCall;
use anteroom_actors::warming::{ObserveWarming, Standing, WarmNow, WarmingState};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::cache_admin::is_json;
use super::submitted::{Described, Mistake, Submitted, client_of};
use super::unasked::described;
use crate::http::body;
use crate::http::error_body::ErrorBody;
use crate::http::gateway::Gateway;
use crate::http::openapi::shared;
use crate::http::operations::{WARMING_PATH, error};
use crate::http::performance::{ErrandShown, WarmingShown};

/// Longest wait for the actor, which answers at once.
const DEADLINE: Duration = Duration::from_secs(1);

/// Most requests warmed at a time.
const MOST_REQUESTS: usize = 1_000;

/// Largest body.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// Longest wait for it.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// What there is to tell of warming.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = WarmingPage)]
enum Page<'a> {
    Off(Off),
    On(Box<Whole<'a>>),
}

/// Warming is off.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WarmingOff)]
struct Off {
    /// False.
    enabled: bool,
}

/// All of warming.
#[derive(Serialize, ToSchema)]
#[schema(as = WarmingWhole)]
struct Whole<'a> {
    /// True.
    enabled: bool,
    #[serde(flatten)]
    shown: WarmingShown,
    /// Requests of the settings whose answers are kept ready always.
    critical: Vec<CriticalShown<'a>>,
    /// What operators have asked for of late.
    errands: Vec<ErrandShown>,
}

/// A request whose answer is kept ready always.
#[derive(Serialize, ToSchema)]
#[schema(as = Critical)]
struct CriticalShown<'a> {
    /// Its place in the settings, from 0.
    position: usize,
    /// Its answer's key, as 64 hexadecimal digits.
    key: String,
    /// Its method.
    method: &'a str,
    /// Its path and query.
    path: &'a str,
    /// Whether L1 holds the answer, as far as is known.
    ready: bool,
    /// Tries that failed since the last that did not.
    failures: u32,
    /// When it is looked after next, in milliseconds from now; 0 while it is.
    next_in_ms: u64,
}

/// Patterns, queue, ledger, budget, critical requests and errands of warming.
#[utoipa::path(
    get, path = WARMING_PATH, operation_id = "warming",
    responses(
        (
            status = 200, body = Page,
            description = "Names answers by their keys; nothing of a request.",
        ),
        (status = 503, response = shared::Away),
    ),
)]
pub async fn show(gateway: Data<Gateway>) -> HttpResponse {
    if !gateway.in_force().settings.warming.enabled {
        return HttpResponse::Ok().json(Page::Off(Off { enabled: false }));
    }
    match ask(&gateway.topology.warming.observe, ObserveWarming, DEADLINE).await {
        Ok(state) => HttpResponse::Ok().json(Page::On(Box::new(Whole::of(&gateway, &state)))),
        Err(_gone) => away(),
    }
}

/// What is to be had ready.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Wanted)]
struct Wanted<'a> {
    /// The requests, 1 to 1,000 of them.
    #[serde(borrow)]
    #[schema(value_type = Vec<Described>, min_items = 1, max_items = 1000)]
    requests: Vec<&'a RawValue>,
}

/// Have answers ready for requests, now.
///
/// All requests are right, or none is warmed.
#[utoipa::path(
    post, path = WARMING_PATH, operation_id = "warm",
    request_body(content = Wanted, content_type = "application/json", example = json!({
        "requests": [{
            "path": "/v1/chat/completions",
            "body": {
                "model": "example",
                "messages": [{"role": "user", "content": "What is an anteroom?"}],
            },
        }],
    })),
    responses(
        (
            status = 202, body = ErrandShown,
            description = "They are queued, as one errand; GET tells how far it is.",
        ),
        (status = 400, response = shared::Error),
        (status = 408, response = shared::Error),
        (status = 409, response = shared::Error),
        (status = 413, response = shared::Error),
        (status = 415, response = shared::Error),
        (status = 503, response = shared::Away),
    ),
)]
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
            HttpResponse::Accepted().json(ErrandShown::of(&progress))
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
    HttpResponse::ServiceUnavailable().json(ErrorBody::away(text))
}

impl<'a> Whole<'a> {
    fn of(gateway: &Gateway, state: &'a WarmingState) -> Self {
        Self {
            enabled: true,
            shown: WarmingShown::of(gateway, state).with_hottest(state),
            critical: state.critical.iter().enumerate().map(CriticalShown::of).collect(),
            errands: state.errands.iter().map(ErrandShown::of).collect(),
        }
    }
}

impl<'a> CriticalShown<'a> {
    fn of((position, (call, standing)): (usize, &'a (Arc<OriginCall>, Standing))) -> Self {
        Self {
            position,
            key: call.key.to_hex(),
            method: &call.method,
            path: &call.target,
            ready: standing.is_ready,
            failures: standing.failures,
            next_in_ms: standing.next_in_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema as _;

    use super::*;

    #[test]
    fn the_bound_of_requests_is_described_as_it_is() {
        let wanted = serde_json::to_value(Wanted::schema()).unwrap();
        assert_eq!(wanted["properties"]["requests"]["maxItems"], MOST_REQUESTS);
    }
}
