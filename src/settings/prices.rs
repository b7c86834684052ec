//! What models cost. Form and default of each key stand in `config.yaml`.

use serde::{Deserialize, Serialize};

/// The prices of models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// The word for the currency of all prices.
    pub currency: String,
    /// Prices by model; empty = every call costs nothing.
    pub models: Vec<ModelPrice>,
}

impl Default for Prices {
    fn default() -> Self {
        Self { currency: "USD".to_owned(), models: Vec::new() }
    }
}

/// What a model's tokens cost. Amounts are texts: as numbers they would be rounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelPrice {
    /// The model's name, or its beginning and `*`; must be given.
    pub model: String,
    /// Price of one million tokens of requests.
    pub input_per_million: String,
    /// Price of one million tokens of answers.
    pub output_per_million: String,
}

impl Default for ModelPrice {
    fn default() -> Self {
        let nothing = || "0.00".to_owned();
        Self { model: String::new(), input_per_million: nothing(), output_per_million: nothing() }
    }
}
