//! JSON as text: one look at its grammar, then values are found where they stand.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::FormError;

/// One JSON value as its source spells it, without white space around it.
///
/// It is not `Debug`: it is what a model said.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    text: &'a str,
    /// Where it begins in the body, in bytes.
    at: usize,
}

/// A member of an object.
pub(super) struct Member<'a> {
    /// Its name, spelled without needless escapes and without quotes.
    pub(super) name: Cow<'a, str>,
    pub(super) value: Raw<'a>,
    /// Where its name's opening quote stands in the body, in bytes.
    pub(super) at: usize,
}

impl<'a> Raw<'a> {
    pub(super) const NULL: Raw<'static> = Raw { text: "null", at: 0 };

    /// Reads a whole body, whose grammar is checked here for all that is inside.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, FormError> {
        let body = std::str::from_utf8(body).map_err(|_| FormError::NotJson)?;
        let value: &RawValue = serde_json::from_str(body).map_err(|_| FormError::NotJson)?;
        Ok(Self { text: value.get(), at: body.len() - body.trim_ascii_start().len() })
    }

    pub(super) const fn as_str(self) -> &'a str {
        self.text
    }

    /// Returns where it begins in the body, in bytes.
    pub(super) const fn start(self) -> usize {
        self.at
    }

    /// Returns where it ends in the body, in bytes.
    pub(super) const fn end(self) -> usize {
        self.at + self.text.len()
    }

    pub(super) fn is_null(self) -> bool {
        self.text == "null"
    }

    pub(super) fn is_object(self) -> bool {
        self.text.starts_with('{')
    }

    pub(super) fn is_array(self) -> bool {
        self.text.starts_with('[')
    }

    /// Returns what stands between the quotes, escapes as they are; nothing where it is no string.
    pub(super) fn string(self) -> Option<&'a str> {
        self.text.strip_prefix('"')?.strip_suffix('"')
    }

    /// Returns the members of an object in order; none where it is none.
    pub(super) fn members(self) -> impl Iterator<Item = Member<'a>> {
        let mut cursor = self.inside('{');
        std::iter::from_fn(move || {
            let name = cursor.item()?;
            cursor.skip(|byte| byte == b':' || is_space(byte));
            let value = cursor.value()?;
            Some(Member { name: plain(name.string()?), value, at: name.at })
        })
    }

    /// Returns the elements of an array in order; none where it is none.
    pub(super) fn elements(self) -> impl Iterator<Item = Self> {
        let mut cursor = self.inside('[');
        std::iter::from_fn(move || cursor.item())
    }

    /// Returns the value of a member, the last one of this name.
    pub(super) fn member(self, name: &str) -> Option<Self> {
        self.members().filter(|member| member.name == name).last().map(|member| member.value)
    }

    /// Returns the value of a member that is there and not `null`.
    pub(super) fn present(self, name: &str) -> Option<Self> {
        self.member(name).filter(|value| !value.is_null())
    }

    fn inside(self, bracket: char) -> Cursor<'a> {
        let here = if self.text.starts_with(bracket) { 1 } else { self.text.len() };
        Cursor { text: self.text, start: self.at, here }
    }

    /// Writes the value without white space between its tokens: an event's data is one line.
    pub(super) fn write(self, out: &mut String) {
        let bytes = self.text.as_bytes();
        let (mut run, mut here) = (0, 0);
        while let Some(byte) = bytes.get(here).copied() {
            if byte == b'"' {
                here = end_of_string(bytes, here);
            } else if is_space(byte) {
                out.push_str(self.text.get(run..here).unwrap_or_default());
                here += 1;
                run = here;
            } else {
                here += 1;
            }
        }
        out.push_str(self.text.get(run..).unwrap_or_default());
    }
}

/// A place in an object or an array whose grammar has been checked.
struct Cursor<'a> {
    text: &'a str,
    /// Where the text begins in the body.
    start: usize,
    here: usize,
}

impl<'a> Cursor<'a> {
    /// Returns the next element, or the next member's name.
    fn item(&mut self) -> Option<Raw<'a>> {
        self.skip(|byte| byte == b',' || is_space(byte));
        self.value()
    }

    fn value(&mut self) -> Option<Raw<'a>> {
        let from = self.here;
        self.here = end_of_value(self.text.as_bytes(), from);
        let text = self.text.get(from..self.here).filter(|text| !text.is_empty())?;
        Some(Raw { text, at: self.start + from })
    }

    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) {
        let rest = self.text.as_bytes().get(self.here..).unwrap_or_default();
        self.here += rest.iter().take_while(|byte| is_skipped(**byte)).count();
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Returns the position after the value that begins at `at`; `at` itself where none begins.
fn end_of_value(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(b'"') => end_of_string(bytes, at),
        Some(b'{' | b'[') => end_of_nested(bytes, at),
        _ => {
            let rest = bytes.get(at..).unwrap_or_default();
            let is_inside = |byte: &u8| !matches!(byte, b',' | b':' | b'}' | b']');
            at + rest.iter().take_while(|byte| is_inside(byte) && !is_space(**byte)).count()
        }
    }
}

fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut here = at + 1;
    loop {
        let rest = bytes.get(here..).unwrap_or_default();
        let Some(plain) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
            return bytes.len();
        };
        here += plain;
        if bytes.get(here) == Some(&b'"') {
            return here + 1;
        }
        here += 2;
    }
}

fn end_of_nested(bytes: &[u8], at: usize) -> usize {
    let (mut here, mut depth) = (at, 0_usize);
    while let Some(byte) = bytes.get(here) {
        match byte {
            b'"' => {
                here = end_of_string(bytes, here);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        here += 1;
        if depth == 0 {
            break;
        }
    }
    here
}

/// Spells a name without the escapes it does not need, so that names compare as text.
fn plain(name: &str) -> Cow<'_, str> {
    if !name.contains('\\') {
        return Cow::Borrowed(name);
    }
    let meant = serde_json::from_str::<String>(&format!("\"{name}\""));
    let spelled = meant.and_then(|meant| serde_json::to_string(&meant)).ok();
    let spelled = spelled.as_deref().and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
    // Half of a surrogate pair means no text; such a name equals its own spelling alone.
    Cow::Owned(spelled.unwrap_or(name).to_owned())
}

/// Writes `"name":`, with a comma in front unless it is the first of its object.
pub(super) fn write_name(out: &mut String, name: &str) {
    if !out.ends_with(['{', '[']) {
        out.push(',');
    }
    // Writing to a string cannot fail.
    let _ = write!(out, "\"{name}\":");
}

/// Writes a member whose value is a string, spelled without its quotes.
pub(super) fn write_string(out: &mut String, name: &str, text: &str) {
    write_name(out, name);
    out.push('"');
    out.push_str(text);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_and_values(body: &str) -> Vec<(String, String)> {
        let members = Raw::read(body.as_bytes()).unwrap().members();
        members.map(|member| (member.name.to_string(), member.value.as_str().to_owned())).collect()
    }

    #[test]
    fn members_are_found_where_they_stand() {
        let body =
            " { \"a\" : 1.0 ,\"b\":{\"x\":[1,\"}\"]}\n,\"\\u0063\\n\":\"\\\"]\" , \"d\":[ ]} ";
        let expected =
            [("a", "1.0"), ("b", "{\"x\":[1,\"}\"]}"), ("c\\n", "\"\\\"]\""), ("d", "[ ]")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(names_and_values(body), expected);
        for member in Raw::read(body.as_bytes()).unwrap().members() {
            let value = member.value;
            assert_eq!(body.get(value.start()..value.end()), Some(value.as_str()));
            assert_eq!(body.as_bytes().get(member.at), Some(&b'"'));
        }
        assert!(names_and_values("{}").is_empty() && names_and_values("[1]").is_empty());
    }

    #[test]
    fn elements_are_found_where_they_stand() {
        for (body, expected) in [
            ("[]", &[][..]),
            ("[ ]", &[]),
            (
                "[1,\"a,]\" , [2,[3]],{\"a\":[4]},null]",
                &["1", "\"a,]\"", "[2,[3]]", "{\"a\":[4]}", "null"],
            ),
            ("{\"a\":1}", &[]),
        ] {
            let found: Vec<_> =
                Raw::read(body.as_bytes()).unwrap().elements().map(Raw::as_str).collect();
            assert_eq!(found, expected, "{body}");
        }
    }

    #[test]
    fn white_space_goes_between_tokens_and_stays_in_strings() {
        let mut out = String::new();
        Raw::read(b" { \"a b\" : [ 1 ,\r\n\t\"c \\\" d\" ] } ").unwrap().write(&mut out);
        assert_eq!(out, "{\"a b\":[1,\"c \\\" d\"]}");
    }

    #[test]
    fn what_is_no_json_in_utf_8_is_refused_and_depth_is_not() {
        for body in [&b"{"[..], b"{} {}", b"", b"\"\xff\"", b"{\"a\":01}", b"{a:1}", b"nul"] {
            assert!(Raw::read(body).is_err(), "{body:?}");
        }
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(Raw::read(deep.as_bytes()).unwrap().elements().count(), 1);
    }
}
