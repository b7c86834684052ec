//! The gateway's ledger, which all threads write into.

use std::mem;
use std::time::Duration;

use anteroom_actors::model::{Entry, Usage};
use parking_lot::Mutex;

use super::ledger::{Call, Ledger, Line, Saved};
use super::price::PriceTable;

/// Prices, and what was saved and spent since the gateway's start.
///
/// Workers sum up their hits themselves and bring them now and then; calls, each of which took an
/// upstream far longer than a lock takes, are written down at once.
#[derive(Debug)]
pub struct Book {
    prices: PriceTable,
    since_wall_ms: u64,
    ledger: Mutex<Ledger>,
}

impl Book {
    /// Opens a book at `since_wall_ms`, with nothing in it.
    pub fn new(prices: PriceTable, since_wall_ms: u64) -> Self {
        Self { prices, since_wall_ms, ledger: Mutex::default() }
    }

    /// Returns the currency of all money.
    pub fn currency(&self) -> &str {
        self.prices.currency()
    }

    /// Returns since when it counts, in milliseconds since the Unix epoch.
    pub const fn since_wall_ms(&self) -> u64 {
        self.since_wall_ms
    }

    /// Returns the call that made `entry`, at today's prices.
    pub fn call_of(&self, entry: &Entry) -> Call {
        self.call(entry.model.as_deref(), entry.usage, entry.upstream_latency)
    }

    /// Returns a call to `model` that took `upstream_time`.
    pub fn call(&self, model: Option<&str>, usage: Option<Usage>, upstream_time: Duration) -> Call {
        let cost = self.prices.cost_of(model.unwrap_or_default(), usage.as_ref());
        Call { usage: usage.unwrap_or_default(), upstream_time, cost }
    }

    /// Writes down an upstream call that was made.
    pub fn charge(&self, route: usize, model: Option<&str>, usage: Option<Usage>) {
        let cost = self.call(model, usage, Duration::ZERO).cost;
        self.ledger.lock().charged(route, model.unwrap_or_default(), cost);
    }

    /// Writes down what a worker summed up, and leaves its own ledger empty.
    pub fn take(&self, ledger: &mut Ledger) {
        if !ledger.is_empty() {
            let taken = mem::take(ledger);
            self.ledger.lock().merge(&taken);
        }
    }

    /// Writes down a request that was answered by another one's call.
    pub fn spare(&self, route: usize, model: Option<&str>, call: &Call) {
        self.ledger.lock().hit(route, model.unwrap_or_default(), call);
    }

    /// Writes down what of a request was known, where the rest was asked upstream.
    pub fn spare_in_part(&self, route: usize, model: Option<&str>, call: &Call) {
        self.ledger.lock().hit_in_part(route, model.unwrap_or_default(), call);
    }

    /// Returns the sum of all.
    pub fn total(&self) -> Saved {
        self.ledger.lock().total()
    }

    /// Returns all sums, by route and model, and the sum of them all: of one moment.
    pub fn read(&self) -> (Vec<Line>, Saved) {
        let ledger = self.ledger.lock();
        (ledger.snapshot(), ledger.total())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Money, Price};
    use super::*;

    fn book() -> Book {
        let price = Price { input_per_million: Money::from_micros(2_000_000), ..Price::default() };
        Book::new(PriceTable::new("EUR", [("m*".to_owned(), price)]).unwrap(), 5)
    }

    /// what is written by several threads is one sum, and taken once.
    #[test]
    fn what_workers_bring_is_added_once_to_what_was_charged() {
        let book = book();
        let usage = Some(Usage { input_tokens: 10, output_tokens: 3 });
        book.charge(0, Some("m1"), usage);
        let entry = Entry {
            model: Some("m1".into()),
            usage,
            upstream_latency: Duration::from_secs(2),
            ..Entry::default()
        };
        let mut own = Ledger::default();
        (0..3).for_each(|_| own.hit(0, "m1", &book.call_of(&entry)));
        book.take(&mut own);
        book.take(&mut own);
        let (lines, total) = book.read();
        assert_eq!((lines.len(), book.currency(), book.since_wall_ms()), (1, "EUR", 5));
        assert_eq!(lines[0].saved, total);
        assert_eq!((total.spent, total.spent_calls), (Money::from_micros(20), 1));
        assert_eq!((total.calls, total.money), (3, Money::from_micros(60)));
        assert_eq!(total.upstream_time, Duration::from_secs(6));
    }

    #[test]
    fn calls_without_a_price_a_usage_or_a_model_are_calls() {
        let book = book();
        book.charge(0, Some("other"), Some(Usage { input_tokens: 1, output_tokens: 1 }));
        book.charge(0, Some("m"), None);
        book.charge(0, None, None);
        let (lines, total) = book.read();
        assert_eq!((lines.len(), total.spent, total.spent_calls), (3, Money::ZERO, 3));
    }
}
