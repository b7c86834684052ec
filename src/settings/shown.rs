//! What of a value may be shown in errors and by `anteroom check`.

use serde_json::Value;

use super::secret::mask_url;
use super::sources::Source;

const MAX_SHOWN_CHARS: usize = 80;

/// How much of a key's value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visibility {
    /// All of it.
    Plain,
    /// All but passwords.
    Url,
    /// Nothing.
    Hidden,
}

/// Returns how much of the value of `key` may be shown.
fn visibility(key: &str) -> Visibility {
    if key.contains(".set_headers")
        || key.ends_with(".digest")
        || matches!(key, "admin.token" | "cache.secret")
    {
        return Visibility::Hidden;
    }
    match key {
        "l2.url" | "l3.url" => Visibility::Url,
        _ if key.ends_with(".proxy") => Visibility::Url,
        _ => Visibility::Plain,
    }
}

/// Returns `value` as it may be shown for `key`, or nothing.
///
/// A value that came through a variable is shown by the variable's name: whatever the key is, the
/// variable may be the wrong one and hold a secret.
pub(super) fn shown(key: &str, value: &Value, source: &Source) -> Option<String> {
    if let Source::File { variables, .. } = source
        && !variables.is_empty()
    {
        return None;
    }
    match (visibility(key), value) {
        (Visibility::Hidden, _) => None,
        (_, Value::Array(_) | Value::Object(_) | Value::Null) => None,
        (Visibility::Url, Value::String(text)) => Some(quoted(&mask_url(text))),
        // A URL where none belongs, or one without its scheme, may hold a password all the same.
        (_, Value::String(text)) if text.contains("://") || text.contains('@') => {
            Some(quoted(&mask_url(text)))
        }
        (Visibility::Plain, Value::String(text)) => Some(quoted(text)),
        (Visibility::Url, _) => None,
        (Visibility::Plain, number_or_bool) => Some(number_or_bool.to_string()),
    }
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{more}")
}
