//! Upstreams as the resolver sees them: one [`Origin`] a fetch thread.

use std::rc::Rc;
use std::sync::Arc;

use anteroom_actors::clock::SharedClock;
use anteroom_actors::error::OriginError;
use anteroom_actors::model::{Entry, Header, Verdict};
use anteroom_actors::origin::{
    Answer, Head, Judge, Origin, OriginCall, OriginFactory, Reply, Reshape,
};
use awc::http::Method;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{self, LocalBoxStream, StreamExt as _};

use super::body::Framing;
use super::builtin::Builtin;
use super::client::{HttpClient, Outgoing};
use super::headers::{self, Passage};
use super::prepared::{Upstreams, Way, Ways};
use super::spec::RouteSpec;
use super::verdict::{Judged, verdict};
use crate::savings::Book;
use crate::tokens;

/// Takes the pieces of a stream, then `None` at its end, and returns what goes on in their place.
pub type OnPieces = Box<dyn FnMut(Option<&Bytes>) -> Bytes>;

/// How one answer is reshaped.
#[derive(Default)]
pub struct Reshaping {
    /// A whole one, once it is judged.
    pub whole: Option<Reshape>,
    /// A stream, as it comes.
    pub pieces: Option<OnPieces>,
}

/// Says how the answer of a route (by position in the settings) with this head is reshaped.
pub type ReshapeFor = Arc<dyn Fn(usize, &Head) -> Reshaping + Send + Sync>;

/// Returns a factory of origins for `upstreams`; `routes` by position in the settings.
/// What calls cost is written into `book`.
pub fn factory(
    upstreams: Arc<Upstreams>,
    routes: Arc<[RouteSpec]>,
    reshape: ReshapeFor,
    clock: SharedClock,
    book: Arc<Book>,
) -> OriginFactory {
    Arc::new(move || {
        let ways = upstreams.open(&clock);
        let (routes, reshape) = (Arc::clone(&routes), Arc::clone(&reshape));
        Rc::new(UpstreamOrigin { ways, routes, reshape, book: Arc::clone(&book) })
    })
}

/// A body as it comes.
type Pieces = LocalBoxStream<'static, Result<Bytes, OriginError>>;

/// All upstreams, on one thread.
struct UpstreamOrigin {
    ways: Ways,
    routes: Arc<[RouteSpec]>,
    reshape: ReshapeFor,
    book: Arc<Book>,
}

impl Origin for UpstreamOrigin {
    fn call(
        &self,
        call: Arc<OriginCall>,
        _kept: Option<Arc<Entry>>,
    ) -> LocalBoxFuture<'static, Result<Reply, OriginError>> {
        let way = self.ways.get(&call.upstream).map(Rc::clone);
        let route = self.routes.get(call.route).cloned();
        let (position, reshape) = (call.route, Arc::clone(&self.reshape));
        let book = Arc::clone(&self.book);
        Box::pin(async move {
            let (Some(way), Some(route)) = (way, route) else {
                return Err(internal(&call));
            };
            let mut answer = match &*way {
                Way::Http(client) => call_http(client, &call, &route, book).await?,
                Way::Builtin(builtin) => call_builtin(builtin, call, &route, book).await,
            };
            let Reshaping { whole, pieces } = reshape(position, &answer.head);
            answer.reshape = whole;
            if let Some(pieces) = pieces {
                answer.body = reshaped(answer.body, pieces);
            }
            Ok(Reply::Answer(answer))
        })
    }
}

/// Returns `body` with what `on_pieces` makes of it. Of a body that breaks off, what was held back
/// is lost: it was no whole event.
fn reshaped(body: Pieces, on_pieces: OnPieces) -> Pieces {
    let reshaped = stream::unfold(Some((body, on_pieces)), |state| async move {
        let (mut body, mut on_pieces) = state?;
        loop {
            match body.next().await {
                Some(Ok(piece)) => {
                    let piece = on_pieces(Some(&piece));
                    if !piece.is_empty() {
                        return Some((Ok(piece), Some((body, on_pieces))));
                    }
                }
                Some(Err(error)) => return Some((Err(error), None)),
                None => {
                    let rest = on_pieces(None);
                    return (!rest.is_empty()).then_some((Ok(rest), None));
                }
            }
        }
    });
    reshaped.boxed_local()
}

fn internal(call: &OriginCall) -> OriginError {
    OriginError::Internal { upstream: call.upstream.to_string() }
}

