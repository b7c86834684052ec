//! Requests, the times of their answers, and calls of upstreams.

use std::collections::BTreeMap;
use std::time::Duration;

use anteroom_actors::model::{Level, Outcome};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AWAY, Gathered, Part, ratio, rounded};
use crate::http::openapi::words;
use crate::telemetry::{Histogram, Looked, RELATIVE_ERROR, Stretch, Summary};

/// Requests of the window.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Requests {
    /// Answered requests.
    pub total: u64,
    /// The same a second.
    pub per_second: f64,
    /// Part of the requests that could be answered from the cache (hits, stale, misses, coalesced)
    /// and were: hits and stale ones. Null without any.
    #[schema(required)]
    pub hit_ratio: Option<f64>,
    /// Requests by outcome.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Whole answers that were not kept, by reason.
    pub not_kept: BTreeMap<&'static str, u64>,
    /// Requests that are missing in all numbers of traffic, because the recorder was behind.
    pub missing: u64,
}

/// Times of a kind, in milliseconds. All but `mean_ms` and `max_ms` may be off by `relative_error`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Times {
    /// How many there were.
    pub count: u64,
    /// Their mean.
    pub mean_ms: f64,
    /// Half of them took at most this.
    pub p50_ms: f64,
    /// 90 of 100.
    pub p90_ms: f64,
    /// 95 of 100.
    pub p95_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// 999 of 1,000.
    pub p99_9_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// Times of one route and outcome.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RouteTimes {
    /// The route; null stands for all.
    #[schema(required)]
    pub route: Option<String>,
    /// How they were answered.
    #[schema(value_type = words::Outcome)]
    pub outcome: &'static str,
    /// The times.
    #[serde(flatten)]
    pub times: Times,
}

/// How long answers' heads took, from the request's arrival.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ResponseTimes {
    /// How far from the truth a percentile may be, as a part of it.
    pub relative_error: f64,
    /// All requests; null without any.
    #[schema(required)]
    pub all: Option<Times>,
    /// By outcome over all routes, then by route and outcome. What did not occur is not there.
    pub by_route: Vec<RouteTimes>,
}

/// Calls of upstreams that requests led.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = UpstreamCalls)]
pub struct Calls {
    /// Calls of which an answer's head came.
    pub answered: u64,
    /// Calls that failed.
    pub failed: u64,
    /// The same by the failure's label.
    pub failures: BTreeMap<&'static str, u64>,
    /// Time to the head; null without any.
    #[schema(required)]
    pub times: Option<Times>,
    /// The upstreams, since the start.
    pub upstreams: Vec<UpstreamShown>,
}

/// One upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Upstream)]
pub struct UpstreamShown {
    /// Its name.
    pub name: String,
    /// Whether it is left alone, because it keeps failing.
    pub breaker_open: bool,
    /// How often a request was sent to it again.
    pub retries: u64,
}

pub(super) fn requests(looked: Option<&Looked>) -> Part<Requests> {
    let Some(Looked { stretch, lasted }) = looked else { return Part::degraded(AWAY, None) };
    let outcomes = Outcome::ALL.map(|outcome| (outcome.label(), stretch.num(outcome)));
    let total: u64 = outcomes.iter().map(|(_, count)| count).sum();
    let served = Level::ALL.map(|level| stretch.num(Outcome::Hit(level))).iter().sum::<u64>()
        + stretch.num(Outcome::Stale);
    let called = stretch.num(Outcome::Miss) + stretch.num(Outcome::Coalesced);
    let numbers = Requests {
        total,
        per_second: per_second(total, *lasted),
        hit_ratio: ratio(served, served + called),
        outcomes: outcomes.into(),
        not_kept: stretch.discards.clone(),
        missing: stretch.dropped,
    };
    match stretch.dropped {
        0 => Part::ok(numbers),
        missing => {
            Part::degraded(format!("the recorder was behind: {missing} are missing"), Some(numbers))
        }
    }
}

pub(super) fn response_times(looked: Option<&Looked>, routes: &[&str]) -> Part<ResponseTimes> {
    let Some(Looked { stretch, .. }) = looked else { return Part::degraded(AWAY, None) };
    let merged = |wanted: Option<Outcome>| {
        let mut all = Histogram::default();
        let of = |(_, outcome): &(usize, usize)| wanted.is_none_or(|own| own.index() == *outcome);
        stretch.answers.iter().filter(|(key, _)| of(key)).for_each(|(_, own)| all.merge(own));
        all.summary().map(|summary| times(&summary))
    };
    let row = |route: Option<String>, outcome: Outcome, times: Option<Times>| {
        Some(RouteTimes { route, outcome: outcome.label(), times: times? })
    };
    let over_all = Outcome::ALL.into_iter().filter_map(|own| row(None, own, merged(Some(own))));
    let each = stretch.answers.iter().filter_map(|((route, outcome), histogram)| {
        let (name, outcome) = (routes.get(*route)?, Outcome::ALL.get(*outcome)?);
        row(Some((*name).to_owned()), *outcome, times_of(histogram))
    });
    Part::ok(ResponseTimes {
        relative_error: RELATIVE_ERROR,
        all: merged(None),
        by_route: over_all.chain(each).collect(),
    })
}

pub(super) fn calls(looked: Option<&Looked>, gathered: &Gathered<'_>) -> Part<Calls> {
    let Some(Looked { stretch, .. }) = looked else { return Part::degraded(AWAY, None) };
    let Stretch { calls, failures, .. } = stretch;
    let mut all = Histogram::default();
    calls.values().for_each(|own| all.merge(own));
    let upstreams = gathered.upstreams.clone();
    let left_alone: Vec<&str> = gathered
        .upstreams
        .iter()
        .filter(|upstream| upstream.breaker_open)
        .map(|upstream| upstream.name.as_str())
        .collect();
    let numbers = Calls {
        answered: all.count(),
        failed: failures.values().sum(),
        failures: failures.clone(),
        times: times_of(&all),
        upstreams,
    };
    if left_alone.is_empty() {
        Part::ok(numbers)
    } else {
        let reason = format!("left alone because calls keep failing: {}", left_alone.join(", "));
        Part::degraded(reason, Some(numbers))
    }
}

pub(super) fn times_of(histogram: &Histogram) -> Option<Times> {
    histogram.summary().map(|summary| times(&summary))
}

fn times(summary: &Summary) -> Times {
    let [p50, p90, p95, p99, p99_9] = summary.within.map(millis);
    Times {
        count: summary.count,
        mean_ms: millis(summary.mean),
        p50_ms: p50,
        p90_ms: p90,
        p95_ms: p95,
        p99_ms: p99,
        p99_9_ms: p99_9,
        max_ms: millis(summary.most),
    }
}

fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e7).round() / 1e4
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
fn per_second(count: u64, lasted: Duration) -> f64 {
    rounded(count as f64 / lasted.as_secs_f64().max(1.0))
}
