//! What the listeners serve, described (OpenAPI 3.1): at `/openapi.json`, and as a page at `/docs`.
//!
//! The documents are written by hand beside this file and held to the code by tests: every route is in
//! them, every example is sent, every answer is checked against its schema.

use std::sync::OnceLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::web::{self, Bytes, ServiceConfig};
use serde_json::{Map, Value, json};

use crate::settings::merge;

const API: &str = include_str!("openapi/api.yaml");
const OPERATIONS: &str = include_str!("openapi/operations.yaml");
const SHARED: &str = include_str!("openapi/shared.yaml");
const PAGE: &str = include_str!("openapi/docs.html");

/// Path of the description.
pub const OPENAPI_PATH: &str = "/openapi.json";
/// Path of its page.
pub const DOCS_PATH: &str = "/docs";

/// Parts of components that are put in the place of what refers to them: OpenAPI itself has no place
/// for them.
const INLINED: &str = "#/components/x-";

/// Adds the routes of the API listener's description.
pub fn of_api(config: &mut ServiceConfig) {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    add(config, || described(&TEXT, || document(API, &["Unauthorised"])));
}

/// Adds the routes of the operations listener's description.
pub fn of_operations(config: &mut ServiceConfig) {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    add(config, || described(&TEXT, || document(OPERATIONS, &["Unauthorised", "Forbidden"])));
}

fn add(config: &mut ServiceConfig, text: fn() -> Bytes) {
    config
        .route(
            OPENAPI_PATH,
            web::get().to(move || async move {
                HttpResponse::Ok().content_type("application/json").body(text())
            }),
        )
        .route(DOCS_PATH, web::get().to(page));
}

fn described(text: &OnceLock<Bytes>, document: impl FnOnce() -> Value) -> Bytes {
    text.get_or_init(|| serde_json::to_vec(&document()).unwrap_or_default().into()).clone()
}

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

/// Puts a document together: its own part, what both share, and what guards every page that does not
/// say otherwise.
fn document(own: &str, guards: &[&str]) -> Value {
    let mut document = yaml(own);
    if let Some(components) = document.pointer_mut("/components") {
        merge(components, yaml(SHARED));
    }
    let components = document.get("components").cloned().unwrap_or_default();
    inline(&mut document, &components);
    if let Some(Value::Object(components)) = document.pointer_mut("/components") {
        components.retain(|name, _| !name.starts_with("x-"));
    }
    for path in members(&mut document, "paths") {
        for operation in path.as_object_mut().into_iter().flat_map(Map::values_mut) {
            guard(operation, guards);
        }
    }
    if let Value::Object(members) = &mut document {
        members.insert("servers".to_owned(), json!([{"url": "/"}]));
        members.insert("security".to_owned(), json!([{}, {"token": []}]));
    }
    if let Some(Value::Object(info)) = document.get_mut("info") {
        info.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
    }
    document
}

fn guard(operation: &mut Value, guards: &[&str]) {
    if operation.get("security").is_some() {
        return;
    }
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    for (name, status) in [("Unauthorised", "401"), ("Forbidden", "403")] {
        if guards.contains(&name) {
            let refers = json!({"$ref": format!("#/components/responses/{name}")});
            responses.entry(status).or_insert(refers);
        }
    }
}

fn members<'d>(document: &'d mut Value, name: &str) -> impl Iterator<Item = &'d mut Value> {
    let members = document.get_mut(name).and_then(Value::as_object_mut);
    members.into_iter().flat_map(Map::values_mut)
}

/// The documents are part of the program, and tests read them: nothing is to be said of mistakes here.
fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_default()
}

fn inline(here: &mut Value, components: &Value) {
    let part = here.get("$ref").and_then(Value::as_str).filter(|name| name.starts_with(INLINED));
    let part = part.and_then(|name| components.pointer(name.trim_start_matches("#/components")));
    if let Some(part) = part {
        *here = part.clone();
    }
    match here {
        Value::Object(members) => {
            members.values_mut().for_each(|member| inline(member, components))
        }
        Value::Array(items) => items.iter_mut().for_each(|item| inline(item, components)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_are_whole_and_every_reference_leads_somewhere() {
        for (own, guards) in
            [(API, &["Unauthorised"][..]), (OPERATIONS, &["Unauthorised", "Forbidden"])]
        {
            let document = document(own, guards);
            assert_eq!(document["openapi"], "3.1.0");
            let text = document.to_string();
            assert!(!text.contains("#/components/x-"), "{text}");
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
