//! What stands before every request on the API listener: which pages may call, which key is shown,
//! and is there anything left of what it may use?
//!
//! The client key is taken out of the request here, before anybody else sees it: it is in no cache
//! key, no log and no upstream call. What it stands for goes along as [`Caller`].

use std::future::{self, Future};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::BoxBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName,
    HeaderValue, ORIGIN, VARY,
};
use actix_web::web::Payload;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse};
use futures_util::future::{Either, FutureExt as _};

use super::proxy::{form_of, refuse};
use crate::canonical::Profile;
use crate::http::access::shown::{self, Shown};
use crate::http::access::{Caller, Client, Clients, Cors, Metering, Preflight, fields};
use crate::http::body::CallersBody;
use crate::http::error::ApiError;
use crate::http::in_force::InForce;
use crate::http::worker::Worker;

/// What a service on the API listener returns.
pub(super) type Guarded = Result<ServiceResponse<BoxBody>, Error>;

static RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Lets a request through to `service`, or answers it: a preflight, a request without a key, or one
/// too many.
pub fn guarded<S>(
    worker: Rc<Worker>,
    mut request: ServiceRequest,
    service: &S,
) -> impl Future<Output = Guarded> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    let in_force = worker.in_force();
    if !in_force.is_guarded() || matches!(request.path(), "/health/live" | "/health/ready") {
        return Either::Left(service.call(request));
    }
    let arrived = worker.gateway.clock.now();
    let origin = request.headers().get(ORIGIN).cloned();
    if let (Some(cors), Some(origin)) = (&in_force.cors, &origin)
        && let Some(response) = preflight(cors, origin, &request)
    {
        let response = request.into_response(response);
        return Either::Right(Either::Left(future::ready(Ok(response))));
    }
    let admitted = match &in_force.clients {
        Some(clients) => admit(&worker, clients, &mut request),
        None => Ok(()),
    };
    let answering = match admitted {
        Ok(()) => Either::Left(service.call(request)),
        Err(error) => {
            let response = refused(&worker, &in_force, request, arrived, &error);
            Either::Right(future::ready(Ok(response)))
        }
    };
    Either::Right(Either::Right(async move {
        let mut response = answering.await?;
        tell_limits(&mut response);
        let headers = response.headers_mut();
        if let Some(cors) = &in_force.cors {
            allow_reading(headers, cors, origin.as_ref());
        }
        Ok(response)
    }))
}

/// Finds the request's caller, who goes along with it, takes its key out, and counts the request.
fn admit(worker: &Worker, clients: &Clients, request: &mut ServiceRequest) -> Result<(), ApiError> {
    let shown = {
        let mut seen = worker.keys_seen.borrow_mut();
        shown::take(request.headers_mut(), |text| seen.find(&clients.keys, text))
    };
    let client = match shown {
        Shown::Key(position) => clients.get(position).ok_or(ApiError::Internal)?,
        Shown::Wrong | Shown::Nothing => {
            worker.gateway.metrics.refused_keys().inc();
            return Err(ApiError::Unauthorised { shown: shown == Shown::Wrong });
        }
    };
    request.extensions_mut().insert(Caller(Arc::clone(client)));
    client.admit().map_err(|wait| limited(client, fields::REQUESTS, wait))
}

fn limited(client: &Client, what: &'static str, wait: Duration) -> ApiError {
    tracing::debug!(key = &*client.name, what, "a key's limit is used up");
    ApiError::Limited { what, retry_after_s: fields::retry_after(wait) }
}

/// Returns who makes `request`, where keys are wanted.
pub(super) fn client_of(request: &HttpRequest) -> Option<Arc<Client>> {
    request.extensions().get::<Caller>().map(|Caller(client)| Arc::clone(client))
}

/// Takes `estimate` tokens for an upstream call; nothing where no limit is set.
///
/// # Errors
///
/// [`ApiError::Limited`] where too few are left.
pub(super) fn meter(
    request: &HttpRequest,
    estimate: impl FnOnce() -> u64,
) -> Result<Metering, ApiError> {
    match client_of(request) {
        Some(client) => {
            client.meter(estimate).map_err(|wait| limited(&client, fields::TOKENS, wait))
        }
        None => Ok(Metering::default()),
    }
}

/// Answers a request that does not go on; what is left of its body is not waited for.
fn refused(
    worker: &Worker,
    in_force: &InForce,
    mut request: ServiceRequest,
    arrived: Instant,
    error: &ApiError,
) -> ServiceResponse<BoxBody> {
    let route = in_force.routes.find(request.method().as_str(), request.path());
    let taken_down = route.map(|route| refuse(worker, route, arrived, error));
    let mut response = match (route, taken_down) {
        (Some(route), Some(response)) if route.profile != Profile::Generic => response,
        // Routes for any API: the path tells which one it is.
        _ => error.response(form_of(request.path())),
    };
    if let Some(Ok(payload)) = request.extract::<Payload>().now_or_never() {
        response = CallersBody::new(payload).close_after(response);
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
fn tell_limits(response: &mut ServiceResponse<BoxBody>) {
    let extensions = response.request().extensions();
    let fields = extensions.get::<Caller>().and_then(|Caller(client)| client.fields());
    drop(extensions);
    if let Some((policy, state)) = fields {
        let headers = response.headers_mut();
        headers.insert(RATELIMIT_POLICY.clone(), policy);
        headers.insert(RATELIMIT.clone(), state);
    }
}
