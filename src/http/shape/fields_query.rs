//! `fields=` in a query, for routes that allow it.

use std::borrow::Cow;

/// The member of a query that names fields.
const NAME: &str = "fields";

/// Returns the decoded value of the first `fields` member of `query` (percent-encoding, RFC 3986
/// §2.1; what decodes to no UTF-8 stays as it is spelled).
pub fn of(query: &str) -> Option<Cow<'_, str>> {
    let value = query.split('&').find_map(value_of)?;
    Some(decoded(value))
}

/// Returns `query` without its `fields` members; `None` where nothing is left.
pub fn without(query: &str) -> Option<String> {
    let rest: Vec<&str> = query.split('&').filter(|member| value_of(member).is_none()).collect();
    (!rest.is_empty()).then(|| rest.join("&"))
}

fn value_of(member: &str) -> Option<&str> {
    member.strip_prefix(NAME)?.strip_prefix('=')
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        let escaped = digit(0).zip(digit(1)).filter(|_| *byte == b'%');
        let escaped = escaped.and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
        bytes.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_member_is_read_and_taken_out() {
        for (query, fields, rest) in [
            ("fields=a,b.c", Some("a,b.c"), None),
            ("x=1&fields=a%2Cb&y", Some("a,b"), Some("x=1&y")),
            ("x=1", None, Some("x=1")),
            ("fieldset=1", None, Some("fieldset=1")),
            ("fields", None, Some("fields")),
            ("fields=&fields=b", Some(""), None),
            ("fields=%zz%2", Some("%zz%2"), None),
            ("fields=%ff", Some("%ff"), None),
        ] {
            assert_eq!(of(query).as_deref(), fields, "{query}");
            assert_eq!(without(query).as_deref(), rest, "{query}");
        }
    }
}
