//! Answers: their embeddings one by one, in their own text.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use super::error::EmbeddingsError;
use super::list::MAX_ITEMS;
use super::share::Tokens;
use super::text::{copy, each_element, each_member, span, write_array};

/// An embeddings answer taken apart. Holds the answer and where its parts stand; copies nothing.
///
/// `Debug` shows sizes only: vectors tell much of their texts.
#[derive(Clone)]
pub struct Parts {
    answer: Bytes,
    data: Range<usize>,
    usage: Option<Range<usize>>,
    model: Option<Range<usize>>,
    tokens: Option<Tokens>,
    /// In the order of their `index`.
    elements: Vec<Element>,
}

/// One element of `data`.
#[derive(Clone)]
struct Element {
    span: Range<usize>,
    /// Where the value of its `index` stands.
    index: Range<usize>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("bytes", &self.answer.len())
            .field("num_elements", &self.elements.len())
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

/// Takes apart an answer with `expected` embeddings; also a kept one, with 1.
///
/// Its elements may come in any order: their `index` counts. `usage` may be missing, as some
/// providers leave it out; it then stays so.
///
/// Cost: linear in the answer. Errors: every [`EmbeddingsError`] but those of merging.
pub fn take_apart(answer: &Bytes, expected: usize) -> Result<Parts, EmbeddingsError> {
    let text = std::str::from_utf8(answer).map_err(|_| EmbeddingsError::NotAnAnswer)?;
    let (mut data, mut usage, mut model) = (None, None, None);
    let read = each_member(text, |name, value| {
        let slot = match name {
            "data" => &mut data,
            "usage" => &mut usage,
            "model" => &mut model,
            _ => return true,
        };
        slot.replace(value).is_none()
    });
    let data: &str = data.filter(|_| read.is_some()).ok_or(EmbeddingsError::NotAnAnswer)?;
    let elements = read_elements(text, data, expected)?;
    let tokens = usage.and_then(Tokens::read);
    let place = |part: &str| span(text, part).ok_or(EmbeddingsError::NotAnAnswer);
    Ok(Parts {
        answer: answer.clone(),
        data: place(data)?,
        usage: usage.map(place).transpose()?,
        model: model.map(place).transpose()?,
        tokens,
        elements,
    })
}

fn read_elements(text: &str, data: &str, expected: usize) -> Result<Vec<Element>, EmbeddingsError> {
    let mut placed: Vec<(usize, Element)> = Vec::with_capacity(expected.min(MAX_ITEMS));
    let mut failure = EmbeddingsError::NotAnAnswer;
    let read = each_element(data, |element| {
        let found = if placed.len() == expected {
            Err(EmbeddingsError::Count { expected })
        } else {
            read_element(text, element)
        };
        match found {
            Ok(found) => placed.push(found),
            Err(error) => failure = error,
        }
        failure == EmbeddingsError::NotAnAnswer
    });
    if read.is_none() {
        return Err(failure);
    }
    if placed.len() != expected {
        return Err(EmbeddingsError::Count { expected });
    }
    placed.sort_by_key(|(index, _)| *index);
    if placed.iter().enumerate().any(|(position, (index, _))| position != *index) {
        return Err(EmbeddingsError::Index);
    }
    Ok(placed.into_iter().map(|(_, element)| element).collect())
}

fn read_element(text: &str, element: &str) -> Result<(usize, Element), EmbeddingsError> {
    let (mut index, mut embedding) = (None, None);
    let read = each_member(element, |name, value| match name {
        "index" => index.replace(value).is_none(),
        "embedding" => embedding.replace(value).is_none(),
        _ => true,
    });
    if read.is_none() || embedding.is_none_or(|vector: &str| vector == "null") {
        return Err(EmbeddingsError::NoEmbedding);
    }
    let index: &str = index.ok_or(EmbeddingsError::Index)?;
    let position = index.parse().map_err(|_| EmbeddingsError::Index)?;
    let place = |part: &str| span(text, part).ok_or(EmbeddingsError::NotAnAnswer);
    Ok((position, Element { span: place(element)?, index: place(index)? }))
}

impl Parts {
    /// Returns the number of embeddings.
    pub fn num_elements(&self) -> usize {
        self.elements.len()
    }

    /// Returns what the answer says was charged, where it does.
    pub fn tokens(&self) -> Option<Tokens> {
        self.tokens
    }

    /// Returns the text of the element at `position` of the order asked, its `index` included.
    pub fn element(&self, position: usize) -> Option<&[u8]> {
        self.elements.get(position).and_then(|element| self.answer.get(element.span.clone()))
    }

    /// Returns the body to keep for the item at `position`: a whole answer with that one
    /// embedding, of index 0, and all the answer's other members.
    ///
    /// `share` is the item's part of the charge. Where the answer has one embedding, or says
    /// nothing readable of the charge, its `usage` stays as it came.
    pub fn stored_item(&self, position: usize, share: Tokens) -> Option<Vec<u8>> {
        let element = self.elements.get(position)?;
        let usage = (self.elements.len() > 1 && self.tokens.is_some()).then_some(share);
        let mut out = Vec::with_capacity(self.len_beside_data() + element.span.len() + 64);
        self.write_with(&mut out, usage, |out| {
            write_array(out, [position].into_iter(), |out, position| {
                self.write_element(position, 0, out);
            });
        });
        Some(out)
    }

    /// Returns the text of `model`.
    pub(super) fn model(&self) -> Option<&[u8]> {
        self.answer.get(self.model.clone()?)
    }

    /// Returns the size of all but `data`, in bytes.
    pub(super) fn len_beside_data(&self) -> usize {
        self.answer.len().saturating_sub(self.data.len())
    }

    /// Returns the size of the element at `position`, in bytes.
    pub(super) fn element_len(&self, position: usize) -> usize {
        self.elements.get(position).map_or(0, |element| element.span.len())
    }

    /// Appends the element at `position` with another `index`.
    pub(super) fn write_element(&self, position: usize, index: usize, out: &mut Vec<u8>) {
        let Some(element) = self.elements.get(position) else { return };
        copy(&self.answer, element.span.start..element.index.start, out);
        out.extend_from_slice(index.to_string().as_bytes());
        copy(&self.answer, element.index.end..element.span.end, out);
    }

    /// Appends the answer with another `data`, and another `usage` where it has one and `usage`
    /// is given.
    pub(super) fn write_with(
        &self,
        out: &mut Vec<u8>,
        usage: Option<Tokens>,
        write_data: impl FnOnce(&mut Vec<u8>),
    ) {
        let replaced = self.usage.clone().zip(usage);
        let mut here = 0;
        let write_usage = |out: &mut Vec<u8>, here: &mut usize, is_before_data: bool| {
            let Some((span, tokens)) = replaced.clone() else { return };
            if (span.start < self.data.start) == is_before_data {
                copy(&self.answer, *here..span.start, out);
                tokens.write(out);
                *here = span.end;
            }
        };
        write_usage(out, &mut here, true);
        copy(&self.answer, here..self.data.start, out);
        write_data(out);
        here = self.data.end;
        write_usage(out, &mut here, false);
        copy(&self.answer, here..self.answer.len(), out);
    }
}

#[cfg(test)]
#[path = "parts_tests.rs"]
mod tests;
