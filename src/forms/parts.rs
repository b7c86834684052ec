//! Arrays of a delta: content in parts, reasoning in details, annotations.
//!
//! The next array continues the last one. Where its first element only goes on with the text of
//! the last element so far, the two are one: a provider that sends no stream says them as one.

use std::borrow::Cow;

use super::json::Raw;
use super::merge::joined;
use super::ordered::Ordered;
use super::value::{Value, object};

/// Members that hold a part's text, or parts of it again.
const TEXTS: [&str; 2] = ["text", "thinking"];

/// How deep parts are looked for in parts.
const MAX_DEPTH: usize = 4;

/// Adds the elements of an array to those before.
pub(super) fn extend_parts<'a>(elements: &mut Vec<Value<'a>>, new: Raw<'a>) {
    extend_at(elements, new, 0);
}

fn extend_at<'a>(elements: &mut Vec<Value<'a>>, new: Raw<'a>, depth: usize) {
    let mut new = new.elements();
    if let Some(first) = new.next() {
        let last = elements.last_mut().filter(|_| depth < MAX_DEPTH);
        if !last.is_some_and(|last| continues(last, first, depth)) {
            elements.push(Value::Raw(first));
        }
    }
    elements.extend(new.map(Value::Raw));
}

/// Adds `new` to `last` if it is the same part going on, and tells whether it was.
fn continues<'a>(last: &mut Value<'a>, new: Raw<'a>, depth: usize) -> bool {
    let Some(members) = last.open_object().filter(|_| new.is_object()) else { return false };
    if !is_same_part(members, new) {
        return false;
    }
    for member in new.members() {
        let is_text = TEXTS.contains(&&*member.name);
        let slot = members.slot(member.name, Value::NULL);
        if slot.is_null() {
            *slot = Value::Raw(member.value);
        } else if is_text && let Some(text) = member.value.string() {
            if let Some(joined) = slot.open_string() {
                joined.push_str(text);
            }
        } else if is_text && let Some(parts) = slot.open_list() {
            extend_at(parts, member.value, depth + 1);
        }
    }
    true
}

/// Tells whether one part can hold both: of one type, with one index, and at odds in their texts
/// alone.
fn is_same_part(members: &Ordered<'_, Value<'_>>, new: Raw<'_>) -> bool {
    let (index, new_index) = (members.get("index"), new.member("index"));
    let is_indexed = match (index, new_index) {
        (Some(Value::Raw(old)), Some(new)) => old.as_str() == new.as_str(),
        _ => false,
    };
    if !(is_indexed || index.is_none() && new_index.is_none()) {
        return false;
    }
    let kind = members.get("type").and_then(Value::string);
    if kind.is_none() || kind != new.member("type").and_then(Raw::string) {
        return false;
    }
    let goes_on = |name: &&str| members.get(name).is_some() && new.member(name).is_some();
    if !is_indexed && !TEXTS.iter().any(goes_on) {
        return false;
    }
    new.members().all(|member| match members.get(&member.name) {
        None => true,
        Some(old) if old.is_null() || member.value.is_null() => true,
        Some(old) if TEXTS.contains(&&*member.name) => match member.value.string() {
            Some(_) => old.string().is_some(),
            None => member.value.is_array() && old.is_list(),
        },
        Some(Value::Raw(old)) => old.as_str() == member.value.as_str(),
        Some(old) => old.string().is_some() && old.string() == member.value.string(),
    })
}

/// `content` of a delta: text, or parts. Where both come, all of it is parts.
pub(super) fn content<'a>(slot: &mut Value<'a>, new: Raw<'a>) {
    if new.is_array()
        && let Some(text) = slot.open_string()
    {
        let text = std::mem::take(text);
        *slot = Value::List(if text.is_empty() { Vec::new() } else { vec![text_part(text)] });
    } else if let Some(text) = new.string()
        && let Some(parts) = slot.open_list()
    {
        add_text(parts, text);
        return;
    }
    joined(slot, "content", new);
}

fn add_text(parts: &mut Vec<Value<'_>>, text: &str) {
    if text.is_empty() {
        return;
    }
    let last = parts.last_mut().and_then(Value::open_object);
    let last = last.filter(|part| part.get("type").and_then(Value::string) == Some("text"));
    let last = last.map(|part| part.slot(Cow::Borrowed("text"), Value::NULL));
    match last.and_then(Value::open_string) {
        Some(joined) => joined.push_str(text),
        None => parts.push(text_part(text.to_owned())),
    }
}

fn text_part<'a>(text: String) -> Value<'a> {
    object([("type", Value::Text("text".to_owned())), ("text", Value::Text(text))])
}
