//! The directives of Cache-Control (RFC 9111 §5.2, RFC 5861, RFC 8246).
//!
//! One principle where a sender breaks the syntax: a *restriction* counts however it is written, a
//! *permission* only as its definition says, and a *time* that is no number is the one that trusts
//! a stored answer least.

mod directive;
mod request;
mod response;

pub use request::RequestDirectives;
pub use response::{ResponseDirectives, Restriction};
