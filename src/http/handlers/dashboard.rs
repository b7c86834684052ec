//! The operators' page, its sessions, and its live numbers.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH,
    REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

use super::cache_admin::is_json;
use crate::dashboard::{self, Asset, POLICY};
use crate::http::body;
use crate::http::gateway::Gateway;
use crate::http::live::Live;
use crate::http::operations::{error, is_let_in};
use crate::http::session::{COOKIE, LASTS, Sessions};

/// Largest body with a token.
const MAX_BODY: usize = 16 * 1024;
/// Longest wait for it.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// The page.
pub async fn page(request: HttpRequest) -> HttpResponse {
    file(&request, "")
}

/// What it loads.
pub async fn part(request: HttpRequest, name: Path<String>) -> HttpResponse {
    file(&request, &name)
}

fn file(request: &HttpRequest, name: &str) -> HttpResponse {
    let Some(Asset { media_type, text, .. }) = dashboard::asset(name) else {
        return error(HttpResponse::NotFound(), "the page has no such file");
    };
    let digest = blake3::hash(text.as_bytes()).to_hex();
    let tag = format!("\"{}\"", digest.get(..16).unwrap_or_default());
    let known = request.headers().get(IF_NONE_MATCH);
    let is_known = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CONTENT_TYPE, *media_type))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        // Asked for anew each time, and not sent again: the binary may be another one.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((ETAG, tag));
    if is_known { response.finish() } else { response.body(*text) }
}

/// Whether a token is wanted, and whether this browser has shown it.
pub async fn session(gateway: Data<Gateway>, request: HttpRequest) -> HttpResponse {
    let in_force = gateway.in_force();
    let token = in_force.settings.admin.token.expose();
    let now = gateway.clock.wall_ms();
    let is_in = token.is_empty() || is_let_in(request.head(), token, now);
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({"token_wanted": !token.is_empty(), "signed_in": is_in}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    token: String,
}

/// Begins a session for who shows the token.
pub async fn sign_in(
    gateway: Data<Gateway>,
    request: HttpRequest,
    mut payload: Payload,
) -> HttpResponse {
    if !is_json(&request) {
        let text = "a token has to come as application/json";
        return error(HttpResponse::UnsupportedMediaType(), text);
    }
    let body = body::read(&request, &mut payload, MAX_BODY, BODY_WITHIN).await;
    let shown = body.ok().and_then(|body| serde_json::from_slice::<SignIn>(&body).ok());
    let Some(SignIn { token: shown }) = shown else {
        return error(HttpResponse::BadRequest(), "the body must be {\"token\": \"…\"}");
    };
    let in_force = gateway.in_force();
    let token = in_force.settings.admin.token.expose();
    if token.is_empty() {
        return error(HttpResponse::Conflict(), "admin.token is not set: no session is needed");
    }
    // Digests are compared, in constant time.
    if blake3::hash(shown.as_bytes()) != blake3::hash(token.as_bytes()) {
        tracing::warn!("a wrong token was shown on the operators' page");
        return error(HttpResponse::Forbidden(), "this is not admin.token");
    }
    tracing::info!("an operator signed in on the page");
    let value = Sessions::of(token).begin(gateway.clock.wall_ms());
    HttpResponse::Ok()
        .insert_header((SET_COOKIE, cookie(&value, LASTS)))
        .json(json!({"signed_in": true}))
}

/// Ends this browser's session.
pub async fn sign_out(request: HttpRequest) -> HttpResponse {
    if !is_json(&request) {
        return error(HttpResponse::UnsupportedMediaType(), "ask with application/json");
    }
    HttpResponse::Ok()
        .insert_header((SET_COOKIE, cookie("", Duration::ZERO)))
        .json(json!({"signed_in": false}))
}

/// No script reads it, and no other site's page has it sent.
fn cookie(value: &str, lasts: Duration) -> String {
    let seconds = lasts.as_secs();
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}")
}

/// The document of the whole system, once a second, as server-sent events.
pub async fn live(gateway: Data<Gateway>) -> HttpResponse {
    match Live::watch(&gateway) {
        Some(events) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/event-stream"))
            .insert_header((CACHE_CONTROL, "no-store"))
            .streaming(events),
        None => {
            let mut response = HttpResponse::ServiceUnavailable();
            response.insert_header((RETRY_AFTER, "5"));
            error(response, "too many watch already")
        }
    }
}
