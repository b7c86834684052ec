//! One choice that is put together from the chunks of a stream.

use std::borrow::Cow;

use super::json::Raw;
use super::merge::{appended, called, joined, latest, logprobs, united};
use super::ordered::Ordered;
use super::parts::content;
use super::value::Value;
use super::{Api, FormError};

/// What the chunks of one choice add up to.
#[derive(Default)]
pub(super) struct Choice<'a> {
    /// Its members; `message` holds a place only.
    members: Ordered<'a, Value<'a>>,
    /// What the deltas add up to; `tool_calls` holds a place only, where there are calls.
    message: Ordered<'a, Value<'a>>,
    /// Tool calls by their index.
    calls: Ordered<'a, Ordered<'a, Value<'a>>>,
    /// Keys in `calls` of calls without an index, by their id.
    call_ids: Ordered<'a, Cow<'a, str>>,
    last_call: Option<Cow<'a, str>>,
}

impl<'a> Choice<'a> {
    /// Adds what a chunk says of this choice.
    pub(super) fn add(&mut self, api: Api, choice: Raw<'a>) {
        for member in choice.members() {
            let value = member.value;
            match (api, &*member.name) {
                (Api::Chat, "delta") => {
                    if value.is_object() {
                        // The place of the message among the choice's members.
                        self.members.slot(Cow::Borrowed("message"), Value::NULL);
                        self.add_delta(value);
                    }
                }
                // Some providers repeat in each chunk the message so far, beside the delta.
                (Api::Chat, "message") => {}
                (Api::Completions, "text") => {
                    joined(self.members.slot(member.name, Value::NULL), "text", value);
                }
                (_, "logprobs") => logprobs(self.members.slot(member.name, Value::NULL), value),
                (_, "finish_reason" | "index") => {
                    latest(self.members.slot(member.name, Value::NULL), value);
                }
                _ => appended(self.members.slot(member.name, Value::NULL), value),
            }
        }
    }

    fn add_delta(&mut self, delta: Raw<'a>) {
        for member in delta.members() {
            let name = member.name.clone();
            let slot = self.message.slot(member.name, Value::NULL);
            match &*name {
                "content" => content(slot, member.value),
                "function_call" => called(slot, member.value),
                "tool_calls" if is_calls(member.value) => self.add_calls(member.value),
                "tool_calls" => latest(slot, member.value),
                _ => joined(slot, &name, member.value),
            }
        }
    }

    fn add_calls(&mut self, calls: Raw<'a>) {
        for (position, call) in calls.elements().enumerate() {
            let key = self.call_key(call, position);
            self.last_call = Some(key.clone());
            let members = self.calls.slot(key, Ordered::default());
            for member in call.members() {
                match &*member.name {
                    // It puts the deltas together, and has no place in the whole.
                    "index" => {}
                    "id" | "type" => latest(members.slot(member.name, Value::NULL), member.value),
                    _ if member.value.is_object() => {
                        called(members.slot(member.name, Value::NULL), member.value);
                    }
                    _ => united(members.slot(member.name, Value::NULL), member.value),
                }
            }
        }
    }

    /// Returns which call a delta belongs to: by its index; without one by its id; without both
    /// the one before.
    fn call_key(&mut self, call: Raw<'a>, position: usize) -> Cow<'a, str> {
        if let Some(index) = call.present("index") {
            return Cow::Borrowed(index.as_str());
        }
        if let Some(id) = call.member("id").and_then(Raw::string).filter(|id| !id.is_empty()) {
            let next = Cow::Owned(self.calls.len().to_string());
            return self.call_ids.slot(Cow::Borrowed(id), next).clone();
        }
        let before = self.last_call.clone().filter(|_| position == 0);
        before.unwrap_or_else(|| Cow::Owned(position.to_string()))
    }

    /// Returns the choice as the object has it.
    pub(super) fn finish(mut self, api: Api) -> Result<Value<'a>, FormError> {
        let content = if api == Api::Chat { "message" } else { "text" };
        if self.members.get(content).is_none() {
            return Err(FormError::NotOfApi);
        }
        let reason = self.members.get("finish_reason");
        if reason.is_none_or(|reason| reason.is_null() || reason.string() == Some("")) {
            return Err(FormError::Incomplete);
        }
        if api == Api::Chat {
            if self.calls.len() > 0 {
                let calls = self.calls.into_numeric_order().map(Value::Object).collect();
                *self.message.slot(Cow::Borrowed("tool_calls"), Value::NULL) = Value::List(calls);
            }
            // A message has both, also where no delta said so.
            let role = self.message.slot(Cow::Borrowed("role"), Value::NULL);
            if role.is_null() {
                *role = Value::Text("assistant".to_owned());
            }
            self.message.slot(Cow::Borrowed("content"), Value::NULL);
            *self.members.slot(Cow::Borrowed("message"), Value::NULL) = Value::Object(self.message);
        }
        Ok(Value::Object(self.members))
    }
}

/// Tells whether `tool_calls` holds calls that can be told apart and put together.
fn is_calls(value: Raw<'_>) -> bool {
    value.is_array() && value.elements().next().is_some() && value.elements().all(Raw::is_object)
}
