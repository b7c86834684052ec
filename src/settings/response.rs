//! What is done to answers on their way out. Unit, range and default of each key stand in
//! `config.yaml`.

use serde::{Deserialize, Serialize};

use super::units::ByteSize;

/// What is done to answers on their way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Response {
    /// Whether answers are compressed for callers who take it, and what is kept for them.
    pub compression: bool,
    /// Bodies larger than this are.
    pub compress_from: ByteSize,
    /// Level of gzip for what is kept.
    pub gzip_level: u8,
    /// Level of brotli for what is kept.
    pub brotli_level: u8,
    /// Level of both for answers that pass.
    pub live_level: u8,
    /// Whether JSON is sent and kept without white space.
    pub optimize_json: bool,
    /// What is removed from error answers, and from others where a route wants it.
    pub redact: Redact,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            compression: true,
            compress_from: ByteSize::from_bytes(500),
            gzip_level: 6,
            brotli_level: 5,
            live_level: 4,
            optimize_json: true,
            redact: Redact::default(),
        }
    }
}

/// What is declared sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redact {
    /// Members by name; `None` for those built in.
    pub names: Option<Vec<String>>,
    /// Secrets by regular expressions; `None` for those built in.
    pub patterns: Option<Vec<String>>,
}
