//! Takes down how requests on the API listener were answered.

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use futures_util::future::Either;

use super::{conversations, guard};
use crate::caching::format_rfc3339;
use crate::http::in_force::Held;
use crate::http::worker::Worker;
use crate::telemetry::AccessLine;

/// Longest path that is taken down whole.
const PATH_SHOWN: usize = 256;

/// Lets a request through to the guard and to `service`, and takes it down where that is wanted.
pub fn around<S>(
    worker: Rc<Worker>,
    request: ServiceRequest,
    service: &S,
) -> impl Future<Output = guard::Guarded> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    let gateway = &worker.gateway;
    if gateway.access_log.is_none() || request.path().starts_with("/health/") {
        return Either::Left(guard::guarded(worker, request, service));
    }
    let arrived = (gateway.clock.now(), gateway.clock.wall_ms());
    let in_force = worker.in_force();
    let answering = guard::guarded(Rc::clone(&worker), request, service);
    Either::Right(async move { Ok(logged((worker, in_force), answering.await?, arrived)) })
}

fn logged(
    (worker, in_force): (Rc<Worker>, Rc<Held>),
    response: ServiceResponse<BoxBody>,
    (arrived, wall_ms): (Instant, u64),
) -> ServiceResponse<BoxBody> {
    let status = response.status().as_u16();
    if !worker.gateway.access_log.as_ref().is_some_and(|log| log.wants(status)) {
        return response;
    }
    let request = response.request();
    let key = guard::client_of(request).map(|client| client.name.to_string());
    let about = About {
        arrived,
        wall_ms,
        method: request.method().clone(),
        path: shown_path(request.path()),
        peer: request.peer_addr(),
        key,
        status,
        cache: lower(response.headers(), "x-cache"),
        level: lower(response.headers(), "x-cache-level"),
        head: worker.gateway.clock.now().saturating_duration_since(arrived),
    };
    response.map_body(|_, body| {
        let due = if about.method == Method::HEAD { BodySize::None } else { body.size() };
        BoxBody::new(LoggedBody {
            body,
            due,
            sent_bytes: 0,
            is_whole: false,
            about,
            worker,
            in_force,
        })
    })
}

/// A conversation's name is its caller's own: it stays out of logs.
fn shown_path(path: &str) -> String {
    let (folder, one) = (conversations::FOLDER, conversations::ONE);
    if path.strip_prefix(folder).is_some_and(|name| name.starts_with('/')) {
        return format!("{folder}{one}");
    }
    path.chars().take(PATH_SHOWN).collect()
}

fn lower(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_ascii_lowercase())
}

fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

/// What is known of a request when the head of its answer is there.
struct About {
    arrived: Instant,
    wall_ms: u64,
    method: Method,
    path: String,
    peer: Option<SocketAddr>,
    key: Option<String>,
    status: u16,
    cache: Option<String>,
    level: Option<String>,
    head: Duration,
}

/// A body that has its request taken down when it is over, sent or not.
struct LoggedBody {
    body: BoxBody,
    due: BodySize,
    sent_bytes: u64,
    is_whole: bool,
    about: About,
    worker: Rc<Worker>,
    in_force: Rc<Held>,
}

impl MessageBody for LoggedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_next(context);
        match &polled {
            Poll::Ready(Some(Ok(bytes))) => {
                let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                self.sent_bytes = self.sent_bytes.saturating_add(length);
            }
            Poll::Ready(None) => self.is_whole = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }
}

impl Drop for LoggedBody {
    fn drop(&mut self) {
        let gateway = &self.worker.gateway;
        let Some(log) = &gateway.access_log else { return };
        let about = &self.about;
        let route = self.in_force.routes.find(about.method.as_str(), &about.path);
        // Of a body of known length no end is asked for.
        let is_whole = match self.due {
            BodySize::None => true,
            BodySize::Sized(length) => self.sent_bytes >= length,
            BodySize::Stream => self.is_whole,
        };
        let total = gateway.clock.now().saturating_duration_since(about.arrived);
        log.write(&AccessLine {
            time: format_rfc3339(about.wall_ms),
            method: about.method.as_str(),
            path: &about.path,
            route: route.map(|route| &*route.name),
            status: about.status,
            cache: about.cache.as_deref(),
            level: about.level.as_deref(),
            head_ms: millis(about.head),
            total_ms: millis(total),
            sent_bytes: self.sent_bytes,
            whole: is_whole,
            key: about.key.as_deref(),
            peer: about.peer.map(|peer| peer.ip().to_string()),
        });
    }
}
