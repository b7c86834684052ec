//! Takes down how requests on the API listener were answered: as lines of the access log, as spans.

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

use super::{conversations, guard, server_span};
use crate::caching::format_rfc3339;
use crate::http::in_force::Held;
use crate::http::routes::Route;
use crate::http::worker::Worker;
use crate::telemetry::{AccessLine, Span};

/// Longest path that is taken down whole.
const PATH_SHOWN: usize = 256;

/// Lets a request through to the guard and to `service`, and takes it down where that is wanted.
pub fn around<S>(
    worker: Rc<Worker>,
    mut request: ServiceRequest,
    service: &S,
) -> impl Future<Output = guard::Guarded> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    let gateway = &worker.gateway;
    let is_wanted = gateway.access_log.is_some() || gateway.spans.is_some();
    if !is_wanted || request.path().starts_with("/health/") {
        return Either::Left(guard::guarded(worker, request, service));
    }
    let in_force = worker.in_force();
    let is_tls = in_force.settings.server.tls.files().is_some();
    let begin = |spans| server_span::begin(spans, &mut request, is_tls);
    let begun = Begun {
        arrived: gateway.clock.now(),
        wall_ms: gateway.clock.wall_ms(),
        span: gateway.spans.as_ref().map(begin),
    };
    let answering = guard::guarded(Rc::clone(&worker), request, service);
    Either::Right(async move { Ok(taken_down((worker, in_force), answering.await?, begun)) })
}

/// What is known of a request before it is answered.
struct Begun {
    arrived: Instant,
    wall_ms: u64,
    span: Option<Span>,
}

fn taken_down(
    (worker, in_force): (Rc<Worker>, Rc<Held>),
    response: ServiceResponse<BoxBody>,
    Begun { arrived, wall_ms, span }: Begun,
) -> ServiceResponse<BoxBody> {
    let status = response.status().as_u16();
    let is_logged = worker.gateway.access_log.as_ref().is_some_and(|log| log.wants(status));
    if !is_logged && !span.as_ref().is_some_and(Span::is_sampled) {
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
        let (sent_bytes, is_whole) = (0, false);
        BoxBody::new(TakenDownBody {
            body,
            due,
            sent_bytes,
            is_whole,
            about,
            is_logged,
            span,
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
pub(super) struct About {
    arrived: Instant,
    pub(super) wall_ms: u64,
    pub(super) method: Method,
    pub(super) path: String,
    peer: Option<SocketAddr>,
    pub(super) key: Option<String>,
    pub(super) status: u16,
    pub(super) cache: Option<String>,
    pub(super) level: Option<String>,
    pub(super) head: Duration,
}

/// A body that has its request taken down when it is over, sent or not.
struct TakenDownBody {
    body: BoxBody,
    due: BodySize,
    sent_bytes: u64,
    is_whole: bool,
    about: About,
    is_logged: bool,
    span: Option<Span>,
    worker: Rc<Worker>,
    in_force: Rc<Held>,
}

impl MessageBody for TakenDownBody {
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

impl TakenDownBody {
    /// Of a body of known length no end is asked for.
    fn is_whole(&self) -> bool {
        match self.due {
            BodySize::None => true,
            BodySize::Sized(length) => self.sent_bytes >= length,
            BodySize::Stream => self.is_whole,
        }
    }

    fn log(&self, route: Option<&Route>) {
        let Self { about, .. } = self;
        let gateway = &self.worker.gateway;
        let Some(log) = gateway.access_log.as_ref().filter(|_| self.is_logged) else { return };
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
            whole: self.is_whole(),
            key: about.key.as_deref(),
            peer: about.peer.map(|peer| peer.ip().to_string()),
            trace: self.span.as_ref().map(|span| span.trace_id().to_string()),
        });
    }
}

impl Drop for TakenDownBody {
    fn drop(&mut self) {
        let in_force = Rc::clone(&self.in_force);
        let route = in_force.routes.find(self.about.method.as_str(), &self.about.path);
        self.log(route);
        let is_whole = self.is_whole();
        if let Some(span) = self.span.take() {
            let metrics = &self.worker.gateway.metrics;
            server_span::end(span, &self.about, route, (self.sent_bytes, is_whole), metrics);
        }
    }
}
