//! The two listeners: the API's and the operators'.
//!
//! A request's way: [`access`] → [`routes`] → [`body`] → [`recall`] → L1 → the resolver's flight → [`respond`].

pub mod access;
pub mod admission;
pub mod api;
pub mod body;
pub mod connections;
pub mod counted;
pub mod error;
pub mod error_body;
pub mod gateway;
pub mod handlers;
mod header_names;
pub mod hit_texts;
pub mod holding;
pub mod in_force;
pub mod live;
pub mod memory_scope;
pub mod nudges;
pub mod openapi;
pub mod operations;
pub mod outgoing;
pub mod performance;
pub mod pieces;
pub mod purge_request;
pub mod recall;
pub mod reshape;
pub mod respond;
pub mod revoked;
pub mod routes;
pub mod samples;
pub mod sent_entries;
pub mod server;
pub mod session;
pub mod shape;
pub mod stored;
pub mod tls;
pub mod untold;
pub mod warming;
pub mod worker;
pub mod workload;
