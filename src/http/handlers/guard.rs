//! What stands before every request on the API listener: which pages may call, which key is shown,
//! and is there anything left of what it may use?
//!
//! The client key is taken out of the request here, before anybody else sees it: it is in no cache
//! key, no log and no upstream call. What it stands for goes along as [`Caller`].

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName,
    HeaderValue, ORIGIN, VARY,
};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::web::Payload;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse};

use super::proxy::{form_of, refuse};
use crate::canonical::Profile;
use crate::http::access::shown::{self, Shown};
use crate::http::access::{Caller, Client, Clients, Cors, Metering, Preflight, fields};
use crate::http::body::CallersBody;
use crate::http::error::ApiError;
use crate::http::gateway::Gateway;
use crate::http::worker::Worker;

static RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Tells whether there is anything to guard.
pub const fn is_needed(gateway: &Gateway) -> bool {
    gateway.clients.is_some() || gateway.cors.is_some()
}

/// Lets a request through, or answers it: a preflight, a request without a key, or one too many.
///
/// # Errors
///
/// Those of the handler.
pub async fn guard(
    worker: Rc<Worker>,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if matches!(request.path(), "/health/live" | "/health/ready") {
        return next.call(request).await;
    }
    let gateway = &worker.gateway;
    let arrived = gateway.clock.now();
    let origin = request.headers().get(ORIGIN).cloned();
    if let (Some(cors), Some(origin)) = (&gateway.cors, &origin)
        && let Some(response) = preflight(cors, origin, &request)
    {
        return Ok(request.into_response(response));
    }
    let admitted = match &gateway.clients {
        Some(clients) => admit(&worker, clients, &mut request).map(Some),
        None => Ok(None),
    };
    let (mut response, caller) = match admitted {
        Ok(caller) => (next.call(request).await?, caller),
        Err((error, caller)) => (refused(&worker, request, arrived, &error).await, caller),
    };
    let headers = response.headers_mut();
    if let (Some(clients), Some(caller)) = (&gateway.clients, caller) {
        tell_limits(headers, clients, caller);
    }
    if let Some(cors) = &gateway.cors {
        allow_reading(headers, cors, origin.as_ref());
    }
    Ok(response)
}

/// Finds the request's caller, takes its key out, and counts the request.
fn admit(
    worker: &Worker,
    clients: &Clients,
    request: &mut ServiceRequest,
) -> Result<Caller, (ApiError, Option<Caller>)> {
    let shown = {
        let mut seen = worker.keys_seen.borrow_mut();
        shown::take(request.headers_mut(), |text| seen.find(&clients.keys, text))
    };
    let caller = match shown {
        Shown::Key(position) => Caller(position),
        Shown::Wrong | Shown::Nothing => {
            worker.gateway.metrics.refused_keys().inc();
            return Err((ApiError::Unauthorised { shown: shown == Shown::Wrong }, None));
        }
    };
    let client = clients.get(caller).ok_or((ApiError::Internal, None))?;
    clients
        .admit(client)
        .map_err(|wait| (limited(client, fields::REQUESTS, wait), Some(caller)))?;
    request.extensions_mut().insert(caller);
    Ok(caller)
}

fn limited(client: &Client, what: &'static str, wait: Duration) -> ApiError {
    tracing::debug!(key = &*client.name, what, "a key's limit is used up");
    ApiError::Limited { what, retry_after_s: fields::retry_after(wait) }
}

/// Returns who makes `request`, where keys are wanted.
pub(super) fn client_of<'w>(worker: &'w Worker, request: &HttpRequest) -> Option<&'w Client> {
    let clients = worker.gateway.clients.as_ref()?;
    let caller = request.extensions().get::<Caller>().copied()?;
    clients.get(caller)
}

/// Takes `estimate` tokens for an upstream call; nothing where no limit is set.
///
/// # Errors
///
/// [`ApiError::Limited`] where too few are left.
pub(super) fn meter(
    worker: &Worker,
    request: &HttpRequest,
    estimate: impl FnOnce() -> u64,
) -> Result<Metering, ApiError> {
    match (&worker.gateway.clients, client_of(worker, request)) {
        (Some(clients), Some(client)) => {
            clients.meter(client, estimate).map_err(|wait| limited(client, fields::TOKENS, wait))
        }
        _ => Ok(Metering::default()),
    }
}

/// Answers a request that does not go on; what is left of its body is not waited for.
async fn refused(
    worker: &Worker,
    mut request: ServiceRequest,
    arrived: Instant,
    error: &ApiError,
) -> ServiceResponse<BoxBody> {
    let gateway = &worker.gateway;
    let route = gateway.routes.find(request.method().as_str(), request.path());
    let taken_down = route.map(|route| refuse(worker, route, arrived, error));
    let mut response = match (route, taken_down) {
        (Some(route), Some(response)) if route.profile != Profile::Generic => response,
        // Routes for any API: the path tells which one it is.
        _ => error.response(form_of(request.path())),
    };
    if let Ok(payload) = request.extract::<Payload>().await {
        response = CallersBody::new(payload).close_after(response);
    }
    if gateway.is_draining() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    request.into_response(response)
}

/// Returns the answer to a preflight; `None` where the request is none.
fn preflight(cors: &Cors, origin: &HeaderValue, request: &ServiceRequest) -> Option<HttpResponse> {
    let text = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    if request.method() != Method::OPTIONS {
        return None;
    }
    let method = text(ACCESS_CONTROL_REQUEST_METHOD)?;
    let headers = text(ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    let asked = Preflight { method, headers };
    let mut response = HttpResponse::NoContent().finish();
    for (name, value) in cors.preflight(origin.to_str().unwrap_or_default(), asked) {
        set(response.headers_mut(), name, value);
    }
    Some(response)
}

/// Lets pages of `origin` read the answer, where they may. An upstream's own words about origins
/// are about its host, not about this one.
fn allow_reading(headers: &mut HeaderMap, cors: &Cors, origin: Option<&HeaderValue>) {
    for name in [
        ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_ALLOW_CREDENTIALS,
        ACCESS_CONTROL_EXPOSE_HEADERS,
    ] {
        headers.remove(name);
    }
    for (name, value) in cors.answer(origin.and_then(|origin| origin.to_str().ok())) {
        set(headers, name, value);
    }
}

fn set(headers: &mut HeaderMap, name: &'static str, value: String) {
    let Ok(value) = HeaderValue::try_from(value) else { return };
    let name = HeaderName::from_static(name);
    if name == VARY {
        headers.append(name, value);
    } else {
        headers.insert(name, value);
    }
}

/// Tells the caller what is left; the upstream's word, if any, is about the gateway's own limits.
fn tell_limits(headers: &mut HeaderMap, clients: &Clients, caller: Caller) {
    let told = clients.get(caller).and_then(|client| clients.fields(client));
    if let Some((policy, state)) = told {
        headers.insert(RATELIMIT_POLICY.clone(), policy);
        headers.insert(RATELIMIT.clone(), state);
    }
}
