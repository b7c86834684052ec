//! Where traces of requests go. Unit, range and default of each key stand in `config.yaml`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::units::HumanDuration;

/// What is told of requests to an OpenTelemetry collector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traces {
    /// Base URL of a collector that takes OTLP over HTTP; empty = nothing is traced.
    pub endpoint: String,
    /// Of so many requests that are part of no trace yet one begins a trace.
    pub one_in: u64,
    /// The name this gateway has in traces.
    pub service_name: String,
    /// Headers set on what is sent to the collector, by lower-case name.
    pub set_headers: BTreeMap<String, Secret>,
    /// Certificate authorities to trust beside the public ones: a PEM file.
    pub ca_file: Option<PathBuf>,
    /// Longest time to bring what has come together to the collector, repeats included.
    pub timeout: HumanDuration,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            one_in: 1,
            service_name: "anteroom".to_owned(),
            set_headers: BTreeMap::new(),
            ca_file: None,
            timeout: HumanDuration::from_secs(10),
        }
    }
}
