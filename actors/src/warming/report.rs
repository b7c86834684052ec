//! How warming shows itself: its counters, and its state for the operations API.

use std::sync::Arc;

use super::budget::{BudgetSettings, Spent};
use super::desk::{Counts, Desk};
use super::errands::Progress;
use super::gate::Record;
use super::proposal::Tally;
use super::upkeep::Standing;
use crate::model::CacheKey;
use crate::origin::OriginCall;

/// Keys named as the hottest.
const MOST_NAMED: usize = 10;

/// The state of warming.
#[derive(Debug, Clone)]
pub struct WarmingState {
    /// Whether it is stopped for want of memory.
    pub paused: bool,
    /// Keys and contexts of sequences that are known, and the bytes they take.
    pub patterns: (usize, usize, usize),
    /// The keys asked for most of late, and how many requests there were.
    pub hottest: Vec<(CacheKey, f64)>,
    /// What became of guesses, by kind and least confidence.
    pub buckets: Vec<(&'static str, f64, Record)>,
    /// What became of all warmings.
    pub tally: Tally,
    /// The share of L1 that is kept for what is warmed.
    pub warm_share: f64,
    /// Tasks that wait: lookups, calls.
    pub waiting: (usize, usize),
    /// Tasks under way: lookups, calls.
    pub under_way: (usize, usize),
    /// Bounds of what is spent.
    pub budget: BudgetSettings,
    /// Hundredths of it that may be used.
    pub budget_share: u64,
    /// What is spent: calls of the minute, calls and millionths of the day.
    pub spent: (u64, u64, u64),
    /// Which bound holds calls back now.
    pub held_back_by: Option<Spent>,
    /// Remembered requests and their bytes.
    pub requests: (usize, usize),
    /// What is kept ready always.
    pub critical: Vec<(Arc<OriginCall>, Standing)>,
    /// What operators have asked for.
    pub errands: Vec<Progress>,
    /// Counts since the start.
    pub counts: Counts,
}

/// What the desk does not know itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole {
    pub(super) warm_share: f64,
    pub(super) now_ms: u64,
}

/// Returns the state as of now.
pub(super) fn state(desk: &mut Desk, whole: Whole) -> WarmingState {
    let Whole { warm_share, now_ms } = whole;
    let (keys, contexts) = desk.forecast.num_known();
    let buckets = desk
        .forecast
        .gate()
        .records()
        .map(|(bucket, record)| (bucket.source().label(), bucket.from(), record));
    WarmingState {
        paused: desk.paused,
        patterns: (keys, contexts, desk.forecast.bytes()),
        hottest: desk.forecast.hottest(MOST_NAMED, now_ms),
        buckets: buckets.collect(),
        tally: desk.forecast.tally(),
        warm_share,
        waiting: desk.waiting(),
        under_way: desk.under_way(),
        budget: desk.budget.settings(),
        budget_share: desk.budget.share(),
        spent: desk.budget.spent(now_ms),
        held_back_by: desk.held_back_by(now_ms),
        requests: (desk.requests.len(), desk.requests.bytes()),
        critical: desk
            .upkeep
            .standings(now_ms)
            .map(|(call, standing)| (Arc::clone(call), standing))
            .collect(),
        errands: desk.errands.all().copied().collect(),
        counts: desk.counts,
    }
}

/// Returns the counters of health and metrics.
pub(super) fn counters(desk: &Desk) -> Vec<(&'static str, u64)> {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let Tally { used, wasted, .. } = desk.forecast.tally();
    let Counts { learned, trials, promoted, calls, unknown, given_up, failed } = desk.counts;
    let (lookups, paid) = desk.under_way();
    vec![
        ("learned", learned),
        ("trials", trials),
        ("promoted", promoted),
        ("calls", calls),
        ("used", used),
        ("wasted", wasted),
        ("unknown_requests", unknown),
        ("given_up", given_up),
        ("failed", failed),
        ("known_keys", number(desk.forecast.num_known().0)),
        ("pattern_bytes", number(desk.forecast.bytes())),
        ("request_bytes", number(desk.requests.bytes())),
        ("under_way", number(lookups + paid)),
        ("paused", u64::from(desk.paused)),
    ]
}
