//! Strings: one spelling for each, and the order of names.

use std::cmp::Ordering;

use super::JsonError;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Copies the string whose opening quote is at `at` to `out`, in canonical spelling, and returns
/// the position after its closing quote.
pub(super) fn copy_string(body: &[u8], at: usize, out: &mut Vec<u8>) -> Result<usize, JsonError> {
    // Bytes from `run` on are canonical as they stand, the opening quote included.
    let mut run = at;
    let mut here = at + 1;
    loop {
        here += plain_len(body.get(here..).unwrap_or_default());
        match body.get(here) {
            Some(b'"') => {
                here += 1;
                out.extend_from_slice(body.get(run..here).unwrap_or_default());
                return Ok(here);
            }
            Some(b'\\') => match body.get(here + 1) {
                Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => here += 2,
                Some(b'/') => {
                    out.extend_from_slice(body.get(run..here).unwrap_or_default());
                    run = here + 1;
                    here += 2;
                }
                Some(b'u') => {
                    out.extend_from_slice(body.get(run..here).unwrap_or_default());
                    here = copy_unicode_escape(body, here, out)?;
                    run = here;
                }
                _ => return Err(JsonError::new(here, "an unknown escape")),
            },
            Some(_) => return Err(JsonError::new(here, "a raw control character in a string")),
            None => return Err(JsonError::new(here, "the body ends in a string")),
        }
    }
}

/// Writes what the `\uXXXX` at `at` means, both halves of a pair at once, and returns the
/// position after it.
fn copy_unicode_escape(body: &[u8], at: usize, out: &mut Vec<u8>) -> Result<usize, JsonError> {
    let malformed = JsonError::new(at, "a \\u escape without four hexadecimal digits");
    let unit = hex_unit(body, at + 2).ok_or(malformed)?;
    let after = at + 6;
    if (0xd800..0xdc00).contains(&unit)
        && body.get(after) == Some(&b'\\')
        && body.get(after + 1) == Some(&b'u')
        && let Some(low) = hex_unit(body, after + 2)
        && let Some(Ok(character)) = char::decode_utf16([unit, low]).next()
    {
        push_char(out, character);
        return Ok(after + 6);
    }
    match char::from_u32(u32::from(unit)) {
        Some('"') => out.extend_from_slice(b"\\\""),
        Some('\\') => out.extend_from_slice(b"\\\\"),
        Some('\u{8}') => out.extend_from_slice(b"\\b"),
        Some('\t') => out.extend_from_slice(b"\\t"),
        Some('\n') => out.extend_from_slice(b"\\n"),
        Some('\u{c}') => out.extend_from_slice(b"\\f"),
        Some('\r') => out.extend_from_slice(b"\\r"),
        Some(character) if character >= ' ' => push_char(out, character),
        // A control character without a short escape, or half of a pair.
        _ => out.extend_from_slice(format!("\\u{unit:04x}").as_bytes()),
    }
    Ok(after)
}

fn push_char(out: &mut Vec<u8>, character: char) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn hex_unit(body: &[u8], at: usize) -> Option<u16> {
    body.get(at..at + 4)?.iter().try_fold(0_u16, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

/// Returns how many bytes come before the first quote, backslash or control character.
///
/// Looks at eight bytes at once: in each test the lowest flagged byte is exact, because a
/// borrow can only raise flags above one that is already up.
pub(crate) fn plain_len(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (num_words, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * 0x22);
        let backslash = word ^ (ONES * 0x5c);
        let flags = word.wrapping_sub(ONES * 0x20) & !word
            | quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash;
        let byte = (flags & HIGHS).trailing_zeros() / 8;
        if byte < 8 {
            return num_words * 8 + byte as usize;
        }
    }
    let num_plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count();
    words.len() * 8 + num_plain
}

/// Orders two names, in canonical spelling without quotes, by the UTF-16 code units of what
/// they mean (RFC 8785 §3.2.3).
pub(super) fn order(one: &[u8], other: &[u8]) -> Ordering {
    if one.contains(&b'\\') || other.contains(&b'\\') {
        return units(one).cmp(units(other));
    }
    match one.iter().zip(other).find(|(one, other)| one != other) {
        Some((one, other)) => (plane(*one), one).cmp(&(plane(*other), other)),
        None => one.len().cmp(&other.len()),
    }
}

/// UTF-8 sorts as UTF-16 does, but that surrogates (of what begins with 0xf0 and above) precede
/// U+E000 to U+FFFF (0xee and 0xef).
const fn plane(first_byte: u8) -> u8 {
    match first_byte {
        0..0xee => 0,
        0xf0.. => 1,
        _ => 2,
    }
}

fn units(name: &[u8]) -> impl Iterator<Item = u16> {
    // The whole body is valid UTF-8, and so is what was written from it.
    let mut spelled = std::str::from_utf8(name).unwrap_or_default().encode_utf16();
    std::iter::from_fn(move || {
        let unit = spelled.next()?;
        if unit != u16::from(b'\\') {
            return Some(unit);
        }
        let escape = spelled.next()?;
        Some(match u8::try_from(escape) {
            Ok(b'b') => 0x08,
            Ok(b't') => 0x09,
            Ok(b'n') => 0x0a,
            Ok(b'f') => 0x0c,
            Ok(b'r') => 0x0d,
            Ok(b'u') => spelled.by_ref().take(4).fold(0, |sum, digit| sum << 4 | hex_value(digit)),
            _ => escape,
        })
    })
}

fn hex_value(digit: u16) -> u16 {
    char::from_u32(u32::from(digit))
        .and_then(|digit| digit.to_digit(16))
        .and_then(|value| u16::try_from(value).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_are_ordered_by_their_utf_16_code_units(
            one in "[a\u{ed00}\u{e000}\u{ffff}\u{10000}\u{10ffff}é]{0,3}",
            other in "[a\u{ed00}\u{e000}\u{ffff}\u{10000}\u{10ffff}é]{0,3}",
        ) {
            let expected = one.encode_utf16().cmp(other.encode_utf16());
            prop_assert_eq!(order(one.as_bytes(), other.as_bytes()), expected);
            prop_assert_eq!(units(one.as_bytes()).cmp(units(other.as_bytes())), expected);
        }

        #[test]
        fn eight_bytes_at_once_find_what_one_at_a_time_finds(
            bytes in prop::collection::vec(prop_oneof![Just(b'a'), Just(0x21), any::<u8>()], 0..40),
        ) {
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let expected = bytes.iter().position(is_special).unwrap_or(bytes.len());
            prop_assert_eq!(plain_len(&bytes), expected);
        }
    }
}
