//! JSON text read without changing it: where a value stands in a body.

use std::fmt;
use std::ops::Range;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Gives each member of an object to `each`: its name, unescaped, and its value's own text.
///
/// Returns nothing where `text` is no JSON object or `each` returned `false`, which ends the
/// reading. What is inside the values is checked as JSON, whatever its depth.
pub(super) fn each_member<'a>(
    text: &'a str,
    each: impl FnMut(&str, &'a str) -> bool,
) -> Option<()> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_map(Members(each)).ok()?;
    reader.end().ok()
}

/// Gives the text of each element of an array to `each`, as [`each_member`] does.
pub(super) fn each_element<'a>(text: &'a str, each: impl FnMut(&'a str) -> bool) -> Option<()> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_seq(Elements(each)).ok()?;
    reader.end().ok()
}

/// Returns where `part`, which was cut out of `whole`, stands in it.
pub(super) fn span(whole: &str, part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

/// Appends the bytes of `body` at `span`.
pub(super) fn copy(body: &[u8], span: Range<usize>, out: &mut Vec<u8>) {
    out.extend_from_slice(body.get(span).unwrap_or_default());
}

/// Appends what `write` writes for each of `values`, in brackets and with commas.
pub(super) fn write_array<T>(
    out: &mut Vec<u8>,
    values: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (position, value) in values.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write(out, value);
    }
    out.push(b']');
}

struct Members<F>(F);

impl<'a, F: FnMut(&str, &'a str) -> bool> Visitor<'a> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            if !self.0(&name, value.get()) {
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

struct Elements<F>(F);

impl<'a, F: FnMut(&'a str) -> bool> Visitor<'a> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(value) = elements.next_element::<&RawValue>()? {
            if !self.0(value.get()) {
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_stand_without_the_space_around_them() {
        let text = " { \"a\" : [ 1 , \"\\u00e9\" ] , \"\\u0062\":1.50e2 } ";
        let mut found = Vec::new();
        let whole = each_member(text, |name, value| {
            found.push((name.to_owned(), text.get(span(text, value).unwrap()).unwrap()));
            true
        });
        assert_eq!(whole, Some(()));
        assert_eq!(found, [("a".into(), "[ 1 , \"\\u00e9\" ]"), ("b".into(), "1.50e2")]);

        let mut elements = Vec::new();
        each_element(found[0].1, |element| {
            elements.push(element);
            true
        });
        assert_eq!(elements, ["1", "\"\\u00e9\""]);
    }

    #[test]
    fn what_is_no_object_or_array_or_is_refused_gives_nothing() {
        for text in ["", "[]", "{", "{} {}", "{\"a\"}", "{\"a\":01}", "{\"a\":nul}", "\"x\""] {
            assert_eq!(each_member(text, |_, _| true), None, "{text}");
        }
        for text in ["", "{}", "[", "[] 1", "[1 2]", "[1,]", "1"] {
            assert_eq!(each_element(text, |_| true), None, "{text}");
        }
        assert_eq!(each_member("{\"a\":1}", |_, _| false), None);
        assert_eq!(each_element("[1]", |_| false), None);
        assert_eq!(span("abc", "elsewhere"), None);
    }

    #[test]
    fn deep_nesting_is_no_harm() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(each_member(&deep, |_, _| true), Some(()));
    }
}
