//! Which fields of a request selected an answer (RFC 9111 §4.1, RFC 9110 §12.5.5).

use std::fmt;

use super::fields::{Fields, cut_at_comma, cut_member, field_name, tokens, trim_ows, values};

/// Most names one answer may list; with more it never matches.
const MOST_NAMES: usize = 32;

/// Fields whose value is a list in which case means nothing (RFC 9110 §12.5.2 to §12.5.4).
const CASELESS_LISTS: [&str; 3] = ["accept-charset", "accept-encoding", "accept-language"];

/// What an answer says of its selection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Vary {
    /// Nothing: it answers every request for its target.
    #[default]
    Nothing,
    /// The request's fields of these lower-case names, in order, each once.
    Names(Vec<Box<str>>),
    /// Something nobody can match: `*`, a name that is none, or too many.
    Any,
}

impl Vary {
    /// Reads the Vary fields of an answer.
    pub fn of<'a>(fields: impl Fields<'a>) -> Self {
        let read: Option<Vec<Box<str>>> =
            values(fields, "vary").flat_map(tokens).take(MOST_NAMES + 1).map(field_name).collect();
        let Some(mut names) = read else { return Self::Any };
        if names.len() > MOST_NAMES || names.iter().any(|name| &**name == "*") {
            return Self::Any;
        }
        names.sort_unstable();
        names.dedup();
        if names.is_empty() { Self::Nothing } else { Self::Names(names) }
    }

    /// Returns what of a request selects among answers with this Vary; `None` where nothing can.
    ///
    /// Two requests select the same answer exactly where their selections are equal.
    pub fn selection<'a>(&self, request: impl Fields<'a>) -> Option<Selection> {
        let names: &[Box<str>] = match self {
            Self::Nothing => &[],
            Self::Names(names) => names,
            Self::Any => return None,
        };
        let field = |name: &str| (name.into(), normal(name, request.clone()));
        Some(Selection(names.iter().map(|name| field(name)).collect()))
    }

    /// Tells whether the request `presented` may use an answer that was stored for `original`.
    pub fn matches<'a>(&self, original: impl Fields<'a>, presented: impl Fields<'a>) -> bool {
        self.selection(original).is_some_and(|own| self.selection(presented) == Some(own))
    }

    /// Returns the Vary to select by after an answer with `newer` came for the same target.
    ///
    /// Rule: RFC 9111 §4.1, an answer that leaves Vary out does so by mistake: the most recent one
    /// that is there counts.
    #[must_use]
    pub fn followed_by(self, newer: Self) -> Self {
        if newer == Self::Nothing { self } else { newer }
    }
}

/// What of one request selects an answer: the nominated fields by name, each with its normalised
/// value or its absence.
///
/// The values may be credentials: `Debug` shows the names only, and what is stored should be a
/// digest of [`Self::to_bytes`].
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection(Vec<(Box<str>, Option<Vec<u8>>)>);

impl Selection {
    /// Returns the selection as bytes, to be keyed: equal where the selections are equal, and only
    /// there. That of an answer without Vary is empty.
    ///
    /// Which names were nominated counts, too: a field absent by one Vary is not one absent by
    /// another.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut part = |part: &[u8]| {
            bytes.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            bytes.extend(part);
        };
        for (name, value) in &self.0 {
            part(name.as_bytes());
            match value {
                // A name is never empty, so this is not taken for one.
                None => part(b""),
                Some(value) => {
                    part(b"=");
                    part(value);
                }
            }
        }
        bytes
    }
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Returns all values of one field as one, `None` where there is none.
///
/// Rule: RFC 9111 §4.1; lines are combined, whitespace goes where the syntax is known to allow it,
/// case where it is known to mean nothing, order for `Accept-Encoding` only: in other lists some
/// origins prefer what comes first.
fn normal<'a>(name: &str, request: impl Fields<'a>) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = values(request, name).collect();
    if lines.is_empty() {
        return None;
    }
    if name != "accept" && !CASELESS_LISTS.contains(&name) {
        return Some(lines.join(b", ".as_slice()));
    }
    let mut members: Vec<Vec<u8>> = lines.into_iter().flat_map(members).collect();
    if CASELESS_LISTS.contains(&name) {
        members.iter_mut().for_each(|member| member.make_ascii_lowercase());
    }
    if name == "accept-encoding" {
        members.sort_unstable();
    }
    Some(members.join(b",".as_slice()))
}

/// Returns a list's members without the whitespace around commas and semicolons.
fn members(mut line: &[u8]) -> Vec<Vec<u8>> {
    let mut members = Vec::new();
    while !line.is_empty() {
        let (member, rest) = cut_member(line).unwrap_or_else(|| cut_at_comma(line));
        let member = trim_ows(member);
        if !member.is_empty() {
            members.push(without_space(member));
        }
        line = rest;
    }
    members
}

/// Removes the whitespace around semicolons outside quotes.
fn without_space(member: &[u8]) -> Vec<u8> {
    if member.contains(&b'"') {
        return member.to_vec();
    }
    let parts: Vec<&[u8]> = member.split(|byte| *byte == b';').map(trim_ows).collect();
    parts.join(b";".as_slice())
}

#[cfg(test)]
#[path = "vary_tests.rs"]
mod tests;
