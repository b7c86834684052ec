//! The items of a list of inputs: their keys, and what the levels know of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anteroom_actors::model::{CacheKey, Entry, Form, Level};
use anteroom_actors::resolver::Levels;
use futures_util::future::join_all;

use super::asked::Question;
use super::reading::READ_ELSEWHERE_FROM;
use crate::canonical::{Canonical, KeyBody, canonicalise};
use crate::embeddings::{Known, List, Parts, embedding_of};

/// Does `work` on another thread where it is large: this thread's other requests would wait for it.
/// Nothing where that thread is gone.
pub(super) async fn elsewhere<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if bytes < READ_ELSEWHERE_FROM {
        return Some(work());
    }
    actix_web::web::block(work).await.ok()
}

/// Returns each distinct input's position and key: that of the same input asked alone.
pub(super) async fn keys(
    question: &Question<'_>,
    list: &Arc<List>,
) -> Option<Vec<(usize, CacheKey)>> {
    let asked = question.asked;
    let uncounted = Arc::clone(&asked.route.uncounted);
    let own = Arc::clone(list);
    let read = move || -> Option<Vec<(usize, Canonical)>> {
        let read = |position| {
            let body = own.item_body(position)?;
            Some((position, canonicalise(&body, &uncounted).ok()?))
        };
        own.distinct().map(read).collect()
    };
    // Each item's body repeats what stands beside the list, so short lists of much beside count, too.
    let canonical = elsewhere(asked.body.len().saturating_mul(4), read).await??;
    let scope = asked.scope();
    let key = |canonical: &Canonical| {
        asked.key_within(&scope, KeyBody::Json(canonical), &question.directives)
    };
    Some(canonical.iter().map(|(position, canonical)| (*position, key(canonical))).collect())
}

/// A kept item.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) entry: Arc<Entry>,
    pub(super) level: Level,
    parts: Parts,
}

impl Item {
    /// Reads a kept answer; nothing where it is not one embedding.
    pub(super) fn of(entry: &Arc<Entry>, level: Level) -> Option<Self> {
        Some(Self { parts: embedding_of(entry)?, entry: Arc::clone(entry), level })
    }
}

/// Kept items by the position of their input.
#[derive(Default)]
pub(super) struct Items(pub(super) BTreeMap<usize, Item>);

impl Items {
    /// Returns their embeddings.
    pub(super) fn known(&self) -> Known {
        self.0.iter().map(|(position, item)| (*position, item.parts.clone())).collect()
    }

    /// Returns the bytes of their bodies.
    pub(super) fn num_bytes(&self) -> usize {
        self.0.values().map(|item| item.entry.body.len()).sum()
    }

    /// Returns the farthest level that one of them was found in.
    pub(super) fn level(&self) -> Level {
        self.0.values().map(|item| item.level).max().unwrap_or(Level::L1)
    }

    /// Counts the inputs of `list` that they answer, repetitions included.
    pub(super) fn num_answered(&self, list: &List) -> usize {
        let positions = (0..list.num_items()).filter_map(|position| list.first_of(position));
        positions.filter(|first| self.0.contains_key(first)).count()
    }
}

/// What the levels know of a list.
#[derive(Default)]
pub(super) struct Looked {
    /// What is served.
    pub(super) items: Items,
    /// Stale ones that are served only where the origin fails.
    pub(super) fallbacks: Items,
    /// The longest time that each level took.
    pub(super) lookups: [Option<Duration>; 3],
}

/// Asks the levels for all items at once. A stale one that could be refreshed behind the caller's back
/// is asked for again together with what is missing: one call for all, not one for each.
pub(super) async fn look_up(question: &Question<'_>, keys: &[(usize, CacheKey)]) -> Looked {
    let topology = &question.asked.worker.gateway.topology;
    let wants = question.directives.wants;
    let only: Vec<CacheKey> = keys.iter().map(|(_, key)| *key).collect();
    let found = topology.levels.find_many(&only, Form::Object, &wants).await;
    let mut lookups = [None; 3];
    let mut entries = Vec::new();
    for ((position, _), found) in keys.iter().zip(found) {
        for (longest, took) in lookups.iter_mut().zip(found.lookups) {
            *longest = took.max(*longest);
        }
        let is_served = found.entry.is_some() && (!found.refresh || wants.only_kept);
        let stand_in = found.fallback.filter(|fallback| fallback.stands_in);
        let stand_in = stand_in.map(|fallback| (fallback.entry, fallback.level));
        if let Some((entry, level)) = found.entry.or(stand_in) {
            entries.push((*position, entry, level, is_served));
        }
    }
    let bytes = entries.iter().map(|(_, entry, ..)| entry.body.len()).sum();
    let read = elsewhere(bytes, move || {
        let mut looked = Looked::default();
        for (position, entry, level, is_served) in entries {
            let items = if is_served { &mut looked.items } else { &mut looked.fallbacks };
            items.0.extend(Item::of(&entry, level).map(|item| (position, item)));
        }
        looked
    });
    let mut looked = read.await.unwrap_or_default();
    looked.lookups = lookups;
    promote(&topology.levels, &looked.items);
    looked
}

/// Gives what was found to the nearer levels.
fn promote(levels: &Levels, items: &Items) {
    let nearer = |level: Level| Level::ALL.into_iter().filter(move |nearer| *nearer < level);
    let inserts: Vec<_> = items
        .0
        .values()
        .flat_map(|item| nearer(item.level).map(|level| levels.insert(level, &item.entry)))
        .collect();
    if !inserts.is_empty() {
        #[expect(clippy::disallowed_methods, reason = "at worst a level is asked again")]
        actix_web::rt::spawn(join_all(inserts));
    }
}
