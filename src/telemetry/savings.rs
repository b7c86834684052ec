//! The metrics of what was saved and spent.

use prometheus::{CounterVec, IntCounterVec, Registry};

use super::metrics::{counters, opts, set_counter};
use super::names::{self, MetricName};
use crate::savings::Line;

/// Takes over the book's sums, which only grow.
#[derive(Clone)]
pub(super) struct SavingsMetrics {
    calls: IntCounterVec,
    tokens: IntCounterVec,
    seconds: CounterVec,
    money: CounterVec,
    spent: CounterVec,
}

impl SavingsMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            calls: counters(registry, &names::SAVED_CALLS)?,
            tokens: counters(registry, &names::SAVED_TOKENS)?,
            seconds: amounts(registry, &names::SAVED_SECONDS)?,
            money: amounts(registry, &names::SAVED_MONEY)?,
            spent: amounts(registry, &names::SPENT_MONEY)?,
        })
    }

    pub(super) fn refresh(&self, lines: &[Line], routes: &[&str], currency: &str) {
        for line in lines {
            let (model, saved) = (line.model.as_str(), &line.saved);
            let Some(route) = routes.get(line.route).copied() else { continue };
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
