//! From a stream of events to the object.

use std::borrow::Cow;

use super::choice::Choice;
use super::json::Raw;
use super::merge::{latest, united};
use super::ordered::Ordered;
use super::value::Value;
use super::{Api, FormError};
use crate::canonical::Profile;
use crate::upstream::sse::{Event, Events};

/// What ends a stream of chunks.
const DONE: &[u8] = b"[DONE]";

/// Returns the object that a whole stream of events adds up to.
///
/// Law: nothing that a chunk says is lost. The last value counts that is not `null`; strings and
/// arrays of a delta, arrays of a choice and of `logprobs` are continued; members of objects are
/// united. Tool calls are put together by their index, choices likewise. Left out is what only
/// serves the form: `index` of a tool call, `obfuscation` (padding against a listener who counts
/// bytes), a `message` beside the delta, comments.
///
/// A message without `role` or `content` gets them, as the API's schema wants both.
///
/// Errors: [`FormError::Incomplete`] without `[DONE]` at the end or without a `finish_reason` in
/// each choice, [`FormError::HoldsError`] where an event is an error, [`FormError::NotJson`] and
/// [`FormError::NotOfApi`] where the events are other ones.
pub fn events_to_object(profile: Profile, events: &[u8]) -> Result<Vec<u8>, FormError> {
    let api = Api::of(profile).ok_or(FormError::OneForm)?;
    let mut reader = Events::new(events);
    // Data of several lines is joined, and has to live as long as what is made of it.
    let events: Vec<Event<'_>> = reader.by_ref().collect();
    let mut answer = Answer::default();
    let mut is_done = false;
    for event in &events {
        if event.data.trim_ascii() == DONE {
            is_done = true;
        } else {
            // `[DONE]` is the last event, or the stream is not what it seems.
            is_done = false;
            answer.add(api, event)?;
        }
    }
    if !is_done || !reader.is_whole() {
        return Err(answer.failed(FormError::Incomplete));
    }
    answer.finish(api)
}

#[derive(Default)]
struct Answer<'a> {
    /// Top-level members; `choices` and `object` hold a place only.
    members: Ordered<'a, Value<'a>>,
    /// Choices by their index.
    choices: Ordered<'a, Choice<'a>>,
}

impl<'a> Answer<'a> {
    fn add(&mut self, api: Api, event: &'a Event<'_>) -> Result<(), FormError> {
        if event.name == b"error" {
            return Err(FormError::HoldsError);
        }
        if event.data.is_empty() {
            // A keep-alive in the guise of an event.
            return Ok(());
        }
        let chunk = Raw::read(&event.data)?;
        if !chunk.is_object() {
            return Err(FormError::NotJson);
        }
        let is_error = chunk.member("type").and_then(Raw::string) == Some("error");
        if is_error || chunk.present("error").is_some() {
            return Err(FormError::HoldsError);
        }
        for member in chunk.members() {
            let value = member.value;
            match &*member.name {
                "choices" => {
                    self.members.slot(member.name, Value::NULL);
                    self.add_choices(api, value);
                }
                "object" => {
                    self.members.slot(member.name, Value::NULL);
                }
                "obfuscation" => {}
                "usage" => latest(self.members.slot(member.name, Value::NULL), value),
                // A chunk of remarks only, as Azure sends them, was made at no time.
                "created" if value.as_str() == "0" => {
                    let slot = self.members.slot(member.name, Value::NULL);
                    if slot.is_null() {
                        *slot = Value::Raw(value);
                    }
                }
                _ => united(self.members.slot(member.name, Value::NULL), value),
            }
        }
        Ok(())
    }

    fn add_choices(&mut self, api: Api, choices: Raw<'a>) {
        for (position, choice) in choices.elements().enumerate() {
            let key = match choice.present("index") {
                Some(index) => Cow::Borrowed(index.as_str()),
                None => Cow::Owned(position.to_string()),
            };
            self.choices.slot(key, Choice::default()).add(api, choice);
        }
    }

    /// Returns what is wrong: a stream that was none of this API rather than one cut short.
    fn failed(&self, error: FormError) -> FormError {
        let is_foreign = self.members.len() > 0 && self.choices.len() == 0;
        if is_foreign { FormError::NotOfApi } else { error }
    }

    fn finish(mut self, api: Api) -> Result<Vec<u8>, FormError> {
        if self.choices.len() == 0 {
            return Err(FormError::NotOfApi);
        }
        let choices = std::mem::take(&mut self.choices).into_numeric_order();
        let choices = choices.map(|choice| choice.finish(api)).collect::<Result<Vec<_>, _>>()?;
        let kind = Value::Text(api.object().to_owned());
        *self.members.slot(Cow::Borrowed("object"), Value::NULL) = kind;
        *self.members.slot(Cow::Borrowed("choices"), Value::NULL) = Value::List(choices);
        let mut object = String::new();
        Value::Object(self.members).write(&mut object);
        Ok(object.into_bytes())
    }
}
