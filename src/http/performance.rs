//! The whole system in one document: what `/api/v1/performance` answers, and what the operators' page
//! shows.
//!
//! Every part has a `status`. One that is off or ill is `disabled` or `degraded` and says why; the
//! others go on. Numbers that a part could not be asked for are left out, never invented.

mod flows;
mod gather;
mod resources;
mod traffic;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

pub use self::flows::{Bodies, Compression, Payload, SavedShown, Savings};
pub use self::gather::{Found, Gathered, gather};
pub use self::resources::{ActorShown, Bands, BudgetShown, CleaningShown, Level, Memory};
pub use self::traffic::{Calls, Requests, ResponseTimes, RouteTimes, Times, UpstreamShown};
use crate::telemetry::Window;

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

/// One part of the document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part<T> {
    /// How it is.
    pub status: Status,
    /// Why it is not well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its numbers, as far as they are known.
    #[serde(flatten)]
    pub numbers: Option<T>,
}

impl<T> Part<T> {
    /// Returns a part that works.
    pub const fn ok(numbers: T) -> Self {
        Self { status: Status::Ok, reason: None, numbers: Some(numbers) }
    }

    /// Returns one that does not, with what is known of it.
    pub fn degraded(reason: impl Into<String>, numbers: Option<T>) -> Self {
        Self { status: Status::Degraded, reason: Some(reason.into()), numbers }
    }

    /// Returns one that is off.
    pub fn disabled(reason: impl Into<String>) -> Self {
        Self { status: Status::Disabled, reason: Some(reason.into()), numbers: None }
    }
}

/// The window that the numbers are about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WindowShown {
    /// Its name: `1m`, `5m`, `1h`.
    pub name: &'static str,
    /// How long it really is, in seconds: up to a twelfth longer than its name, and shorter after the
    /// start.
    pub seconds: f64,
}

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    pub requests: Part<Requests>,
    /// How long answers' heads took.
    pub response_times: Part<ResponseTimes>,
    /// The cache levels: `l1`, `l2`, `l3`.
    pub levels: BTreeMap<&'static str, Part<Level>>,
    /// Calls of upstreams.
    pub upstream: Part<Calls>,
    /// Bodies before and after they were encoded.
    pub compression: Part<Compression>,
    /// Whole answers before and after they were minified.
    pub payload: Part<Payload>,
    /// The process's memory.
    pub memory: Part<Memory>,
    /// What is had ready before it is asked for.
    pub warming: Part<Value>,
    /// The size that pays.
    pub scaling: Part<Value>,
    /// What the cache saved.
    pub savings: Part<Savings>,
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
            ("requests", self.requests.status),
            ("upstream", self.upstream.status),
            ("compression", self.compression.status),
            ("payload", self.payload.status),
            ("memory", self.memory.status),
            ("warming", self.warming.status),
            ("scaling", self.scaling.status),
            ("savings", self.savings.status),
        ];
        let levels = self.levels.iter().map(|(name, part)| (*name, part.status));
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

/// Three digits after the point.
pub(in crate::http) fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

#[cfg(test)]
#[path = "performance/tests.rs"]
mod tests;
