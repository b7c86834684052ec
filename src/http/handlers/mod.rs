//! What answers a request, by kind.

mod asked;
pub mod cache_admin;
mod conditions;
pub mod conversations;
mod conversing;
mod conversion;
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
pub mod proxy;
mod reading;
mod recording;
mod replay;
pub mod savings;
mod selecting;
mod told;
mod under_way;

pub use directives::STEERING_HEADERS;
