//! A log of requests: lines of `timestamp_ms,user,key,size_bytes` after a header, gzipped or not.

use std::collections::HashMap;
use std::hash::Hash;
use std::io::Read;

use super::source::{Line, Lines, SourceError};

/// The first line.
const HEADER: &str = "timestamp_ms,user,key,size_bytes";

/// Longest line, in bytes.
const LONGEST_LINE: u64 = 64 * 1024;

/// Most requests of one log: each takes 24 bytes of memory, and is known by its number.
const MOST_REQUESTS: usize = 200_000_000;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// When, in milliseconds from wherever the log begins; never less than that of the one before.
    pub at_ms: u64,
    /// What was asked for, numbered in the order of first appearance.
    pub key: u32,
    /// Who asked, numbered likewise; where the log says so.
    pub user: Option<std::num::NonZero<u32>>,
    /// Size of the answer; 0 where it is not known.
    pub size_bytes: u64,
}

/// Why a log cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A line is no request.
    #[error("line {line} of the log: {fault}")]
    Line {
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        fault: LineFault,
    },
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// The first line.
    #[error("the first line has to be {HEADER}")]
    Header,
    /// Not four fields.
    #[error("a line has four fields, {HEADER}")]
    Fields,
    /// The first field.
    #[error("timestamp_ms is no whole number of milliseconds")]
    Timestamp,
    /// The third field.
    #[error("key is empty")]
    Key,
    /// The fourth field.
    #[error("size_bytes is no whole number of bytes")]
    Size,
    /// Not text.
    #[error("it is no UTF-8")]
    Text,
    /// Too long.
    #[error("it is longer than {LONGEST_LINE} bytes")]
    Long,
    /// A quote without its partner.
    #[error("a quotation mark is not closed")]
    Quote,
    /// Too many lines.
    #[error("a log has at most {MOST_REQUESTS} requests")]
    TooMany,
}

/// A log that has been read.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    requests: Vec<Request>,
    keys: u64,
    out_of_order: u64,
}

impl Trace {
    /// Makes a log of requests whose keys are numbered from 0.
    pub fn of(requests: impl IntoIterator<Item = Request>) -> Self {
        let mut trace = Self::default();
        for request in requests {
            trace.keys = trace.keys.max(u64::from(request.key) + 1);
            trace.push(request);
        }
        trace
    }

    /// The log's clock stands still where its time goes back.
    fn push(&mut self, mut request: Request) {
        let before = self.requests.last().map_or(0, |request| request.at_ms);
        self.out_of_order += u64::from(request.at_ms < before);
        request.at_ms = request.at_ms.max(before);
        self.requests.push(request);
    }

    /// Returns the requests in their order.
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// Returns how many keys there are.
    pub const fn keys(&self) -> u64 {
        self.keys
    }

    /// Returns how many requests bear an earlier time than one before them.
    pub const fn out_of_order(&self) -> u64 {
        self.out_of_order
    }
}

/// Reads a log, gzipped or not.
///
/// # Errors
///
/// It cannot be read, or a line is no request.
pub fn read(source: impl Read) -> Result<Trace, TraceError> {
    let mut lines = Lines::of(source, LONGEST_LINE)?;
    let mut reader = Reader::default();
    while let Some((line, text)) = lines.next_line()? {
        let taken = match text {
            Line::Text(text) => reader.take(line, text),
            Line::Long => Err(LineFault::Long),
        };
        taken.map_err(|fault| TraceError::Line { line, fault })?;
    }
    if reader.has_header {
        Ok(reader.trace)
    } else {
        Err(TraceError::Line { line: 1, fault: LineFault::Header })
    }
}

#[derive(Default)]
struct Reader {
    has_header: bool,
    trace: Trace,
    keys: HashMap<Box<str>, u32>,
    users: HashMap<Box<str>, u32>,
}

impl Reader {
    fn take(&mut self, line: u64, text: &[u8]) -> Result<(), LineFault> {
        let text = std::str::from_utf8(text).map_err(|_| LineFault::Text)?;
        let text = text.trim_end_matches(['\r', '\n']);
        if line == 1 {
            let text = text.trim_start_matches('\u{feff}');
            self.has_header = text == HEADER;
            return if self.has_header { Ok(()) } else { Err(LineFault::Header) };
        }
        if self.trace.requests.len() >= MOST_REQUESTS {
            return Err(LineFault::TooMany);
        }
        let [timestamp, user, key, size] = fields(text)?;
        let at_ms = timestamp.parse().map_err(|_| LineFault::Timestamp)?;
        let size_bytes = size.parse().map_err(|_| LineFault::Size)?;
        if key.is_empty() {
            return Err(LineFault::Key);
        }
        let key = number(&mut self.keys, key.into());
        // From 1 on; 0 is nobody.
        let user = if user.is_empty() { 0 } else { number(&mut self.users, user.into()) + 1 };
        self.trace.push(Request { at_ms, key, user: std::num::NonZero::new(user), size_bytes });
        self.trace.keys = self.keys.len() as u64;
        Ok(())
    }
}

/// Numbers names in the order of their first appearance.
pub(super) fn number<N: Eq + Hash>(numbers: &mut HashMap<N, u32>, name: N) -> u32 {
    // As many names as requests at most.
    let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    *numbers.entry(name).or_insert(next)
}

/// Splits a line at its commas, but not within quotation marks (RFC 4180).
fn fields(text: &str) -> Result<[String; 4], LineFault> {
    let mut fields = [const { String::new() }; 4];
    let mut rest = Some(text);
    for field in &mut fields {
        let text = rest.ok_or(LineFault::Fields)?;
        let (value, after) = if let Some(quoted) = text.strip_prefix('"') {
            unquote(quoted)?
        } else {
            match text.split_once(',') {
                Some((value, after)) => (value.to_owned(), Some(after)),
                None => (text.to_owned(), None),
            }
        };
        *field = value;
        rest = after;
    }
    if rest.is_some() { Err(LineFault::Fields) } else { Ok(fields) }
}

/// Reads a field after its opening mark; two marks stand for one.
fn unquote(mut text: &str) -> Result<(String, Option<&str>), LineFault> {
    let mut value = String::new();
    loop {
        let (before, after) = text.split_once('"').ok_or(LineFault::Quote)?;
        value.push_str(before);
        if let Some(more) = after.strip_prefix('"') {
            value.push('"');
            text = more;
        } else if after.is_empty() {
            return Ok((value, None));
        } else {
            let rest = after.strip_prefix(',').ok_or(LineFault::Quote)?;
            return Ok((value, Some(rest)));
        }
    }
}

#[cfg(test)]
#[path = "trace_tests.rs"]
mod tests;
