//! A value that grows while the events of a stream are added to it.

use std::borrow::Cow;

use super::json::{Raw, write_name};
use super::ordered::Ordered;

/// A JSON value, opened as far as something has been added to it.
pub(super) enum Value<'a> {
    /// As its source spells it.
    Raw(Raw<'a>),
    /// A string, spelled without its quotes.
    Text(String),
    List(Vec<Value<'a>>),
    Object(Ordered<'a, Value<'a>>),
}

impl<'a> Value<'a> {
    pub(super) const NULL: Self = Value::Raw(Raw::NULL);

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Value::Raw(raw) if raw.is_null())
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self, Value::List(_)) || matches!(self, Value::Raw(raw) if raw.is_array())
    }

    /// Returns a string as it is spelled, without its quotes.
    pub(super) fn string(&self) -> Option<&str> {
        match self {
            Value::Raw(raw) => raw.string(),
            Value::Text(text) => Some(text),
            Value::List(_) | Value::Object(_) => None,
        }
    }

    /// Opens a string; nothing where it is none.
    pub(super) fn open_string(&mut self) -> Option<&mut String> {
        if let Value::Raw(raw) = self {
            *self = Value::Text(raw.string()?.to_owned());
        }
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    /// Opens an array; nothing where it is none.
    pub(super) fn open_list(&mut self) -> Option<&mut Vec<Value<'a>>> {
        if let Value::Raw(raw) = *self {
            if !raw.is_array() {
                return None;
            }
            *self = Value::List(raw.elements().map(Value::Raw).collect());
        }
        if let Value::List(elements) = self { Some(elements) } else { None }
    }

    /// Opens an object; nothing where it is none.
    pub(super) fn open_object(&mut self) -> Option<&mut Ordered<'a, Value<'a>>> {
        if let Value::Raw(raw) = *self {
            if !raw.is_object() {
                return None;
            }
            let mut members = Ordered::default();
            for member in raw.members() {
                *members.slot(member.name, Value::NULL) = Value::Raw(member.value);
            }
            *self = Value::Object(members);
        }
        if let Value::Object(members) = self { Some(members) } else { None }
    }

    /// Writes the value. Its recursion goes as deep as values were opened.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Value::Raw(raw) => raw.write(out),
            Value::Text(text) => {
                out.push('"');
                out.push_str(text);
                out.push('"');
            }
            Value::List(elements) => {
                out.push('[');
                for (position, element) in elements.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    element.write(out);
                }
                out.push(']');
            }
            Value::Object(members) => {
                out.push('{');
                for (name, value) in members.in_order() {
                    write_name(out, name);
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Returns an object with members of plain names.
pub(super) fn object<'a, const N: usize>(members: [(&'static str, Value<'a>); N]) -> Value<'a> {
    let mut object = Ordered::default();
    for (name, value) in members {
        *object.slot(Cow::Borrowed(name), Value::NULL) = value;
    }
    Value::Object(object)
}
