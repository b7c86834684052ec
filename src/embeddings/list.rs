//! Requests: a list of inputs, and the request that asks one of them alone.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use super::merge::Known;
use super::text::{copy, each_element, each_member, span, write_array};
use crate::canonical::canonicalise;

/// Most inputs of a list that is split; OpenAI takes no more in one request.
pub const MAX_ITEMS: usize = 2_048;

/// Most bytes beside the input list. Each item's body repeats them, so they bound the work.
const MAX_REST_BYTES: usize = 4 * 1_024;

/// What a request asks.
#[derive(Debug, Clone)]
pub enum Split {
    /// One input, or what is not understood: answered whole, keyed by its [`normal_form`].
    Single,
    /// Several inputs, each a question of its own.
    List(List),
}

/// A request with a list of two or more inputs: all texts, or all arrays of tokens.
///
/// `Debug` shows the number of inputs only: they are prompts.
#[derive(Clone)]
pub struct List {
    body: Bytes,
    /// Where `input`'s value stands.
    input: Range<usize>,
    items: Vec<Item>,
}

#[derive(Clone)]
struct Item {
    /// Where it stands in the body.
    span: Range<usize>,
    /// The first item of the list that is the same input; often this one.
    first: usize,
    /// Bytes of a text, tokens of an array: by which a charge is shared out.
    weight: u64,
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").field("num_items", &self.items.len()).finish_non_exhaustive()
    }
}

/// Finds out whether `body` asks several inputs that may be answered one by one.
///
/// [`Split::Single`] is: a text, one array of tokens, a list of fewer than two or more than
/// [`MAX_ITEMS`] inputs, a list of both kinds or of others (images), an empty array of tokens, two
/// `input` members, no JSON object. Also where items may depend on each other or on their place:
/// `late_chunking: true` (the texts are read as one), `stream: true`, another member that is an
/// array (it may run beside the inputs), more than 4 KiB beside the list.
///
/// Cost: linear in the body. Other errors of the body are left to [`canonicalise`].
pub fn split(body: &Bytes) -> Split {
    List::read(body).map_or(Split::Single, Split::List)
}

/// Returns the body that is keyed for a request answered whole: a list of one input becomes that
/// input, all else stays byte for byte.
///
/// The form that [`List::item_body`] gives, too.
pub fn normal_form(body: &[u8]) -> Cow<'_, [u8]> {
    only_item(body).map_or(Cow::Borrowed(body), Cow::Owned)
}

fn only_item(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let input = Request::read(text)?.input;
    let mut only = None;
    each_element(input, |item| only.replace(item).is_none())?;
    let only = only.filter(|item| Kind::of(item).is_some())?;
    Some(splice(body, span(text, input)?, |out| out.extend_from_slice(only.as_bytes())))
}

fn splice(body: &[u8], gap: Range<usize>, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    copy(body, 0..gap.start, &mut out);
    write(&mut out);
    copy(body, gap.end..body.len(), &mut out);
    out
}

