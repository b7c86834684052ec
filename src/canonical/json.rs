//! One spelling for each JSON value: RFC 8785 order, escapes and layout, without its rounding.
//!
//! Two bodies have equal canonical bytes exactly when they hold the same value: members in any
//! order, any white space, any escapes, numbers by their exact value. Nothing is folded,
//! trimmed or normalised beyond that.

mod arrange;
mod number;
mod parser;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
mod text;

use arrange::Member;
pub(crate) use text::plain_len;

/// Deepest nesting of arrays and objects that is read; the same as serde_json's.
const MAX_DEPTH: usize = 128;

/// Longest model name that is reported, in bytes.
const MAX_MODEL_BYTES: usize = 128;

/// Why a body is not taken as JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the body as JSON at byte {offset}: {reason}")]
pub struct JsonError {
    /// Where in the body, in bytes from its start.
    pub offset: usize,
    /// What is wrong there, in plain words; holds nothing of the body.
    pub reason: &'static str,
}

impl JsonError {
    const fn new(offset: usize, reason: &'static str) -> Self {
        Self { offset, reason }
    }
}

/// A top-level member that does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncounted {
    /// The member of this name, whatever its value.
    Always(&'static str),
    /// The member of this name where its value is `false`, which the API takes as absent.
    WhenFalse(&'static str),
    /// The member of this name where its value, in canonical spelling, is this one.
    WhenEqual(&'static str, &'static str),
}

impl Uncounted {
    fn covers(self, name: &[u8], value: &[u8]) -> bool {
        match self {
            Self::Always(field) => name == field.as_bytes(),
            Self::WhenFalse(field) => name == field.as_bytes() && value == b"false",
            Self::WhenEqual(field, usual) => name == field.as_bytes() && value == usual.as_bytes(),
        }
    }
}

/// A body in canonical form.
///
/// `Debug` shows sizes only: bodies are prompts.
#[derive(Clone, PartialEq, Eq)]
pub struct Canonical {
    /// The counted form, then the values of uncounted members, which can still be asked for.
    bytes: Vec<u8>,
    counted_len: usize,
    members: Vec<Member>,
}

impl std::fmt::Debug for Canonical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canonical")
            .field("counted_bytes", &self.counted_len)
            .field("num_members", &self.members.len())
            .finish()
    }
}

impl Canonical {
    /// Returns the canonical bytes of all that counts.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.counted_len).unwrap_or_default()
    }

    /// Returns the canonical bytes of a top-level member's value, counted or not.
    ///
    /// Domain: plain ASCII names without quotes and backslashes.
    pub fn member(&self, name: &str) -> Option<&[u8]> {
        self.members
            .iter()
            .find(|member| member.name(&self.bytes) == name.as_bytes())
            .map(|member| member.value(&self.bytes))
    }

    /// Returns the names of the top-level members, spelled canonically and without quotes, each with
    /// whether it counts.
    pub fn members(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let counts = |member: &Member| member.end <= self.counted_len;
        self.members.iter().map(move |member| (member.name(&self.bytes), counts(member)))
    }

    /// Returns a top-level member's value where it is `true` or `false`.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.member(name)? {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// Tells whether a top-level member is there and not `null`.
    pub fn has(&self, name: &str) -> bool {
        self.member(name).is_some_and(|value| value != b"null")
    }

    /// Returns the top-level `model` where it is a string of at most 128 bytes.
    pub fn model(&self) -> Option<String> {
        let value = self.member("model")?;
        // A byte takes at most six as an escape, and there are two quotes.
        if value.len() > MAX_MODEL_BYTES * 6 + 2 {
            return None;
        }
        let name: String = serde_json::from_slice(value).ok()?;
        (name.len() <= MAX_MODEL_BYTES).then_some(name)
    }
}

/// Brings `body` into canonical form, leaving out the top-level members in `uncounted`.
///
/// Numbers are equal when they are the same value exactly (`1`, `1.0` and `10e-1` are; 2^64 and
/// 2^64 + 1 are not); `-0` is not `0`. Escapes of lone surrogates, which RFC 8785 refuses, stay.
/// Cost: linear in the body but for sorting; three buffers of its size at most.
///
/// Errors: what RFC 8259 does not allow, a byte order mark, invalid UTF-8, two members of one
/// name in an object, nesting deeper than 128, an exponent of more than 18 digits.
pub fn canonicalise(body: &[u8], uncounted: &[Uncounted]) -> Result<Canonical, JsonError> {
    if body.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonError::new(0, "a byte order mark"));
    }
    if let Err(error) = std::str::from_utf8(body) {
        return Err(JsonError::new(error.valid_up_to(), "invalid UTF-8"));
    }
    Ok(parser::parse(body)?.arrange(uncounted))
}
