//! The first pass: checks the grammar and writes each token in its canonical spelling.

use std::cmp::Ordering;

use super::arrange::{Draft, Member, Shuffled};
use super::number::copy_number;
use super::text::{copy_string, order};
use super::{JsonError, MAX_DEPTH};

/// Reads a whole body, which is valid UTF-8.
pub(super) fn parse(body: &[u8]) -> Result<Draft, JsonError> {
    let draft = Draft { out: Vec::with_capacity(body.len()), ..Draft::default() };
    let mut parser = Parser { body, at: 0, open: Vec::with_capacity(16), draft };
    parser.skip_space();
    parser.value(0)?;
    parser.skip_space();
    match parser.peek() {
        None => Ok(parser.draft),
        Some(_) => Err(parser.error("more after the end of the value")),
    }
}

struct Parser<'a> {
    body: &'a [u8],
    at: usize,
    /// Members of the objects that are being read, outermost first.
    open: Vec<Member>,
    draft: Draft,
}

impl Parser<'_> {
    /// Reads one value. Its recursion is bounded by [`MAX_DEPTH`].
    fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'-' | b'0'..=b'9') => {
                self.at = copy_number(self.body, self.at, &mut self.draft.out)?;
                Ok(())
            }
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            Some(_) => Err(self.error("expected a value")),
            None => Err(self.error("the body ends where a value is expected")),
        }
    }

    fn string(&mut self) -> Result<(), JsonError> {
        self.at = copy_string(self.body, self.at, &mut self.draft.out)?;
        Ok(())
    }

    fn literal(&mut self, word: &'static [u8]) -> Result<(), JsonError> {
        if self.body.get(self.at..self.at + word.len()) != Some(word) {
            return Err(self.error("expected a value"));
        }
        self.draft.out.extend_from_slice(word);
        self.at += word.len();
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        self.open_bracket(b'[', depth)?;
        if self.peek() == Some(b']') {
            self.copy_byte(b']');
            return Ok(());
        }
        loop {
            self.value(depth)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.copy_byte(b','),
                Some(b']') => {
                    self.copy_byte(b']');
                    return Ok(());
                }
                _ => return Err(self.error("expected a comma or the end of the array")),
            }
            self.skip_space();
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), JsonError> {
        let start = self.draft.out.len();
        let first_open = self.open.len();
        self.open_bracket(b'{', depth)?;
        if self.peek() == Some(b'}') {
            self.copy_byte(b'}');
            return self.close_object(start, first_open, depth);
        }
        loop {
            self.member(depth)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.copy_byte(b','),
                Some(b'}') => {
                    self.copy_byte(b'}');
                    return self.close_object(start, first_open, depth);
                }
                _ => return Err(self.error("expected a comma or the end of the object")),
            }
            self.skip_space();
        }
    }

    fn member(&mut self, depth: usize) -> Result<(), JsonError> {
        let (offset, start) = (self.at, self.draft.out.len());
        if self.peek() != Some(b'"') {
            return Err(self.error("expected a member name"));
        }
        self.string()?;
        let name_end = self.draft.out.len();
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.error("expected a colon"));
        }
        self.copy_byte(b':');
        self.skip_space();
        self.value(depth)?;
        self.open.push(Member { offset, start, name_end, end: self.draft.out.len() });
        Ok(())
    }

    /// Puts the object's members in order, and remembers that order where it was another.
    fn close_object(
        &mut self,
        start: usize,
        first_open: usize,
        depth: usize,
    ) -> Result<(), JsonError> {
        let Draft { out, top, is_top_in_order, kept, shuffled } = &mut self.draft;
        let compare = |one: &Member, other: &Member| order(one.name(out), other.name(out));
        let members = self.open.get_mut(first_open..).unwrap_or_default();
        let is_in_order = members.is_sorted_by(|one, other| compare(one, other) == Ordering::Less);
        if !is_in_order {
            members.sort_unstable_by(compare);
            for (one, other) in members.iter().zip(members.iter().skip(1)) {
                if compare(one, other) == Ordering::Equal {
                    let offset = one.offset.max(other.offset);
                    return Err(JsonError::new(offset, "two members of one name"));
                }
            }
        }
        let members = self.open.drain(first_open..);
        if depth == 1 {
            top.extend(members);
            *is_top_in_order = is_in_order;
        } else if !is_in_order {
            let (first, num_members) = (kept.len(), members.len());
            shuffled.push(Shuffled { start, end: out.len(), first, num_members });
            kept.extend(members);
        }
        Ok(())
    }

    fn open_bracket(&mut self, bracket: u8, depth: usize) -> Result<(), JsonError> {
        if depth > MAX_DEPTH {
            return Err(self.error("nested deeper than 128"));
        }
        self.copy_byte(bracket);
        self.skip_space();
        Ok(())
    }

    fn copy_byte(&mut self, byte: u8) {
        self.draft.out.push(byte);
        self.at += 1;
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    const fn error(&self, reason: &'static str) -> JsonError {
        JsonError::new(self.at, reason)
    }
}
