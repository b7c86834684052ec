//! Levels, memory, actors.

use std::collections::BTreeMap;
use std::time::Duration;

use anteroom_actors::message::{ActorState, Cleaning, MemoryReport};
use anteroom_actors::model::{Level as CacheLevel, Outcome, PressureState};
use anteroom_actors::watchdog::{CRITICAL_FROM, ELEVATED_FROM};
use anteroom_actors::wiring::ActorHealth;
use serde::Serialize;
use utoipa::ToSchema;

use super::traffic::{Times, times_of};
use super::{Found, Gathered, Part, Standing, ratio};
use crate::http::openapi::words;
use crate::telemetry::Looked;

/// One cache level.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Level {
    /// Requests of the window that asked it; those it was not asked for, because a level before it
    /// had the answer, do not count.
    #[schema(required, extensions(("x-performance" = json!({"of": "cache", "unit": "requests"}))))]
    pub asked: Option<u64>,
    /// Those it answered.
    #[schema(required, extensions(("x-performance" = json!({"of": "cache", "unit": "requests"}))))]
    pub hits: Option<u64>,
    /// Hits of those asked; null without any.
    #[schema(required, extensions(("x-performance" = json!({"of": "cache", "unit": "ratio"}))))]
    pub hit_ratio: Option<f64>,
    /// How long asking took; hits by leases of L1 ask nobody and are not among them.
    #[schema(required)]
    pub lookups: Option<Times>,
    /// The level's own numbers, as in `/health/actors`: present values, and counts since its actor's
    /// start.
    pub counters: BTreeMap<&'static str, u64>,
}

/// The cache levels.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Levels {
    /// In memory.
    pub l1: LevelPart,
    /// In Redis.
    pub l2: LevelPart,
    /// In the database.
    pub l3: LevelPart,
}

// The macro that describes knows a part by one name only, not by that of its numbers, too.
type LevelPart = Part<Level>;

/// The process's memory, in bytes.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Memory {
    /// What lies in memory.
    pub resident_bytes: u64,
    /// Address space.
    pub virtual_bytes: u64,
    /// What may lie in memory.
    pub limit_bytes: u64,
    /// The former's part of the latter.
    #[schema(required)]
    pub used_ratio: Option<f64>,
    /// Most that lay in memory in the last hour.
    pub peak_bytes: u64,
    /// `nominal`, `elevated`, `critical`.
    #[schema(value_type = words::Pressure)]
    pub pressure: &'static str,
    /// Where pressure begins, as parts of the limit.
    pub bands: Bands,
    /// The last round of cleaning.
    #[schema(required)]
    pub last_cleaning: Option<CleaningShown>,
    /// What requests and answers under way hold.
    pub under_way: BudgetShown,
}

/// Where pressure begins.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = PressureBands)]
pub struct Bands {
    /// `elevated`.
    #[schema(required)]
    pub elevated_from: Option<f64>,
    /// `critical`.
    #[schema(required)]
    pub critical_from: Option<f64>,
}

/// What a round of cleaning came to, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Cleaning)]
pub struct CleaningShown {
    /// What was to go.
    pub asked_bytes: u64,
    /// What caches let go of.
    pub freed_bytes: u64,
    /// What the system has back.
    pub returned_bytes: u64,
}

/// Bytes for requests and answers under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MemoryUnderWay)]
pub struct BudgetShown {
    /// What there is; null without a bound.
    #[schema(required)]
    pub total_bytes: Option<u64>,
    /// What is reserved.
    pub reserved_bytes: u64,
    /// Most that was ever reserved.
    pub peak_bytes: u64,
    /// Requests that wait for some.
    pub waiting: u64,
    /// Requests that had to, since the start.
    pub waited: u64,
    /// Requests that got none in time, since the start.
    pub refused: u64,
}

/// One actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ActorSummary)]
pub struct ActorShown {
    /// Its name.
    pub name: String,
    /// `running`, `degraded`, `restarting`, `disabled`.
    #[schema(value_type = words::ActorState)]
    pub state: &'static str,
    /// Work that it has accepted and not finished.
    pub pending: u64,
    /// How often it was re-created.
    pub restarts: u64,
    /// Milliseconds since its last heartbeat.
    #[schema(required)]
    pub heartbeat_age_ms: Option<u64>,
    /// Its last error.
    #[schema(required)]
    pub last_error: Option<String>,
    /// Whether it is degraded or being re-created.
    #[serde(skip)]
    pub is_ill: bool,
}

pub(super) fn levels(gathered: &Gathered<'_>) -> Levels {
    let [l1, l2, l3] = CacheLevel::ALL.map(|level| level_part(gathered, level));
    Levels { l1, l2, l3 }
}

