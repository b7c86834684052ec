//! When are two requests the same?
//!
//! * [`canonicalise`]: one spelling for each JSON value.
//! * [`Profile`]: what an API's fields and headers mean for that question.
//! * [`Scope`]: who shares answers.
//! * [`KeyParts`]: all of it in one 256-bit digest.

mod json;
mod key;
#[cfg(test)]
mod mutation_tests;
mod profile;
mod scope;

pub use json::{Canonical, JsonError, Uncounted, canonicalise};
pub use key::{KeyBody, KeyParts};
pub use profile::{ErrorForm, Profile};
pub use scope::{CREDENTIAL_HEADERS, Scope, ScopeSecret};
