//! The data of server-sent events, changed in place (HTML §9.2.6).

use std::borrow::Cow;
use std::ops::Range;

/// Puts what `change` makes of each event's data in the place of that data.
///
/// Takes whole events: one, several, or a whole stream. All other lines, comments among them, stay
/// as they are; what comes after the last blank line counts as an event. Data of several lines
/// is joined by line feeds first. `None` where nothing changed.
pub(super) fn change_data(
    body: &[u8],
    change: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut pass = Pass { body, change, lines: Vec::new(), copied: 0, out: None };
    let mut at = if body.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while let Some(line) = Line::at(body, at) {
        at = line.whole.end;
        if line.is_blank {
            pass.end_event();
        } else if line.is_data {
            pass.lines.push(line);
        }
    }
    pass.end_event();
    pass.into_changed()
}

/// Where a line and its parts lie.
struct Line {
    /// With its end.
    whole: Range<usize>,
    /// What follows the field's colon and one space.
    value: Range<usize>,
    is_data: bool,
    is_blank: bool,
}

impl Line {
    fn at(body: &[u8], start: usize) -> Option<Self> {
        let rest = body.get(start..).filter(|rest| !rest.is_empty())?;
        let num_bytes = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let (text, after) = rest.split_at_checked(num_bytes.unwrap_or(rest.len()))?;
        let end_len = usize::from(!after.is_empty()) + usize::from(after.starts_with(b"\r\n"));
        let value =
            text.strip_prefix(b"data:").map(|value| value.strip_prefix(b" ").unwrap_or(value));
        let is_data = value.is_some() || text == b"data";
        let end = start + text.len();
        let value = end - value.unwrap_or_default().len()..end;
        Some(Self { whole: start..end + end_len, value, is_data, is_blank: text.is_empty() })
    }
}

struct Pass<'a, F> {
    body: &'a [u8],
    change: F,
    /// The data lines of the event that is being read.
    lines: Vec<Line>,
    /// How much of the body is in `out`, or was replaced there.
    copied: usize,
    out: Option<Vec<u8>>,
}

impl<'a, F: FnMut(&[u8]) -> Option<Vec<u8>>> Pass<'a, F> {
    fn end_event(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let data = match lines.as_slice() {
            [] => return,
            [line] => Cow::Borrowed(self.part(line.value.clone())),
            lines => {
                let values: Vec<_> =
                    lines.iter().map(|line| self.part(line.value.clone())).collect();
                Cow::Owned(values.join(&b'\n'))
            }
        };
        let Some(changed) = (self.change)(&data) else { return };
        let mut out = self.out.take().unwrap_or_else(|| Vec::with_capacity(self.body.len()));
        for (number, line) in lines.iter().enumerate() {
            out.extend_from_slice(self.part(self.copied..line.whole.start));
            self.copied = line.whole.end;
            if number == 0 {
                let end = self.part(line.value.end..line.whole.end);
                push_data(&changed, end, &mut out);
            }
        }
        self.out = Some(out);
    }

    fn part(&self, range: Range<usize>) -> &'a [u8] {
        self.body.get(range).unwrap_or_default()
    }

    fn into_changed(self) -> Option<Vec<u8>> {
        let rest = self.part(self.copied..self.body.len());
        let mut out = self.out?;
        out.extend_from_slice(rest);
        Some(out)
    }
}

/// Writes `data` as one `data` field a line, each with `end`.
fn push_data(data: &[u8], end: &[u8], out: &mut Vec<u8>) {
    for (number, line) in data.split(|byte| *byte == b'\n').enumerate() {
        if number > 0 && end.is_empty() {
            out.push(b'\n');
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.extend_from_slice(end);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn upper(data: &[u8]) -> Option<Vec<u8>> {
        let changed = data.to_ascii_uppercase();
        (changed != data).then_some(changed)
    }

    fn changed(body: &str) -> Option<String> {
        change_data(body.as_bytes(), upper).map(|changed| String::from_utf8(changed).unwrap())
    }

    #[test]
    fn only_data_is_changed_and_line_ends_stay() {
        let cases = [
            ("data: a\n\n", "data: A\n\n"),
            ("data:a\r\n\r\n", "data: A\r\n\r\n"),
            ("data: a\r\rdata: b\r\r", "data: A\r\rdata: B\r\r"),
            ("event: a\ndata: b\nid: c\n\n", "event: a\ndata: B\nid: c\n\n"),
            (": ping\n\ndata: a\n\n: ping\n\n", ": ping\n\ndata: A\n\n: ping\n\n"),
            ("data: a\nid: x\ndata: b\n\n", "data: A\ndata: B\nid: x\n\n"),
            ("data: a\ndata\ndata: b\n\n", "data: A\ndata: \ndata: B\n\n"),
            ("data: 1\n\ndata: a\n\n", "data: 1\n\ndata: A\n\n"),
            ("\u{feff}data: a\n\n", "\u{feff}data: A\n\n"),
            ("data: a", "data: A"),
            ("data: a\ndata: b", "data: A\ndata: B\n"),
        ];
        for (body, expected) in cases {
            assert_eq!(changed(body).as_deref(), Some(expected), "{body:?}");
        }
    }

    #[test]
    fn a_body_without_anything_to_change_is_not_copied() {
        for body in ["", "\n\n", ": data: a\n\n", "data: [1]\n\n", "datas: a\n\n", "data\n\n"] {
            assert_eq!(changed(body), None, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_passed_without_harm(
            body in prop::collection::vec(
                prop_oneof![
                    any::<u8>().prop_map(|byte| vec![byte]),
                    prop::sample::select(vec![&b"data: a"[..], b"\n", b"\r\n", b"data"])
                        .prop_map(<[u8]>::to_vec),
                ],
                0..40,
            ),
        ) {
            let body = body.concat();
            prop_assert_eq!(change_data(&body, |_| None), None);
            let again = change_data(&body, |data| Some(data.to_vec())).unwrap_or(body.clone());
            let data_of = |body: &[u8]| {
                let mut all = Vec::new();
                change_data(body, |data| {
                    all.push(data.to_vec());
                    None
                });
                all
            };
            prop_assert_eq!(data_of(&again), data_of(&body));
        }
    }
}
