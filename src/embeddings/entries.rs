//! Between answers and entries: what is kept of a list's answer, and what kept items make together.

use std::sync::Arc;

use anteroom_actors::model::{
    CacheKey, Encodings, Entry, Form, Freshness, Header, Headers, Millis, Usage,
};
use bytes::Bytes;

use super::error::EmbeddingsError;
use super::list::List;
use super::merge::{Merged, stored_items};
use super::parts::{Parts, take_apart};
use crate::tokens;

/// Headers that speak of a body's very bytes, which another body does not have.
const OF_THE_BYTES: [&str; 6] =
    ["content-length", "etag", "digest", "content-digest", "repr-digest", "content-md5"];

/// Returns the headers of an answer without those that hold for its very bytes.
pub fn headers_without_bytes(headers: &[Header]) -> Vec<Header> {
    let is_kept = |header: &&Header| !OF_THE_BYTES.contains(&&*header.name);
    headers.iter().filter(is_kept).cloned().collect()
}

/// Returns what is kept of `whole`, which answers the inputs at `asked`: an entry for each, with its
/// key, its share of the usage, and all else of the whole.
///
/// An answer that cannot be taken apart is kept whole where it answers the caller's own list, under
/// the key of that; of another one nothing is kept.
pub fn entries(list: &List, asked: &[(usize, CacheKey)], whole: &Entry) -> Vec<Entry> {
    match items(list, asked, whole) {
        Ok(entries) => entries,
        Err(_) if asked.len() == list.num_items() => vec![whole.clone()],
        Err(_) => Vec::new(),
    }
}

fn items(
    list: &List,
    asked: &[(usize, CacheKey)],
    whole: &Entry,
) -> Result<Vec<Entry>, EmbeddingsError> {
    let positions: Vec<usize> = asked.iter().map(|(position, _)| *position).collect();
    let fetched = take_apart(&whole.body, asked.len())?;
    let headers: Headers = headers_without_bytes(&whole.headers).into();
    let entry = |((_, body), (_, key)): ((usize, Vec<u8>), &(usize, CacheKey))| Entry {
        key: *key,
        headers: Arc::clone(&headers),
        usage: tokens::counts(&body),
        body: Bytes::from(body),
        encodings: Encodings::default(),
        ..whole.clone()
    };
    Ok(stored_items(list, &positions, &fetched)?.zip(asked).map(entry).collect())
}

/// Returns the one embedding of a kept item, or nothing where it is something else.
pub fn embedding_of(entry: &Entry) -> Option<Parts> {
    let is_item = entry.status == 200 && entry.form == Form::Object;
    is_item.then(|| take_apart(&entry.body, 1).ok()).flatten()
}

/// Returns `merged`, which is made of nothing but `items`, as one entry of `key`: as old as the oldest
/// of them, fresh for as long as all are, and saving what they had cost.
///
/// Its call would have taken as long as the longest of theirs: those in one list are made at once.
pub fn as_one(key: CacheKey, items: &[&Entry], merged: Merged) -> Option<Entry> {
    let first = *items.first()?;
    let saved = Usage { input_tokens: merged.saved.prompt, output_tokens: 0 };
    Some(Entry {
        key,
        body: Bytes::from(merged.body),
        headers: headers_without_bytes(&first.headers).into(),
        freshness: together(items.iter().map(|item| &item.freshness))?,
        usage: Some(saved),
        upstream_latency: items.iter().map(|item| item.upstream_latency).max()?,
        encodings: Encodings::default(),
        ..first.clone()
    })
}

/// Returns the life of what is made of parts: it begins with the oldest part, and each of its ends is
/// the first of theirs.
fn together<'a>(parts: impl Iterator<Item = &'a Freshness> + Clone) -> Option<Freshness> {
    let began = |part: &Freshness| part.made_wall_ms.saturating_sub(part.initial_age.as_u64());
    let made_wall_ms = parts.clone().map(began).min()?;
    let never_stale = parts.clone().any(|part| part.never_stale);
    let ends = |part: &Freshness| {
        let since_ms = began(part).saturating_sub(made_wall_ms);
        let lifetime_ms = since_ms.saturating_add(part.lifetime.as_u64());
        let after_ms = |window: Millis| lifetime_ms.saturating_add(window.as_u64());
        [lifetime_ms, after_ms(part.stale_while_revalidate), after_ms(part.stale_if_error)]
    };
    let first = |one: [u64; 3], other: [u64; 3]| {
        let [one_fresh, one_revalidate, one_error] = one;
        let [fresh, revalidate, error] = other;
        [one_fresh.min(fresh), one_revalidate.min(revalidate), one_error.min(error)]
    };
    let [lifetime_ms, revalidate_ms, error_ms] = parts.map(ends).reduce(first)?;
    Some(Freshness {
        made_wall_ms,
        lifetime: Millis::new(lifetime_ms),
        stale_while_revalidate: Millis::new(revalidate_ms.saturating_sub(lifetime_ms)),
        stale_if_error: Millis::new(error_ms.saturating_sub(lifetime_ms)),
        never_stale,
        ..Freshness::default()
    })
}

#[cfg(test)]
#[path = "entries_tests.rs"]
mod tests;
