//! Answering a caller who asks whether the copy it has is still right (RFC 9111 §4.3.2, RFC 9110
//! §13).

use actix_web::http::header::{
    AGE, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};

use crate::caching::{Answer, Chosen, Field, answer_to, fields_of_304};
use crate::http::respond;

/// Returns `response`, which may be sent as it is and is kept since `received_ms`, or 304 where the
/// caller has it already. Wall milliseconds.
pub(super) fn answered(
    request: &HttpRequest,
    response: HttpResponse,
    received_ms: u64,
    now_ms: u64,
) -> HttpResponse {
    // No other method has a copy that a condition could be about, and most requests are a POST.
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return response;
    }
    let asked = request.headers();
    if !asked.contains_key(IF_NONE_MATCH) && !asked.contains_key(IF_MODIFIED_SINCE) {
        return response;
    }
    let status = response.status().as_u16();
    let chosen = fields(response.headers());
    let chosen = Chosen::of(status, chosen.iter().copied(), received_ms);
    let (method, asked) = (request.method().as_str(), fields(asked));
    match answer_to(method, asked.iter().copied(), &chosen, now_ms) {
        Answer::Stored => response,
        Answer::NotModified => not_modified(response.headers()),
    }
}

/// Returns the fields of a message as the rules read them.
pub(super) fn fields(headers: &HeaderMap) -> Vec<Field<'_>> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

fn not_modified(whole: &HeaderMap) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::NOT_MODIFIED);
    let headers = response.headers_mut();
    for (name, value) in fields_of_304(fields(whole).iter().copied()) {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    for name in respond::own_headers().into_iter().chain([&AGE]) {
        for value in whole.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    response
}
