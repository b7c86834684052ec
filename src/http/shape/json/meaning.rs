//! What a spelled string means, and how to spell a meaning.

use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Returns the bytes that the string token `spelled` means, without its quotes.
///
/// UTF-8, but that half of a surrogate pair stands as the three bytes it would have there.
pub(crate) fn meaning(spelled: &[u8]) -> Cow<'_, [u8]> {
    let inner = spelled.strip_prefix(b"\"").unwrap_or(spelled);
    let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut meant = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(plain) = rest.iter().position(|byte| *byte == b'\\') {
        let (before, escape) = rest.split_at_checked(plain).unwrap_or((rest, b""));
        meant.extend_from_slice(before);
        rest = unescape(escape, &mut meant);
    }
    meant.extend_from_slice(rest);
    Cow::Owned(meant)
}

/// Writes what the escape that `text` begins with means, and returns what follows it.
fn unescape<'a>(text: &'a [u8], meant: &mut Vec<u8>) -> &'a [u8] {
    let (byte, rest) = match text {
        [b'\\', b'u', rest @ ..] => return unescape_unit(rest, meant),
        [b'\\', b'b', rest @ ..] => (0x08, rest),
        [b'\\', b't', rest @ ..] => (b'\t', rest),
        [b'\\', b'n', rest @ ..] => (b'\n', rest),
        [b'\\', b'f', rest @ ..] => (0x0c, rest),
        [b'\\', b'r', rest @ ..] => (b'\r', rest),
        [b'\\', byte, rest @ ..] => (*byte, rest),
        _ => return b"",
    };
    meant.push(byte);
    rest
}

/// As [`unescape`], after `\u`: takes both halves of a pair at once.
fn unescape_unit<'a>(text: &'a [u8], meant: &mut Vec<u8>) -> &'a [u8] {
    let (high, rest) = unit(text);
    if let Some(after) = rest.strip_prefix(b"\\u") {
        let (low, after) = unit(after);
        if let (0xd800..0xdc00, Some(Ok(pair))) = (high, char::decode_utf16([high, low]).next()) {
            meant.extend_from_slice(pair.encode_utf8(&mut [0; 4]).as_bytes());
            return after;
        }
    }
    match char::from_u32(u32::from(high)) {
        Some(alone) => meant.extend_from_slice(alone.encode_utf8(&mut [0; 4]).as_bytes()),
        None => {
            let [upper, lower] = high.to_be_bytes();
            let second = 0x80 | (upper & 0x0f) << 2 | lower >> 6;
            meant.extend_from_slice(&[0xed, second, 0x80 | lower & 0x3f]);
        }
    }
    rest
}

/// Reads four hexadecimal digits, which the walk has checked.
fn unit(text: &[u8]) -> (u16, &[u8]) {
    let (digits, rest) = text.split_at_checked(4).unwrap_or((text, b""));
    let value = digits.iter().fold(0_u16, |sum, digit| {
        let digit = char::from(*digit).to_digit(16).unwrap_or(0);
        sum << 4 | u16::try_from(digit).unwrap_or(0)
    });
    (value, rest)
}

/// Appends `meant` to `out` as a string token, with its quotes; undoes [`meaning`].
pub(crate) fn spell(meant: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = meant;
    while let Some((byte, after)) = rest.split_first() {
        match (byte, after) {
            (b'"' | b'\\', _) => out.extend_from_slice(&[b'\\', *byte]),
            (b'\n', _) => out.extend_from_slice(b"\\n"),
            (b'\r', _) => out.extend_from_slice(b"\\r"),
            (b'\t', _) => out.extend_from_slice(b"\\t"),
            (0..0x20, _) => push_unit(0x00, *byte, out),
            // Half of a pair has no UTF-8.
            (0xed, [second @ 0xa0..0xc0, third @ 0x80..0xc0, after @ ..]) => {
                push_unit(0xd0 | (second >> 2 & 0x0f), second << 6 | third & 0x3f, out);
                rest = after;
                continue;
            }
            _ => out.push(*byte),
        }
        rest = after;
    }
    out.push(b'"');
}

fn push_unit(upper: u8, lower: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u");
    for digit in [upper >> 4, upper & 0x0f, lower >> 4, lower & 0x0f] {
        out.push(HEX.get(usize::from(digit)).copied().unwrap_or(b'0'));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_mean_what_the_standard_says() {
        let cases: [(&str, &[u8]); 8] = [
            (r#""plain é""#, "plain é".as_bytes()),
            (r#""\"\\\/\b\f\n\r\t""#, b"\"\\/\x08\x0c\n\r\t"),
            (r#""\u0041\u00e9\u20AC""#, "Aé€".as_bytes()),
            (r#""\ud83d\ude00!""#, "😀!".as_bytes()),
            (r#""\ud83d!""#, b"\xed\xa0\xbd!"),
            (r#""\ude00\ud83d""#, b"\xed\xb8\x80\xed\xa0\xbd"),
            (r#""\ud83d\u0041""#, b"\xed\xa0\xbdA"),
            (r#""""#, b""),
        ];
        for (spelled, meant) in cases {
            assert_eq!(meaning(spelled.as_bytes()), meant, "{spelled}");
            let mut again = Vec::new();
            spell(meant, &mut again);
            assert_eq!(meaning(&again), meant, "{spelled}");
        }
    }

    proptest! {
        #[test]
        fn a_string_means_what_serde_json_reads(text in any::<String>()) {
            let spelled = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(&meaning(spelled.as_bytes())[..], text.as_bytes());
            let mut again = Vec::new();
            spell(text.as_bytes(), &mut again);
            prop_assert_eq!(serde_json::from_slice::<String>(&again).unwrap(), text);
        }

        #[test]
        fn units_are_spelled_as_they_were(units in prop::collection::vec(any::<u16>(), 0..6)) {
            let spelled: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let spelled = format!("\"{spelled}\"");
            let mut again = Vec::new();
            spell(&meaning(spelled.as_bytes()), &mut again);
            prop_assert_eq!(meaning(&again), meaning(spelled.as_bytes()));
        }

        #[test]
        fn any_bytes_are_read_and_spelled_without_harm(
            bytes in prop::collection::vec(
                prop_oneof![Just(b'\\'), Just(b'u'), any::<u8>()],
                0..40,
            ),
        ) {
            let mut out = Vec::new();
            spell(&meaning(&bytes), &mut out);
        }
    }
}
