//! Prices by model.

use std::collections::HashMap;

use anteroom_actors::model::Usage;

use super::money::Money;

/// Most entries of a table; each look-up may try all prefixes.
const MAX_ENTRIES: usize = 256;

/// Longest pattern, in bytes; that of a model's name.
const MAX_PATTERN_BYTES: usize = 128;

/// Longest word for a currency, in bytes.
const MAX_CURRENCY_BYTES: usize = 16;

/// Tokens that a price is for.
const TOKENS: u128 = 1_000_000;

/// What a model's tokens cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// Price of one million tokens of the request.
    pub input_per_million: Money,
    /// Price of one million tokens of the answer.
    pub output_per_million: Money,
}

/// Returns what a call of this `usage` costs.
///
/// Law: both parts are added exactly and rounded up once, to a millionth of the currency's unit,
/// so what costs anything never costs nothing. Stops at [`Money::MAX`].
pub fn cost(usage: &Usage, price: &Price) -> Money {
    let part = |tokens: u64, price: Money| u128::from(tokens) * u128::from(price.micros());
    let input = part(usage.input_tokens, price.input_per_million);
    let output = part(usage.output_tokens, price.output_per_million);
    let micros = input.saturating_add(output).div_ceil(TOKENS);
    Money::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// An entry of a price table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// The word for the currency is not 1 to 16 ASCII letters and digits.
    #[error("failed to read the prices: the currency is not 1 to 16 letters and digits")]
    Currency,
    /// A pattern is empty or longer than 128 bytes.
    #[error("failed to read the prices: pattern number {position} is not 1 to 128 bytes long")]
    PatternLength {
        /// Which entry, from 0.
        position: usize,
    },
    /// A pattern has a `*` that is not its end.
    #[error("failed to read the prices: {pattern:?} has a `*` that is not at its end")]
    Star {
        /// The pattern.
        pattern: String,
    },
    /// Two entries have one pattern.
    #[error("failed to read the prices: {pattern:?} is there twice")]
    Twice {
        /// The pattern.
        pattern: String,
    },
    /// There are more than 256 entries.
    #[error("failed to read the prices: more than {MAX_ENTRIES} entries")]
    TooMany,
}

impl PriceError {
    /// Returns the metric label.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Currency => "currency",
            Self::PatternLength { .. } => "pattern_length",
            Self::Star { .. } => "star",
            Self::Twice { .. } => "twice",
            Self::TooMany => "too_many",
        }
    }
}

/// Which models cost what, in one currency.
///
/// A pattern is a model's whole name, or its beginning followed by `*`; `*` alone is every model.
/// A whole name wins over any beginning, a longer beginning over a shorter one. Case counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceTable {
    currency: String,
    whole: HashMap<String, Price>,
    /// Longest first.
    beginnings: Vec<(String, Price)>,
}

impl PriceTable {
    /// Makes a table of the entries of the settings, whose order does not matter.
    ///
    /// Errors: [`PriceError`]; a table without entries is none, every call then costs nothing.
    pub fn new(
        currency: &str,
        entries: impl IntoIterator<Item = (String, Price)>,
    ) -> Result<Self, PriceError> {
        let is_word = currency.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_word || !(1..=MAX_CURRENCY_BYTES).contains(&currency.len()) {
            return Err(PriceError::Currency);
        }
        let mut table =
            Self { currency: currency.to_owned(), whole: HashMap::new(), beginnings: Vec::new() };
        for (position, (pattern, price)) in entries.into_iter().enumerate() {
            if position >= MAX_ENTRIES {
                return Err(PriceError::TooMany);
            }
            if !(1..=MAX_PATTERN_BYTES).contains(&pattern.len()) {
                return Err(PriceError::PatternLength { position });
            }
            table.add(pattern, price)?;
        }
        table.beginnings.sort_by_key(|(beginning, _)| std::cmp::Reverse(beginning.len()));
        Ok(table)
    }

    fn add(&mut self, pattern: String, price: Price) -> Result<(), PriceError> {
        let beginning = pattern.strip_suffix('*');
        if beginning.unwrap_or(&pattern).contains('*') {
            return Err(PriceError::Star { pattern });
        }
        let is_twice = match beginning {
            Some(beginning) => self.beginnings.iter().any(|(other, _)| other == beginning),
            None => self.whole.contains_key(&pattern),
        };
        if is_twice {
            return Err(PriceError::Twice { pattern });
        }
        match beginning {
            Some(beginning) => self.beginnings.push((beginning.to_owned(), price)),
            None => drop(self.whole.insert(pattern, price)),
        }
        Ok(())
    }

    /// Returns the word for the currency, as in `USD`.
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// Returns the price of `model`, where there is one.
    pub fn price(&self, model: &str) -> Option<Price> {
        let begins = |(beginning, _): &&(String, Price)| model.starts_with(beginning.as_str());
        let beginning = || self.beginnings.iter().find(begins).map(|(_, price)| *price);
        self.whole.get(model).copied().or_else(beginning)
    }

    /// Returns what a call to `model` of this `usage` costs: nothing where there is no price, or
    /// where the provider did not say what was used.
    pub fn cost_of(&self, model: &str, usage: Option<&Usage>) -> Money {
        match (usage, self.price(model)) {
            (Some(usage), Some(price)) => cost(usage, &price),
            _ => Money::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price(input: u64, output: u64) -> Price {
        Price {
            input_per_million: Money::from_micros(input),
            output_per_million: Money::from_micros(output),
        }
    }

    fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens, output_tokens }
    }

