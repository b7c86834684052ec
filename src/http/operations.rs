//! The operations listener: who may ask, and what is there.

use std::sync::Arc;

use super::api::closing;
use super::error_body::ErrorBody;
use super::gateway::Gateway;
use super::handlers::{
    cache_admin, config as settings_in_force, dashboard, entry, explain, health, metrics,
    performance, savings, scaling, warming,
};
use super::openapi;
use super::session::{self, Sessions};
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{RequestHead, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, WWW_AUTHENTICATE};
use actix_web::middleware::Next;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse};

/// Path of the metrics.
pub const METRICS_PATH: &str = "/metrics";

/// Path of the dry run of a request.
pub const EXPLAIN_PATH: &str = "/api/v1/cache/explain";

/// Path of warming.
pub const WARMING_PATH: &str = "/api/v1/warming";

/// Path of the document of the whole system.
pub const PERFORMANCE_PATH: &str = "/api/v1/performance";

/// Adds the operations listener's routes.
pub fn configure(config: &mut ServiceConfig) {
    config
        .route("/health/live", web::get().to(health::live))
        .route("/health/ready", web::get().to(health::ready))
        .route("/health/actors", web::get().to(health::actors))
        .route(METRICS_PATH, web::get().to(metrics::show))
        .route(PERFORMANCE_PATH, web::get().to(performance::show))
        .route("/dashboard", web::get().to(dashboard::page))
        .service(
            web::resource("/dashboard/session")
                .route(web::get().to(dashboard::session))
                .route(web::post().to(dashboard::sign_in))
                .default_service(web::to(warming::other_method)),
        )
        .route("/dashboard/session/end", web::post().to(dashboard::sign_out))
        .route("/dashboard/{name}", web::get().to(dashboard::part))
        .route("/api/v1/live", web::get().to(dashboard::live))
        .route("/api/v1/savings", web::get().to(savings::show))
        .route("/api/v1/scaling", web::get().to(scaling::show))
        .route("/api/v1/config", web::get().to(settings_in_force::show))
        .service(
            web::resource("/api/v1/config/reload")
                .route(web::post().to(settings_in_force::reload))
                .default_service(web::to(cache_admin::only_post)),
        )
        .service(
            web::resource(WARMING_PATH)
                .route(web::get().to(warming::show))
                .route(web::post().to(warming::warm))
                .default_service(web::to(warming::other_method)),
        )
        .route("/api/v1/cache/entry/{key}", web::get().to(entry::entry))
        .service(
            web::resource(EXPLAIN_PATH)
                .route(web::post().to(explain::explain))
                .default_service(web::to(cache_admin::only_post)),
        )
        .service(
            web::resource("/api/v1/cache/purge")
                .route(web::post().to(cache_admin::purge))
                .default_service(web::to(cache_admin::only_post)),
        );
    #[cfg(feature = "fault-injection")]
    config.route("/debug/panic/{actor}", web::post().to(health::panic));
    openapi::of_operations(config);
    config.default_service(web::to(no_such_page));
}

async fn no_such_page(request: HttpRequest) -> HttpResponse {
    let path: String = request.path().chars().take(128).collect();
    error(HttpResponse::NotFound(), &format!("no {path} on the operations listener"))
}

/// Returns an error in the form of OpenAI's API, as all of the listener's are.
pub(super) fn error(mut response: actix_web::HttpResponseBuilder, message: &str) -> HttpResponse {
    response.json(ErrorBody::invalid(message))
}

/// Lets a request through if it may come here. With a token set, every page but live and ready
/// wants it. Without one the listener is on loopback, and a browser is the only danger: its requests
/// name a foreign host or origin.
///
/// # Errors
///
/// Those of the handler.
pub async fn guard<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let gateway = request.app_data::<Data<Gateway>>().map(|gateway| Arc::clone(gateway));
    let refusal = match &gateway {
        Some(gateway) => {
            let in_force = gateway.in_force();
            refusal(&request, in_force.settings.admin.token.expose(), gateway.clock.wall_ms())
        }
        None => Some(HttpResponse::InternalServerError().finish()),
    };
    let response = match refusal {
        Some(response) => request.into_response(response.map_into_right_body()),
        None => next.call(request).await?.map_into_left_body(),
    };
    Ok(match gateway {
        Some(gateway) => closing(&gateway, response),
        None => response,
    })
}

fn refusal(request: &ServiceRequest, token: &str, wall_ms: u64) -> Option<HttpResponse> {
    // The library labels its metrics by the method as it came (DESIGN P1): other words than these
    // would each make a series.
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::POST) {
        return Some(error(HttpResponse::MethodNotAllowed(), "GET, HEAD and POST are served here"));
    }
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let probe = matches!(request.path(), "/health/live" | "/health/ready");
    if token.is_empty() {
        let host = header(HOST).unwrap_or_default();
        let origin = header(ORIGIN).map(authority_of);
        if is_loopback(host) && origin.is_none_or(is_loopback) {
            return None;
        }
        let text = "without admin.token this listener answers requests for loopback addresses only";
        return Some(error(HttpResponse::Forbidden(), text));
    }
    // The page itself tells nothing: what it shows comes from the other paths.
    let is_page = request.path() == "/dashboard" || request.path().starts_with("/dashboard/");
    if probe || is_page || is_let_in(request.head(), token, wall_ms) {
        return None;
    }
    let mut response = HttpResponse::Unauthorized();
    response.insert_header((WWW_AUTHENTICATE, "Bearer"));
    Some(error(response, "this listener wants the header Authorization: Bearer <admin.token>"))
}

/// Tells whether a request shows `token`, or the session of a browser that has.
pub(super) fn is_let_in(request: &RequestHead, token: &str, wall_ms: u64) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let shown = header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    // Digests are compared, in constant time: the comparison tells nothing of the token.
    if shown.is_some_and(|shown| blake3::hash(shown.as_bytes()) == blake3::hash(token.as_bytes())) {
        return true;
    }
    // A browser sends its cookie whoever asks it to: changes must come from this listener's page.
    let is_own = match header(ORIGIN) {
        Some(origin) => header(HOST).is_some_and(|host| authority_of(origin) == host),
        None => matches!(request.method, Method::GET | Method::HEAD),
    };
    let cookie = header(COOKIE).and_then(session::in_cookies);
    is_own && cookie.is_some_and(|value| Sessions::of(token).holds(value, wall_ms))
}

fn authority_of(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_scheme, authority)| authority)
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_authorities_are_told_from_foreign_ones() {
        for (authority, loopback) in [
            ("localhost:9901", true),
            ("LOCALHOST", true),
            ("127.0.0.1:80", true),
            ("127.8.9.1", true),
            ("[::1]:9901", true),
            ("example.org:9901", false),
            ("localhost.example.org", false),
            ("127.0.0.1.example.org", false),
            ("10.0.0.1:9901", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(authority), loopback, "{authority}");
        }
    }
}
