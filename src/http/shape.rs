//! Answers on their way out, and bodies on their way in: no byte that says nothing.
//!
//! Out: [`redact`], [`fields`], [`nulls`], [`minify`], then [`compress`] or, event by event,
//! [`live`]; [`negotiate`] says which encodings a caller takes, [`etag`] which copy it has.
//! In: [`inflate`].
//!
//! All of it is pure; [`compress`] and [`inflate`] are the actors', whose records use them. What changes nothing answers `None`, and the body goes on as it is.

pub use anteroom_actors::codec::{compress, inflate, live};

#[cfg(test)]
mod corpus;
pub mod etag;
pub mod event_filter;
mod events;
pub mod fields;
pub mod fields_query;
mod json;
pub mod minify;
pub mod negotiate;
pub mod nulls;
pub mod redact;
#[cfg(test)]
mod sizes_tests;