impl Levels {
    /// Returns how each of them is, by name.
    pub(super) fn standings(&self) -> [(&'static str, &Standing); 3] {
        let parts = [&self.l1, &self.l2, &self.l3].map(|part| &part.standing);
        let [l1, l2, l3] = CacheLevel::ALL.map(CacheLevel::label);
        let [of_l1, of_l2, of_l3] = parts;
        [(l1, of_l1), (l2, of_l2), (l3, of_l3)]
    }
}

fn level_part(gathered: &Gathered<'_>, level: CacheLevel) -> Part<Level> {
    let Some(health) = &gathered.health else {
        let numbers = level_numbers(gathered.looked.as_ref(), level, None);
        return Part::degraded("the sentinel does not answer", Some(numbers));
    };
    let actor = health.actors.iter().find(|actor| actor.name == level.label());
    let numbers = level_numbers(gathered.looked.as_ref(), level, actor);
    let Some(actor) = actor else { return Part::degraded("there is no such actor", None) };
    match actor.state {
        ActorState::Running => Part::ok(numbers),
        ActorState::Disabled => Part::disabled(match level {
            CacheLevel::L1 => "it is off",
            CacheLevel::L2 => "l2.url is not set",
            CacheLevel::L3 => "l3.enabled is false",
        }),
        ActorState::Restarting => Part::degraded("its actor is being made anew", Some(numbers)),
        ActorState::Degraded => {
            let reason = actor.last_error.as_deref().unwrap_or("its heartbeat is late");
            Part::degraded(reason, Some(numbers))
        }
    }
}

fn level_numbers(looked: Option<&Looked>, level: CacheLevel, actor: Option<&ActorHealth>) -> Level {
    let stretch = looked.map(|looked| &looked.stretch);
    let lookups = stretch.and_then(|stretch| stretch.lookups.get(level.index()));
    let by_lease =
        if level == CacheLevel::L1 { stretch.map_or(0, |own| own.lease_hits) } else { 0 };
    let asked = lookups.map(|lookups| lookups.count() + by_lease);
    let hits = stretch.map(|stretch| stretch.num(Outcome::Hit(level)));
    Level {
        asked,
        hits,
        hit_ratio: hits.zip(asked).and_then(|(hits, asked)| ratio(hits, asked)),
        lookups: lookups.and_then(times_of),
        counters: actor.map(|actor| actor.counters.iter().copied().collect()).unwrap_or_default(),
    }
}

pub(super) fn memory(gathered: &Gathered<'_>) -> Part<Memory> {
    let Some(report) = &gathered.memory else {
        return Part::degraded("the watchdog does not answer", None);
    };
    let MemoryReport { reading, state, peak_bytes, last_cleaning } = *report;
    let budget = &gathered.budget;
    let numbers = Memory {
        resident_bytes: reading.resident_bytes,
        virtual_bytes: reading.virtual_bytes,
        limit_bytes: reading.limit_bytes,
        used_ratio: ratio(reading.resident_bytes, reading.limit_bytes),
        peak_bytes,
        pressure: state.label(),
        bands: Bands {
            elevated_from: ratio(ELEVATED_FROM, 1_000),
            critical_from: ratio(CRITICAL_FROM, 1_000),
        },
        last_cleaning: last_cleaning.map(
            |Cleaning { asked_bytes, freed_bytes, returned_bytes }| CleaningShown {
                asked_bytes,
                freed_bytes,
                returned_bytes,
            },
        ),
        under_way: BudgetShown {
            total_bytes: (budget.total_bytes < u64::MAX).then_some(budget.total_bytes),
            reserved_bytes: budget.reserved_bytes,
            peak_bytes: budget.peak_bytes,
            waiting: budget.waiting,
            waited: budget.waits,
            refused: budget.refusals,
        },
    };
    match state {
        PressureState::Nominal => Part::ok(numbers),
        PressureState::Elevated | PressureState::Critical => {
            Part::degraded(format!("memory is short: {}", state.label()), Some(numbers))
        }
    }
}

pub(super) fn found<T: Clone>(found: &Found<T>, why_off: &str) -> Part<T> {
    match found {
        Found::Off => Part::disabled(why_off),
        Found::Away => Part::degraded("its actor does not answer", None),
        Found::There(numbers, None) => Part::ok(numbers.clone()),
        Found::There(numbers, Some(reason)) => {
            Part::degraded(reason.clone(), Some(numbers.clone()))
        }
    }
}

pub(super) fn actors(gathered: &Gathered<'_>) -> Vec<ActorShown> {
    let millis = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let all = gathered.health.iter().flat_map(|health| &health.actors);
    let shown = all.map(|actor| ActorShown {
        name: actor.name.clone(),
        state: actor.state.label(),
        pending: actor.pending,
        restarts: actor.restarts,
        heartbeat_age_ms: actor.heartbeat_age.map(millis),
        last_error: actor.last_error.clone(),
        is_ill: matches!(actor.state, ActorState::Degraded | ActorState::Restarting),
    });
    shown.collect()
}
