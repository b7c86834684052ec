//! What answers a request, by kind.

pub mod access_log;
mod asked;
pub mod cache_admin;
mod call;
mod conditions;
pub mod config;
pub mod contained;
pub mod conversations;
mod conversing;
mod conversion;
pub mod dashboard;
mod directives;
mod embeddings_items;
mod embeddings_list;
pub mod explain;
mod flight;
pub mod forward;
pub mod guard;
pub mod health;
mod hits;
mod invalidation;
pub mod metrics;
pub mod performance;
pub mod proxy;
mod reading;
mod recording;
mod replay;
pub mod savings;
pub mod scaling;
mod selecting;
mod submitted;
mod told;
pub mod unasked;
mod under_way;
pub mod warming;

pub use directives::STEERING_HEADERS;
