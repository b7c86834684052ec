//! Answers that are one JSON value.

use anteroom_actors::model::Usage;
use serde_json::Value;

use super::Reason;
use super::rules::{
    check_arguments, check_finish_reason, check_stop_reason, elements, present, says_something,
    text, usage,
};
use crate::canonical::Profile;

/// Judges a whole body as the object that the API answers with.
pub(super) fn judge(profile: Profile, body: &[u8]) -> Result<Option<Usage>, Reason> {
    if body.is_empty() {
        return Err(Reason::Empty);
    }
    let answer: Value = serde_json::from_slice(body).map_err(|_| Reason::NotJson)?;
    if present(&answer, "error").is_some() {
        return Err(Reason::ErrorInSuccess);
    }
    // Some providers list their models in a bare array.
    let is_expected_kind = match profile {
        Profile::Generic => true,
        Profile::Models => answer.is_object() || answer.is_array(),
        _ => answer.is_object(),
    };
    if !is_expected_kind {
        return Err(Reason::NotJson);
    }
    match profile {
        Profile::Chat => check_chat(&answer)?,
        Profile::Completions => check_completion(&answer)?,
        Profile::Responses => check_response(&answer)?,
        Profile::Messages => check_message(&answer)?,
        Profile::Embeddings if elements(&answer, "data").is_empty() => return Err(Reason::Empty),
        Profile::Embeddings | Profile::Models | Profile::Generic => {}
    }
    Ok(usage(profile, &answer))
}

fn check_chat(answer: &Value) -> Result<(), Reason> {
    let choices = elements(answer, "choices");
    if choices.is_empty() {
        return Err(Reason::NoChoices);
    }
    for choice in choices {
        check_finish_reason(text(choice, "finish_reason"))?;
        let message = present(choice, "message").ok_or(Reason::Empty)?;
        let calls = elements(message, "tool_calls");
        for call in calls {
            check_call(call)?;
        }
        let function_call = present(message, "function_call");
        if let Some(function) = function_call {
            check_arguments(text(function, "arguments"))?;
        }
        if calls.is_empty() && function_call.is_none() && !says_something(message) {
            return Err(Reason::Empty);
        }
    }
    Ok(())
}

/// Custom tools take free text, so only functions have arguments to parse.
fn check_call(call: &Value) -> Result<(), Reason> {
    if text(call, "type") == Some("custom") {
        return Ok(());
    }
    let function = present(call, "function").ok_or(Reason::ToolArguments)?;
    check_arguments(text(function, "arguments"))
}

fn check_completion(answer: &Value) -> Result<(), Reason> {
    let choices = elements(answer, "choices");
    if choices.is_empty() {
        return Err(Reason::NoChoices);
    }
    choices.iter().try_for_each(|choice| check_finish_reason(text(choice, "finish_reason")))
}

/// Judges a response object, alone or as a stream's last event carries it.
pub(super) fn check_response(response: &Value) -> Result<(), Reason> {
    match text(response, "status") {
        Some("completed") => {}
        Some("incomplete") => {
            let details = response.get("incomplete_details");
            let reason = details.and_then(|details| text(details, "reason"));
            return Err(if reason == Some("content_filter") {
                Reason::Filtered
            } else {
                Reason::Truncated
            });
        }
        Some("failed" | "cancelled") => return Err(Reason::ErrorInSuccess),
        _ => return Err(Reason::Unfinished),
    }
    let output = elements(response, "output");
    if output.is_empty() {
        return Err(Reason::Empty);
    }
    output
        .iter()
        .filter(|item| text(item, "type") == Some("function_call"))
        .try_for_each(|item| check_arguments(text(item, "arguments")))
}

fn check_message(message: &Value) -> Result<(), Reason> {
    if text(message, "type") != Some("message") {
        return Err(Reason::NotJson);
    }
    check_stop_reason(text(message, "stop_reason"))?;
    let content = elements(message, "content");
    if content.is_empty() {
        return Err(Reason::Empty);
    }
    let is_broken_call = |block: &Value| {
        matches!(text(block, "type"), Some("tool_use" | "server_tool_use"))
            && !block.get("input").is_some_and(Value::is_object)
    };
    if content.iter().any(is_broken_call) { Err(Reason::ToolArguments) } else { Ok(()) }
}
