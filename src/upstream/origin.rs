//! Upstreams as the resolver sees them: one [`Origin`] a fetch thread.

use std::rc::Rc;
use std::sync::Arc;
use std::{iter, mem};

use anteroom_actors::clock::SharedClock;
use anteroom_actors::error::OriginError;
use anteroom_actors::model::{Entry, Header, Selection, Verdict};
use anteroom_actors::origin::{
    Answer, Head, Judge, Origin, OriginCall, OriginFactory, Reply, Reshape,
};
use awc::http::Method;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{self, LocalBoxStream, StreamExt as _};

use super::billing::Billing;
use super::body::Framing;
use super::builtin::Builtin;
use super::client::{self, HttpClient, Outgoing};
use super::headers::{self, Passage};
use super::heeding::{self, Asking, Keeping, Ruling, fields};
use super::prepared::{Upstreams, Way, Ways};
use super::spec::RouteSpec;
use super::verdict::{Judged, verdict};
use crate::caching::{Exchange, Validators, conditions};
use crate::canonical::Profile;
use crate::tokens::{self, Answered};

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

/// Says what is in force of a route, by position in the settings.
pub type RouteOf = Arc<dyn Fn(usize) -> Option<RouteSpec> + Send + Sync>;

/// Not modified (RFC 9110 §15.4.5).
const NOT_MODIFIED: u16 = 304;

/// Returns a factory of origins for `upstreams`.
/// What calls cost is told to `billing`.
pub fn factory(
    upstreams: Arc<Upstreams>,
    routes: RouteOf,
    reshape: ReshapeFor,
    clock: SharedClock,
    billing: Billing,
) -> OriginFactory {
    Arc::new(move || {
        let ways = upstreams.open(&clock);
        let (routes, reshape) = (Arc::clone(&routes), Arc::clone(&reshape));
        let (clock, billing) = (Arc::clone(&clock), billing.clone());
        Rc::new(UpstreamOrigin { ways, routes, reshape, clock, billing })
    })
}

/// A body as it comes.
type Pieces = LocalBoxStream<'static, Result<Bytes, OriginError>>;

/// All upstreams, on one thread.
struct UpstreamOrigin {
    ways: Ways,
    routes: RouteOf,
    reshape: ReshapeFor,
    clock: SharedClock,
    billing: Billing,
}

