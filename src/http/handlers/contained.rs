//! A handler that panics is an error of its request alone.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use actix_web::{HttpRequest, HttpResponse};
use futures_util::FutureExt as _;

use super::proxy::form_of;
use crate::http::error::ApiError;
use crate::http::worker::Worker;

/// Runs a handler of `request`. Where it panics, what it held is given back as it unwinds, the request is
/// answered 500, and it is counted; otherwise its connection would end without an answer.
pub fn contained(
    worker: Rc<Worker>,
    request: HttpRequest,
    handling: impl Future<Output = HttpResponse>,
) -> impl Future<Output = HttpResponse> {
    #[cfg(feature = "fault-injection")]
    let handling = panicking(request.clone(), handling);
    caught(worker, request, handling)
}

/// No `async fn`: that would hold `handling` twice, as what it was given and as what it waits for.
pub(super) fn caught(
    worker: Rc<Worker>,
    request: HttpRequest,
    handling: impl Future<Output = HttpResponse>,
) -> impl Future<Output = HttpResponse> {
    let outcome = AssertUnwindSafe(handling).catch_unwind();
    outcome.map(move |outcome| outcome.unwrap_or_else(|_panic| after_a_panic(&worker, &request)))
}

#[cold]
fn after_a_panic(worker: &Worker, request: &HttpRequest) -> HttpResponse {
    worker.gateway.metrics.handler_panics().inc();
    tracing::error!(method = %request.method(), "a handler panicked; its request is answered 500");
    let mut response = ApiError::Internal.response(form_of(request.path()));
    // What is left of the request's body is on the connection still.
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response
}

/// Panics once the handler is under way, where the request says so. Test builds only.
#[cfg(feature = "fault-injection")]
async fn panicking(
    request: HttpRequest,
    handling: impl Future<Output = HttpResponse>,
) -> HttpResponse {
    // At its first step, or `late`: at its last.
    let asked = request.headers().get("x-test-panic");
    let is_late = asked.is_some_and(|when| when == "late");
    let mut handling = std::pin::pin!(handling);
    std::future::poll_fn(move |context| {
        let polled = handling.as_mut().poll(context);
        let is_now = asked.is_some() && (!is_late || polled.is_ready());
        assert!(!is_now, "a request asked its handler to panic");
        polled
    })
    .await
}
