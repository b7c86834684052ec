//! Bytes spared, money and time saved.

use std::collections::BTreeMap;

use anteroom_actors::model::Encoding;
use serde::Serialize;
use utoipa::ToSchema;

use super::{AWAY, Gathered, Part, ratio, rounded};
use crate::savings::Saved;
use crate::telemetry::Looked;

/// Bytes of bodies, before and after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct Bodies {
    /// Before.
    pub original_bytes: u64,
    /// After.
    pub sent_bytes: u64,
}

/// Answers of cached routes, before and after they were encoded.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Compression {
    /// All of them.
    #[serde(flatten)]
    pub all: Bodies,
    /// Part of the bytes that was spared; null without any.
    #[schema(required)]
    pub spared_ratio: Option<f64>,
    /// By encoding: `identity`, `gzip`, `br`.
    pub encodings: BTreeMap<&'static str, Bodies>,
}

/// Whole JSON answers of upstreams, before and after white space and the like were taken out.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Payload {
    /// Bytes as they came.
    pub original_bytes: u64,
    /// Bytes as they were kept and sent on.
    pub reshaped_bytes: u64,
    /// Part of the bytes that was spared; null without any.
    #[schema(required)]
    pub spared_ratio: Option<f64>,
}

/// Sums of what was saved and spent. Money is text, exact to the millionth.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Saved)]
pub struct SavedShown {
    /// Upstream calls that were not made.
    pub calls: u64,
    /// Tokens of requests that were not charged.
    pub input_tokens: u64,
    /// Tokens of answers that were not charged.
    pub output_tokens: u64,
    /// Seconds that those calls would have taken.
    pub seconds: f64,
    /// Money that was not charged.
    pub money: String,
    /// Upstream calls that were made.
    pub spent_calls: u64,
    /// Money that was charged.
    pub spent_money: String,
}

/// What the cache saved.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Savings {
    /// Currency of all money.
    pub currency: String,
    /// The start, in milliseconds since the Unix epoch.
    pub since_unix_ms: u64,
    /// Since the start.
    pub total: SavedShown,
    /// In the window.
    #[schema(required)]
    pub window: Option<SavedShown>,
}

pub(super) fn compression(looked: Option<&Looked>, is_on: bool) -> Part<Compression> {
    let Some(looked) = looked else { return Part::degraded(AWAY, None) };
    let (mut all, mut encodings) = (Bodies::default(), BTreeMap::new());
    for (encoding, (original, sent)) in Encoding::ALL.iter().zip(looked.stretch.flows.bodies) {
        all.original_bytes += original;
        all.sent_bytes += sent;
        let own = Bodies { original_bytes: original, sent_bytes: sent };
        encodings.insert(encoding.as_str(), own);
    }
    let spared = all.original_bytes.saturating_sub(all.sent_bytes);
    let spared_ratio = ratio(spared, all.original_bytes);
    let numbers = Compression { all, spared_ratio, encodings };
    if is_on {
        Part::ok(numbers)
    } else {
        Part { numbers: Some(numbers), ..Part::disabled("response.compression is false") }
    }
}

pub(super) fn payload(looked: Option<&Looked>, is_on: bool) -> Part<Payload> {
    if !is_on {
        return Part::disabled("response.optimize_json is false");
    }
    let Some(looked) = looked else { return Part::degraded(AWAY, None) };
    let (original_bytes, reshaped_bytes) = looked.stretch.flows.reshaped;
    let spared_ratio = ratio(original_bytes.saturating_sub(reshaped_bytes), original_bytes);
    Part::ok(Payload { original_bytes, reshaped_bytes, spared_ratio })
}

pub(super) fn savings(looked: Option<&Looked>, gathered: &Gathered<'_>) -> Part<Savings> {
    let numbers = Savings {
        currency: gathered.currency.to_owned(),
        since_unix_ms: gathered.since_ms,
        total: shown(&gathered.saved),
        window: looked.map(|looked| shown(&looked.stretch.flows.saved)),
    };
    if looked.is_some() { Part::ok(numbers) } else { Part::degraded(AWAY, Some(numbers)) }
}

fn shown(saved: &Saved) -> SavedShown {
    SavedShown {
        calls: saved.calls,
        input_tokens: saved.input_tokens,
        output_tokens: saved.output_tokens,
        seconds: rounded(saved.upstream_time.as_secs_f64()),
        money: saved.money.to_string(),
        spent_calls: saved.spent_calls,
        spent_money: saved.spent.to_string(),
    }
}
