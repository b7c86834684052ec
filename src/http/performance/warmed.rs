//! What warming knows, does and spends.

use anteroom_actors::warming::{Progress, Record, WarmingState};
use serde::Serialize;
use utoipa::ToSchema;

use super::{part_of_one, rounded};
use crate::http::gateway::Gateway;
use crate::savings::Money;

/// Warming, without what names single answers and requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = Warming)]
pub struct WarmingShown {
    /// Whether it is stopped for want of memory.
    pub paused: bool,
    /// What was learned.
    pub patterns: PatternsShown,
    /// What is to be done.
    pub queue: QueueShown,
    /// What became of it.
    pub ledger: LedgerShown,
    /// What may be spent, and is.
    pub budget: SpendingShown,
    /// The requests that are remembered, to be made again.
    pub requests: KnownRequests,
}

/// What was learned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = Patterns)]
pub struct PatternsShown {
    /// Requests learned from.
    pub learned: u64,
    /// Keys that are known.
    pub keys: usize,
    /// Contexts of sequences that are known.
    pub sequences: usize,
    /// Bytes that all of it takes.
    pub bytes: usize,
    /// The keys asked for most of late; left out where no answer is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hottest: Option<Vec<HotKey>>,
}

/// A key that is often asked for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HotKey {
    /// The key, as 64 hexadecimal digits.
    pub key: String,
    /// Requests of late, older ones counting less.
    pub requests: f64,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WarmingQueue)]
pub struct QueueShown {
    /// Lookups in further levels.
    pub lookups: LaneShown,
    /// Calls of origins.
    pub calls: LaneShown,
    /// Tasks given up since the start: too late, too many, or the upstream's breaker open.
    pub given_up: u64,
}

/// Tasks of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WarmingLane)]
pub struct LaneShown {
    /// They wait.
    pub waiting: usize,
    /// They are under way.
    pub under_way: usize,
}

/// What became of warmings, since the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = WarmingLedger)]
pub struct LedgerShown {
    /// Brought to L1 or fetched.
    pub done: u64,
    /// Of these, asked for in time.
    pub used: u64,
    /// Of these, not, as far as is known yet.
    pub wasted: u64,
    /// Calls made.
    pub calls: u64,
    /// Entries brought from further levels.
    pub promoted: u64,
    /// Tasks that brought nothing.
    pub failed: u64,
    /// Trials watched.
    pub trials: u64,
    /// The share of L1 that is kept for what is warmed.
    pub share_of_l1: f64,
    /// By kind of guess and least confidence.
    pub kinds: Vec<KindShown>,
}

/// What became of guesses of one kind and confidence; older ones count less.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = WarmingKind)]
pub struct KindShown {
    /// The kind.
    pub kind: &'static str,
    /// The least confidence, from 0 to 1.
    pub confidence_from: f64,
    /// Asked for in time.
    pub used: f64,
    /// Not.
    pub wasted: f64,
    /// The former's part of both; null without any.
    #[schema(required)]
    pub precision: Option<f64>,
}

/// What may be spent, and is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = WarmingBudget)]
pub struct SpendingShown {
    /// Calls of this minute.
    pub calls_per_minute: CallsSpent,
    /// Calls of this day.
    pub calls_per_day: CallsSpent,
    /// Money of this day.
    pub money_per_day: MoneySpent,
    /// The part of it that may be used, from 0 to 1.
    pub share: f64,
    /// The bound that holds calls back now; null where none does.
    #[schema(required)]
    pub held_back_by: Option<&'static str>,
}

/// Calls, and as many as may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CallsSpent {
    /// Made.
    pub spent: u64,
    /// As many as may be.
    pub most: u64,
}

/// Money, and as much as may be: texts, exact to the millionth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct MoneySpent {
    /// Spent.
    pub spent: String,
    /// As much as may be.
    pub most: String,
    /// Its currency.
    pub currency: String,
}

