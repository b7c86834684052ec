//! The metrics of what was saved and spent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::{CounterVec, IntCounterVec, Registry};

use super::metrics::{counters, opts, set_counter};
use super::names::{self, MetricName};
use crate::savings::{Line, OTHER, Saved};

/// Most pairs of route and model with series of their own: each has six. The book knows more.
const MAX_PAIRS: usize = 100;

/// Takes over the book's sums, which only grow.
#[derive(Clone)]
pub(super) struct SavingsMetrics {
    calls: IntCounterVec,
    tokens: IntCounterVec,
    seconds: CounterVec,
    money: CounterVec,
    spent: CounterVec,
    shown: Arc<Mutex<Shown>>,
}

/// Which pairs of route and model have series of their own. One that has keeps it.
#[derive(Debug, Default)]
struct Shown(BTreeSet<(usize, String)>);

impl Shown {
    /// Sums up the rest of each route under [`OTHER`].
    fn bounded<'a>(&mut self, lines: &'a [Line]) -> BTreeMap<(usize, &'a str), Saved> {
        let mut sums: BTreeMap<(usize, &str), Saved> = BTreeMap::new();
        for line in lines {
            let pair = (line.route, line.model.clone());
            let is_shown = self.0.contains(&pair) || line.model == OTHER;
            let model = if is_shown {
                line.model.as_str()
            } else if self.0.len() < MAX_PAIRS {
                self.0.insert(pair);
                line.model.as_str()
            } else {
                OTHER
            };
            sums.entry((line.route, model)).or_default().add(&line.saved);
        }
        sums
    }
}

impl SavingsMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            calls: counters(registry, &names::SAVED_CALLS)?,
            tokens: counters(registry, &names::SAVED_TOKENS)?,
            seconds: amounts(registry, &names::SAVED_SECONDS)?,
            money: amounts(registry, &names::SAVED_MONEY)?,
            spent: amounts(registry, &names::SPENT_MONEY)?,
            shown: Arc::default(),
        })
    }

    pub(super) fn refresh(&self, lines: &[Line], routes: &[&str], currency: &str) {
        for ((route, model), saved) in self.shown.lock().bounded(lines) {
            let Some(route) = routes.get(route).copied() else { continue };
            set_counter(&self.calls.with_label_values(&[route, model]), saved.calls);
            for (direction, tokens) in
                [("input", saved.input_tokens), ("output", saved.output_tokens)]
            {
                set_counter(&self.tokens.with_label_values(&[route, model, direction]), tokens);
            }
            set_amount(&self.seconds, &[route, model], saved.upstream_time.as_secs_f64());
            set_amount(&self.money, &[route, model, currency], saved.money.as_units());
            set_amount(&self.spent, &[route, model, currency], saved.spent.as_units());
        }
    }
}

fn amounts(registry: &Registry, metric: &MetricName) -> prometheus::Result<CounterVec> {
    let amounts = CounterVec::new(opts(metric), metric.labels)?;
    registry.register(Box::new(amounts.clone()))?;
    Ok(amounts)
}

fn set_amount(amounts: &CounterVec, labels: &[&str], value: f64) {
    let counter = amounts.with_label_values(labels);
    // A float's rounding may leave less than nothing to add, which a counter refuses.
    counter.inc_by((value - counter.get()).max(0.0));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(route: usize, model: &str, calls: u64) -> Line {
        Line { route, model: model.to_owned(), saved: Saved { calls, ..Saved::default() } }
    }

    #[test]
    fn models_past_the_bound_are_summed_up_and_none_changes_its_place() {
        let mut shown = Shown::default();
        let first: Vec<Line> =
            (0..MAX_PAIRS).map(|number| line(0, &format!("m{number}"), 1)).collect();
        assert_eq!(shown.bounded(&first).len(), MAX_PAIRS);
        // Sorted before those that are shown already, as the book has it.
        let mut more = vec![line(0, "a", 5), line(0, "b", 7), line(0, OTHER, 1), line(1, "a", 2)];
        more.extend(first);
        let sums = shown.bounded(&more);
        assert_eq!(sums.len(), MAX_PAIRS + 2);
        assert_eq!(sums[&(0, OTHER)].calls, 5 + 7 + 1);
        assert_eq!(sums[&(1, OTHER)].calls, 2);
        assert_eq!(sums[&(0, "m0")].calls, 1);
    }
}
