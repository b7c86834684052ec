//! JSON shapes of request fields that have more than one form, and reading them so that an
//! error names the field but never quotes what stood in it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::refusal::Refusal;

/// Reads the fields of `T` from a JSON object; fields that `T` does not have are ignored.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let Object(fields) = serde_path_to_error::deserialize::<_, Object<T>>(&mut json)
        .map_err(|error| refusal(&error.path().to_string(), error.inner()))?;
    json.end().map_err(|error| refusal(".", &error))?;
    Ok(fields)
}

fn refusal(path: &str, error: &serde_json::Error) -> Refusal {
    if !error.is_data() {
        let (line, column) = (error.line(), error.column());
        let message = format!("the body is not valid JSON (line {line}, column {column})");
        return Refusal::invalid(None, message);
    }
    let param = (path != ".").then_some(path);
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    // What comes before quotes the value, which may be a prompt.
    let said = match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("has the wrong type: expected {expected}"),
        None if text.starts_with("duplicate field") => "has a field twice".to_owned(),
        None => "cannot be read".to_owned(),
    };
    match param {
        Some(path) => Refusal::invalid(param, format_args!("`{path}` {said}")),
        None => Refusal::invalid(None, format_args!("the body {said}")),
    }
}

/// A JSON object; serde alone would also take a list of the fields in order.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        json.deserialize_any(ObjectVisitor(PhantomData))
    }
}

/// A whole number of at least 0, also where it is written `8.0`.
#[derive(Clone, Copy)]
pub(super) struct Count(pub(super) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct CountVisitor;
        impl Visitor<'_> for CountVisitor {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of at least 0")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Count, E> {
                Ok(Count(value))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Count, E> {
                // Past 2^53 doubles skip whole numbers; no count comes near.
                let is_exact = value.fract() == 0.0 && (0.0..9e15).contains(&value);
                let digits = is_exact.then(|| format!("{value:.0}"));
                digits
                    .and_then(|digits| digits.trim_start_matches('-').parse().ok())
                    .map(Count)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Float(value), &self))
            }
        }
        json.deserialize_any(CountVisitor)
    }
}

/// A string, or a list of strings.
pub(super) struct Texts(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct TextsVisitor;
        impl<'de> Visitor<'de> for TextsVisitor {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        json.deserialize_any(TextsVisitor)
    }
}

/// What a message says: a string, or the parts of type `text` of a list, one a line.
#[derive(Default)]
pub(super) struct Content(pub(super) String);

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: Option<String>,
    text: Option<String>,
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct ContentVisitor;
        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of content parts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
                let mut lines = Vec::new();
                while let Some(Object(Part { kind, text })) = list.next_element()? {
                    lines.extend(text.filter(|_| kind.as_deref() == Some("text")));
                }
                Ok(Content(lines.join("\n")))
            }
        }
        json.deserialize_any(ContentVisitor)
    }
}
