//! What answers a request, by kind.

mod asked;
pub mod cache_admin;
mod conversion;
mod directives;
pub mod explain;
mod flight;
pub mod forward;
pub mod guard;
pub mod health;
mod hits;
pub mod proxy;
mod reading;
mod replay;
mod under_way;

pub use directives::STEERING_HEADERS;
