//! The whole system in one document: what `/api/v1/performance` answers, and what the operators' page
//! shows.
//!
//! Every part has a `status`. One that is off or ill is `disabled` or `degraded` and says why; the
//! others go on. Numbers that a part could not be asked for are left out, never invented.

mod decided;
mod flows;
mod gather;
mod resources;
mod scaled;
mod traffic;
mod warmed;

use std::borrow::Cow;

use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AllOf, AnyOf, ObjectBuilder, Ref, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

pub use self::flows::{Bodies, Compression, Payload, SavedShown, Savings};
pub use self::gather::{Found, Gathered, gather};
pub use self::resources::{ActorShown, Bands, BudgetShown, CleaningShown, Level, Levels, Memory};
pub use self::scaled::{LimitShown, ScalingShown, limits};
pub use self::traffic::{Calls, Requests, ResponseTimes, RouteTimes, Times, UpstreamShown};
pub use self::warmed::{ErrandShown, WarmingShown};
use crate::http::openapi::words;
use crate::telemetry::Window;

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It works.
    Ok,
    /// It does not work, or not as it should.
    Degraded,
    /// It is off by the settings.
    Disabled,
    /// The gateway takes no requests.
    Unavailable,
}

/// How a part of the document is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Standing {
    /// How it is.
    pub status: Status,
    /// Why it is not well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

/// One part of the document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part<T> {
    /// How it is.
    #[serde(flatten)]
    pub standing: Standing,
    /// Its numbers, as far as they are known.
    #[serde(flatten)]
    pub numbers: Option<T>,
}

impl<T> Part<T> {
    /// Returns a part that works.
    pub const fn ok(numbers: T) -> Self {
        let standing = Standing { status: Status::Ok, reason: None };
        Self { standing, numbers: Some(numbers) }
    }

    /// Returns one that does not, with what is known of it.
    pub fn degraded(reason: impl Into<String>, numbers: Option<T>) -> Self {
        let standing = Standing { status: Status::Degraded, reason: Some(reason.into()) };
        Self { standing, numbers }
    }

    /// Returns one that is off.
    pub fn disabled(reason: impl Into<String>) -> Self {
        let standing = Standing { status: Status::Disabled, reason: Some(reason.into()) };
        Self { standing, numbers: None }
    }
}

impl<T: ToSchema> PartialSchema for Part<T> {
    /// All numbers, or, where it is off or ill, none.
    fn schema() -> RefOr<Schema> {
        let standing = || Ref::from_schema_name(Standing::name());
        let numbers = Ref::from_schema_name(T::name());
        let whole = AllOf::builder().item(standing()).item(numbers);
        let not_well = ObjectBuilder::new().schema_type(Type::String);
        let not_well = not_well.enum_values(Some(["degraded", "disabled"]));
        let not_well = ObjectBuilder::new().property("status", not_well);
        let without = AllOf::builder().item(standing()).item(not_well);
        AnyOf::builder().item(whole).item(without).into()
    }
}

impl<T: ToSchema> ToSchema for Part<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Part", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Standing::name().into_owned(), Standing::schema()));
        schemas.push((T::name().into_owned(), T::schema()));
        Standing::schemas(schemas);
        T::schemas(schemas);
    }
}

// The macro that describes knows a part by one name only, not by that of its numbers, too.
type RequestsPart = Part<Requests>;
type TimesPart = Part<ResponseTimes>;
type CallsPart = Part<Calls>;
type CompressionPart = Part<Compression>;
type PayloadPart = Part<Payload>;
type MemoryPart = Part<Memory>;
type WarmingPart = Part<WarmingShown>;
type ScalingPart = Part<ScalingShown>;
type SavingsPart = Part<Savings>;

