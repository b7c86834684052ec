//! The deciders put together, and held to the list of what RFC 9111 demands.

mod checklist;
mod method_scenarios;
mod model;
mod scenarios;
mod sharing_scenarios;
mod stale_scenarios;
