//! A list of inputs to embed, answered from what is known of each.
//!
//! Each input has the key it has alone. What is missing is asked for in one call, through a flight that
//! everyone who misses the same shares; its answer is kept item by item. Where an answer cannot be
//! taken apart, the list is asked whole, as if there were no items.

use std::sync::Arc;

use actix_web::HttpResponse;
use anteroom_actors::error::{Fault, OriginError};
use anteroom_actors::model::{CacheKey, Entry, Usage};
use anteroom_actors::origin::{Apart, Head, OriginCall};
use anteroom_actors::resolver::speaks_of_trouble;
use anteroom_actors::resolver::{FlightHead, Found, InsteadOf, Kept, Reader, Role, Whole};
use bytes::{Bytes, BytesMut};

use super::asked::{Asked, Question};
use super::embeddings_items::{Item, Items, Looked, elsewhere, keys, look_up};
use super::flight::{self, LOOK_AGAIN, complete, costs, join, send_whole, waited_long};
use super::guard;
use super::hits::{self, How, head_of, hit, masked};
use super::proxy::refuse;
use super::told::{self, failed};
use crate::canonical::{KeyBody, Profile, canonicalise};
use crate::embeddings::{
    EmbeddingsError, List, Merged, Split, as_one, entries, headers_without_bytes, merge, split,
    take_apart,
};
use crate::http::access::Metering;
use crate::http::error::ApiError;
use crate::http::gateway::UnderWay;
use crate::http::memory_scope::MemoryScope;
use crate::http::recall::Meaning;
use crate::http::respond::Forwarded;

/// Largest answer that is held to be taken apart and kept: 2,048 vectors of 1,536 numbers.
const MAX_KEPT_APART: usize = 64 * 1024 * 1024;

/// Most bytes of an answer that is put together here; past it the list is asked whole and passed on.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// Returns the list that `asked` wants to embed, if it is one that may be taken apart. Where the
/// origin's headers decide, what they say is of the whole answer: it is kept whole, or not at all.
pub(super) async fn list_of(asked: &Asked<'_>, meaning: &Meaning) -> Option<Arc<List>> {
    let is_embedding = asked.route.profile == Profile::Embeddings;
    if !is_embedding || asked.heeds() || meaning.form.is_stream() {
        return None;
    }
    let body = asked.body.clone();
    match elsewhere(body.len(), move || split(&body)).await {
        Some(Split::List(list)) => Some(Arc::new(list)),
        _ => None,
    }
}

/// Answers a list.
pub(super) async fn answer(
    question: &Question<'_>,
    list: Arc<List>,
    under_way: UnderWay,
) -> HttpResponse {
    match in_items(question, &list).await {
        Some(response) => response,
        None => flight::answer(question, under_way).await,
    }
}

/// Answers a list item by item; nothing where it has to be asked whole.
async fn in_items(question: &Question<'_>, list: &Arc<List>) -> Option<HttpResponse> {
    let asked = question.asked;
    let refuse = |error| Some(refuse(asked.worker, asked.route, asked.arrived, &error));
    let Some(_permit) = asked.worker.gateway.admission.enter() else {
        return refuse(ApiError::Shed("server.max_in_flight"));
    };
    if let Err(error) = asked.memory.call(asked.body.len()).await {
        return refuse(error);
    }
    let keys = keys(question, list).await?;
    let mut looked = look_up(question, &keys).await;
    // The items, and the answer that they become.
    if let Err(error) = asked.memory.answer(looked.items.num_bytes().saturating_mul(2)).await {
        return refuse(error);
    }
    let missing: Vec<(usize, CacheKey)> =
        keys.into_iter().filter(|(position, _)| !looked.items.0.contains_key(position)).collect();
    if missing.is_empty() {
        return all_known(question, list, looked, None).await;
    }
    if question.directives.wants.only_kept {
        return refuse(ApiError::NotKept);
    }
    let call = call(question, list, &missing)?;
    let counter = &asked.worker.gateway.counter;
    let estimate = || counter.estimate(call.model.as_deref(), &call.body);
    let metering = guard::meter(asked.request, estimate);
    let metering = match metering {
        Ok(metering) => metering,
        Err(error) => return refuse(error),
    };
    match fetch(question, &Arc::new(call), metering).await {
        Fetched::Answer(fetched) => part_known(question, list, looked, &missing, fetched).await,
        Fetched::Found(found) => {
            if let [(position, _)] = missing.as_slice() {
                // Another request has brought it meanwhile, or it is stale and the origin fails.
                let item = Item::of(&found.entry, found.level)?;
                looked.items.0.insert(*position, item);
                return all_known(question, list, looked, found.instead_of).await;
            }
            // Such a list was kept whole, because it could not be taken apart.
            let is_whole = missing.len() == list.num_items();
            if !is_whole {
                return None;
            }
            Some(hit_whole(question, &found, looked).await)
        }
        Fetched::NotKept => refuse(ApiError::NotKept),
        Fetched::TooLarge => None,
        Fetched::Short(error) => refuse(error),
        Fetched::Gone => refuse(ApiError::Shed("the resolver is restarting")),
        Fetched::Failed(reader, error) => {
            let instead_of = InsteadOf { label: error.label(), status: None, was_fresh: false };
            let stale = match error.fault() {
                Fault::Provider => with_fallbacks(question, list, &looked, instead_of).await,
                _ => None,
            };
            stale.or_else(|| Some(failed(asked, &reader, error)))
        }
    }
}