impl Origin for UpstreamOrigin {
    fn call(
        &self,
        call: Arc<OriginCall>,
        kept: Option<Arc<Entry>>,
    ) -> LocalBoxFuture<'static, Result<Reply, OriginError>> {
        let way = self.ways.get(&call.upstream).map(Rc::clone);
        let route = (self.routes)(call.route);
        let (position, reshape) = (call.route, Arc::clone(&self.reshape));
        let (clock, billing) = (Arc::clone(&self.clock), self.billing.clone());
        Box::pin(async move {
            let (Some(way), Some(route)) = (way, route) else {
                return Err(internal(&call));
            };
            let asking = Call { call, route, clock, billing };
            let mut answer = match &*way {
                Way::Http(client) => match asking.http(client, kept).await? {
                    Reply::Answer(answer) => answer,
                    unchanged @ Reply::Unchanged { .. } => return Ok(unchanged),
                },
                Way::Builtin(builtin) => asking.builtin(builtin).await,
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

/// A call under way.
struct Call {
    call: Arc<OriginCall>,
    route: RouteSpec,
    clock: SharedClock,
    billing: Billing,
}

impl Call {
    /// Calls over HTTP; where `kept` has something to be asked by, asks whether it is still right.
    ///
    /// Rule: RFC 9111 §4.3.4, a 304 that speaks of another answer says nothing: the call is made
    /// once more, without conditions.
    async fn http(
        self,
        client: &HttpClient,
        kept: Option<Arc<Entry>>,
    ) -> Result<Reply, OriginError> {
        if let Some(kept) = kept.filter(|_| self.call.validates) {
            let validators = Validators::of(fields(&kept.headers));
            if !validators.is_empty() {
                let (reply, exchange) = self.send(client, conditions(&validators)).await?;
                if reply.status != NOT_MODIFIED {
                    return Ok(Reply::Answer(self.answer(client, reply, exchange)));
                }
                let new = headers::of_answer(&reply.headers);
                let asking = self.asking(client, exchange);
                if let Some((entry, keep)) = asking.freshened(&kept, &new) {
                    return Ok(Reply::Unchanged { entry: Box::new(entry), keep });
                }
            }
        }
        let (reply, exchange) = self.send(client, iter::empty()).await?;
        Ok(Reply::Answer(self.answer(client, reply, exchange)))
    }

    async fn send<'a>(
        &'a self,
        client: &HttpClient,
        conditions: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<(client::Reply, Exchange), OriginError> {
        let call = &self.call;
        let endpoint = client.endpoint();
        let conditions: Vec<(&str, &[u8])> = conditions.collect();
        let own = call.headers.iter().chain(&call.trace);
        let pairs = own.map(|header| (&*header.name, &*header.value));
        let pairs = pairs.chain(conditions.iter().copied());
        let outgoing = Outgoing {
            method: Method::from_bytes(call.method.as_bytes()).map_err(|_| internal(call))?,
            uri: endpoint.uri(&call.target).ok_or_else(|| internal(call))?,
            headers: headers::for_request(endpoint, pairs, Passage::Keyed)
                .ok_or_else(|| internal(call))?,
        };
        let max_bytes = endpoint.limits.max_answer_bytes;
        let requested_ms = self.clock.wall_ms();
        let reply = client.send_whole(&outgoing, call.body.clone(), max_bytes).await?;
        Ok((reply, Exchange { requested_ms, received_ms: self.clock.wall_ms() }))
    }

    fn asking(&self, client: &HttpClient, exchange: Exchange) -> Asking<'_> {
        let passes_credential = client.endpoint().limits.pass_credential;
        Asking { call: &self.call, shared: self.route.shared, passes_credential, exchange }
    }

    fn answer(&self, client: &HttpClient, reply: client::Reply, exchange: Exchange) -> Answer {
        let headers = headers::of_answer(&reply.headers);
        let streamed =
            headers::text_of(&headers, "content-type").is_some_and(headers::is_event_stream);
        let head = Head { status: reply.status, headers, streamed };
        let cut = match reply.framing {
            // A cut cannot be told from the end.
            Framing::UntilClose => Some("no-length"),
            Framing::Empty | Framing::Sized(_) | Framing::Chunked => None,
        };
        let asking = self.asking(client, exchange);
        self.judged(head, reply.body.boxed_local(), asking, cut)
    }

    async fn builtin(&self, builtin: &Builtin) -> Answer {
        let Self { call, route, clock, .. } = self;
        let requested_ms = clock.wall_ms();
        let prepared = builtin.answer(&call.method, &call.target, &call.body);
        if !prepared.think_first.is_zero() {
            actix_rt::time::sleep(prepared.think_first).await;
        }
        let head = Head {
            status: prepared.status,
            headers: prepared.headers,
            streamed: prepared.streamed,
        };
        let exchange = Exchange { requested_ms, received_ms: clock.wall_ms() };
        // It knows no accounts: what it says is the same for everyone.
        let asking = Asking { call, shared: route.shared, passes_credential: false, exchange };
        self.judged(head, prepared.body, asking, None)
    }

    /// Tells whether the route has a lifetime of its own for an error of which the origin says nothing.
    fn keeps_error(&self, status: u16, ruling: &Ruling) -> bool {
        let says_nothing = matches!(ruling, Ruling::Forbidden("stale" | "status"));
        let policy = self.route.policy.as_ref();
        says_nothing && policy.is_some_and(|policy| policy.negative(status).is_some())
    }

    /// Puts an answer together with what is decided by its head; `cut` is why it is not kept
    /// whatever its head says.
    fn judged(
        &self,
        head: Head,
        body: Pieces,
        asking: Asking<'_>,
        cut: Option<&'static str>,
    ) -> Answer {
        let (call, route) = (&self.call, &self.route);
        let ruling = asking.rule(head.status, &head.headers);
        let plain = |forbidden| judge(call, route, &head, forbidden, self.billing.clone());
        let (shareable, stored_headers, selection, judge) = if !route.heeds(&call.method)
            || self.keeps_error(head.status, &ruling)
        {
            let forbidden = cut.or_else(|| forbids(&head.headers, route));
            let stored_headers = headers::stored(&head.headers);
            let shareable = is_shareable(&head.headers, route);
            (shareable, stored_headers, Selection::default(), plain(forbidden))
        } else {
            let is_own = matches!(&ruling, Ruling::Forbidden(reason) if heeding::is_own(reason));
            let shareable = !route.shared || !(is_own || heeding::has_own_fields(&head.headers));
            match (cut, ruling) {
                (Some(reason), _) | (None, Ruling::Forbidden(reason)) => {
                    (shareable, Vec::new(), Selection::default(), plain(Some(reason)))
                }
                (None, Ruling::Kept(mut keeping)) => {
                    let stored_headers = mem::take(&mut keeping.headers);
                    let selection = keeping.selection;
                    (shareable, stored_headers, selection, heeding_judge(self, &head, keeping))
                }
            }
        };
        Answer { head, stored_headers, selection, shareable, body, judge, reshape: None }
    }
}

/// Judges by the head's word, and the body as its API has it. A status other than 200 has no form
/// that an API would want.
fn heeding_judge(call: &Call, head: &Head, keeping: Keeping) -> Judge {
    let clock = Arc::clone(&call.clock);
    let of_body = (head.status == 200)
        .then(|| judge(&call.call, &call.route, head, None, call.billing.clone()));
    Box::new(move |body: &Bytes| {
        let usage = match of_body.map(|judge| judge(body)) {
            Some(Verdict::Discard(reason)) => return Verdict::Discard(reason),
            Some(Verdict::Keep { usage, .. }) => usage,
            None => None,
        };
        let age = keeping.age(clock.wall_ms());
        Verdict::Keep { lifetimes: keeping.lifetimes, usage, age }
    })
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
    billing: Billing,
) -> Judge {
    let (call, profile, policy) = (Arc::clone(call), route.profile, route.policy.clone());
    let (status, is_stream) = (head.status, head.streamed);
    let value_of = |name| headers::text_of(&head.headers, name).map(str::to_owned);
    let content_type = value_of("content-type");
    let content_encoding = value_of("content-encoding");
    Box::new(move |body: &Bytes| {
        let mut verdict = match forbidden {
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
            let told = match &verdict {
                Verdict::Keep { usage, .. } => *usage,
                Verdict::Discard(_) => tokens::counts(body),
            };
            let answer = if is_stream { Answered::Stream(body) } else { Answered::Object(body) };
            // Of vectors that are not kept nobody knows whether they are some.
            let is_known =
                !matches!((&verdict, profile), (Verdict::Discard(_), Profile::Embeddings));
            let answer = (is_known && content_encoding.is_none()).then_some(answer);
            let cost = billing.charge(&call, profile, told, answer);
            if let Verdict::Keep { usage, .. } = &mut verdict {
                *usage = cost;
            }
        }
        verdict
    })
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
