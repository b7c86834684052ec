//! Events of a whole event stream, by the rules of the WHATWG standard (HTML §9.2.6).

use std::borrow::Cow;

/// One event that has data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// Value of the last `event` field; empty where there is none.
    pub name: &'a [u8],
    /// Values of the `data` fields, joined by line feeds.
    pub data: Cow<'a, [u8]>,
}

/// The events of a body, in order. Comments, keep-alives and events without data are skipped.
///
/// Lines end with CRLF, LF or CR. An event that no blank line ends is not given out;
/// [`Events::is_whole`] tells of it afterwards.
#[derive(Debug, Clone)]
pub struct Events<'a> {
    rest: &'a [u8],
    is_cut: bool,
}

impl<'a> Events<'a> {
    /// Reads `body` from its start; a byte order mark is skipped.
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body), is_cut: false }
    }

    /// Tells, once all events have been read, whether the body ended between two of them.
    pub const fn is_whole(&self) -> bool {
        self.rest.is_empty() && !self.is_cut
    }

    /// Returns the next line that has an end.
    fn line(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.strip_prefix(b"\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
        Some(line)
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        let mut name: &[u8] = b"";
        let mut data: Option<Cow<'a, [u8]>> = None;
        while let Some(line) = self.line() {
            if line.is_empty() {
                match data {
                    Some(data) => return Some(Event { name, data }),
                    None => name = b"",
                }
                continue;
            }
            let (field, value) = split_field(line);
            match field {
                b"event" => name = value,
                b"data" => {
                    data = Some(match data.take() {
                        None => Cow::Borrowed(value),
                        Some(mut lines) => {
                            lines.to_mut().push(b'\n');
                            lines.to_mut().extend_from_slice(value);
                            lines
                        }
                    });
                }
                _ => {}
            }
        }
        self.is_cut |= data.is_some() || !name.is_empty();
        None
    }
}

/// Splits a line at its first colon; one space after it is no part of the value. A comment has
/// an empty name.
fn split_field(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return (line, b"") };
    let (field, value) = line.split_at_checked(colon).unwrap_or((line, b""));
    let value = value.get(1..).unwrap_or_default();
    (field, value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A body, the names and data of its events, whether it is whole.
    type Case = (&'static str, &'static [(&'static str, &'static str)], bool);

    fn read(body: &str) -> (Vec<(String, String)>, bool) {
        let mut events = Events::new(body.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let all = events.by_ref().map(|event| (text(event.name), text(&event.data))).collect();
        (all, events.is_whole())
    }

    /// A-26: role-only first chunks, comments and keep-alives are part of life.
    #[test]
    fn events_are_read_by_the_rules_of_the_standard() {
        let cases: [Case; 17] = [
            ("", &[], true),
            ("data: a\n\n", &[("", "a")], true),
            ("data:a\n\ndata:  b\n\n", &[("", "a"), ("", " b")], true),
            ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", &[("", "a"), ("", "b"), ("", "c")], true),
            ("data: a\ndata\ndata: b\n\n", &[("", "a\n\nb")], true),
            ("data:\n\n", &[("", "")], true),
            ("event: x\ndata: a\nid: 7\nretry: 5\n\ndata: b\n\n", &[("x", "a"), ("", "b")], true),
            ("event: x\nevent: y\ndata: a\n\n", &[("y", "a")], true),
            (": keep-alive\n\n:\n\ndata: a\n\n", &[("", "a")], true),
            ("event: ping\n\ndata: a\n\n", &[("", "a")], true),
            ("\u{feff}data: a\n\n", &[("", "a")], true),
            ("data: {\"a\":\"b: c\"}\n\n\n\n", &[("", "{\"a\":\"b: c\"}")], true),
            ("unknown: a\n\n", &[], true),
            ("data: a\n\ndata: b\n", &[("", "a")], false),
            ("data: a\n\ndata: b", &[("", "a")], false),
            ("data: a\n\nevent: x\n", &[("", "a")], false),
            ("data: a\n\n: com", &[("", "a")], false),
        ];
        for (body, events, is_whole) in cases {
            let events: Vec<(String, String)> =
                events.iter().map(|(name, data)| (name.to_string(), data.to_string())).collect();
            assert_eq!(read(body), (events, is_whole), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back_whatever_ends_the_lines(
            events in prop::collection::vec(("[a-z.]{0,8}", "[ -~]{0,12}(\n[ -~]{0,12}){0,2}"), 0..6),
            end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        ) {
            let mut body = String::new();
            for (name, data) in &events {
                body += &format!(": comment{end}");
                if !name.is_empty() {
                    body += &format!("event: {name}{end}");
                }
                for line in data.split('\n') {
                    body += &format!("data: {line}{end}");
                }
                body += end;
            }
            prop_assert_eq!(read(&body), (events, true));
        }

        #[test]
        fn any_bytes_are_read_without_harm(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let num_lines = body.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
            prop_assert!(Events::new(&body).count() <= num_lines);
        }
    }
}
