//! Who may use the API listener, and how much of it.
//!
//! * [`ClientKeys`], [`Memo`], [`shown`]: which client key a request shows.
//! * [`Quota`]: how much a key may use; [`Limit`]: the same, shared by all workers.
//! * [`tokens`]: what a call will cost, and what it did; [`Metering`]: from one to the other.
//! * [`fields`]: what a caller is told of its limits.
//! * [`Cors`]: which browsers' pages may call.
//!
//! `handlers/guard.rs` asks them, before anything else happens to a request.

mod client;
mod cors;
pub mod fields;
mod keys;
mod limit;
mod memo;
mod metering;
mod quota;
pub mod shown;

pub use client::{Caller, Client, Clients};
pub use cors::{Cors, Preflight};
pub use keys::{ClientKeys, digest_line};
pub use limit::Limit;
pub use memo::Memo;
pub use metering::Metering;
pub use quota::{Left, Quota};

pub use crate::tokens;
