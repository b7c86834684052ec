//! Asking whether a stored answer is still right, and being asked (RFC 9111 §4.3; RFC 9110 §8.8,
//! §13, §15.4.5).
//!
//! * [`EntityTag`], [`Validators`]: what names one state of an answer.
//! * [`conditions`]: what the gateway asks the origin.
//! * [`answer_to`], [`fields_of_304`]: what it answers a client that asks.
//! * [`is_identified`], [`freshened_fields`], [`HeadEffect`]: what the origin's answer changes.

mod entity_tag;
mod freshening;
mod received;
mod sending;

pub use entity_tag::{EntityTag, Validators};
pub use freshening::{HeadEffect, freshened_fields, is_identified};
pub use received::{Answer, Chosen, answer_to, fields_of_304};
pub use sending::{conditions, is_precondition};
