//! Where an answer's head ends on the wire, and how its body will be delimited (RFC 9112 §6).
//!
//! awc parses the head itself; this looks ahead, because awc takes an interim answer (1xx) for
//! the final one and an HTTP/1.1 answer without a length for an empty one.

/// What begins the bytes received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// The head is not whole yet.
    Partial,
    /// Not HTTP/1: for the parser to refuse.
    Foreign,
    /// A whole interim head of this many bytes; the final one follows.
    Interim(usize),
    /// A whole final head.
    Whole {
        /// Its length in bytes.
        len: usize,
        /// Content-Length, where it is the framing.
        sized: Option<u64>,
        /// Whether only the connection's close ends the body.
        until_close: bool,
    },
}

/// Looks at the bytes received since the request was sent.
pub(super) fn scan(received: &[u8]) -> Scan {
    const VERSION: &[u8] = b"HTTP/1.";
    let begun = received.get(..VERSION.len()).unwrap_or(received);
    if !VERSION.starts_with(begun) {
        return Scan::Foreign;
    }
    let mut len = 0;
    let mut status = None;
    let mut length = None;
    let mut is_coded = false;
    for line in received.split_inclusive(|byte| *byte == b'\n') {
        if !line.ends_with(b"\n") {
            return Scan::Partial;
        }
        len += line.len();
        let line = line.trim_ascii_end();
        if status.is_none() {
            match status_of(line) {
                Some(code) => status = Some(code),
                None => return Scan::Foreign,
            }
        } else if line.is_empty() {
            return whole(len, status.unwrap_or(0), length, is_coded);
        } else if let Some(value) = value_of(line, b"content-length") {
            length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            // Not a number: the parser refuses it; nothing here may guess.
            is_coded |= length.is_none();
        } else if value_of(line, b"transfer-encoding").is_some() {
            is_coded = true;
        }
    }
    Scan::Partial
}

fn whole(len: usize, status: u16, length: Option<u64>, is_coded: bool) -> Scan {
    if (100..200).contains(&status) && status != 101 {
        return Scan::Interim(len);
    }
    let has_body = !matches!(status, 101 | 204 | 304);
    Scan::Whole {
        len,
        sized: length.filter(|_| has_body && !is_coded),
        until_close: has_body && !is_coded && length.is_none(),
    }
}

fn status_of(line: &[u8]) -> Option<u16> {
    std::str::from_utf8(line.get(9..12)?).ok()?.parse().ok()
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(line.iter().position(|byte| *byte == b':')?)?;
    found
        .trim_ascii_end()
        .eq_ignore_ascii_case(name)
        .then(|| value.strip_prefix(b":").unwrap_or(value).trim_ascii())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_framing_of_a_body_follows_rfc_9112() {
        let sized = |n| (Some(n), false);
        for (head, (length, close)) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", sized(5)),
            ("HTTP/1.1 200 OK\nCONTENT-LENGTH : 5 \n\n", sized(5)),
            ("HTTP/1.1 200 \r\nA: b\r\n\r\n", (None, true)),
            ("HTTP/1.0 200 OK\r\n\r\n", (None, true)),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", (None, false)),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
                (None, false),
            ),
            ("HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\n", (None, false)),
            ("HTTP/1.1 204 No Content\r\n\r\n", (None, false)),
            ("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", (None, false)),
        ] {
            let expected = Scan::Whole { len: head.len(), sized: length, until_close: close };
            assert_eq!(scan(head.as_bytes()), expected, "{head}");
            let more = format!("{head}more\n\n");
            assert_eq!(scan(more.as_bytes()), expected, "{more}");
            for end in 0..head.len() {
                assert_eq!(scan(&head.as_bytes()[..end]), Scan::Partial, "{end} of {head}");
            }
        }
    }

    #[test]
    fn interim_answers_are_told_from_final_ones() {
        let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
        assert_eq!(scan(interim.as_bytes()), Scan::Interim(interim.len()));
        let switch = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
        assert!(matches!(scan(switch.as_bytes()), Scan::Whole { until_close: false, .. }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at_without_harm_and_never_beyond_their_end(
            begun in prop::sample::select(vec!["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 C\n"]),
            rest in prop::collection::vec(prop::sample::select(b"a:\r\n 5".to_vec()), 0..40),
        ) {
            let bytes = [begun.as_bytes(), &rest].concat();
            if let Scan::Whole { len, .. } | Scan::Interim(len) = scan(&bytes) {
                prop_assert!(len <= bytes.len());
                prop_assert!(bytes[..len].ends_with(b"\n"));
                // What follows the head changes nothing.
                prop_assert_eq!(scan(&bytes[..len]), scan(&bytes));
            }
        }
    }

    #[test]
    fn what_is_not_http_1_is_left_to_the_parser() {
        for bytes in ["GARBAGE", "HTTP/2 200\r\n", "HTTP/1.1 abc\r\n", "HTTP/1.1\r\n", "\x16\x03"] {
            assert_eq!(scan(bytes.as_bytes()), Scan::Foreign, "{bytes}");
        }
    }
}
