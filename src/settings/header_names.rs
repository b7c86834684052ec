//! Which headers a setting may name.

use serde_json::{Map, Value};

use super::tree::{KeyPath, Step};
use crate::caching::is_hop_by_hop;

/// The map whose keys are header names.
pub(super) const SET_HEADERS: &str = "set_headers";

/// Headers that show who calls.
const CREDENTIALS: &[&str] = &["api-key", "authorization", "cookie", "x-api-key", "x-goog-api-key"];

/// Tells whether `name` (lower case) is a header's name at all.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Tells whether `value` can be sent, as it is, as a header's value.
pub(super) fn is_value(value: &str) -> bool {
    !value.is_empty()
        && value.trim() == value
        && value.chars().all(|letter| !letter.is_control() || letter == '\t')
}

/// Tells whether `name` (lower case) belongs to a connection or a message, not to a setting.
pub(super) fn is_of_connection(name: &str) -> bool {
    is_hop_by_hop(name) || matches!(name, "content-length" | "host")
}

/// Tells whether `name` (lower case) shows who calls.
pub(super) fn is_credential(name: &str) -> bool {
    CREDENTIALS.contains(&name)
}

/// Lowers the header names in every `set_headers` of `value`, which lies at `at`, so that they are
/// laid over each other whatever their case. Returns those that then come twice.
pub(super) fn lower_names(value: &mut Value, at: &KeyPath) -> Vec<KeyPath> {
    let Value::Object(map) = value else { return Vec::new() };
    let mut twice = Vec::new();
    if at.0.last() == Some(&Step::Name(SET_HEADERS.to_owned())) {
        let mut lowered = Map::new();
        for (name, value) in std::mem::take(map) {
            if lowered.insert(name.to_ascii_lowercase(), value).is_some() {
                twice.push(at.then(Step::Name(name.to_ascii_lowercase())));
            }
        }
        *map = lowered;
    } else {
        for (name, member) in map {
            twice.extend(lower_names(member, &at.then(Step::Name(name.clone()))));
        }
    }
    twice
}
