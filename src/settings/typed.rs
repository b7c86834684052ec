//! From the tree to [`Settings`]: each value is read as what its key asks for.
//!
//! Texts from the environment, and texts a `${NAME}` was filled into, are numbers and switches
//! only where the key is one. So a secret `0123` stays `0123`, and a size given by a variable works.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde_json::Value;
use serde_path_to_error::Segment;

use super::Settings;
use super::error::Problem;
use super::ranges::allowed;
use super::shown::shown;
use super::sources::Sources;
use super::tree::{KeyPath, Step, get, remove};

/// Past this many wrong keys the rest is left for the next try.
const MAX_PROBLEMS: usize = 50;

/// Gives `tree` its types.
///
/// Errors: every key that is unknown or of the wrong type, save those after the first in a list.
pub(super) fn read(mut tree: Value, sources: &Sources) -> Result<Settings, Vec<Problem>> {
    let mut problems = Vec::new();
    while problems.len() < MAX_PROBLEMS {
        let failed = match serde_path_to_error::deserialize::<_, Settings>(Node(&tree)) {
            Ok(settings) if problems.is_empty() => return Ok(settings),
            Ok(_) => break,
            Err(failed) => failed,
        };
        let path = key_path(failed.path());
        problems.push(problem(&tree, &path, failed.into_inner(), sources));
        // The next try goes without it, so that all mistakes are told at once.
        if path.is_in_list() || !remove(&mut tree, &path) {
            break;
        }
    }
    Err(problems)
}

fn key_path(path: &serde_path_to_error::Path) -> KeyPath {
    let step = |segment: &Segment| match segment {
        Segment::Map { key } => Some(Step::Name(key.clone())),
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    KeyPath(path.iter().filter_map(step).collect())
}

fn problem(tree: &Value, path: &KeyPath, mistake: Mistake, sources: &Sources) -> Problem {
    let key = path.to_string();
    let source = sources.of(&key);
    let found = get(tree, path).and_then(|value| shown(&key, value, &source));
    let (value, reason, allowed) = match mistake {
        Mistake::UnknownKey { known } => {
            (None, "there is no such setting".to_owned(), Some(known.join(", ")))
        }
        // Whole sections are not shown: what stands in place of one may be anything.
        Mistake::WantsContainer(what) => (None, format!("not {what}"), None),
        Mistake::Expected(what) => (found, format!("not {what}"), allowed(&key)),
        Mistake::Said(reason) => (found, reason, allowed(&key)),
    };
    let key = if key.is_empty() { "the file".to_owned() } else { key };
    Problem { key, value, source, reason, allowed }
}

/// Why a value could not be read. Never holds the value.
#[derive(Debug)]
enum Mistake {
    /// A key that is no setting.
    UnknownKey { known: &'static [&'static str] },
    /// A map or a list was expected.
    WantsContainer(String),
    /// A scalar of another type was expected.
    Expected(String),
    /// A type's own words.
    Said(String),
}

impl Mistake {
    fn expected(what: &str) -> Self {
        let container = |what: &str| Self::WantsContainer(what.to_owned());
        match what {
            "a map" => container("a map of keys and values"),
            "a sequence" => container("a list"),
            "path string" => Self::Expected("a path".to_owned()),
            "a boolean" => Self::Expected("true or false".to_owned()),
            "a string" => Self::Expected("a text; put it in quotes".to_owned()),
            "u8" | "u16" | "u32" | "u64" | "usize" => Self::Expected("a whole number".to_owned()),
            other => Self::Expected(other.to_owned()),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { .. } => f.write_str("there is no such setting"),
            Self::WantsContainer(what) | Self::Expected(what) => write!(f, "not {what}"),
            Self::Said(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Mistake {}

impl Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Said(message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(&expected.to_string())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(&expected.to_string())
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self::Expected(format!("one of {}", known.join(", ")))
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self::UnknownKey { known }
    }
}

/// A value of the tree, read as what is asked for.
struct Node<'t>(&'t Value);

impl<'t> Node<'t> {
    fn as_number<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Mistake> {
        let number = match self.0 {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => visitor.visit_u64(number),
            None => Err(Mistake::expected(&(&visitor as &dyn Expected).to_string())),
        }
    }

    fn as_switch(&self) -> Option<bool> {
        match self.0 {
            Value::Bool(on) => Some(*on),
            Value::String(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(on) => visitor.visit_bool(*on),
            Value::Number(_) if self.0.is_u64() => self.as_number(visitor),
            Value::Number(number) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            Value::String(text) => visitor.visit_str(text),
            Value::Array(items) => visitor.visit_seq(Items(items.iter())),
            Value::Object(map) => visitor.visit_map(Members { rest: map.iter(), value: None }),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.as_switch() {
            Some(on) => visitor.visit_bool(on),
            None => Err(Mistake::expected("a boolean")),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.as_number(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.as_number(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.as_number(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.as_number(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            // The environment can say "none" in no other way.
            Value::String(text) if text.is_empty() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::String(text) => {
                let text: StrDeserializer<'_, Mistake> = text.as_str().into_deserializer();
                visitor.visit_enum(text)
            }
            _ => Err(Mistake::unknown_variant("", known)),
        }
    }

    /// Takes keys only: by position, what a value means would depend on this program's sources.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::Object(_) => self.deserialize_any(visitor),
            _ => Err(Mistake::expected("a map")),
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'t>(std::slice::Iter<'t, Value>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Mistake;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mistake> {
        self.0.next().map(|item| seed.deserialize(Node(item))).transpose()
    }
}

struct Members<'t> {
    rest: serde_json::map::Iter<'t>,
    value: Option<&'t Value>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Mistake;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mistake> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        let name: StrDeserializer<'_, Mistake> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mistake> {
        seed.deserialize(Node(self.value.take().unwrap_or(&Value::Null)))
    }
}