async fn call_http(
    client: &HttpClient,
    call: &Arc<OriginCall>,
    route: &RouteSpec,
    book: Arc<Book>,
) -> Result<Answer, OriginError> {
    let endpoint = client.endpoint();
    let pairs = call.headers.iter().map(|header| (&*header.name, &*header.value));
    let outgoing = Outgoing {
        method: Method::from_bytes(call.method.as_bytes()).map_err(|_| internal(call))?,
        uri: endpoint.uri(&call.target).ok_or_else(|| internal(call))?,
        headers: headers::for_request(endpoint, pairs, Passage::Keyed)
            .ok_or_else(|| internal(call))?,
    };
    let max_bytes = endpoint.limits.max_answer_bytes;
    let reply = client.send_whole(&outgoing, call.body.clone(), max_bytes).await?;
    let headers = headers::of_answer(&reply.headers);
    let streamed = headers::text_of(&headers, "content-type").is_some_and(headers::is_event_stream);
    let head = Head { status: reply.status, headers, streamed };
    let forbidden = match reply.framing {
        // A cut cannot be told from the end.
        Framing::UntilClose => Some("no-length"),
        Framing::Empty | Framing::Sized(_) | Framing::Chunked => forbids(&head.headers, route),
    };
    let stored_headers = headers::stored(&head.headers);
    let shareable = is_shareable(&head.headers, route);
    let judge = judge(call, route, &head, forbidden, book);
    Ok(Answer {
        head,
        stored_headers,
        shareable,
        body: reply.body.boxed_local(),
        judge,
        reshape: None,
    })
}

async fn call_builtin(
    builtin: &Builtin,
    call: Arc<OriginCall>,
    route: &RouteSpec,
    book: Arc<Book>,
) -> Answer {
    let prepared = builtin.answer(&call.method, &call.target, &call.body);
    if !prepared.think_first.is_zero() {
        actix_rt::time::sleep(prepared.think_first).await;
    }
    let head =
        Head { status: prepared.status, headers: prepared.headers, streamed: prepared.streamed };
    let judge = judge(&call, route, &head, None, book);
    let stored_headers = headers::stored(&head.headers);
    Answer { head, stored_headers, shareable: true, body: prepared.body, judge, reshape: None }
}

/// Tells whether others than the first asker may have an answer with these headers.
///
/// Rule: where callers of different credentials share answers, Anteroom is a shared cache
/// (RFC 9111 §3); with a scope for each it is a private one.
fn is_shareable(headers: &[Header], route: &RouteSpec) -> bool {
    !route.shared
        || (headers::text_of(headers, "set-cookie").is_none() && forbids(headers, route).is_none())
}

/// Returns why the origin's headers forbid to keep the answer, as a token for `Cache-Status`.
///
/// `no-cache` and `max-age` do not: providers send them with every answer, and the lifetime is
/// the deployer's decision.
fn forbids(headers: &[Header], route: &RouteSpec) -> Option<&'static str> {
    if headers::lists(headers, "cache-control", "no-store") {
        Some("no-store")
    } else if route.shared && headers::lists(headers, "cache-control", "private") {
        Some("private")
    } else if headers::lists(headers, "vary", "*") {
        Some("vary")
    } else {
        None
    }
}

fn judge(
    call: &Arc<OriginCall>,
    route: &RouteSpec,
    head: &Head,
    forbidden: Option<&'static str>,
    book: Arc<Book>,
) -> Judge {
    let (call, profile, policy) = (Arc::clone(call), route.profile, route.policy.clone());
    let status = head.status;
    let value_of = |name| headers::text_of(&head.headers, name).map(str::to_owned);
    let content_type = value_of("content-type");
    let content_encoding = value_of("content-encoding");
    Box::new(move |body: &Bytes| {
        let verdict = match forbidden {
            Some(reason) => Verdict::Discard(reason),
            None => verdict(&Judged {
                profile,
                streamed: call.form.is_stream(),
                status,
                content_type: content_type.as_deref(),
                content_encoding: content_encoding.as_deref(),
                body,
                lifetimes: call.lifetimes,
                policy: policy.as_deref(),
            }),
        };
        // What is kept or not, it is paid; errors are not.
        if status < 400 {
            let usage = match &verdict {
                Verdict::Keep { usage, .. } => *usage,
                Verdict::Discard(_) => tokens::counts(body),
            };
            book.charge(call.route, call.model.as_deref(), usage);
        }
        verdict
    })
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
