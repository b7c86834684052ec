//! The operators' page, its sessions, and its live numbers.

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

use super::cache_admin::is_json;
use crate::dashboard::{self, POLICY};
use crate::http::body;
use crate::http::gateway::Gateway;
use crate::http::live::Live;
use crate::http::openapi::shared;
use crate::http::operations::{error, is_let_in};
use crate::http::session::{COOKIE, LASTS, Sessions};
use crate::http::shape::negotiate::{Accepted, Encoding};

/// Largest body with a token.
const MAX_BODY: usize = 16 * 1024;
/// Longest wait for it.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// The operators' page.
#[utoipa::path(
    get, path = "/dashboard", operation_id = "dashboard",
    responses(
        (
            status = 200, description = "One page; it loads its parts from here.",
            body = String, content_type = "text/html",
        ),
        (status = 304, description = "The browser has it already (If-None-Match)."),
    ),
)]
pub async fn page(request: HttpRequest) -> HttpResponse {
    file(&request, "")
}

/// A part of the operators' page.
#[utoipa::path(
    get, path = "/dashboard/{name}", operation_id = "dashboardPart",
    params(("name" = String, Path, description = "The part's name.", example = "style.css")),
    responses(
        (status = 200, description = "A script, a style sheet, or a licence."),
        (status = 304, description = "The browser has it already (If-None-Match)."),
        (status = 404, response = shared::Error),
    ),
)]
pub async fn part(request: HttpRequest, name: Path<String>) -> HttpResponse {
    file(&request, &name)
}

fn file(request: &HttpRequest, name: &str) -> HttpResponse {
    let Some(asset) = dashboard::asset(name) else {
        return error(HttpResponse::NotFound(), "the page has no such file");
    };
    let encodings = request.headers().get_all(ACCEPT_ENCODING).map(HeaderValue::as_bytes);
    let chosen = Accepted::parse(encodings).choose(&[Encoding::Gzip, Encoding::Identity]);
    let packed = asset.packed().filter(|_| chosen == Some(Encoding::Gzip));
    let bytes = packed.unwrap_or(asset.text.as_bytes());
    let digest = blake3::hash(bytes).to_hex();
    let tag = format!("\"{}\"", digest.get(..16).unwrap_or_default());
    let known = request.headers().get(IF_NONE_MATCH);
    let is_known = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CONTENT_TYPE, asset.media_type))
        .insert_header((VARY, "Accept-Encoding"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        // Asked for anew each time, and not sent again: the binary may be another one.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((ETAG, tag));
    if packed.is_some() {
        response.insert_header((CONTENT_ENCODING, Encoding::Gzip.as_str()));
    }
    if is_known { response.finish() } else { response.body(bytes) }
}

/// How this browser stands.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionState)]
struct Standing {
    /// Whether a token is wanted.
    token_wanted: bool,
    /// Whether this browser need not show it any more.
    signed_in: bool,
}

/// Whether the page wants the token, and has been shown it.
#[utoipa::path(
    get, path = "/dashboard/session", operation_id = "session",
    responses((status = 200, description = "Both.", body = Standing)),
)]
pub async fn session(gateway: Data<Gateway>, request: HttpRequest) -> HttpResponse {
    let in_force = gateway.in_force();
    let token = in_force.settings.admin.token.expose();
    let now = gateway.clock.wall_ms();
    let is_in = token.is_empty() || is_let_in(request.head(), token, now);
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(Standing { token_wanted: !token.is_empty(), signed_in: is_in })
}

/// What a session begins with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignIn {
    /// admin.token of the settings.
    token: String,
}

/// What became of a session.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionChange)]
struct Signed {
    /// Whether it goes on.
    signed_in: bool,
}

/// Begin a session by admin.token.
#[utoipa::path(
    post, path = "/dashboard/session", operation_id = "signIn",
    request_body(
        content = SignIn, content_type = "application/json", example = json!({"token": "example"}),
    ),
    responses(
        (status = 200, description = "The cookie of a session, for 12 hours.", body = Signed),
        (status = 400, response = shared::Error),
        (status = 409, response = shared::Error),
        (status = 415, response = shared::Error),
    ),
)]
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
        .json(Signed { signed_in: true })
}

/// End this browser's session.
#[utoipa::path(
    post, path = "/dashboard/session/end", operation_id = "signOut",
    request_body(content = Object, content_type = "application/json", example = json!({})),
    responses(
        (status = 200, description = "The cookie is gone.", body = Signed),
        (status = 415, response = shared::Error),
    ),
)]
pub async fn sign_out(request: HttpRequest) -> HttpResponse {
    if !is_json(&request) {
        return error(HttpResponse::UnsupportedMediaType(), "ask with application/json");
    }
    HttpResponse::Ok()
        .insert_header((SET_COOKIE, cookie("", Duration::ZERO)))
        .json(Signed { signed_in: false })
}

/// No script reads it, and no other site's page has it sent.
fn cookie(value: &str, lasts: Duration) -> String {
    let seconds = lasts.as_secs();
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}")
}

/// The document of the whole system once a second, as server-sent events.
#[utoipa::path(
    get, path = "/api/v1/live", operation_id = "watch", extensions(("x-endless" = json!(true))),
    responses(
        (
            status = 200, description = "Events without an end.",
            body = String, content_type = "text/event-stream",
        ),
        (status = 503, response = shared::Away),
    ),
)]
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
