//! The whole system in one document, for operators.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use crate::http::gateway::Gateway;
use crate::http::performance::{Performance, Status, gather};
use crate::telemetry::Window;

/// The document, over the window that the query names. 503 only while the gateway stops.
pub async fn show(gateway: Data<Gateway>, request: HttpRequest) -> HttpResponse {
    let window = match window_of(request.query_string()) {
        Ok(window) => window,
        Err((field, reason)) => {
            return HttpResponse::BadRequest().json(json!({"error": {
                "message": format!("{field}: {reason}"),
                "type": "invalid_request_error",
                "param": field,
            }}));
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
