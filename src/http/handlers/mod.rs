//! What answers a request, by kind.

mod asked;
mod flight;
pub mod forward;
pub mod health;
pub mod proxy;
