//! Hiding a stream's `usage` from a caller who did not ask for it.

use std::borrow::Cow;
use std::ops::Range;

use super::json::Raw;
use super::split::{Boundary, Cut};

/// Largest event that is looked into, in bytes. A larger one passes untouched, so that no more
/// is ever held back.
pub const MAX_HELD_BYTES: usize = 1024 * 1024;

/// Takes `usage` out of a stream that passes in pieces: the event without choices that holds it,
/// and the member from all others. Every other byte passes as it came.
///
/// Law: what comes out does not depend on where the pieces end. An event passes as soon as its
/// blank line is there; at most [`MAX_HELD_BYTES`] of an incomplete one are held back.
///
/// Only for streams whose caller did not ask for usage: it cannot tell what a provider would
/// have said unasked.
pub struct UsageFilter {
    boundary: Boundary,
    /// The event that has begun.
    held: Vec<u8>,
    /// Whether the event that has begun is too large to be looked into.
    is_passing: bool,
    was_dropped: bool,
}

impl std::fmt::Debug for UsageFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UsageFilter")
            .field("held_bytes", &self.held.len())
            .field("is_passing", &self.is_passing)
            .finish_non_exhaustive()
    }
}

impl Default for UsageFilter {
    fn default() -> Self {
        Self::new()
    }
}

impl UsageFilter {
    /// Begins a stream.
    pub const fn new() -> Self {
        Self { boundary: Boundary::new(), held: Vec::new(), is_passing: false, was_dropped: false }
    }

    /// Takes the next piece and returns what may pass: whole events.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = piece;
        while !rest.is_empty() {
            let (len, cut) = self.boundary.next(rest);
            let Some((bytes, after)) = rest.split_at_checked(len) else { break };
            rest = after;
            match cut {
                Cut::Open => self.hold(bytes, &mut out),
                Cut::End => self.end(bytes, &mut out),
                Cut::LateLineFeed if self.was_dropped => {}
                Cut::LateLineFeed => out.extend_from_slice(bytes),
            }
        }
        out
    }

    /// Ends the stream and returns what was held back; an event that no blank line ended counts
    /// as one.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.end(b"", &mut out);
        self.boundary = Boundary::new();
        out
    }

    fn hold(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if !self.is_passing && self.held.len() + bytes.len() > MAX_HELD_BYTES {
            self.is_passing = true;
            out.append(&mut self.held);
            self.held.shrink_to_fit();
        }
        if self.is_passing { out } else { &mut self.held }.extend_from_slice(bytes);
    }

    fn end(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.was_dropped = false;
        if self.is_passing || self.held.len() + bytes.len() > MAX_HELD_BYTES {
            out.append(&mut self.held);
            out.extend_from_slice(bytes);
        } else if self.held.is_empty() {
            self.was_dropped = !pass(bytes, out);
        } else {
            self.held.extend_from_slice(bytes);
            self.was_dropped = !pass(&self.held, out);
            self.held.clear();
        }
        self.is_passing = false;
    }
}

/// Returns a whole stream without `usage`; see [`UsageFilter`].
pub fn without_usage(events: &[u8]) -> Vec<u8> {
    let mut filter = UsageFilter::new();
    let mut out = filter.push(events);
    out.append(&mut filter.finish());
    out
}

/// Writes an event without `usage`; tells whether it passes at all.
fn pass(event: &[u8], out: &mut Vec<u8>) -> bool {
    let hidden = match hidden(event) {
        Hidden::Nothing => Vec::new(),
        Hidden::Parts(parts) => parts,
        Hidden::All => return false,
    };
    let mut from = 0;
    for part in hidden {
        out.extend_from_slice(event.get(from..part.start).unwrap_or_default());
        from = part.end;
    }
    out.extend_from_slice(event.get(from..).unwrap_or_default());
    true
}

/// What of an event the caller does not see.
enum Hidden {
    Nothing,
    /// Bytes of it, in order.
    Parts(Vec<Range<usize>>),
    All,
}

fn hidden(event: &[u8]) -> Hidden {
    const NAME: &[u8] = b"\"usage\"";
    // Most events say nothing of it, and need not be read.
    if !event.windows(NAME.len()).any(|window| window == NAME) {
        return Hidden::Nothing;
    }
    let lines = data_lines(event);
    let data = join(event, &lines);
    let Ok(chunk) = Raw::read(&data) else { return Hidden::Nothing };
    let has_choices = chunk
        .member("choices")
        .is_none_or(|choices| !choices.is_null() && choices.elements().next().is_some());
    let has_usage = chunk.present("usage").is_some();
    if has_usage && !has_choices {
        return Hidden::All;
    }
    // Ranges of the data become ranges of the lines that it came in.
    let mut parts = Vec::new();
    for range in usage_ranges(chunk) {
        let mut line_start = 0;
        for line in &lines {
            let from = range.start.max(line_start);
            let to = range.end.min(line_start + line.len());
            if from < to {
                let shift = line.start;
                parts.push(shift + from - line_start..shift + to - line_start);
            }
            line_start += line.len() + 1;
        }
    }
    Hidden::Parts(parts)
}

/// Returns where the member `usage` stands, with the comma that goes with it.
fn usage_ranges(chunk: Raw<'_>) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    // End of the last member that stays.
    let mut kept_end = None;
    let mut before_end = 0;
    let mut leading_from = None;
    for member in chunk.members() {
        if let Some(from) = leading_from.take() {
            // Without a member in front that stays, the comma behind goes.
            ranges.push(from..member.at);
        }
        let end = member.value.end();
        if member.name != "usage" {
            kept_end = Some(end);
        } else if kept_end.is_some() {
            ranges.push(before_end..end);
        } else {
            leading_from = Some(member.at);
        }
        before_end = end;
    }
    if let Some(from) = leading_from {
        ranges.push(from..before_end);
    }
    ranges
}

/// Returns where the values of an event's `data` fields stand.
fn data_lines(event: &[u8]) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = if event.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while let Some(rest) = event.get(start..).filter(|rest| !rest.is_empty()) {
        let len = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        let line = rest.get(..len).unwrap_or_default();
        if line == b"data" {
            lines.push(start + len..start + len);
        } else if let Some(value) = line.strip_prefix(b"data:") {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            lines.push(start + len - value.len()..start + len);
        }
        // A CRLF makes an empty line here, which says nothing.
        start += len + 1;
    }
    lines
}

/// Returns an event's data: the lines with line feeds between them.
fn join<'e>(event: &'e [u8], lines: &[Range<usize>]) -> Cow<'e, [u8]> {
    let mut values = lines.iter().map(|line| event.get(line.clone()).unwrap_or_default());
    match lines {
        [_] => Cow::Borrowed(values.next().unwrap_or_default()),
        _ => Cow::Owned(values.collect::<Vec<_>>().join(&b'\n')),
    }
}

#[cfg(test)]
#[path = "usage_filter_tests.rs"]
mod tests;
