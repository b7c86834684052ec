//! The walk: checks the grammar of RFC 8259 and gives out token by token, without a tree.

use crate::canonical::plain_len;

/// Deepest nesting of arrays and objects that is read; one bit of [`Walker::open`] each.
const MAX_DEPTH: u32 = 128;

/// A body is not one JSON value, or is nested deeper than 128.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotJson;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `{` or `[`.
    Open,
    /// `}` or `]`.
    Close,
    /// The name of a member, with its quotes.
    Name,
    /// A string that is a value, with its quotes.
    Text,
    /// A number, `true` or `false`.
    Plain,
    /// `null`.
    Null,
    /// `,` or `:`.
    Mark,
}

/// A piece of a body that is no white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// Where it begins, in bytes from the body's start.
    pub start: usize,
    /// Its bytes as they stand in the body.
    pub text: &'a [u8],
}

impl Token<'_> {
    /// Returns where it ends.
    pub const fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Value,
    ElementOrEnd,
    Name,
    NameOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// Reads a body from its start to its end, once.
///
/// Cost: linear in the body, no allocation. Bytes above 0x7f in strings are not looked at.
pub(crate) struct Walker<'a> {
    body: &'a [u8],
    at: usize,
    /// A bit for each open bracket, the innermost the lowest: set for an object.
    open: u128,
    depth: u32,
    next: Next,
}

impl<'a> Walker<'a> {
    pub const fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0, open: 0, depth: 0, next: Next::Value }
    }

    /// Returns the next token; `None` after the last of a whole value.
    pub fn step(&mut self) -> Result<Option<Token<'a>>, NotJson> {
        self.skip_space();
        let start = self.at;
        let Some(first) = self.body.get(start).copied() else {
            return if self.next == Next::Nothing { Ok(None) } else { Err(NotJson) };
        };
        let kind = match (self.next, first) {
            (Next::ElementOrEnd, b']') | (Next::NameOrEnd, b'}') => self.close(),
            (Next::CommaOrEnd, b']') if !self.is_in_object() => self.close(),
            (Next::CommaOrEnd, b'}') if self.is_in_object() => self.close(),
            (Next::CommaOrEnd, b',') => {
                self.at += 1;
                self.next = if self.is_in_object() { Next::Name } else { Next::Value };
                Kind::Mark
            }
            (Next::Colon, b':') => {
                self.at += 1;
                self.next = Next::Value;
                Kind::Mark
            }
            (Next::Name | Next::NameOrEnd, b'"') => {
                self.skip_string()?;
                self.next = Next::Colon;
                Kind::Name
            }
            (Next::Value | Next::ElementOrEnd, _) => self.value(first)?,
            _ => return Err(NotJson),
        };
        let text = self.body.get(start..self.at).ok_or(NotJson)?;
        Ok(Some(Token { kind, start, text }))
    }

    /// Walks to the bracket that closes the one just given out, and returns it.
    pub fn skip_to_close(&mut self) -> Result<Token<'a>, NotJson> {
        let outer = self.depth.saturating_sub(1);
        while let Some(token) = self.step()? {
            if self.depth == outer {
                return Ok(token);
            }
        }
        Err(NotJson)
    }

    fn value(&mut self, first: u8) -> Result<Kind, NotJson> {
        match first {
            b'{' => return self.open(1, Next::NameOrEnd),
            b'[' => return self.open(0, Next::ElementOrEnd),
            _ => {}
        }
        let kind = match first {
            b'"' => {
                self.skip_string()?;
                Kind::Text
            }
            b'-' | b'0'..=b'9' => {
                let number = self.body.get(self.at..).unwrap_or_default();
                self.at += number_len(number).ok_or(NotJson)?;
                Kind::Plain
            }
            b't' => self.word(b"true", Kind::Plain)?,
            b'f' => self.word(b"false", Kind::Plain)?,
            b'n' => self.word(b"null", Kind::Null)?,
            _ => return Err(NotJson),
        };
        self.end_value();
        Ok(kind)
    }

    const fn open(&mut self, bit: u128, next: Next) -> Result<Kind, NotJson> {
        if self.depth == MAX_DEPTH {
            return Err(NotJson);
        }
        self.at += 1;
        self.open = self.open << 1 | bit;
        self.depth += 1;
        self.next = next;
        Ok(Kind::Open)
    }

    const fn close(&mut self) -> Kind {
        self.at += 1;
        self.open >>= 1;
        self.depth = self.depth.saturating_sub(1);
        self.end_value();
        Kind::Close
    }

    const fn end_value(&mut self) {
        self.next = if self.depth == 0 { Next::Nothing } else { Next::CommaOrEnd };
    }

    const fn is_in_object(&self) -> bool {
        self.open & 1 == 1
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, NotJson> {
        if !self.body.get(self.at..).unwrap_or_default().starts_with(word) {
            return Err(NotJson);
        }
        self.at += word.len();
        Ok(kind)
    }

    fn skip_string(&mut self) -> Result<(), NotJson> {
        let mut here = self.at + 1;
        loop {
            here += plain_len(self.body.get(here..).unwrap_or_default());
            match self.body.get(here) {
                Some(b'"') => {
                    self.at = here + 1;
                    return Ok(());
                }
                Some(b'\\') => here += escape_len(self.body.get(here + 1..)).ok_or(NotJson)?,
                _ => return Err(NotJson),
            }
        }
    }

    fn skip_space(&mut self) {
        let rest = self.body.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| b" \n\r\t".contains(byte)).count();
    }
}

/// Returns how long an escape is, its backslash included, that goes on with `rest`.
fn escape_len(rest: Option<&[u8]>) -> Option<usize> {
    match rest? {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(2),
        [b'u', digits @ ..] if digits.get(..4)?.iter().all(u8::is_ascii_hexdigit) => Some(6),
        _ => None,
    }
}

/// Returns the length of the number that `text` begins with (RFC 8259 §6).
fn number_len(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
            0 => None,
            num_digits => Some(from + num_digits),
        }
    };
    let start = usize::from(text.first() == Some(&b'-'));
    let mut end = digits(start)?;
    if text.get(start) == Some(&b'0') && end > start + 1 {
        return None;
    }
    if text.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let signed = matches!(text.get(end + 1), Some(b'+' | b'-'));
        end = digits(end + 1 + usize::from(signed))?;
    }
    Some(end)
}

#[cfg(test)]
#[path = "walker_tests.rs"]
mod tests;
