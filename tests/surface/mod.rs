//! What operators and deployers see.

mod access;
mod access_log;
mod activation;
mod built_commands;
mod cache_headers;
mod command_line;
mod cors;
mod dashboard;
mod dashboard_charts;
mod delivery;
mod documents;
mod environment;
mod health;
mod metrics;
mod metrics_lint;
mod monitoring;
mod openapi;
mod operate;
mod performance;
mod reload;
mod replay_log;
mod secrets;
mod tls;
mod traces;
