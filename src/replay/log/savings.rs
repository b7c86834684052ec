//! What the cache would have saved of a log of calls.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::lifetimes::Found;
use super::super::report::{percent, ratio};
use super::{Log, Skipped};
use crate::savings::{Ledger, Saved};

/// Goes along with a replay and writes down what each hit spares: the very call that the log tells of.
pub struct Spared<'a> {
    log: &'a Log,
    ledger: Ledger,
}

impl<'a> Spared<'a> {
    /// Begins with what goes past the cache.
    pub fn of(log: &'a Log) -> Self {
        Self { log, ledger: log.spent.clone() }
    }

    /// Counts the call at `position` among those that ask the cache.
    pub fn count(&mut self, position: usize, found: Found) {
        let call = self.log.calls.get(position).copied().unwrap_or_default();
        match found {
            Found::Nowhere => self.ledger.charged(0, "", call.cost),
            Found::L1 | Found::L2 | Found::L3 => self.ledger.hit(0, "", &call),
        }
    }

    /// Returns what came of it.
    pub fn report(self) -> LogReport {
        LogReport {
            saved: SavedReport::of(&self.ledger.total(), &self.log.currency),
            left_out: self.log.left_out.clone(),
            skipped: self.log.skipped.clone(),
            total: self.ledger.total(),
        }
    }
}

/// What is known of a log of AI calls alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogReport {
    /// What would have been saved.
    pub saved: SavedReport,
    /// Calls that go past the cache or whose answers are not kept, by reason; not among the requests.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Lines that are no calls.
    pub skipped: Skipped,
    /// The sums; for people only.
    #[serde(skip)]
    pub total: Saved,
}

/// What would have been saved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SavedReport {
    /// Calls that were not needed.
    pub calls: u64,
    /// Tokens of their requests and answers, where the log tells them.
    pub tokens: u64,
    /// Seconds that they took, likewise.
    pub seconds: f64,
    /// What they cost by the settings' prices: text, exact to the millionth.
    pub money: String,
    /// Currency of the money.
    pub currency: String,
}

impl SavedReport {
    fn of(saved: &Saved, currency: &str) -> Self {
        Self {
            calls: saved.calls,
            tokens: saved.input_tokens.saturating_add(saved.output_tokens),
            seconds: (saved.upstream_time.as_secs_f64() * 1_000.0).round() / 1_000.0,
            money: saved.money.to_string(),
            currency: currency.to_owned(),
        }
    }
}

impl LogReport {
    /// Returns what people are told, line by line: what is not known is left out.
    pub fn lines(&self) -> Vec<(&'static str, String, String)> {
        let Self { saved, left_out, skipped, total } = self;
        let calls = total.calls.saturating_add(total.spent_calls);
        let share = percent(ratio(saved.calls, calls));
        let mut lines =
            vec![("saved calls", saved.calls.to_string(), format!("{share} of {calls}"))];
        if saved.tokens > 0 {
            lines.push(("  tokens", saved.tokens.to_string(), String::new()));
        }
        if saved.seconds > 0.0 {
            lines.push(("  seconds", format!("{:.3}", saved.seconds), String::new()));
        }
        let all = total.money.saturating_add(total.spent);
        if all.micros() > 0 {
            let note = format!("{}, of {all}", saved.currency);
            lines.push(("  money", saved.money.clone(), note));
        } else if saved.tokens > 0 {
            lines.push((
                "  money",
                "?".to_owned(),
                "no price for its models in `prices`".to_owned(),
            ));
        }
        if !left_out.is_empty() {
            let reasons: Vec<String> =
                left_out.iter().map(|(reason, calls)| format!("{reason} {calls}")).collect();
            let number = left_out.values().sum::<u64>().to_string();
            lines.push(("left out", number, format!("not cached: {}", reasons.join(", "))));
        }
        if let Some(first) = skipped.first.first() {
            let number = skipped.lines.to_string();
            lines.push(("skipped lines", number, format!("the first is line {first}")));
        }
        lines
    }
}
