//! What the levels have for a request, asked without a trace: no call goes upstream, and L1 counts no
//! use.

use std::sync::Arc;
use std::time::Duration;

use anteroom_actors::message::{LevelHandle, Lookup, Peek, ask};
use anteroom_actors::model::{CacheKey, Entry, Level, Use};
use anteroom_actors::resolver::Levels;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::directives::Directives;
use super::super::reading::Reading;
use crate::explain::{MAX_POINTERS_TOLD, Outlined, Place};
use crate::http::gateway::Gateway;
use crate::http::recall::Meaning;

/// Longest wait for L1, as on the way of a request but for the hurry.
const L1_DEADLINE: Duration = Duration::from_millis(50);

/// Most near requests that are looked for in the levels: those gone from all of them were purged,
/// have run out, or were never kept.
const MOST_LOOKED_FOR: usize = 8;

/// An answer that would be served.
pub(super) struct KeptAnswer {
    pub(super) entry: Arc<Entry>,
    pub(super) level: Level,
    pub(super) wall_ms: u64,
}

/// The kept answer of the same route and place that differs least.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NearestMiss {
    /// Its key.
    key: String,
    /// Its age, in seconds.
    age: u64,
    /// Where its request differs: JSON pointers, or `method`, `path`, `query`, `header <name>`.
    differs_at: Vec<String>,
    /// Whether it differs in more places than are told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    and_more: bool,
    /// In how many parts it is the same.
    same_in: usize,
}

/// Returns the answer that the request would get without an upstream call.
pub(super) async fn find_kept(
    gateway: &Gateway,
    meaning: &Meaning,
    directives: &Directives<'_>,
) -> Option<KeptAnswer> {
    let wants = &directives.wants;
    if wants.reload {
        return None;
    }
    let wall_ms = gateway.clock.wall_ms();
    let is_served = |entry: &Arc<Entry>| {
        let use_made = wants.judge(&entry.freshness, wall_ms);
        matches!(use_made, Use::Serve | Use::ServeAndRefresh)
    };
    if let Some(entry) = peek(gateway, meaning.key).await.filter(is_served) {
        return Some(KeptAnswer { entry, level: Level::L1, wall_ms });
    }
    let topology = &gateway.topology;
    let l1 = LevelHandle { enabled: false, ..topology.l1.clone() };
    let flights = gateway.in_force().settings.flights();
    let levels = Levels::new(
        [l1, topology.l2.clone(), topology.l3.clone()],
        Arc::clone(&gateway.clock),
        flights.level_budget,
        flights.l2_timeout,
    );
    let found = levels.find(meaning.key, meaning.form, wants, false).await.entry;
    found.map(|(entry, level)| KeptAnswer { entry, level, wall_ms })
}

/// Returns the nearest of the requests of the same place whose answer some level still has.
pub(super) async fn nearest_miss(
    reading: &Reading<'_>,
    meaning: &Meaning,
    (place, outlined): (&Place, &Outlined),
) -> Option<NearestMiss> {
    let Reading { gateway, route, .. } = reading;
    let near = gateway.sketches.nearest(route.index, &meaning.key, place, outlined);
    for mut near in near.into_iter().take(MOST_LOOKED_FOR) {
        let Some(entry) = anywhere(gateway, near.key, meaning).await else { continue };
        let and_more = near.differs_at.len() > MAX_POINTERS_TOLD;
        near.differs_at.truncate(MAX_POINTERS_TOLD);
        return Some(NearestMiss {
            key: near.key.to_hex(),
            age: entry.freshness.age_ms(gateway.clock.wall_ms()) / 1_000,
            differs_at: near.differs_at,
            and_more,
            same_in: near.same_in,
        });
    }
    None
}

async fn peek(gateway: &Gateway, key: CacheKey) -> Option<Arc<Entry>> {
    ask(&gateway.topology.l1.peek, Peek { key }, L1_DEADLINE).await.ok()?
}

/// Returns an entry from whichever level has it, fresh or stale.
async fn anywhere(gateway: &Gateway, key: CacheKey, meaning: &Meaning) -> Option<Arc<Entry>> {
    if let Some(entry) = peek(gateway, key).await {
        return Some(entry);
    }
    let deadline = gateway.in_force().settings.cache.level_budget.get();
    for level in [&gateway.topology.l2, &gateway.topology.l3] {
        if !level.enabled {
            continue;
        }
        let lookup = Lookup { key, form: meaning.form };
        if let Ok(Ok(Some(entry))) = ask(&level.lookup, lookup, deadline).await {
            return Some(entry);
        }
    }
    None
}
