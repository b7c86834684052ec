//! Rules that objects and streams share.

use anteroom_actors::model::Usage;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::Reason;
use crate::canonical::Profile;

/// Returns a member that is there and not `null`.
pub(super) fn present<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

/// Returns a member that is a string.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// Returns the elements of a member; none where it is no array.
pub(super) fn elements<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Judges `finish_reason` of a choice. Unknown reasons pass: providers have their own words for
/// a natural end.
pub(super) fn check_finish_reason(reason: Option<&str>) -> Result<(), Reason> {
    match reason {
        // `model_length` is Mistral's, `insufficient_system_resource` DeepSeek's.
        None
        | Some("" | "length" | "max_tokens" | "model_length")
        | Some("insufficient_system_resource") => Err(Reason::Truncated),
        Some("content_filter") => Err(Reason::Filtered),
        Some("error") => Err(Reason::ErrorInSuccess),
        Some(_) => Ok(()),
    }
}

/// Judges `stop_reason` of a message.
pub(super) fn check_stop_reason(reason: Option<&str>) -> Result<(), Reason> {
    match reason {
        None | Some("" | "max_tokens" | "model_context_window_exceeded") => Err(Reason::Truncated),
        Some("refusal") => Err(Reason::Filtered),
        Some("pause_turn") => Err(Reason::Unfinished),
        Some(_) => Ok(()),
    }
}

/// Judges the text of a tool call's arguments: it must be JSON.
pub(super) fn check_arguments(arguments: Option<&str>) -> Result<(), Reason> {
    arguments
        .and_then(|arguments| serde_json::from_str::<IgnoredAny>(arguments).ok())
        .map(|_| ())
        .ok_or(Reason::ToolArguments)
}

/// Tells whether a chat message, or a piece of one, says anything beside calling tools.
pub(super) fn says_something(message: &Value) -> bool {
    ["content", "refusal", "reasoning_content", "reasoning", "audio"].iter().any(|name| {
        match message.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(parts)) => !parts.is_empty(),
            Some(_) => true,
        }
    })
}

/// Reads `usage` of an answer or an event, in the words of its API.
pub(super) fn usage(profile: Profile, holder: &Value) -> Option<Usage> {
    let usage = present(holder, "usage")?;
    let (input, output) = match profile {
        Profile::Responses | Profile::Messages => ("input_tokens", "output_tokens"),
        Profile::Chat | Profile::Completions | Profile::Embeddings => {
            ("prompt_tokens", "completion_tokens")
        }
        Profile::Models | Profile::Generic => return None,
    };
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    let (input, output) = (count(input), count(output));
    if input.is_none() && output.is_none() {
        return None;
    }
    Some(Usage { input_tokens: input.unwrap_or(0), output_tokens: output.unwrap_or(0) })
}
