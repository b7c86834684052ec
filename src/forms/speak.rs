//! From the object to a stream of events.

use std::collections::BTreeSet;

use super::json::{Raw, write_name, write_string};
use super::logprobs::Dealt;
use super::ordered::Ordered;
use super::pieces::pieces;
use super::script::Script;
use super::{Api, FormError};
use crate::canonical::Profile;

/// Texts of a message that are spoken piece by piece, in the order in which models speak.
const SPOKEN: [&str; 4] = ["reasoning_content", "reasoning", "content", "refusal"];

/// What a tool is called with, by the member that calls it; spoken piece by piece.
const CALLED_WITH: [(&str, &str); 2] = [("function", "arguments"), ("custom", "input")];

/// Returns the events that say what a whole object says, `[DONE]` included.
///
/// Law: [`events_to_object`](super::events_to_object) gives the object back. Choice by choice:
/// the role with all that is not spoken, the texts, the calls, then `finish_reason` with the
/// members nobody knows. `usage` is `null` in all chunks but one of its own at the end, as where
/// it was asked for; [`without_usage`](super::without_usage) takes it away. Log probabilities go
/// with their text where their tokens are the text, else with the role. Members of the top level
/// are in each chunk, long ones in the first.
///
/// Left out are `index` of a tool call, which the deltas count anew, and a `delta` of a choice.
///
/// Errors: [`FormError::NotJson`] and [`FormError::NotOfApi`] where it is no such object,
/// [`FormError::HoldsError`], [`FormError::Incomplete`] without a `finish_reason`,
/// [`FormError::TooLarge`] where the events would be 64 times as large.
pub fn object_to_events(profile: Profile, object: &[u8]) -> Result<Vec<u8>, FormError> {
    let api = Api::of(profile).ok_or(FormError::OneForm)?;
    let answer = Raw::read(object)?;
    if !answer.is_object() {
        return Err(FormError::NotJson);
    }
    if answer.present("error").is_some() {
        return Err(FormError::HoldsError);
    }
    let choices = answer.present("choices").ok_or(FormError::NotOfApi)?;
    if choices.elements().next().is_none() {
        return Err(FormError::NotOfApi);
    }
    let mut script = Script::new(api, answer);
    let mut spoken = BTreeSet::new();
    for (position, choice) in choices.elements().enumerate() {
        let members = Ordered::of(choice);
        let speaker = Speaker::new(&mut script, &members, position)?;
        // Two choices of one index would be heard as one.
        if !spoken.insert(speaker.index.clone()) {
            return Err(FormError::NotOfApi);
        }
        match api {
            Api::Chat => speaker.chat()?,
            Api::Completions => speaker.completion()?,
        }
    }
    Ok(script.finish())
}

/// Says one choice.
struct Speaker<'a, 's> {
    script: &'s mut Script,
    members: &'s Ordered<'a, Raw<'a>>,
    index: String,
}

impl<'a, 's> Speaker<'a, 's> {
    fn new(
        script: &'s mut Script,
        members: &'s Ordered<'a, Raw<'a>>,
        position: usize,
    ) -> Result<Self, FormError> {
        let mut index = String::new();
        match members.get("index").filter(|index| !index.is_null()) {
            Some(given) => given.write(&mut index),
            None => index = position.to_string(),
        }
        let reason = members.get("finish_reason").filter(|reason| !reason.is_null());
        if reason.is_none_or(|reason| reason.string() == Some("")) {
            return Err(FormError::Incomplete);
        }
        Ok(Self { script, members, index })
    }

    fn chat(mut self) -> Result<(), FormError> {
        let message = self.members.get("message").filter(|message| message.is_object());
        let message = Ordered::of(*message.ok_or(FormError::NotOfApi)?);
        let text = |name| message.get(name).and_then(|value| value.string());
        let logprobs = self.members.get("logprobs").copied().unwrap_or(Raw::NULL);
        let dealt =
            Dealt::of_chat(logprobs, [("content", text("content")), ("refusal", text("refusal"))]);
        self.delta(&role(&message), dealt.rest())?;
        for name in SPOKEN {
            for (piece, logprobs) in dealt.pieces(name, text(name).unwrap_or_default()) {
                let mut delta = String::from("{");
                write_string(&mut delta, name, piece);
                self.delta(&delta, logprobs.as_deref())?;
            }
        }
        if let Some(function) = message.get("function_call").filter(|value| value.is_object()) {
            let arguments = function.member("arguments").and_then(Raw::string);
            for piece in pieces(arguments.unwrap_or_default()) {
                let mut delta = String::from("{\"function_call\":{");
                write_string(&mut delta, "arguments", piece);
                delta.push('}');
                self.delta(&delta, None)?;
            }
        }
        if let Some(calls) = message.get("tool_calls").filter(|calls| is_spoken(**calls)) {
            for (position, call) in calls.elements().enumerate() {
                self.call(position, call)?;
            }
        }
        self.finish("\"delta\":{}", &["message", "delta"], None)
    }

