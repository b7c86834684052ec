//! Answers that are a stream of events.

use std::collections::BTreeMap;

use anteroom_actors::model::Usage;
use serde_json::Value;

use super::Reason;
use super::object::check_response;
use super::rules::{
    check_arguments, check_finish_reason, check_stop_reason, elements, present, says_something,
    text, usage,
};
use crate::canonical::Profile;
use crate::upstream::sse::{Event, Events};

/// What ends a stream of chat chunks.
const DONE: &[u8] = b"[DONE]";

/// Judges a whole body as the stream of the API's events.
pub(super) fn judge(profile: Profile, body: &[u8]) -> Result<Option<Usage>, Reason> {
    let mut events = Events::new(body);
    let usage = match profile {
        Profile::Chat | Profile::Completions => judge_chunks(profile, &mut events),
        Profile::Responses => judge_response(&mut events),
        Profile::Messages => judge_message(&mut events),
        Profile::Generic => judge_any(&mut events),
        Profile::Embeddings | Profile::Models => Err(Reason::Form),
    }?;
    if events.is_whole() { Ok(usage) } else { Err(Reason::Truncated) }
}

/// Reads an event's data; an event that is an error ends the judgement.
fn read(event: &Event<'_>) -> Result<Value, Reason> {
    if event.name == b"error" {
        return Err(Reason::ErrorEvent);
    }
    if event.data.is_empty() {
        // A keep-alive in the guise of an event.
        return Ok(Value::Null);
    }
    let data: Value = serde_json::from_slice(&event.data).map_err(|_| Reason::NotJson)?;
    let is_error = present(&data, "error").is_some() || text(&data, "type") == Some("error");
    if is_error { Err(Reason::ErrorEvent) } else { Ok(data) }
}

/// What the chunks of one choice add up to.
#[derive(Debug, Default)]
struct Choice {
    finish_reason: Option<String>,
    says_something: bool,
    function_call: Option<String>,
    /// Arguments of function calls by the call's index.
    calls: BTreeMap<u64, String>,
    /// Whether a tool that takes free text is called.
    calls_custom_tool: bool,
}

fn judge_chunks(profile: Profile, events: &mut Events<'_>) -> Result<Option<Usage>, Reason> {
    let mut choices: BTreeMap<u64, Choice> = BTreeMap::new();
    let mut last_usage = None;
    let mut is_done = false;
    for event in events {
        if event.data.trim_ascii() == DONE {
            is_done = true;
            continue;
        }
        let chunk = read(&event)?;
        // `[DONE]` is the last event, or the stream is not what it seems.
        is_done = false;
        last_usage = usage(profile, &chunk).or(last_usage);
        for choice in elements(&chunk, "choices") {
            let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
            choices.entry(index).or_default().add(choice);
        }
    }
    if !is_done {
        return Err(Reason::NoTerminalEvent);
    }
    if choices.is_empty() {
        return Err(Reason::NoChoices);
    }
    choices.values().try_for_each(|choice| choice.check(profile))?;
    Ok(last_usage)
}

impl Choice {
    fn add(&mut self, choice: &Value) {
        if let Some(reason) = text(choice, "finish_reason") {
            self.finish_reason = Some(reason.to_owned());
        }
        let Some(delta) = present(choice, "delta") else { return };
        self.says_something |= says_something(delta);
        if let Some(function) = present(delta, "function_call") {
            let arguments = text(function, "arguments").unwrap_or_default();
            self.function_call.get_or_insert_default().push_str(arguments);
        }
        for (position, call) in (0_u64..).zip(elements(delta, "tool_calls")) {
            let index = call.get("index").and_then(Value::as_u64).unwrap_or(position);
            if let Some(function) = present(call, "function") {
                let arguments = text(function, "arguments").unwrap_or_default();
                self.calls.entry(index).or_default().push_str(arguments);
            } else if present(call, "custom").is_some() {
                self.calls_custom_tool = true;
            }
        }
    }

