//! Where one event ends and the next begins.

/// How far the end of an event is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The bytes hold no end.
    Open,
    /// An event, its blank line included, ends with these bytes.
    End,
    /// The line feed of the blank line before, which ended with a carriage return.
    LateLineFeed,
}

/// Finds the blank lines in bytes that come in pieces. Lines end with CRLF, LF or CR (HTML
/// §9.2.6).
#[derive(Debug, Clone, Copy)]
pub(super) struct Boundary {
    is_line_start: bool,
    is_after_return: bool,
    is_event_start: bool,
}

impl Boundary {
    pub(super) const fn new() -> Self {
        Self { is_line_start: true, is_after_return: false, is_event_start: true }
    }

    /// Returns how many bytes lie before the next cut, and what is there.
    pub(super) fn next(&mut self, bytes: &[u8]) -> (usize, Cut) {
        if self.is_event_start && self.is_after_return && bytes.first() == Some(&b'\n') {
            self.is_after_return = false;
            return (1, Cut::LateLineFeed);
        }
        let mut here = 0;
        while let Some(byte) = bytes.get(here).copied() {
            here += 1;
            let is_second = byte == b'\n' && self.is_after_return;
            self.is_after_return = byte == b'\r';
            if is_second {
                continue;
            }
            if !matches!(byte, b'\n' | b'\r') {
                self.is_line_start = false;
                self.is_event_start = false;
                // The rest of the line says nothing of where the event ends.
                let rest = bytes.get(here..).unwrap_or_default();
                let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
                here += rest.iter().position(is_end).unwrap_or(rest.len());
            } else if self.is_line_start {
                self.is_event_start = true;
                return (here, Cut::End);
            } else {
                self.is_line_start = true;
                self.is_event_start = false;
            }
        }
        (here, Cut::Open)
    }
}

/// Gathers the whole events of a stream that comes in pieces. No byte is looked at twice, however
/// small the pieces are.
pub struct WholeEvents {
    boundary: Boundary,
    /// The event that has begun.
    held: Vec<u8>,
}

impl std::fmt::Debug for WholeEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WholeEvents").field("held_bytes", &self.held.len()).finish_non_exhaustive()
    }
}

impl Default for WholeEvents {
    fn default() -> Self {
        Self::new()
    }
}

impl WholeEvents {
    /// Begins a stream.
    pub const fn new() -> Self {
        Self { boundary: Boundary::new(), held: Vec::new() }
    }

    /// Takes the next piece and returns the events that are whole by now, their blank lines included.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let (mut seen, mut whole) = (0, 0);
        while let Some(rest) = piece.get(seen..).filter(|rest| !rest.is_empty()) {
            let (len, cut) = self.boundary.next(rest);
            seen += len;
            if cut != Cut::Open {
                whole = seen;
            }
        }
        let (whole, begun) = piece.split_at_checked(whole).unwrap_or_default();
        if whole.is_empty() {
            self.held.extend_from_slice(begun);
            return Vec::new();
        }
        let mut events = std::mem::replace(&mut self.held, begun.to_vec());
        events.extend_from_slice(whole);
        events
    }

    /// Returns how many bytes the event has that has begun. The caller bounds it, by
    /// [`Self::take_held`].
    pub const fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Returns what has come of the event that has begun; its rest follows with the next ones.
    pub fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

/// Splits the body of a stream into its events.
///
/// Each item holds all lines of an event and the blank line that ends it; a comment with its
/// blank line is an item too, and what no blank line ends is the last one. The items after one
/// another are the body, byte for byte.
pub const fn events(body: &[u8]) -> EventBytes<'_> {
    EventBytes { rest: body }
}

/// The events of a body as they were sent; see [`events`].
#[derive(Clone)]
pub struct EventBytes<'a> {
    rest: &'a [u8],
}

impl std::fmt::Debug for EventBytes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventBytes").field("rest_bytes", &self.rest.len()).finish()
    }
}

impl<'a> Iterator for EventBytes<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let (len, _) = Boundary::new().next(self.rest);
        let (event, after) = self.rest.split_at_checked(len)?;
        let has_line_feed = event.ends_with(b"\r") && after.starts_with(b"\n");
        let (event, rest) = self.rest.split_at_checked(len + usize::from(has_line_feed))?;
        self.rest = rest;
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::upstream::sse::Events;

    #[test]
    fn each_event_keeps_its_blank_line() {
        for (body, expected) in [
            ("", &[][..]),
            ("data: a\n\ndata: b\n\n", &["data: a\n\n", "data: b\n\n"]),
            (": ping\n\nevent: x\ndata: a\n\n", &[": ping\n\n", "event: x\ndata: a\n\n"]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", &["data: a\r\n\r\n", "data: b\r\n\r\n"]),
            ("data: a\r\rdata: b\n\r\n", &["data: a\r\r", "data: b\n\r\n"]),
            ("data: a\n\n\ndata: b", &["data: a\n\n", "\n", "data: b"]),
            ("data: a\n", &["data: a\n"]),
        ] {
            let found: Vec<_> = events(body.as_bytes()).collect();
            let expected: Vec<_> = expected.iter().map(|event| event.as_bytes()).collect();
            assert_eq!(found, expected, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_give_the_events_of_the_whole(
            body in "[a:\n\r]{0,40}",
            cuts in prop::collection::vec(1..6_usize, 1..20),
        ) {
            let ends: Vec<usize> = events(body.as_bytes())
                .scan(0, |end, event| { *end += event.len(); Some(*end) })
                .collect();
            let mut gathered = WholeEvents::new();
            let (mut out, mut rest) = (Vec::new(), body.as_bytes());
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() { break }
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                out.extend(gathered.push(piece));
                rest = after;
                // The line feed of a blank line may come later than its carriage return.
                let awaits_line_feed = out.ends_with(b"\r") && ends.contains(&(out.len() + 1));
                prop_assert!(out.is_empty() || ends.contains(&out.len()) || awaits_line_feed);
                prop_assert_eq!(Boundary::new().next(&gathered.held).1, Cut::Open);
            }
            out.extend(gathered.take_held());
            prop_assert_eq!(out, body.as_bytes());
            prop_assert_eq!(gathered.held_bytes(), 0);
        }

        #[test]
        fn the_items_are_the_body_and_hold_an_event_at_most_each(body in "[a:\n\r]{0,40}(data: b\n\n)?") {
            let items: Vec<_> = events(body.as_bytes()).collect();
            prop_assert_eq!(items.concat(), body.as_bytes());
            let num_events: usize = items.iter().map(|item| Events::new(item).count()).sum();
            prop_assert_eq!(num_events, Events::new(body.as_bytes()).count());
            prop_assert!(items.iter().all(|item| Events::new(item).count() <= 1));
        }
    }
}