/// The window that the numbers are about.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = WindowTold)]
pub struct WindowShown {
    /// Its name: `1m`, `5m`, `1h`.
    #[schema(value_type = words::Window)]
    pub name: &'static str,
    /// How long it really is, in seconds: up to a twelfth longer than its name, and shorter after the
    /// start.
    pub seconds: f64,
}

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Performance {
    /// `ok`, `degraded` where a part or an actor is, `unavailable` while the gateway stops.
    pub status: Status,
    /// The parts and actors that are not well.
    pub ill: Vec<String>,
    /// When it was made, in milliseconds since the Unix epoch.
    pub at_unix_ms: u64,
    /// What the numbers of traffic are about; all others are of the present moment.
    pub window: WindowShown,
    /// Requests by outcome.
    pub requests: RequestsPart,
    /// How long answers' heads took.
    pub response_times: TimesPart,
    /// The cache levels.
    pub levels: Levels,
    /// Calls of upstreams.
    pub upstream: CallsPart,
    /// Bodies before and after they were encoded.
    pub compression: CompressionPart,
    /// Whole answers before and after they were minified.
    pub payload: PayloadPart,
    /// The process's memory.
    pub memory: MemoryPart,
    /// What is had ready before it is asked for.
    pub warming: WarmingPart,
    /// The size that pays.
    pub scaling: ScalingPart,
    /// What the cache saved.
    pub savings: SavingsPart,
    /// Every actor.
    pub actors: Vec<ActorShown>,
}

impl Performance {
    /// Makes the document of what was gathered.
    pub fn of(gathered: &Gathered<'_>, window: Window) -> Self {
        let looked = gathered.looked.as_ref();
        let mut made = Self {
            status: Status::Ok,
            ill: Vec::new(),
            at_unix_ms: gathered.wall_ms,
            window: WindowShown {
                name: window.label(),
                seconds: looked.map_or(0.0, |looked| rounded(looked.lasted.as_secs_f64())),
            },
            requests: traffic::requests(looked),
            response_times: traffic::response_times(looked, &gathered.routes),
            levels: resources::levels(gathered),
            upstream: traffic::calls(looked, gathered),
            compression: flows::compression(looked, gathered.compresses),
            payload: flows::payload(looked, gathered.minifies),
            memory: resources::memory(gathered),
            warming: resources::found(&gathered.warming, "warming.enabled is false"),
            scaling: resources::found(&gathered.scaling, "the scaler is off"),
            savings: flows::savings(looked, gathered),
            actors: resources::actors(gathered),
        };
        made.ill = made.find_ill(gathered);
        if gathered.is_stopping {
            made.status = Status::Unavailable;
        } else if !made.ill.is_empty() {
            made.status = Status::Degraded;
        }
        made
    }

    fn find_ill(&self, gathered: &Gathered<'_>) -> Vec<String> {
        let parts = [
            ("requests", self.requests.standing.status),
            ("upstream", self.upstream.standing.status),
            ("compression", self.compression.standing.status),
            ("payload", self.payload.standing.status),
            ("memory", self.memory.standing.status),
            ("warming", self.warming.standing.status),
            ("scaling", self.scaling.standing.status),
            ("savings", self.savings.standing.status),
        ];
        let levels = self.levels.standings().map(|(name, standing)| (name, standing.status));
        let is_ill = |(_, status): &(&str, Status)| *status == Status::Degraded;
        let parts = parts.into_iter().chain(levels).filter(is_ill);
        let mut ill: Vec<String> = parts.map(|(name, _)| name.to_owned()).collect();
        if gathered.health.is_none() {
            ill.push("sentinel".to_owned());
        }
        let actors = self.actors.iter().filter(|actor| actor.is_ill);
        ill.extend(actors.map(|actor| actor.name.clone()));
        ill.sort_unstable();
        ill.dedup();
        ill
    }
}

/// Returns `part` of `whole` as a fraction; `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "a ratio needs no more than 53 bits")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 1e6).round() / 1e6)
}

/// Why numbers of traffic are not there.
const AWAY: &str = "the recorder does not answer";

/// Returns hundredths as a part of one.
fn part_of_one(hundredths: u64) -> f64 {
    f64::from(u32::try_from(hundredths).unwrap_or(u32::MAX)) / 100.0
}

/// Three digits after the point.
fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

#[cfg(test)]
#[path = "performance/tests.rs"]
mod tests;
