//! Prices: are they amounts, and is each model's only one?

use super::Check;
use crate::savings::{Money, Price, PriceError, PriceTable};
use crate::settings::{ModelPrice, Settings};

const CURRENCY: &str = "1 to 16 ASCII letters and digits, as in USD";
const PATTERN: &str =
    "1 to 128 bytes: a model's name, or its beginning followed by * as the last sign; each once";
const AMOUNT: &str = "a text of digits with at most six after a point, as in \"2.50\"";
const MOST: &str = "at most 256 models";

impl Check<'_> {
    pub(super) fn prices(&mut self, settings: &Settings) {
        let prices = &settings.prices;
        let mut seen: Vec<(String, Price)> = Vec::new();
        for (index, model) in prices.models.iter().enumerate() {
            for (field, amount) in [
                ("input_per_million", &model.input_per_million),
                ("output_per_million", &model.output_per_million),
            ] {
                if amount.parse::<Money>().is_err() {
                    let key = format!("prices.models[{index}].{field}");
                    self.refuse(&key, amount, "not an amount of money", AMOUNT);
                }
            }
            seen.push((model.model.clone(), Price::default()));
        }
        let Err(error) = PriceTable::new(&prices.currency, seen) else { return };
        let reason = error.to_string();
        let reason = reason.split_once(": ").map_or(&*reason, |(_, reason)| reason);
        match &error {
            PriceError::Currency => {
                self.refuse("prices.currency", &prices.currency, reason, CURRENCY);
            }
            PriceError::TooMany => self.refuse("prices.models", "", reason, MOST),
            PriceError::PatternLength { position } => {
                let pattern = prices.models.get(*position).map_or("", |model| &model.model);
                let key = format!("prices.models[{position}].model");
                self.refuse(&key, pattern, reason, PATTERN);
            }
            PriceError::Star { pattern } | PriceError::Twice { pattern } => {
                let is_it = |model: &ModelPrice| model.model == *pattern;
                // Of two the later is refused.
                let position = prices.models.iter().rposition(is_it).unwrap_or(0);
                let key = format!("prices.models[{position}].model");
                self.refuse(&key, pattern, reason, PATTERN);
            }
        }
    }
}
