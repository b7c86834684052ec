//! What operators and deployers see.

mod cache_headers;
mod command_line;
mod environment;
mod health;
mod metrics;
mod secrets;