    #[test]
    fn a_cost_is_rounded_up_once() {
        for (usage, price, expected) in [
            (usage(1_000_000, 0), price(2_500_000, 10_000_000), 2_500_000),
            (usage(9, 12), price(2_500_000, 10_000_000), 143), // 22.5 + 120
            (usage(1, 0), price(1, 0), 1),
            (usage(1, 1), price(500_000, 500_000), 1),
            (usage(1, 1), price(500_001, 500_000), 2),
            (usage(0, 0), price(u64::MAX, u64::MAX), 0),
            (usage(7, 7), price(0, 0), 0),
            (usage(u64::MAX, u64::MAX), price(1_000_000, 0), u64::MAX),
            (usage(u64::MAX, u64::MAX), price(u64::MAX, u64::MAX), u64::MAX),
        ] {
            assert_eq!(cost(&usage, &price).micros(), expected, "{usage:?} {price:?}");
        }
    }

    #[test]
    fn the_whole_name_wins_and_then_the_longest_beginning() {
        let entries = [("gpt-4o*", 1), ("*", 2), ("gpt-4o", 3), ("gpt-4o-mini*", 4), ("o1", 5)]
            .map(|(pattern, input)| (pattern.to_owned(), price(input, 0)));
        let table = PriceTable::new("USD", entries).unwrap();
        for (model, expected) in [
            ("gpt-4o", 3),
            ("gpt-4o-2024-08-06", 1),
            ("gpt-4o-mini", 4),
            ("gpt-4o-mini-2024", 4),
            ("GPT-4o", 2),
            ("o1", 5),
            ("o1-mini", 2),
            ("", 2),
        ] {
            assert_eq!(table.price(model), Some(price(expected, 0)), "{model}");
        }
        assert_eq!(table.currency(), "USD");
    }

    #[test]
    fn without_a_price_or_a_usage_a_call_costs_nothing() {
        let table = PriceTable::new("EUR", [("m".to_owned(), price(1_000_000, 0))]).unwrap();
        assert_eq!(table.cost_of("m", Some(&usage(5, 0))), Money::from_micros(5));
        assert_eq!(table.cost_of("m", None), Money::ZERO);
        assert_eq!(table.cost_of("other", Some(&usage(5, 0))), Money::ZERO);
    }

    #[test]
    fn an_entry_that_cannot_be_used_is_named() {
        let new = |patterns: &[&str]| {
            let entries = patterns.iter().map(|pattern| ((*pattern).to_owned(), Price::default()));
            PriceTable::new("USD", entries).map(|_| ()).map_err(|error| error.label())
        };
        assert_eq!(new(&["a", "a*", "b*", "*"]), Ok(()));
        assert_eq!(new(&["a", "a"]), Err("twice"));
        assert_eq!(new(&["a*", "a*"]), Err("twice"));
        assert_eq!(new(&["a**"]), Err("star"));
        assert_eq!(new(&["*a"]), Err("star"));
        assert_eq!(new(&["a", ""]), Err("pattern_length"));
        assert_eq!(new(&[&"m".repeat(129)]), Err("pattern_length"));
        let many: Vec<String> = (0..=MAX_ENTRIES).map(|number| number.to_string()).collect();
        assert_eq!(new(&many.iter().map(String::as_str).collect::<Vec<_>>()), Err("too_many"));
        for currency in ["", "US D", "€", "seventeen-letters", "aaaaaaaaaaaaaaaaa"] {
            assert_eq!(PriceTable::new(currency, []), Err(PriceError::Currency), "{currency}");
        }
    }

    proptest! {
        #[test]
        fn a_cost_is_the_exact_one_rounded_up(
            input in 0_u64..1 << 40, output in 0_u64..1 << 40,
            input_price in 0_u64..1 << 30, output_price in 0_u64..1 << 30,
        ) {
            let micros = cost(&usage(input, output), &price(input_price, output_price)).micros();
            let exact = u128::from(input) * u128::from(input_price)
                + u128::from(output) * u128::from(output_price);
            let rounded = u128::from(micros) * TOKENS;
            prop_assert!(rounded >= exact && rounded - exact < TOKENS);
        }

        #[test]
        fn the_longest_match_wins_in_any_order(
            patterns in prop::collection::hash_set("[ab]{0,4}\\*?", 0..20),
            model in "[ab]{0,5}",
        ) {
            let patterns: Vec<String> =
                patterns.into_iter().filter(|pattern| !pattern.is_empty()).collect();
            let priced = (1..).zip(patterns.clone());
            let priced = priced.map(|(number, pattern)| (pattern, price(number, 0)));
            let table = PriceTable::new("USD", priced).unwrap();
            let is_match = |pattern: &str| match pattern.strip_suffix('*') {
                Some(beginning) => model.starts_with(beginning),
                None => pattern == model,
            };
            let matching = (1..).zip(&patterns).filter(|(_, pattern)| is_match(pattern));
            let best = matching.max_by_key(|(_, pattern)| (!pattern.ends_with('*'), pattern.len()));
            prop_assert_eq!(table.price(&model), best.map(|(number, _)| price(number, 0)));
        }
    }
}
