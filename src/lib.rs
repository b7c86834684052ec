//! Anteroom: a gateway in front of AI APIs that answers what it already knows.
//!
//! * [`settings`]: `config.yaml` and the environment, checked.
//! * [`canonical`]: when are two requests the same?
//! * [`upstream`]: where answers come from, and whether an answer may be kept.
//! * [`http`]: the two listeners.
//! * [`telemetry`]: metrics and logs.

pub mod canonical;
pub mod http;
pub mod settings;
pub mod telemetry;
pub mod upstream;
