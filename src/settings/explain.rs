//! What is remembered to explain misses. Unit, range and default of each key stand in
//! `config.yaml`.

use serde::{Deserialize, Serialize};

/// What is remembered for `POST /api/v1/cache/explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Explain {
    /// Recent requests of each route whose outline is remembered.
    pub sketches: usize,
}

impl Default for Explain {
    fn default() -> Self {
        Self { sketches: 1_024 }
    }
}
