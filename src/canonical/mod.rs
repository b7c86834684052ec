//! When are two requests the same?
//!
//! * [`canonicalise`]: one spelling for each JSON value.
//! * [`Profile`]: what an API's fields and headers mean for that question.
//! * [`KeepRules`]: which requests' answers a deployer wants kept.
//! * [`Scope`]: who shares answers.
//! * [`KeyParts`]: all of it in one 256-bit digest.

mod json;
mod keep_rules;
mod key;
#[cfg(test)]
mod mutation_tests;
mod profile;
mod scope;

pub(crate) use json::plain_len;
pub use json::{Canonical, JsonError, Uncounted, canonicalise};
pub use keep_rules::KeepRules;
pub use key::{KeyBody, KeyParts};
pub use profile::{ErrorForm, Profile};
pub use scope::{CREDENTIAL_HEADERS, Scope, ScopeSecret};
