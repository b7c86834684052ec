//! Header fields as the deciders see them, and the pieces of syntax that several fields share.

/// One field line: its name in lower case, its value as received.
pub type Field<'a> = (&'a str, &'a [u8]);

/// Field lines in the order received, walked as often as needed.
pub trait Fields<'a>: Iterator<Item = Field<'a>> + Clone {}

impl<'a, I: Iterator<Item = Field<'a>> + Clone> Fields<'a> for I {}

/// The longest time a number of seconds can mean: 2^31, some 68 years (RFC 9111 §1.2.2).
pub const FOREVER_S: u32 = 1 << 31;

/// Returns the values of `name`, trimmed, in the order received.
pub(super) fn values<'a>(fields: impl Fields<'a>, name: &str) -> impl Iterator<Item = &'a [u8]> {
    fields.filter(move |(other, _)| *other == name).map(|(_, value)| trim_ows(value))
}

/// Returns the first value of `name`, trimmed.
pub(super) fn first<'a>(fields: impl Fields<'a>, name: &str) -> Option<&'a [u8]> {
    values(fields, name).next()
}

/// Tells whether there is a line of this name.
pub(super) fn has<'a>(mut fields: impl Fields<'a>, name: &str) -> bool {
    fields.any(|(other, _)| other == name)
}

/// Removes spaces and tabs at both ends (RFC 9110 §5.6.3).
pub(super) const fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Cuts the first member off a list, and its comma; a comma within a quoted string is no end
/// (RFC 9110 §5.6.1, §5.6.4). `None` where a quoted string never ends.
pub(super) fn cut_member(list: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in list.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => {
                let (member, rest) = list.split_at_checked(at)?;
                return Some((member, rest.get(1..)?));
            }
            _ => {}
        }
    }
    (!is_quoted).then_some((list, &[]))
}

/// Cuts at the first comma, whatever stands before it.
pub(super) fn cut_at_comma(list: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = list.splitn(2, |byte| *byte == b',');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// Returns the members of a list of tokens, trimmed, empty ones left out.
pub(super) fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').map(trim_ows).filter(|member| !member.is_empty())
}

/// Returns a field name in lower case; `None` where it is no token (RFC 9110 §5.1, §5.6.2).
pub(super) fn field_name(bytes: &[u8]) -> Option<Box<str>> {
    let text = std::str::from_utf8(bytes).ok().filter(|_| is_token(bytes))?;
    Some(text.to_ascii_lowercase().into())
}

/// Tells whether the bytes are a token (RFC 9110 §5.6.2).
pub(super) fn is_token(bytes: &[u8]) -> bool {
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_sign)
}

/// Reads a number of seconds, at most [`FOREVER_S`]; `None` for anything but digits.
///
/// Rule: RFC 9111 §1.2.2, a number too large to represent counts as 2^31.
pub(super) fn delta_seconds(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = bytes.iter().fold(0_u64, |sum, digit| {
        sum.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0')))
    });
    Some(u32::try_from(seconds).unwrap_or(FOREVER_S).min(FOREVER_S))
}

/// Turns seconds into milliseconds.
pub(super) const fn ms(seconds: u32) -> u64 {
    // Cannot overflow: 2^32 times 1,000 is below 2^42. `u64::from` is not const.
    seconds as u64 * 1_000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 9111 §1.2.2: digits only, and what is too large is 2^31.
    #[test]
    fn seconds_are_digits_and_too_many_are_forever() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("60", Some(60)),
            ("003600", Some(3_600)),
            ("2147483647", Some(2_147_483_647)),
            ("2147483648", Some(FOREVER_S)),
            ("2147483649", Some(FOREVER_S)),
            ("4294967296", Some(FOREVER_S)),
            ("99999999999999999999999999999", Some(FOREVER_S)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("1 ", None),
            ("1a", None),
            ("'1'", None),
            ("\u{661}", None),
        ] {
            assert_eq!(delta_seconds(text.as_bytes()), seconds, "{text}");
        }
    }

    /// RFC 9110 §5.6.1, §5.6.4: a comma in a quoted string does not end a member.
    #[test]
    fn a_comma_in_quotes_does_not_end_a_member() {
        for (list, cut) in [
            ("a,b", Some(("a", "b"))),
            ("\"a,b\",c", Some(("\"a,b\"", "c"))),
            ("\"a\\\",b\",c", Some(("\"a\\\",b\"", "c"))),
            (",b", Some(("", "b"))),
            ("a", Some(("a", ""))),
            ("\"a,b", None),
            ("\"a\\\"", None),
        ] {
            let cut = cut.map(|(member, rest): (&str, &str)| (member.as_bytes(), rest.as_bytes()));
            assert_eq!(cut_member(list.as_bytes()), cut, "{list}");
        }
    }

    proptest! {
        /// RFC 9110 §5.6: no bytes make the pieces of syntax panic, and cutting always ends.
        #[test]
        fn any_bytes_can_be_cut(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (delta_seconds(&bytes), field_name(&bytes), tokens(&bytes).count());
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (member, left) = cut_member(rest).unwrap_or_else(|| cut_at_comma(rest));
                prop_assert!(member.len() + left.len() <= rest.len());
                prop_assert!(left.len() < rest.len());
                rest = left;
            }
        }
    }
}