impl List {
    fn read(body: &Bytes) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let Request { input, is_separable } = Request::read(text)?;
        if !is_separable || body.len().saturating_sub(input.len()) > MAX_REST_BYTES {
            return None;
        }
        let items = read_items(text, input)?;
        let input = span(text, input)?;
        (items.len() > 1).then(|| Self { body: body.clone(), input, items })
    }

    /// Returns the number of inputs, at least two.
    pub fn num_items(&self) -> usize {
        self.items.len()
    }

    /// Returns the positions of the inputs, without those that are the same as an earlier one.
    ///
    /// The same means: of one canonical form, so of one key. These are the ones to look up; an
    /// answer to one is the answer to its repetitions.
    pub fn distinct(&self) -> impl Iterator<Item = usize> {
        let numbered = self.items.iter().enumerate();
        numbered.filter(|(position, item)| item.first == *position).map(|(position, _)| position)
    }

    /// Returns the first position of the input at `position`.
    pub fn first_of(&self, position: usize) -> Option<usize> {
        self.items.get(position).map(|item| item.first)
    }

    /// Returns the body that asks the input at `position` alone, in normal form.
    ///
    /// It is the list's own body with `input` replaced by that one item's text, so `model`,
    /// `dimensions`, `encoding_format` and all else count for each item.
    pub fn item_body(&self, position: usize) -> Option<Vec<u8>> {
        let item = self.items.get(position)?;
        Some(splice(&self.body, self.input.clone(), |out| {
            copy(&self.body, item.span.clone(), out);
        }))
    }

    /// Returns the distinct positions that are not `known`, in order: those to ask upstream.
    pub fn missing(&self, known: &Known) -> Vec<usize> {
        self.distinct().filter(|position| !known.contains_key(position)).collect()
    }

    /// Returns the body that asks only the inputs at `missing`, in the list's order and each once;
    /// all else is untouched. Where that is every input, it is the caller's body.
    ///
    /// Positions outside the list are left out.
    pub fn request_for(&self, missing: &[usize]) -> Vec<u8> {
        let asked: BTreeSet<usize> =
            missing.iter().filter_map(|position| self.first_of(*position)).collect();
        if asked.len() == self.items.len() {
            return self.body.to_vec();
        }
        splice(&self.body, self.input.clone(), |out| {
            let items = asked.iter().filter_map(|position| self.items.get(*position));
            write_array(out, items, |out, item| copy(&self.body, item.span.clone(), out));
        })
    }

    /// Returns the weights of the inputs at `positions`.
    pub(super) fn weights(&self, positions: &[usize]) -> Vec<u64> {
        let items = positions.iter().filter_map(|position| self.items.get(*position));
        items.map(|item| item.weight).collect()
    }
}

/// A request's members, as far as they matter here.
struct Request<'a> {
    input: &'a str,
    /// Whether each input's answer is the same, whatever stands beside it.
    is_separable: bool,
}

impl<'a> Request<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut input = None;
        let mut is_separable = true;
        each_member(text, |name, value| match name {
            "input" => input.replace(value).is_none(),
            "late_chunking" | "stream" => {
                is_separable &= value != "true";
                true
            }
            _ => {
                is_separable &= !value.starts_with('[');
                true
            }
        })?;
        input.map(|input| Self { input, is_separable })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Tokens,
}

impl Kind {
    /// Returns what an input is, its weight, and the digest of its canonical form.
    fn of(item: &str) -> Option<(Self, u64, [u8; 32])> {
        // Spares the work for one long array of tokens.
        if !item.starts_with(['"', '[']) {
            return None;
        }
        let canonical = canonicalise(item.as_bytes(), &[]).ok()?;
        let (kind, weight) = match canonical.as_bytes() {
            [b'"', text @ .., b'"'] => (Self::Text, text.len()),
            [b'[', tokens @ .., b']'] if !tokens.is_empty() => {
                let is_whole = tokens.iter().all(|byte| matches!(byte, b'0'..=b'9' | b','));
                let num_commas = tokens.iter().filter(|byte| **byte == b',').count();
                is_whole.then_some((Self::Tokens, num_commas + 1))?
            }
            _ => return None,
        };
        let digest = *blake3::hash(canonical.as_bytes()).as_bytes();
        Some((kind, u64::try_from(weight).unwrap_or(u64::MAX), digest))
    }
}

fn read_items(text: &str, input: &str) -> Option<Vec<Item>> {
    let mut items: Vec<Item> = Vec::new();
    let mut firsts: HashMap<[u8; 32], usize> = HashMap::new();
    let mut kind_of_all = None;
    each_element(input, |item| {
        if items.len() == MAX_ITEMS {
            return false;
        }
        let Some((kind, weight, digest)) = Kind::of(item) else { return false };
        let Some(span) = span(text, item) else { return false };
        let first = *firsts.entry(digest).or_insert(items.len());
        items.push(Item { span, first, weight });
        *kind_of_all.get_or_insert(kind) == kind
    })?;
    Some(items)
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
