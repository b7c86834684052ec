//! How a member grows when an event mentions it again.
//!
//! `null` never takes anything away, and an empty string never takes a string away: providers
//! fill members they have nothing for with either.

use super::json::Raw;
use super::parts::extend_parts;
use super::value::Value;

/// How deep objects are merged member by member; below that the last one counts.
const MAX_DEPTH: usize = 16;

/// Strings that tell what something is, and are repeated whole rather than continued.
const WHOLE_STRINGS: [&str; 10] = [
    "format",
    "id",
    "index",
    "model",
    "name",
    "object",
    "role",
    "signature",
    "tool_call_id",
    "type",
];

/// The last mention counts.
pub(super) fn latest<'a>(slot: &mut Value<'a>, new: Raw<'a>) {
    if weight(slot) <= weight(&Value::Raw(new)) {
        *slot = Value::Raw(new);
    }
}

fn weight(value: &Value<'_>) -> u8 {
    match value.string() {
        Some("") => 1,
        _ if value.is_null() => 0,
        _ => 2,
    }
}

/// Members of objects are united, of all else the last mention counts.
pub(super) fn united<'a>(slot: &mut Value<'a>, new: Raw<'a>) {
    united_at(slot, new, 0);
}

fn united_at<'a>(slot: &mut Value<'a>, new: Raw<'a>, depth: usize) {
    if matches!(slot, Value::Raw(old) if old.as_str() == new.as_str()) {
        return;
    }
    if new.is_object()
        && depth < MAX_DEPTH
        && let Some(members) = slot.open_object()
    {
        for member in new.members() {
            united_at(members.slot(member.name, Value::NULL), member.value, depth + 1);
        }
    } else {
        latest(slot, new);
    }
}

/// As [`united`], but an array is continued by the next one.
pub(super) fn appended<'a>(slot: &mut Value<'a>, new: Raw<'a>) {
    if new.is_array()
        && let Some(elements) = slot.open_list()
    {
        elements.extend(new.elements().map(Value::Raw));
    } else {
        united(slot, new);
    }
}

/// A member of a delta: strings and arrays are continued, members of objects likewise.
pub(super) fn joined<'a>(slot: &mut Value<'a>, name: &str, new: Raw<'a>) {
    joined_at(slot, name, new, 0);
}

fn joined_at<'a>(slot: &mut Value<'a>, name: &str, new: Raw<'a>, depth: usize) {
    if let Some(text) = new.string()
        && !WHOLE_STRINGS.contains(&name)
        && let Some(joined) = slot.open_string()
    {
        joined.push_str(text);
    } else if new.is_array()
        && let Some(elements) = slot.open_list()
    {
        extend_parts(elements, new);
    } else if new.is_object()
        && depth < MAX_DEPTH
        && let Some(members) = slot.open_object()
    {
        for member in new.members() {
            let slot = members.slot(member.name.clone(), Value::NULL);
            joined_at(slot, &member.name, member.value, depth + 1);
        }
    } else {
        latest(slot, new);
    }
}

/// What a tool is called with: `arguments` and `input` are continued. A name may come in pieces,
/// or whole with every piece of the arguments.
pub(super) fn called<'a>(slot: &mut Value<'a>, new: Raw<'a>) {
    let Some(members) = slot.open_object().filter(|_| new.is_object()) else {
        latest(slot, new);
        return;
    };
    for member in new.members() {
        let name = member.name.clone();
        let slot = members.slot(member.name, Value::NULL);
        let is_continued = match &*name {
            "arguments" | "input" => true,
            "name" => slot.string() != member.value.string(),
            _ => false,
        };
        if is_continued
            && let Some(text) = member.value.string()
            && let Some(joined) = slot.open_string()
        {
            joined.push_str(text);
        } else {
            united(slot, member.value);
        }
    }
}

/// `logprobs` of a choice: each array is continued, whatever its name.
pub(super) fn logprobs<'a>(slot: &mut Value<'a>, new: Raw<'a>) {
    let Some(members) = slot.open_object().filter(|_| new.is_object()) else {
        latest(slot, new);
        return;
    };
    for member in new.members() {
        appended(members.slot(member.name, Value::NULL), member.value);
    }
}