    /// Says a tool call: what it calls, then what it calls it with.
    fn call(&mut self, position: usize, call: Raw<'a>) -> Result<(), FormError> {
        let begin = |delta: &mut String| {
            delta.push_str(&format!("{{\"tool_calls\":[{{\"index\":{position}"));
        };
        let mut delta = String::new();
        begin(&mut delta);
        let members = Ordered::of(call);
        for (name, value) in members.in_order().filter(|(name, _)| *name != "index") {
            write_name(&mut delta, name);
            match CALLED_WITH.iter().find(|(payload, _)| *payload == name) {
                Some((_, text_name)) => write_muted(&mut delta, *value, text_name),
                None => value.write(&mut delta),
            }
        }
        delta.push_str("}]");
        self.delta(&delta, None)?;
        for (name, text_name) in CALLED_WITH {
            let text = members.get(name).and_then(|value| value.member(text_name)?.string());
            for piece in pieces(text.unwrap_or_default()) {
                let mut delta = String::new();
                begin(&mut delta);
                write_name(&mut delta, name);
                delta.push('{');
                write_string(&mut delta, text_name, piece);
                delta.push_str("}}]");
                self.delta(&delta, None)?;
            }
        }
        Ok(())
    }

    fn completion(mut self) -> Result<(), FormError> {
        let text = self.members.get("text").and_then(|text| text.string());
        let text = text.ok_or(FormError::NotOfApi)?;
        let logprobs = self.members.get("logprobs").copied().unwrap_or(Raw::NULL);
        let dealt = Dealt::of_completion(logprobs, text);
        let mut rest = dealt.rest();
        for (piece, logprobs) in dealt.pieces("text", text) {
            // What no token accounts for goes with the first piece, or alone before it.
            if logprobs.is_some()
                && let Some(rest) = rest.take()
            {
                self.choice("\"text\":\"\"", Some(rest))?;
            }
            let logprobs = logprobs.as_deref().or(rest.take());
            self.choice(&format!("\"text\":\"{piece}\""), logprobs)?;
        }
        self.finish("\"text\":\"\"", &["text"], rest)
    }

    /// Says a delta, which is an object still open.
    fn delta(&mut self, delta: &str, logprobs: Option<&str>) -> Result<(), FormError> {
        self.choice(&format!("\"delta\":{delta}}}"), logprobs)
    }

    /// Says a chunk that is not the last one.
    fn choice(&mut self, said: &str, logprobs: Option<&str>) -> Result<(), FormError> {
        let mut choice = self.begin(said, logprobs);
        choice.push_str(",\"finish_reason\":null}");
        self.script.chunk(&choice)
    }

    /// Says why the choice ended, and all of it that has not been said.
    fn finish(self, said: &str, is_said: &[&str], logprobs: Option<&str>) -> Result<(), FormError> {
        let mut choice = self.begin(said, logprobs);
        for (name, value) in self.members.in_order() {
            if !is_said.contains(&name) && !matches!(name, "index" | "logprobs") {
                write_name(&mut choice, name);
                value.write(&mut choice);
            }
        }
        choice.push('}');
        self.script.chunk(&choice)
    }

    fn begin(&self, said: &str, logprobs: Option<&str>) -> String {
        let mut choice = format!("{{\"index\":{},{said}", self.index);
        if self.members.get("logprobs").is_some() {
            write_name(&mut choice, "logprobs");
            choice.push_str(logprobs.unwrap_or("null"));
        }
        choice
    }
}

/// Writes the first delta: all of a message that is not spoken later. It is left open.
fn role(message: &Ordered<'_, Raw<'_>>) -> String {
    let mut delta = String::from("{");
    for (name, value) in message.in_order() {
        let is_text = SPOKEN.contains(&name) && value.string().is_some_and(|text| !text.is_empty());
        match name {
            // It is announced, so that the message has it where the object has it.
            "content" if is_text => write_string(&mut delta, name, ""),
            _ if is_text => {}
            "tool_calls" if is_spoken(*value) => {}
            "function_call" => {
                write_name(&mut delta, name);
                write_muted(&mut delta, *value, "arguments");
            }
            _ => {
                write_name(&mut delta, name);
                value.write(&mut delta);
            }
        }
    }
    delta
}

/// Writes what is called, with nothing yet of the text it is called with.
fn write_muted(out: &mut String, payload: Raw<'_>, text_name: &str) {
    if !payload.is_object() {
        payload.write(out);
        return;
    }
    out.push('{');
    for (name, value) in Ordered::of(payload).in_order() {
        if name == text_name && value.string().is_some() {
            write_string(out, name, "");
        } else {
            write_name(out, name);
            value.write(out);
        }
    }
    out.push('}');
}

/// Tells whether tool calls are said one by one; anything else is said whole.
fn is_spoken(calls: Raw<'_>) -> bool {
    calls.is_array() && calls.elements().next().is_some() && calls.elements().all(Raw::is_object)
}
