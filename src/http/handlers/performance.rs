//! The whole system in one document, for operators.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::web::Data;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::http::error_body::ErrorBody;
use crate::http::gateway::Gateway;
use crate::http::openapi::shared;
use crate::http::operations::PERFORMANCE_PATH;
use crate::http::performance::{Performance, Status, gather};
use crate::telemetry::Window;

/// The whole system in one document.
#[utoipa::path(
    get, path = PERFORMANCE_PATH, operation_id = "performance",
    params((
        "window" = inline(Option<AskedWindow>), Query,
        description = "Over how long a time traffic is told.", example = "1h",
    )),
    responses(
        (
            status = 200, body = Performance,
            description = "Each part with its status, and why where it is not ok.",
        ),
        (status = 400, response = shared::Error),
        (status = 503, description = "The gateway stops; the same document.", body = Performance),
    ),
)]
pub async fn show(gateway: Data<Gateway>, request: HttpRequest) -> HttpResponse {
    let window = match window_of(request.query_string()) {
        Ok(window) => window,
        Err((field, reason)) => {
            return HttpResponse::BadRequest().json(ErrorBody::of_field(&field, &reason));
        }
    };
    let in_force = gateway.in_force();
    let gathered = gather(&gateway, &in_force, window).await;
    let document = Performance::of(&gathered, window);
    let mut response = match document.status {
        Status::Unavailable => HttpResponse::ServiceUnavailable(),
        Status::Ok | Status::Degraded | Status::Disabled => HttpResponse::Ok(),
    };
    response.insert_header(("Cache-Control", "no-store")).json(document)
}

/// The window that a query names.
enum AskedWindow {}

impl PartialSchema for AskedWindow {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let text = text.enum_values(Some(Window::ALL.map(Window::label)));
        text.default(Some(Window::default().label().into())).into()
    }
}

impl ToSchema for AskedWindow {}

/// Returns the window that a query asks for.
///
/// # Errors
///
/// The field that is wrong, and what is allowed.
pub(super) fn window_of(query: &str) -> Result<Window, (String, String)> {
    let allowed = Window::ALL.map(Window::label).join(", ");
    let mut found = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name != "window" {
            let name: String = name.chars().take(LONGEST_NAME).collect();
            return Err((name, "is not known here; only window is".to_owned()));
        }
        let window = Window::of(value)
            .ok_or_else(|| (name.to_owned(), format!("must be one of {allowed}")))?;
        if found.replace(window).is_some() {
            return Err((name.to_owned(), "must be given once".to_owned()));
        }
    }
    Ok(found.unwrap_or_default())
}

/// Longest name of a field that is repeated in an error.
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_one_window_or_none() {
        for (query, window) in [
            ("", Window::FiveMinutes),
            ("window=1m", Window::Minute),
            ("window=5m", Window::FiveMinutes),
            ("&window=1h&", Window::Hour),
        ] {
            assert_eq!(window_of(query), Ok(window), "{query}");
        }
        for (query, field, said) in [
            ("window=2m", "window", "must be one of 1m, 5m, 1h"),
            ("window", "window", "must be one of 1m, 5m, 1h"),
            ("window=1m&window=1m", "window", "must be given once"),
            ("windows=1m", "windows", "is not known here; only window is"),
        ] {
            assert_eq!(window_of(query), Err((field.to_owned(), said.to_owned())), "{query}");
        }
        let long = "x".repeat(1_000);
        assert_eq!(window_of(&long).unwrap_err().0.len(), LONGEST_NAME);
    }
}
