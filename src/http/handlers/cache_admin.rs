//! What operators do with what is kept: purge it, look at one answer.

use std::time::Duration;

use actix_web::http::header::{ALLOW, CONTENT_TYPE};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use anteroom_actors::message::{LevelHandle, Lookup, Place, Purge, Purged, ask};
use anteroom_actors::model::{CacheKey, Entry, Form, LabelKind, Standing};
use futures_util::future::join3;
use serde_json::{Value, json};

use crate::http::body;
use crate::http::gateway::Gateway;
use crate::http::operations::error;
use crate::http::purge_request::{self, Named, PurgeRequestError};

/// Largest body of a purge.
const MAX_BODY: usize = 64 * 1024;
/// Longest wait for it.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Longest wait for a level that is asked for an entry.
const LOOKUP_WITHIN: Duration = Duration::from_secs(1);

/// Purges by any of key, tag, model, namespace, scope, route, or everything. It holds in this gateway
/// when the answer leaves; the answer says where else.
pub async fn purge(
    gateway: Data<Gateway>,
    request: HttpRequest,
    mut payload: Payload,
) -> HttpResponse {
    if !is_json(&request) {
        let text = "a purge has to be application/json";
        return error(HttpResponse::UnsupportedMediaType(), text);
    }
    let body = match body::read(&request, &mut payload, MAX_BODY, BODY_WITHIN).await {
        Ok(body) => body,
        Err(failure) => {
            let text = format!("the body did not come whole, within 10 s and {MAX_BODY} bytes");
            return error(HttpResponseBuilder::new(failure.status()), &text);
        }
    };
    let named = match purge_request::read(&body, &gateway.in_force().routes) {
        Ok(named) => named,
        Err(failure @ PurgeRequestError::NoSuchRoute(_)) => {
            return error(HttpResponse::NotFound(), &failure.to_string());
        }
        Err(failure) => return error(HttpResponse::BadRequest(), &failure.to_string()),
    };
    let labels = named.iter().map(|named| named.label).collect();
    // Two rounds, where another gateway's clock is ahead.
    let timeout = gateway.in_force().settings.purge.record_timeout.get();
    let deadline = timeout.saturating_mul(2).saturating_add(Duration::from_secs(1));
    let purging = &gateway.topology.purging.purge;
    match ask(purging, Purge { labels }, deadline).await {
        Ok(purged) => {
            audit(&gateway, &named, &purged);
            HttpResponse::Ok().json(purged_json(&named, &purged))
        }
        Err(failure) => {
            tracing::warn!(%failure, "a purge was asked for and not answered");
            let text = format!("it is not known whether the purge holds, ask again: {failure}");
            HttpResponse::ServiceUnavailable()
                .json(json!({"error": {"message": text, "type": "api_error"}}))
        }
    }
}

/// Another method than POST.
pub async fn only_post() -> HttpResponse {
    let mut response = HttpResponse::MethodNotAllowed();
    response.insert_header((ALLOW, "POST"));
    error(response, "this page takes a POST")
}

pub(super) fn is_json(request: &HttpRequest) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// One line for each change. What callers chose to call their answers is not told in words.
fn audit(gateway: &Gateway, named: &[Named], purged: &Purged) {
    let what: Vec<String> = named
        .iter()
        .map(|Named { kind, value, label }| match kind {
            LabelKind::All => "all".to_owned(),
            LabelKind::Route | LabelKind::Model => format!("{} {value:?}", kind.as_str()),
            LabelKind::Key
            | LabelKind::Tag
            | LabelKind::Namespace
            | LabelKind::Scope
            | LabelKind::Target => {
                format!("{} #{:08x}", kind.as_str(), label.as_u64() >> 32)
            }
        })
        .collect();
    tracing::info!(
        with_token = !gateway.in_force().settings.admin.token.is_empty(),
        purged = what.join(", "),
        generation = purged.generation,
        complete = purged.is_complete(),
        "purged"
    );
}

fn purged_json(named: &[Named], purged: &Purged) -> Value {
    let what: Vec<Value> = named
        .iter()
        .map(|named| json!({"kind": named.kind.as_str(), "value": named.value}))
        .collect();
    json!({
        "purged": what,
        "generation": purged.generation,
        "status": if purged.is_complete() { "complete" } else { "partial" },
        "places": {
            "memory": {"state": "seen"},
            "redis": place_json(&purged.l2),
            "database": place_json(&purged.l3),
        },
    })
}

fn place_json(place: &Place) -> Value {
    match place {
        Place::Seen => json!({"state": "seen"}),
        Place::Off => json!({"state": "off"}),
        Place::Failed(reason) => json!({"state": "failed", "reason": reason}),
    }
}

/// Where an answer lies, and what is known of it: nothing of its body, nor of its headers' values.
pub async fn entry(gateway: Data<Gateway>, key: Path<String>) -> HttpResponse {
    let Some(key) = CacheKey::from_hex(&key) else {
        return error(HttpResponse::BadRequest(), "a key is 64 hexadecimal digits");
    };
    let topology = &gateway.topology;
    let wall_ms = gateway.clock.wall_ms();
    let look = async |level: &LevelHandle| {
        if !level.enabled {
            return (false, json!({"state": "off"}));
        }
        let lookup = Lookup { key, form: Form::Object };
        match ask(&level.lookup, lookup, LOOKUP_WITHIN).await {
            Ok(Ok(Some(entry))) => (true, entry_json(&entry, wall_ms)),
            Ok(Ok(None)) => (false, json!({"state": "absent"})),
            Ok(Err(failure)) => (false, json!({"state": "unknown", "reason": failure.to_string()})),
            Err(failure) => (false, json!({"state": "unknown", "reason": failure.to_string()})),
        }
    };
    let (l1, l2, l3) = join3(look(&topology.l1), look(&topology.l2), look(&topology.l3)).await;
    let is_held = l1.0 || l2.0 || l3.0;
    let body = json!({"key": key.to_hex(), "l1": l1.1, "l2": l2.1, "l3": l3.1});
    if is_held { HttpResponse::Ok().json(body) } else { HttpResponse::NotFound().json(body) }
}

fn entry_json(entry: &Entry, wall_ms: u64) -> Value {
    let freshness = &entry.freshness;
    let standing = match freshness.standing(wall_ms) {
        Standing::Fresh => "fresh",
        Standing::WhileRevalidate => "stale-while-revalidate",
        Standing::IfError => "stale-if-error",
        Standing::Validate => "validate",
        Standing::Over => "over",
    };
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let headers: Vec<&str> = entry.headers.iter().map(|header| &*header.name).collect();
    let usage = entry.usage.map(
        |usage| json!({"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}),
    );
    json!({
        "state": "held",
        "status": entry.status,
        "streamed": entry.form.is_stream(),
        "standing": standing,
        "age_ms": freshness.age_ms(wall_ms),
        "ttl_ms": millis(freshness.remaining(wall_ms)),
        "useful_for_ms": millis(freshness.useful_for(wall_ms)),
        "body_bytes": entry.body.len(),
        "generation": entry.labels.generation,
        "labels": entry.labels.names.len(),
        "model": entry.model,
        "usage": usage,
        "upstream_ms": millis(entry.upstream_latency),
        "headers": headers,
    })
}
