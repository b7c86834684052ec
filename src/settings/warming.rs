//! Having ready what will be asked for. Unit, range and default of each key stand in `config.yaml`.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::secret::Secret;
use super::units::{ByteSize, HumanDuration};

/// Having ready what will be asked for soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Warming {
    /// Whether it is done.
    pub enabled: bool,
    /// Most calls of warming under way.
    pub calls_at_once: usize,
    /// Most bytes of requests that are remembered to be repeated.
    pub requests: ByteSize,
    /// What may be spent on guesses.
    pub budget: WarmingBudget,
    /// How many of the hottest answers come back to memory at a start; 0 = none.
    pub start_entries: usize,
    /// Longest wait for them.
    pub start_timeout: HumanDuration,
    /// Requests whose answers are kept ready always.
    pub critical: Vec<CriticalRequest>,
}

impl Default for Warming {
    fn default() -> Self {
        Self {
            enabled: true,
            calls_at_once: 2,
            requests: ByteSize::from_mib(4),
            budget: WarmingBudget::default(),
            start_entries: 1_000,
            start_timeout: HumanDuration::from_secs(2),
            critical: Vec::new(),
        }
    }
}

/// What may be spent on guesses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WarmingBudget {
    /// Most calls a minute.
    pub calls_per_minute: u64,
    /// Most calls a day.
    pub calls_per_day: u64,
    /// Most money a day, in the prices' currency.
    pub money_per_day: String,
}

impl Default for WarmingBudget {
    fn default() -> Self {
        Self { calls_per_minute: 30, calls_per_day: 1_000, money_per_day: "1.00".to_owned() }
    }
}

/// A request whose answer is kept ready always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CriticalRequest {
    /// Method.
    pub method: String,
    /// Name of the client key in whose scope it is asked, where client keys are set.
    pub client: String,
    /// Path, and query if need be; must be given.
    pub path: String,
    /// Body. Not shown: it is a prompt.
    #[serde(deserialize_with = "text_or_json")]
    pub body: Secret,
}

impl Default for CriticalRequest {
    fn default() -> Self {
        Self {
            method: "POST".to_owned(),
            client: String::new(),
            path: String::new(),
            body: Secret::default(),
        }
    }
}

/// Reads a text as it is, and anything else as the JSON it stands for.
fn text_or_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => Secret::default(),
        Value::String(text) => Secret::new(text),
        other => Secret::new(other.to_string()),
    })
}