/// The requests that are remembered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct KnownRequests {
    /// So many.
    pub known: usize,
    /// Bytes that they take.
    pub bytes: usize,
    /// Calls not made since the start: the request is not known, or not the gateway's to repeat.
    pub not_known: u64,
}

/// How far an errand of an operator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Errand)]
pub struct ErrandShown {
    /// Its number.
    pub errand: u64,
    /// Whether all of it is done.
    pub state: ErrandState,
    /// Requests of it.
    pub total: u64,
    /// Their answers are ready: from a level, or fetched.
    pub ready: u64,
    /// Of these, fetched by a call.
    pub called: u64,
    /// They could not be had, or not be kept.
    pub failed: u64,
}

/// Whether an errand is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrandState {
    /// Not yet.
    UnderWay,
    /// All of it.
    Done,
}

impl WarmingShown {
    /// Returns what `state` shows, without what names single answers and requests.
    pub fn of(gateway: &Gateway, state: &WarmingState) -> Self {
        let (keys, sequences, bytes) = state.patterns;
        let learned = state.counts.learned;
        let lane = |waiting, under_way| LaneShown { waiting, under_way };
        Self {
            paused: state.paused,
            patterns: PatternsShown { learned, keys, sequences, bytes, hottest: None },
            queue: QueueShown {
                lookups: lane(state.waiting.0, state.under_way.0),
                calls: lane(state.waiting.1, state.under_way.1),
                given_up: state.counts.given_up,
            },
            ledger: LedgerShown::of(state),
            budget: SpendingShown::of(gateway, state),
            requests: KnownRequests {
                known: state.requests.0,
                bytes: state.requests.1,
                not_known: state.counts.unknown,
            },
        }
    }

    /// Names the keys asked for most of late, too.
    pub fn with_hottest(mut self, state: &WarmingState) -> Self {
        let hottest = state.hottest.iter();
        let hottest = hottest
            .map(|(key, requests)| HotKey { key: key.to_hex(), requests: rounded(*requests) });
        self.patterns.hottest = Some(hottest.collect());
        self
    }
}

impl LedgerShown {
    fn of(state: &WarmingState) -> Self {
        let kind = |(kind, from, record): &(&'static str, f64, Record)| {
            let Record { used, wasted, .. } = *record;
            KindShown {
                kind,
                confidence_from: *from,
                used: rounded(used),
                wasted: rounded(wasted),
                precision: record.precision().map(rounded),
            }
        };
        Self {
            done: state.tally.done,
            used: state.tally.used,
            wasted: state.tally.wasted,
            calls: state.counts.calls,
            promoted: state.counts.promoted,
            failed: state.counts.failed,
            trials: state.counts.trials,
            share_of_l1: rounded(state.warm_share),
            kinds: state.buckets.iter().map(kind).collect(),
        }
    }
}

impl SpendingShown {
    fn of(gateway: &Gateway, state: &WarmingState) -> Self {
        let (minute, day, micros) = state.spent;
        let bounds = state.budget;
        let money = |micros: u64| Money::from_micros(micros).to_string();
        Self {
            calls_per_minute: CallsSpent { spent: minute, most: bounds.calls_a_minute },
            calls_per_day: CallsSpent { spent: day, most: bounds.calls_a_day },
            money_per_day: MoneySpent {
                spent: money(micros),
                most: money(bounds.micros_a_day),
                currency: gateway.savings.currency().to_owned(),
            },
            share: part_of_one(state.budget_share),
            held_back_by: state.held_back_by.map(|spent| spent.label()),
        }
    }
}

impl ErrandShown {
    /// Returns how far an errand is.
    pub fn of(progress: &Progress) -> Self {
        let Progress { number, total, ready, called, failed } = *progress;
        let state = if progress.is_over() { ErrandState::Done } else { ErrandState::UnderWay };
        Self { errand: number, state, total, ready, called, failed }
    }
}
