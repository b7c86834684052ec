//! `X-Fields` on a stream that comes in pieces.

use bytes::Bytes;

use super::fields::FieldMask;

/// Longest event that is held until it is whole, in bytes; a longer one passes as it is.
const MAX_HELD: usize = 1 << 20;

/// Takes pieces of a stream, and gives out whole events with what is wanted of them.
#[derive(Debug)]
pub struct EventMask {
    fields: FieldMask,
    held: Vec<u8>,
}

impl EventMask {
    /// Starts a stream.
    pub const fn new(fields: FieldMask) -> Self {
        Self { fields, held: Vec::new() }
    }

    /// Takes the next piece and returns the events that are whole by now.
    pub fn push(&mut self, piece: &[u8]) -> Bytes {
        self.held.extend_from_slice(piece);
        let whole_len = match whole_len(&self.held) {
            0 if self.held.len() > MAX_HELD => return std::mem::take(&mut self.held).into(),
            whole_len => whole_len,
        };
        let rest = self.held.split_off(whole_len);
        let events = std::mem::replace(&mut self.held, rest);
        self.wanted(events)
    }

    /// Takes the last piece, and returns all that is left.
    pub fn finish(mut self, piece: &[u8]) -> Bytes {
        self.held.extend_from_slice(piece);
        let rest = std::mem::take(&mut self.held);
        self.wanted(rest)
    }

    fn wanted(&self, events: Vec<u8>) -> Bytes {
        self.fields.apply_events(&events).unwrap_or(events).into()
    }
}

/// Returns how many bytes from the start are whole events: up to the last blank line.
fn whole_len(held: &[u8]) -> usize {
    let ends: [&[u8]; 3] = [b"\n\n", b"\r\n\r\n", b"\r\r"];
    let last = |end: &&[u8]| {
        let at = held.windows(end.len()).rposition(|window| window == *end)?;
        Some(at + end.len())
    };
    ends.iter().filter_map(last).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            let mut mask = EventMask::new(fields);
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
        let mut mask = EventMask::new(FieldMask::parse("a").unwrap());
        assert_eq!(&*mask.push(b"data: {\"a\":1,\"b\":2}\n"), b"");
        assert_eq!(&*mask.push(b"\ndata: "), b"data: {\"a\":1}\n\n");
        assert_eq!(mask.push(&vec![b'x'; MAX_HELD]).len(), MAX_HELD + 6);
    }
}