/// Returns the call for `missing`. One input is an ordinary call, which shares its key, and is kept
/// whole; several are kept one by one.
fn call(
    question: &Question<'_>,
    list: &Arc<List>,
    missing: &[(usize, CacheKey)],
) -> Option<OriginCall> {
    let asked = question.asked;
    let positions: Vec<usize> = missing.iter().map(|(position, _)| *position).collect();
    let body = Bytes::from(list.request_for(&positions));
    let whole = question.origin_call();
    if let [(_, key)] = missing {
        return Some(OriginCall { key: *key, body, ..whole });
    }
    let canonical = canonicalise(&body, &asked.route.uncounted).ok()?;
    let key = asked.key_within(&asked.scope(), KeyBody::Json(&canonical), &question.directives);
    let (list, asked) = (Arc::clone(list), missing.to_vec());
    let apart = Some(Apart::new(MAX_KEPT_APART, move |whole| entries(&list, &asked, whole)));
    Some(OriginCall { key, body, apart, ..whole })
}

/// What a call brought.
enum Fetched {
    Answer(Answer),
    Found(Found),
    NotKept,
    TooLarge,
    /// There is no memory for it.
    Short(ApiError),
    Failed(Reader, OriginError),
    Gone,
}

/// A whole answer.
struct Answer {
    reader: Reader,
    head: Arc<Head>,
    body: Bytes,
    kept: Kept,
}

/// Asks for `call` through a flight, and waits for its whole answer.
async fn fetch(question: &Question<'_>, call: &Arc<OriginCall>, mut metering: Metering) -> Fetched {
    let asked = question.asked;
    let wants = question.directives.wants;
    let mut alone = question.directives.no_store;
    let mut tried = false;
    loop {
        let Ok(mut reader) = join(asked, call, wants, alone).await else { return Fetched::Gone };
        let leads = reader.role() == Role::Leads;
        metering.pays(leads);
        let head = reader.head().await;
        metering.pays(leads && costs(&head));
        match head {
            FlightHead::Found(found) => return Fetched::Found(found),
            FlightHead::NotKept => return Fetched::NotKept,
            FlightHead::Open(head) => {
                asked.memory.hold(reader.hold());
                return match whole(&mut reader, asked.memory).await {
                    Ok(Some((body, kept))) => {
                        metering.observe(&body);
                        Fetched::Answer(Answer { reader, head, body, kept })
                    }
                    Ok(None) => Fetched::TooLarge,
                    Err(ApiError::Origin(error)) => Fetched::Failed(reader, error),
                    Err(error) => Fetched::Short(error),
                };
            }
            FlightHead::GoAlone => alone = true,
            FlightHead::Dangling { called: false } if !waited_long(asked) => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            FlightHead::Dangling { called: true } if !tried => tried = true,
            FlightHead::Failed(error) if !tried && error.is_retryable() && !leads => tried = true,
            FlightHead::Failed(error) => return Fetched::Failed(reader, error),
            FlightHead::Dangling { .. } => {
                let upstream = asked.route.upstream.to_string();
                return Fetched::Failed(reader, OriginError::Internal { upstream });
            }
        }
    }
}

/// Reads an answer to its end, also where it is larger than what is kept; nothing where it is larger
/// than [`MAX_ANSWER`].
async fn whole(
    reader: &mut Reader,
    memory: &MemoryScope<'_>,
) -> Result<Option<(Bytes, Kept)>, ApiError> {
    let reason = match reader.whole().await {
        Whole::Complete(body, kept) => return Ok(Some((body, kept))),
        Whole::Failed(error) => return Err(ApiError::Origin(error)),
        Whole::PassingOn(reason) => reason,
    };
    let mut body = BytesMut::new();
    while let Some(piece) = reader.next().await {
        let piece = piece.map_err(ApiError::Origin)?;
        // What is put together here, and the answer that it becomes.
        memory.answer(piece.len().saturating_mul(2)).await?;
        body.extend_from_slice(&piece);
        if body.len() > MAX_ANSWER {
            return Ok(None);
        }
    }
    Ok(Some((body.freeze(), Kept::Not(reason))))
}

