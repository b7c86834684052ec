//! What the listeners serve, described (OpenAPI 3.1): at `/openapi.json`, and as a page at `/docs`.
//!
//! The documents are made of the code when they are first asked for: operations beside their handlers,
//! schemas from the types of bodies. Tests hold them to what is served: every route is in them, every
//! example is sent, every answer is checked against its schema.

mod api;
mod operations;
pub mod shared;
pub mod words;

use std::sync::OnceLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::web::{self, Bytes, ServiceConfig};
use utoipa::OpenApi;

use self::api::Api;
use self::operations::Operations;

const PAGE: &str = include_str!("openapi/docs.html");

/// Path of the description.
pub const OPENAPI_PATH: &str = "/openapi.json";
/// Path of its page.
pub const DOCS_PATH: &str = "/docs";

/// Adds the routes of the API listener's description.
pub fn of_api(config: &mut ServiceConfig) {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    add(config, || described::<Api>(&TEXT));
}

/// Adds the routes of the operations listener's description.
pub fn of_operations(config: &mut ServiceConfig) {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    add(config, || described::<Operations>(&TEXT));
}

fn add(config: &mut ServiceConfig, text: fn() -> Bytes) {
    config
        .route(OPENAPI_PATH, web::get().to(move || async move { description(text) }))
        .route(DOCS_PATH, web::get().to(page));
}

fn described<D: OpenApi>(text: &OnceLock<Bytes>) -> Bytes {
    text.get_or_init(|| serde_json::to_vec(&D::openapi()).unwrap_or_default().into()).clone()
}

/// This description.
#[utoipa::path(
    get, path = OPENAPI_PATH, operation_id = "openapi", tag = "description",
    responses((status = 200, description = "OpenAPI 3.1.", body = Document)),
)]
fn description(text: fn() -> Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(text())
}

/// A description; OpenAPI itself says what its members hold.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the library writes it")]
struct Document {
    /// The form it has: 3.1.0.
    #[schema(pattern = "^3\\.1\\.0$")]
    openapi: String,
    /// What it is about.
    #[schema(value_type = Object)]
    info: (),
    /// Where.
    #[schema(value_type = Vec<Object>)]
    servers: (),
    /// What is served, by path.
    #[schema(value_type = Object)]
    paths: (),
    /// What that refers to.
    #[schema(value_type = Object)]
    components: (),
    /// What has to be shown; any of them.
    #[schema(value_type = Vec<Object>)]
    security: (),
}

/// This description as a page.
#[utoipa::path(
    get, path = DOCS_PATH, operation_id = "docs", tag = "description",
    responses((
        status = 200, description = "One page without outside requests.",
        body = String, content_type = "text/html",
    )),
)]
async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
             connect-src 'self'; frame-ancestors 'none'",
        ))
        .body(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_are_whole_and_every_reference_leads_somewhere() {
        for document in [Api::openapi(), Operations::openapi()] {
            let document = serde_json::to_value(document).unwrap();
            assert_eq!(document["openapi"], "3.1.0");
            let text = document.to_string();
            for refers in text.split("\"$ref\":\"#").skip(1) {
                let pointer = refers.split('"').next().unwrap();
                assert!(document.pointer(pointer).is_some(), "{pointer}");
            }
            let mut ids = std::collections::BTreeSet::new();
            for (path, operations) in document["paths"].as_object().unwrap() {
                for (method, operation) in operations.as_object().unwrap() {
                    let id = operation["operationId"].as_str();
                    assert!(id.is_some_and(|id| ids.insert(id)), "{method} {path}");
                    assert!(operation["summary"].is_string(), "{method} {path}");
                    let is_probe =
                        path.starts_with("/health/live") || path.starts_with("/health/ready");
                    assert_eq!(
                        operation["responses"].get("401").is_some(),
                        !is_probe,
                        "{method} {path}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_page_asks_nobody_else() {
        for outside in ["http://", "https://", "//cdn", "@import", "src="] {
            assert!(!PAGE.contains(outside), "{outside}");
        }
    }
}
