//! How many tokens will a call cost, and how many did it?
//!
//! [`TokenCounter`] counts texts by tokenizers. What requests and answers say in numbers is read without
//! parsing: a name in quotes, a colon, a number. Within a JSON string a quote is escaped, so no text of a
//! prompt or an answer looks like that.

mod counter;
mod texts;
mod vocabulary;

use anteroom_actors::model::Usage as Counts;

pub use counter::{Answered, TokenCounter};
pub use vocabulary::{VOCABULARIES, loader, shelf};

/// How much of a body's start is looked through, in bytes; and of its end.
const LOOKED_THROUGH: usize = 16 * 1024;

/// Longest member that is looked for, and its value, in bytes.
const BORDER: usize = 64;

/// Bytes that make a token, roughly, in English.
const BYTES_PER_TOKEN: usize = 4;

/// The fields by which callers bound an answer, each API's own.
const MOST_TOKENS: [&[u8]; 3] = [b"max_tokens", b"max_completion_tokens", b"max_output_tokens"];

/// Returns the longest answer that a body allows, in tokens, where it says so within its first or last
/// 16 KiB; else 0.
fn most_tokens(body: &[u8]) -> u64 {
    let (start, end) = ends(body);
    let named = numbers(start).chain(numbers(end));
    let most = named.filter(|(name, _)| MOST_TOKENS.contains(name)).map(|(_, number)| number).max();
    most.unwrap_or(0)
}

/// Returns an estimate of the tokens of so many bytes: a quarter.
pub fn of_length(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(BYTES_PER_TOKEN)).unwrap_or(u64::MAX)
}

fn ends(body: &[u8]) -> (&[u8], &[u8]) {
    let start = body.get(..LOOKED_THROUGH).unwrap_or(body);
    let end_at = body.len().saturating_sub(LOOKED_THROUGH).max(start.len());
    (start, body.get(end_at..).unwrap_or_default())
}

/// Watches an answer go by for what it says of its cost. Holds at most its first 16 KiB and twice
/// that of its end.
#[derive(Debug, Default)]
pub struct Usage {
    start: Vec<u8>,
    end: Vec<u8>,
    /// Whether something between the two was let go.
    is_parted: bool,
}

impl Usage {
    /// Looks at the next piece.
    pub fn observe(&mut self, piece: &[u8]) {
        let room = LOOKED_THROUGH - self.start.len().min(LOOKED_THROUGH);
        let (start, rest) = piece.split_at(room.min(piece.len()));
        self.start.extend_from_slice(start);
        let last = rest.get(rest.len().saturating_sub(LOOKED_THROUGH)..).unwrap_or(rest);
        if last.len() < rest.len() {
            self.end.clear();
            self.is_parted = true;
        }
        self.end.extend_from_slice(last);
        if self.end.len() > 2 * LOOKED_THROUGH {
            let excess = self.end.len() - LOOKED_THROUGH;
            self.end.drain(..excess);
            self.is_parted = true;
        }
    }

    /// Returns the tokens that the answer says it cost, where it does.
    ///
    /// Rule: `total_tokens` (OpenAI's APIs), else `input_tokens` and `output_tokens` together
    /// (Anthropic's, whose stream tells one at its start and the other at its end). Streams that
    /// tell it more than once tell a sum so far: the last counts.
    pub fn tokens(&self) -> Option<u64> {
        let (mut total, mut input, mut output) = (None, None, None);
        let across = if self.is_parted { Vec::new() } else { self.across() };
        let named = numbers(&self.start).chain(numbers(&across)).chain(numbers(&self.end));
        for (name, number) in named {
            match name {
                b"total_tokens" => total = Some(number),
                b"input_tokens" => input = Some(number),
                b"output_tokens" => output = Some(number),
                _ => {}
            }
        }
        total.or_else(|| Some(input?.saturating_add(output?)))
    }

    /// Returns the tokens of request and answer, where the answer tells either. As in
    /// [`Self::tokens`] the last counts; what it does not tell is 0.
    pub fn counts(&self) -> Option<Counts> {
        let (mut input, mut output) = (None, None);
        let across = if self.is_parted { Vec::new() } else { self.across() };
        let named = numbers(&self.start).chain(numbers(&across)).chain(numbers(&self.end));
        for (name, number) in named {
            match name {
                b"prompt_tokens" | b"input_tokens" => input = Some(number),
                b"completion_tokens" | b"output_tokens" => output = Some(number),
                _ => {}
            }
        }
        let counts =
            Counts { input_tokens: input.unwrap_or(0), output_tokens: output.unwrap_or(0) };
        (input.is_some() || output.is_some()).then_some(counts)
    }

    /// Returns what lies around the border of start and end: a member may lie across it.
    fn across(&self) -> Vec<u8> {
        let before = self.start.get(self.start.len().saturating_sub(BORDER)..).unwrap_or_default();
        [before, self.end.get(..BORDER).unwrap_or(&self.end)].concat()
    }
}

/// Returns the tokens of request and answer that a whole answer tells, as [`Usage::counts`].
pub fn counts(answer: &[u8]) -> Option<Counts> {
    let mut usage = Usage::default();
    usage.observe(answer);
    usage.counts()
}

/// Returns the members of any object in a JSON text whose value is a whole number, in order.
fn numbers(text: &[u8]) -> impl Iterator<Item = (&[u8], u64)> {
    let mut parts = text.split(|byte| *byte == b'"').peekable();
    std::iter::from_fn(move || {
        loop {
            let name = parts.next()?;
            if let Some(number) = parts.peek().and_then(|after| number_after_colon(after)) {
                return Some((name, number));
            }
        }
    })
}

fn number_after_colon(text: &[u8]) -> Option<u64> {
    let value = text.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let length = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = value.split_at(length);
    let is_whole = matches!(rest.first(), Some(b',' | b'}' | b' ' | b'\n' | b'\r' | b'\t'));
    std::str::from_utf8(digits).ok().filter(|_| is_whole)?.parse().ok()
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
