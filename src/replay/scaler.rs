//! L1's size by the gateway's own sizer, what it expects of other sizes, and what they really hit.

use std::time::Duration;

use anteroom_actors::model::Entry;
use anteroom_actors::scaler::{Asked, Decision, ENDLESS, L1Sizer, SIZES};
use anteroom_actors::settings::SizerSettings;
use serde::Serialize;

use super::levels::Levels;
use super::lifetimes::{Found, Lifetimes};
use super::report::{percent, ratio};
use super::trace::{Request, Trace};

/// How many times smaller, and larger, than at first L1 may become.
const SPAN: u64 = 8;

/// The gateway's defaults, in milliseconds.
const INTERVAL_MS: u64 = 10_000;
const COOL_DOWN: Duration = Duration::from_secs(60);

/// What came of sizing L1. Bytes are those of so many entries of the log's mean size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScalerReport {
    /// L1's size at the end.
    pub final_bytes: u64,
    /// The smallest of the sizes tried that hit the most, held from the beginning to the end.
    pub best_fixed_bytes: u64,
    /// Every other size that was taken, with reason and evidence; sizes in entries.
    pub decisions: Vec<Decision>,
}

/// L1's hit ratio by its size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurveReport {
    /// The sizes, in entries.
    pub entries: [u64; SIZES],
    /// What was expected of each, from scaled-down copies of L1.
    pub predicted: [f64; SIZES],
    /// What an L1 of that size hit.
    pub real: [f64; SIZES],
    /// How far they are apart on average.
    pub mean_error: f64,
}

impl CurveReport {
    /// Returns what people are told, line by line.
    pub fn lines(&self) -> Vec<(String, String, String)> {
        let sizes = self.entries.iter().zip(self.real).zip(self.predicted);
        let sizes = sizes.map(|((entries, real), predicted)| {
            let note = format!("{} predicted", percent(predicted));
            (format!("L1 of {entries}"), percent(real), note)
        });
        let error = percent(self.mean_error);
        sizes.chain([("  mean error".to_owned(), error, "of the predictions".to_owned())]).collect()
    }
}

/// Watches an L1, and sizes it where that is wanted.
pub struct Scaler {
    sizer: L1Sizer,
    sizes: bool,
    lifetimes: Lifetimes,
    others: [Levels; SIZES],
    entries: [u64; SIZES],
    next_ms: u64,
    decisions: Vec<Decision>,
}

/// Returns the most entries that an L1 of so many may grow to.
pub const fn ceiling_of(entries: u64) -> u64 {
    entries.saturating_mul(SPAN)
}

impl Scaler {
    /// Watches an L1 of `entries`; `sizes` says whether it is given other sizes.
    pub fn new(entries: u64, seed: u64, lifetimes: Lifetimes, sizes: bool) -> Self {
        let settings = SizerSettings {
            least_bytes: (entries / SPAN).max(1),
            most_bytes: ceiling_of(entries),
            least_weight: 1,
            cool_down: COOL_DOWN,
        };
        let sizer = L1Sizer::new(settings, entries);
        let entries = sizer.recent().map(|point| point.size);
        Self {
            sizer,
            sizes,
            lifetimes,
            others: entries.map(|entries| Levels::new(entries, seed, lifetimes)),
            entries,
            next_ms: 0,
            decisions: Vec::new(),
        }
    }

    /// Learns how a request was answered; returns the size that L1 gets then, where it gets another.
    pub fn answered(&mut self, request: &Request, found: Found, levels: &Levels) -> Option<u64> {
        for other in &mut self.others {
            other.ask(request);
        }
        let at_ms = request.at_ms;
        let key = levels.name_of(request.key);
        let good_for = levels.fresh_for_ms(&key, at_ms).unwrap_or(ENDLESS);
        let until_ms = at_ms.saturating_add(good_for.min(self.lifetimes.l1_ms));
        let is_hit = found == Found::L1;
        self.sizer.asked(&Asked { key: key.word(), at_ms, until_ms, weight: Some(1), is_hit });
        if !self.sizes || at_ms < self.next_ms {
            return None;
        }
        self.next_ms = at_ms.saturating_add(INTERVAL_MS);
        let mut decision = self.sizer.decide(u64::MAX, at_ms)?;
        decision.applied = true;
        let after = decision.after;
        self.sizer.resized(after);
        self.decisions.push(decision);
        Some(after)
    }

    /// Returns what came of it.
    pub fn report(self, trace: &Trace) -> (ScalerReport, CurveReport) {
        let requests = trace.requests().len() as u64;
        let curve = self.sizer.curve().since_start();
        let predicted = curve.map(|point| point.hit_ratio);
        let real = self.others.map(|levels| ratio(levels.hits().l1, requests));
        let errors = predicted.iter().zip(real).map(|(predicted, real)| (predicted - real).abs());
        let mean_error = errors.sum::<f64>() / ratio(SIZES as u64, 1);
        let most = real.iter().copied().fold(0.0, f64::max);
        let best = real.iter().zip(self.entries).find(|(real, _)| **real >= most);
        let each = mean_bytes(trace);
        let scaler = ScalerReport {
            final_bytes: self.sizer.now_bytes().saturating_mul(each),
            best_fixed_bytes: best.map_or(0, |(_, entries)| entries.saturating_mul(each)),
            decisions: self.decisions,
        };
        (scaler, CurveReport { entries: self.entries, predicted, real, mean_error })
    }
}

/// What an answer of the log takes on average, over its keys.
fn mean_bytes(trace: &Trace) -> u64 {
    let mut sizes = std::collections::HashMap::new();
    for request in trace.requests() {
        sizes.insert(request.key, request.size_bytes);
    }
    let all = sizes.values().fold(0_u64, |all, size| all.saturating_add(*size));
    let mean = all.checked_div(sizes.len() as u64).unwrap_or(0);
    mean.saturating_add(Entry::OVERHEAD_BYTES as u64)
}

#[cfg(test)]
#[path = "scaler_tests.rs"]
mod tests;
