//! Sums by route and model.

use std::collections::BTreeMap;
use std::time::Duration;

use anteroom_actors::model::{Outcome, Usage};

use super::money::Money;

/// Most pairs of route and model with sums of their own.
pub const MAX_PAIRS: usize = 1_000;

/// The model under which a route's calls are summed once there are [`MAX_PAIRS`] pairs, and those
/// whose model's name is too long.
pub const OTHER: &str = "other";

/// Longest model name that is kept, in bytes.
const MAX_MODEL_BYTES: usize = 128;

/// One upstream call, as its answer remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Call {
    /// Tokens, as the provider reported them; zeros where it did not.
    pub usage: Usage,
    /// How long the call took.
    pub upstream_time: Duration,
    /// What it cost.
    pub cost: Money,
}

/// What was saved and spent. Every sum stops at its greatest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Saved {
    /// Requests that made no upstream call.
    pub calls: u64,
    /// Tokens of requests that were not charged.
    pub input_tokens: u64,
    /// Tokens of answers that were not charged.
    pub output_tokens: u64,
    /// How long the upstream calls would have taken, going by the ones that were made.
    pub upstream_time: Duration,
    /// What was not charged.
    pub money: Money,
    /// What was charged.
    pub spent: Money,
    /// Upstream calls that were made.
    pub spent_calls: u64,
}

impl Saved {
    /// Adds another sum.
    pub fn add(&mut self, other: &Self) {
        // Without `..`: a new field does not compile until it is added.
        let Self { calls, input_tokens, output_tokens, upstream_time, money, spent, spent_calls } =
            *other;
        self.calls = self.calls.saturating_add(calls);
        self.input_tokens = self.input_tokens.saturating_add(input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(output_tokens);
        self.upstream_time = self.upstream_time.saturating_add(upstream_time);
        self.money = self.money.saturating_add(money);
        self.spent = self.spent.saturating_add(spent);
        self.spent_calls = self.spent_calls.saturating_add(spent_calls);
    }

    /// Returns what was added since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        // Without `..`: a new field does not compile until it is taken off.
        let Self { calls, input_tokens, output_tokens, upstream_time, money, spent, spent_calls } =
            *earlier;
        Self {
            calls: self.calls.saturating_sub(calls),
            input_tokens: self.input_tokens.saturating_sub(input_tokens),
            output_tokens: self.output_tokens.saturating_sub(output_tokens),
            upstream_time: self.upstream_time.saturating_sub(upstream_time),
            money: self.money.saturating_sub(money),
            spent: self.spent.saturating_sub(spent),
            spent_calls: self.spent_calls.saturating_sub(spent_calls),
        }
    }

    /// Returns what a hit saves whose answer came by `call`.
    pub fn of_hit(call: &Call) -> Self {
        Self { calls: 1, upstream_time: call.upstream_time, ..Self::of_part(call) }
    }

    fn of_part(call: &Call) -> Self {
        Self {
            input_tokens: call.usage.input_tokens,
            output_tokens: call.usage.output_tokens,
            money: call.cost,
            ..Self::default()
        }
    }
}

/// One line of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Position of the route in the settings.
    pub route: usize,
    /// Name of the model; empty where requests named none; [`OTHER`] for the rest.
    pub model: String,
    /// The sums.
    pub saved: Saved,
}

/// What was saved and spent by route and model.
///
/// Bounds: [`MAX_PAIRS`] pairs, first come, first kept, and one line of the rest for each route of
/// the settings.
/// A pair once kept stays, so its sums only grow. A worker fills a ledger of its own and hands it
/// on, taken, to be merged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    routes: BTreeMap<usize, Route>,
    num_pairs: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Route {
    models: BTreeMap<Box<str>, Saved>,
    other: Saved,
}

impl Ledger {
    /// Counts one answered request by its outcome, as the table of this module says.
    ///
    /// `call` is the upstream call that made the answer: the kept one of a hit, the leader's of a
    /// coalesced request, its own else.
    pub fn count(&mut self, route: usize, model: &str, outcome: Outcome, call: &Call) {
        match outcome {
            Outcome::Hit(_) | Outcome::Stale | Outcome::Coalesced => self.hit(route, model, call),
            Outcome::Miss | Outcome::Bypass => self.charged(route, model, call.cost),
            Outcome::Error => {}
        }
    }

    /// Counts a request that was answered without an upstream call of its own: it saved what
    /// `call` cost and took.
    pub fn hit(&mut self, route: usize, model: &str, call: &Call) {
        self.add(route, model, &Saved::of_hit(call));
    }

    /// Tells whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Counts the part of a request that was answered without asking upstream, where the rest was
    /// asked: it saved the tokens and the money of `call`, but no call and no time.
    pub fn hit_in_part(&mut self, route: usize, model: &str, call: &Call) {
        self.add(route, model, &Saved::of_part(call));
    }

    /// Counts an upstream call that was made, for a caller or behind one's back.
    pub fn charged(&mut self, route: usize, model: &str, cost: Money) {
        self.add(route, model, &Saved { spent: cost, spent_calls: 1, ..Saved::default() });
    }

    /// Adds the sums of another ledger. In any order the same, but for which pairs are kept once
    /// there are too many; what a route saved and spent in all is always the same.
    pub fn merge(&mut self, other: &Self) {
        for (route, sums) in &other.routes {
            for (model, saved) in &sums.models {
                self.add(*route, model, saved);
            }
            if sums.other != Saved::default() {
                self.add(*route, OTHER, &sums.other);
            }
        }
    }

    /// Returns all sums, by route, then by model, the rest last.
    pub fn snapshot(&self) -> Vec<Line> {
        let lines = self.routes.iter().flat_map(|(route, sums)| {
            let line = |model: &str, saved: &Saved| Line {
                route: *route,
                model: model.to_owned(),
                saved: *saved,
            };
            let rest = (sums.other != Saved::default()).then(|| line(OTHER, &sums.other));
            sums.models.iter().map(move |(model, saved)| line(model, saved)).chain(rest)
        });
        lines.collect()
    }

    /// Returns the sum of everything.
    pub fn total(&self) -> Saved {
        let mut total = Saved::default();
        for sums in self.routes.values() {
            sums.models.values().chain([&sums.other]).for_each(|saved| total.add(saved));
        }
        total
    }

    /// Adds what was saved and spent on answers of one model of one route.
    pub fn add(&mut self, route: usize, model: &str, saved: &Saved) {
        let sums = self.routes.entry(route).or_default();
        if let Some(kept) = sums.models.get_mut(model) {
            kept.add(saved);
        } else if model == OTHER || model.len() > MAX_MODEL_BYTES || self.num_pairs >= MAX_PAIRS {
            sums.other.add(saved);
        } else {
            sums.models.insert(model.into(), *saved);
            self.num_pairs += 1;
        }
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
