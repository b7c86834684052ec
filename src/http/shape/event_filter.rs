//! Filters of whole events on a stream that comes in pieces.

use std::fmt;

use bytes::Bytes;

use crate::forms::WholeEvents;

/// Longest event that is held until it is whole, in bytes; of a longer one the parts are filtered.
const MAX_HELD: usize = 1 << 20;

/// What is done to whole events; `None` leaves them as they are.
pub type OnEvents = Box<dyn Fn(&[u8]) -> Option<Vec<u8>>>;

/// Takes pieces of a stream, and gives out whole events, filtered.
pub struct EventFilter {
    filter: OnEvents,
    events: WholeEvents,
}

impl fmt::Debug for EventFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventFilter").field("events", &self.events).finish_non_exhaustive()
    }
}

impl EventFilter {
    /// Starts a stream.
    pub const fn new(filter: OnEvents) -> Self {
        Self { filter, events: WholeEvents::new() }
    }

    /// Takes the next piece and returns the events that are whole by now.
    pub fn push(&mut self, piece: &[u8]) -> Bytes {
        let mut events = self.events.push(piece);
        if self.events.held_bytes() > MAX_HELD {
            events.append(&mut self.events.take_held());
        }
        if events.is_empty() { Bytes::new() } else { self.filtered(events) }
    }

    /// Takes the last piece, and returns all that is left.
    pub fn finish(mut self, piece: &[u8]) -> Bytes {
        let mut rest = self.events.push(piece);
        rest.append(&mut self.events.take_held());
        self.filtered(rest)
    }

    fn filtered(&self, events: Vec<u8>) -> Bytes {
        (self.filter)(&events).unwrap_or(events).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fields::FieldMask;
    use super::*;

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(
            numbers in prop::collection::vec(0..100_u8, 0..8),
            end in prop::sample::select(vec!["\n\n", "\r\n\r\n"]),
            cuts in prop::collection::vec(1..20_usize, 1..30),
        ) {
            let events = numbers.iter().map(|n| format!("data: {{\"a\":{n},\"b\":[{n}]}}{end}"));
            let stream: String = events.chain(["data: [DONE]\n\n".to_owned()]).collect();
            let fields = FieldMask::parse("a").unwrap();
            let whole = fields.apply_events(stream.as_bytes());
            let whole = whole.unwrap_or_else(|| stream.clone().into_bytes());
            let mut mask = EventFilter::new(Box::new(move |events| fields.apply_events(events)));
            let (mut out, mut rest) = (Vec::new(), stream.as_bytes());
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() { break }
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                out.extend_from_slice(&mask.push(piece));
                rest = after;
            }
            out.extend_from_slice(&mask.finish(b""));
            prop_assert_eq!(out, whole);
        }
    }

    #[test]
    fn an_event_leaves_as_soon_as_it_is_whole_and_an_endless_one_is_not_held() {
        let fields = FieldMask::parse("a").unwrap();
        let mut mask = EventFilter::new(Box::new(move |events| fields.apply_events(events)));
        assert_eq!(&*mask.push(b"data: {\"a\":1,\"b\":2}\n"), b"");
        assert_eq!(&*mask.push(b"\ndata: "), b"data: {\"a\":1}\n\n");
        assert_eq!(mask.push(&vec![b'x'; MAX_HELD]).len(), MAX_HELD + 6);
    }
}