/// Answers with what was fetched and what was known. An answer that is no embeddings goes to the caller
/// where it answers the caller's own list, and where it is an error.
async fn part_known(
    question: &Question<'_>,
    list: &Arc<List>,
    looked: Looked,
    missing: &[(usize, CacheKey)],
    answer: Answer,
) -> Option<HttpResponse> {
    let Answer { reader, head, body, kept } = answer;
    if head.status != 200 {
        if speaks_of_trouble(head.status) {
            let instead_of =
                InsteadOf { label: "status", status: Some(head.status), was_fresh: false };
            let stale = with_fallbacks(question, list, &looked, instead_of).await;
            if stale.is_some() {
                return stale;
            }
        }
        return Some(complete(question, &reader, &head, body, kept).await);
    }
    let merged = merged(list, &looked.items, Some((body.clone(), missing.len()))).await?;
    let merged = match merged {
        Ok(merged) => merged,
        Err(error) => {
            tracing::debug!(error = error.label(), "an embeddings answer is not used by item");
            let is_own = missing.len() == list.num_items();
            if !is_own {
                return None;
            }
            return Some(complete(question, &reader, &head, body, kept).await);
        }
    };
    note_savings(question, &reader, &merged);
    let (is_kept, detail) = match kept {
        Kept::For(_) => (true, None),
        Kept::Not(reason) => (false, Some(reason)),
    };
    let known = (looked.items.num_answered(list), list.num_items());
    let forwarded = match known {
        (0, _) => told::forwarded(&reader, Some(is_kept), detail),
        _ => Forwarded::InPart { collapsed: reader.role() == Role::Follows, kept: is_kept, known },
    };
    let head = Head { headers: headers_without_bytes(&head.headers), ..Head::clone(&head) };
    // No one entry holds this answer: another list's would have its tag.
    let whole = (Bytes::from(merged.body), false);
    Some(send_whole(question, &reader, &head, whole, forwarded).await)
}

/// Takes down what was not charged: the known part, or, where another's call was waited for, all.
fn note_savings(question: &Question<'_>, reader: &Reader, merged: &Merged) {
    let book = &question.asked.worker.gateway.savings;
    let (route, model) = (question.asked.route.index, question.meaning.model.as_deref());
    let usage = |input_tokens| Some(Usage { input_tokens, output_tokens: 0 });
    let took = reader.timings().whole.unwrap_or_default();
    if reader.role() == Role::Follows {
        let all = merged.saved.plus(merged.charged);
        book.spare(route, model, &book.call(model, usage(all.prompt), took));
    } else if merged.num_saved > 0 {
        book.spare_in_part(route, model, &book.call(model, usage(merged.saved.prompt), took));
    }
}

/// Puts an answer together; `fetched` is the body of a call and how many inputs it asked for. Nothing
/// where the thread that does it is gone.
async fn merged(
    list: &Arc<List>,
    items: &Items,
    fetched: Option<(Bytes, usize)>,
) -> Option<Result<Merged, EmbeddingsError>> {
    let bytes = items.num_bytes() + fetched.as_ref().map_or(0, |(body, _)| body.len());
    let (list, known) = (Arc::clone(list), items.known());
    let merge = move || {
        let fetched = fetched.map(|(body, expected)| take_apart(&body, expected)).transpose()?;
        merge(&list, &known, fetched.as_ref())
    };
    elsewhere(bytes, merge).await
}

/// Answers with kept items alone.
async fn all_known(
    question: &Question<'_>,
    list: &Arc<List>,
    looked: Looked,
    instead_of: Option<InsteadOf>,
) -> Option<HttpResponse> {
    let merged = merged(list, &looked.items, None).await?.ok()?;
    let items: Vec<_> = looked.items.0.values().map(|item| &*item.entry).collect();
    let entry = as_one(question.meaning.key, &items, merged)?;
    let looked_in = hits::Looked::Levels(looked.items.level(), looked.lookups);
    let how = How { looked: looked_in, instead_of };
    Some(send_kept(question, Arc::new(entry), how).await)
}

/// Answers with stale items in the place of those that the origin could not bring; nothing where not
/// all of them are there.
async fn with_fallbacks(
    question: &Question<'_>,
    list: &Arc<List>,
    looked: &Looked,
    instead_of: InsteadOf,
) -> Option<HttpResponse> {
    let all = looked.items.0.iter().chain(&looked.fallbacks.0);
    let items = Items(all.map(|(position, item)| (*position, item.clone())).collect());
    let looked = Looked { items, lookups: looked.lookups, ..Looked::default() };
    all_known(question, list, looked, Some(instead_of)).await
}

async fn hit_whole(question: &Question<'_>, found: &Found, looked: Looked) -> HttpResponse {
    let how = How {
        looked: hits::Looked::Levels(found.level, looked.lookups),
        instead_of: found.instead_of,
    };
    send_kept(question, Arc::clone(&found.entry), how).await
}

async fn send_kept(question: &Question<'_>, entry: Arc<Entry>, how: How) -> HttpResponse {
    let entry = masked(question, entry).await;
    let head = head_of(question, &entry).await;
    hit(question, &entry, &head, how)
}
