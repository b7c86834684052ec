//! Names of one state of an answer (RFC 9110 §8.8).

use crate::caching::date::parse_http_date;
use crate::caching::fields::{Fields, first, trim_ows, values};

/// An entity tag (RFC 9110 §8.8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// Whether equal tags mean answers that are equal byte for byte, or only in what they say.
    pub is_weak: bool,
    /// What stands between the quotes.
    pub opaque: &'a [u8],
    text: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Reads a value that is one entity tag; `None` for anything else.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let value = trim_ows(value);
        let (tag, rest) = take_tag(value)?;
        rest.is_empty().then_some(tag)
    }

    /// Returns the tag as it stands in a field, quotes and `W/` included.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.text
    }

    /// Tells whether both name the same bytes: neither is weak (RFC 9110 §8.8.3.2).
    pub fn equals_strongly(&self, other: &EntityTag<'_>) -> bool {
        !self.is_weak && !other.is_weak && self.opaque == other.opaque
    }

    /// Tells whether both name answers that say the same (RFC 9110 §8.8.3.2).
    pub fn equals_weakly(&self, other: &EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }
}

/// Takes a tag off the start of a text. A backslash is no escape in it, and a comma no end.
fn take_tag(text: &[u8]) -> Option<(EntityTag<'_>, &[u8])> {
    let quoted = text.strip_prefix(b"W/");
    let inner = quoted.unwrap_or(text).strip_prefix(b"\"")?;
    let length = inner.iter().position(|byte| *byte == b'"')?;
    let (opaque, rest) = inner.split_at_checked(length)?;
    let is_legal = |byte: &u8| matches!(*byte, 0x21..=0x7e | 0x80..);
    if !opaque.iter().all(is_legal) {
        return None;
    }
    let rest = rest.strip_prefix(b"\"")?;
    let (text, _) = text.split_at_checked(text.len() - rest.len())?;
    Some((EntityTag { is_weak: quoted.is_some(), opaque, text }, rest))
}

/// The tags of a list; members that are none are skipped.
#[derive(Debug, Clone)]
pub(super) struct Tags<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = EntityTag<'a>;

    fn next(&mut self) -> Option<EntityTag<'a>> {
        while !self.0.is_empty() {
            let text = trim_ows(self.0);
            let taken = take_tag(text).map(|(tag, rest)| (tag, trim_ows(rest)));
            let whole = taken.filter(|(_, rest)| rest.is_empty() || rest.starts_with(b","));
            let rest = whole.map_or(text, |(_, rest)| rest);
            // On to what follows the next comma.
            let end = rest.iter().position(|byte| *byte == b',').map_or(rest.len(), |at| at + 1);
            self.0 = rest.get(end..).unwrap_or_default();
            if let Some((tag, _)) = whole {
                return Some(tag);
            }
        }
        None
    }
}

/// The validators of an answer (RFC 9110 §8.8). What is malformed is as absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Validators<'a> {
    /// Its entity tag.
    pub etag: Option<EntityTag<'a>>,
    /// When it last changed, as the field says it; it is a date.
    pub last_modified: Option<&'a [u8]>,
}

impl<'a> Validators<'a> {
    /// Reads the validators of an answer's fields; of several lines the first.
    pub fn of(fields: impl Fields<'a>) -> Self {
        let is_date = |value: &&[u8]| parse_http_date(value, 0).is_some();
        Self {
            etag: values(fields.clone(), "etag").next().and_then(EntityTag::parse),
            last_modified: first(fields, "last-modified").filter(is_date),
        }
    }

    /// Tells whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

#[cfg(test)]
#[path = "entity_tag_tests.rs"]
mod tests;