    fn check(&self, profile: Profile) -> Result<(), Reason> {
        check_finish_reason(self.finish_reason.as_deref())?;
        for arguments in self.calls.values().chain(&self.function_call) {
            check_arguments(Some(arguments))?;
        }
        let is_call = !self.calls.is_empty() || self.function_call.is_some();
        if profile == Profile::Chat && !is_call && !self.calls_custom_tool && !self.says_something {
            return Err(Reason::Empty);
        }
        Ok(())
    }
}

fn judge_response(events: &mut Events<'_>) -> Result<Option<Usage>, Reason> {
    let mut ended = None;
    for event in events {
        // OpenAI ends this API's streams without it, some that imitate it do not.
        if event.data.trim_ascii() == DONE {
            continue;
        }
        let data = read(&event)?;
        match text(&data, "type") {
            Some("response.completed" | "response.incomplete") => {
                let response = present(&data, "response").ok_or(Reason::NoTerminalEvent)?;
                check_response(response)?;
                ended = Some(usage(Profile::Responses, response));
            }
            Some("response.failed" | "response.cancelled") => return Err(Reason::ErrorEvent),
            _ => {}
        }
    }
    ended.ok_or(Reason::NoTerminalEvent)
}

fn judge_message(events: &mut Events<'_>) -> Result<Option<Usage>, Reason> {
    let mut counted: Option<Usage> = None;
    let mut stop_reason = None;
    let mut is_stopped = false;
    let mut num_blocks = 0_u64;
    // The text of a tool's input by the block's index.
    let mut inputs: BTreeMap<u64, String> = BTreeMap::new();
    for event in events {
        let data = read(&event)?;
        let index = data.get("index").and_then(Value::as_u64).unwrap_or(0);
        match text(&data, "type") {
            Some("message_start") => {
                let message = present(&data, "message");
                counted = message.and_then(|message| usage(Profile::Messages, message));
            }
            Some("content_block_start") => num_blocks += 1,
            Some("content_block_delta") => {
                let delta = present(&data, "delta");
                if let Some(piece) = delta.and_then(|delta| text(delta, "partial_json")) {
                    inputs.entry(index).or_default().push_str(piece);
                }
            }
            Some("message_delta") => {
                let delta = present(&data, "delta");
                if let Some(reason) = delta.and_then(|delta| text(delta, "stop_reason")) {
                    stop_reason = Some(reason.to_owned());
                }
                if let Some(now) = usage(Profile::Messages, &data) {
                    let before = counted.unwrap_or_default();
                    // Counts only grow; a delta often leaves the input's out.
                    let input_tokens = now.input_tokens.max(before.input_tokens);
                    counted = Some(Usage { input_tokens, ..now });
                }
            }
            Some("message_stop") => is_stopped = true,
            _ => {}
        }
    }
    if !is_stopped {
        return Err(Reason::NoTerminalEvent);
    }
    check_stop_reason(stop_reason.as_deref())?;
    if num_blocks == 0 {
        return Err(Reason::Empty);
    }
    inputs.values().try_for_each(|input| check_input(input))?;
    Ok(counted)
}

/// A tool without parameters is called by no text at all.
fn check_input(input: &str) -> Result<(), Reason> {
    let is_object = || serde_json::from_str::<Value>(input).is_ok_and(|input| input.is_object());
    if input.is_empty() || is_object() { Ok(()) } else { Err(Reason::ToolArguments) }
}

/// Any other stream: nothing is known of it but its end, and what an error looks like.
fn judge_any(events: &mut Events<'_>) -> Result<Option<Usage>, Reason> {
    let mut num_events = 0_u64;
    for event in events {
        num_events += 1;
        // Its data may be anything, so that only an error tells something.
        if let Err(Reason::ErrorEvent) = read(&event) {
            return Err(Reason::ErrorEvent);
        }
    }
    if num_events == 0 { Err(Reason::Empty) } else { Ok(None) }
}
