//! The texts of requests and answers that are charged for, read without building a tree.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::upstream::sse::Events;

/// Tokens that frame a message of a chat, beside its role and its content (OpenAI's cookbook, "How to
/// count tokens with tiktoken").
const PER_MESSAGE: u64 = 3;

/// Tokens with which the answer to a chat begins (there).
const PRIMING: u64 = 3;

/// Members of a request whose texts are charged for.
const OF_REQUEST: [&str; 9] = [
    "messages",
    "input",
    "prompt",
    "system",
    "instructions",
    "suffix",
    "tools",
    "functions",
    "response_format",
];

/// Members of an answer that hold what was said.
const OF_ANSWER: [&str; 3] = ["choices", "output", "content"];

/// Members of an event of a stream that do.
const OF_EVENT: [&str; 2] = ["choices", "delta"];

/// Members that are no text, wherever they are: names, kinds, pictures and other files, whose price does
/// not lie in their bytes.
const NO_TEXT: [&str; 26] = [
    "id",
    "type",
    "object",
    "status",
    "index",
    "detail",
    "format",
    "strict",
    "tool_call_id",
    "tool_use_id",
    "call_id",
    "image_url",
    "url",
    "data",
    "file_data",
    "image",
    "audio",
    "input_audio",
    "source",
    "signature",
    "encrypted_content",
    "cache_control",
    "annotations",
    "logprobs",
    "finish_reason",
    "stop_reason",
];

/// Takes what is found.
pub trait Sink {
    /// A text.
    fn text(&mut self, text: &str);
    /// Tokens beside all texts.
    fn tokens(&mut self, tokens: u64);
}

/// Hands the texts of a request's body to `sink`; false where it is no JSON object.
pub fn of_request(body: &[u8], sink: &mut dyn Sink) -> bool {
    walk(body, &OF_REQUEST, Side::Request, sink)
}

/// Hands the texts of an answer's body to `sink`; false where it is no JSON object.
pub fn of_answer(body: &[u8], sink: &mut dyn Sink) -> bool {
    walk(body, &OF_ANSWER, Side::Answer, sink)
}

/// Hands the texts of a stream's events to `sink`, piece by piece as they were sent.
pub fn of_stream(body: &[u8], sink: &mut dyn Sink) {
    for event in Events::new(body) {
        walk(&event.data, &OF_EVENT, Side::Answer, sink);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Answer,
}

fn walk(body: &[u8], wanted: &[&str], side: Side, sink: &mut dyn Sink) -> bool {
    let mut json = serde_json::Deserializer::from_slice(body);
    let top = Top { wanted, side, sink };
    top.deserialize(&mut json).is_ok()
}

/// The outermost object.
struct Top<'a> {
    wanted: &'a [&'a str],
    side: Side,
    sink: &'a mut dyn Sink,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            if name == "messages" && self.side == Side::Request {
                self.sink.tokens(PRIMING);
            }
            if self.wanted.contains(&name.as_ref()) {
                map.next_value_seed(Said { side: self.side, sink: &mut *self.sink })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// A value all of whose texts count.
struct Said<'a> {
    side: Side,
    sink: &'a mut dyn Sink,
}

impl<'de> DeserializeSeed<'de> for Said<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Said<'_> {
    /// A number of a request is a token that was counted elsewhere, or a part of a schema.
    fn number<E>(self) -> Result<(), E> {
        if self.side == Side::Request {
            self.sink.tokens(1);
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Said<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.sink.text(text);
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.number()
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.number()
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.number()
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { side, sink } = self;
        while list.next_element_seed(Said { side, sink: &mut *sink })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { side, sink } = self;
        while let Some(name) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            let is_role = name == "role";
            if is_role && side == Side::Request {
                sink.tokens(PER_MESSAGE);
            }
            if NO_TEXT.contains(&name.as_ref()) || is_role && side == Side::Answer {
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(Said { side, sink: &mut *sink })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "texts_tests.rs"]
mod tests;
