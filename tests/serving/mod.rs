//! What callers see.

mod apis;
mod client_keys;
mod client_limits;
mod encodings;
mod explain;
mod flights;
mod followers;
mod forms;
mod hits;
mod invalid_bodies;
mod keys;
mod lifetimes;
mod passing_through;
mod policy;
mod purge;
mod routes;
mod scopes;
mod sdk;
mod shaping;
mod sharing;
mod stale;
mod steering;
mod streams;
mod streams_not_kept;
mod verdicts;
