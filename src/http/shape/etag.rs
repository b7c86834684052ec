//! Strong entity tags, one per encoding, and what `If-None-Match` says of them (RFC 9110 §8.8.3,
//! §13.1.2).

use anteroom_actors::model::TAG_LEN;

use super::negotiate::Encoding;

/// Returns the entity tag of a body, quoted, in the form in which `encoding` sends it.
///
/// `digest` is that of the body before it is encoded. One body has one tag per encoding (RFC 9110
/// §8.8.3.3): 32 hexadecimal digits, then nothing, `-gz` or `-br`.
pub fn of_digest(digest: &[u8; TAG_LEN], encoding: Encoding) -> String {
    let mut tag = String::with_capacity(2 * TAG_LEN + 5);
    tag.push('"');
    for byte in digest {
        for digit in [byte >> 4, byte & 0x0f] {
            tag.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    tag.push_str(suffix(encoding));
    tag.push('"');
    tag
}

/// Returns an origin's entity tag for the form in which `encoding` sends its body.
pub fn suffixed(own: &str, encoding: Encoding) -> String {
    match own.trim().strip_suffix('"') {
        Some(start) => format!("{start}{}\"", suffix(encoding)),
        None => own.to_owned(),
    }
}

const fn suffix(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Identity => "",
        Encoding::Gzip => "-gz",
        Encoding::Brotli => "-br",
    }
}

/// Tells whether a caller whose `If-None-Match` has these values already has `etag`.
///
/// Weak comparison (RFC 9110 §8.8.3.2): `W/` does not count. `*` alone is every tag. Several values
/// are one list; what is not an entity tag in it is passed over. No value: `false`.
pub fn if_none_match<'a>(values: impl IntoIterator<Item = &'a [u8]>, etag: &str) -> bool {
    let ours = opaque(etag.as_bytes());
    values.into_iter().any(|value| value.trim_ascii() == b"*" || lists(value, ours))
}

fn opaque(etag: &[u8]) -> &[u8] {
    etag.strip_prefix(b"W/").unwrap_or(etag)
}

/// Tells whether the list `rest` holds the quoted tag `ours`. Tags may hold commas.
fn lists(mut rest: &[u8], ours: &[u8]) -> bool {
    loop {
        rest = rest.trim_ascii_start();
        let theirs = opaque(rest);
        let after = match theirs.strip_prefix(b"\"").and_then(|tag| split_after(tag, b'"')) {
            Some((tag_len, after)) => {
                if theirs.get(..tag_len + 1) == Some(ours) && is_end(after) {
                    return true;
                }
                after
            }
            None => rest,
        };
        match split_after(after, b',') {
            Some((_, next)) => rest = next,
            None => return false,
        }
    }
}

/// Tells whether a list's element ends where `rest` begins.
fn is_end(rest: &[u8]) -> bool {
    matches!(rest.trim_ascii_start().first(), None | Some(b','))
}

/// Returns how long `bytes` is up to `mark`, which counts, and what follows.
fn split_after(bytes: &[u8], mark: u8) -> Option<(usize, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == mark)? + 1;
    Some((end, bytes.get(end..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tag_is_one_of_a_body_and_an_encoding() {
        let [identity, gzip, brotli] = [Encoding::Identity, Encoding::Gzip, Encoding::Brotli]
            .map(|encoding| of_digest(&[0xab; TAG_LEN], encoding));
        let digits = identity.trim_matches('"');
        assert_eq!(digits.len(), 32);
        assert_eq!(digits, "ab".repeat(TAG_LEN));
        assert_eq!(identity, format!("\"{digits}\""));
        assert_eq!(gzip, format!("\"{digits}-gz\""));
        assert_eq!(brotli, format!("\"{digits}-br\""));
        assert_eq!(suffixed("W/\"v\"", Encoding::Gzip), "W/\"v-gz\"");
        assert_eq!(suffixed("\"v\"", Encoding::Identity), "\"v\"");
        assert_eq!(suffixed("v", Encoding::Gzip), "v");
    }

    /// RFC 9110 §13.1.2 and §8.8.3.
    #[test]
    fn a_caller_has_what_it_names() {
        let cases: [(&[&str], bool); 26] = [
            (&[], false),
            (&[""], false),
            (&["*"], true),
            (&[" * "], true),
            (&["\"a,b\""], true),
            (&["W/\"a,b\""], true),
            (&["w/\"a,b\""], false),
            (&["W/ \"a,b\""], false),
            (&["\"A,B\""], false),
            (&["a,b"], false),
            (&["\"a\", \"b\""], false),
            (&["\"x\", \"a,b\""], true),
            (&["\"x\",W/\"a,b\" , \"y\""], true),
            (&["\"x\"", "\"a,b\""], true),
            (&[",, ,\"a,b\",,"], true),
            (&["x, \"a,b\""], true),
            (&["\"a,b"], false),
            (&["\"a,b\"x"], false),
            (&["\"a,b\"x, \"a,b\""], true),
            (&["\"a,b\" \"c\""], false),
            (&["\"\", \"a,b\""], true),
            (&["\"x\", *"], false),
            (&["*x"], false),
            (&["\"a,b-gz\""], false),
            (&["\"xa,b\""], false),
            (&["W/W/\"a,b\""], false),
        ];
        for (values, has) in cases {
            let bytes = values.iter().map(|value| value.as_bytes());
            assert_eq!(if_none_match(bytes, "\"a,b\""), has, "{values:?}");
        }
        assert!(if_none_match([&b"\"a\""[..]], "W/\"a\""));
    }

    proptest! {
        #[test]
        fn a_tag_is_found_in_every_list_that_holds_it(
            before in prop::collection::vec("(W/)?\"[a-c,]{0,3}\"", 0..4),
            tag in "[a-c,]{0,3}",
            after in prop::collection::vec("(W/)?\"[a-c,]{0,3}\"", 0..4),
            comma in "[ \t]{0,2},[ \t]{0,2}",
        ) {
            let tag = format!("\"{tag}\"");
            let others = [before.clone(), after.clone()].concat();
            let all = [before, vec![tag.clone()], after].concat().join(&comma);
            prop_assert!(if_none_match([all.as_bytes()], &tag));
            let has = others.iter().any(|other| other.trim_start_matches("W/") == tag);
            prop_assert_eq!(if_none_match([others.join(&comma).as_bytes()], &tag), has);
        }

        #[test]
        fn any_bytes_are_read_without_harm(value in prop::collection::vec(any::<u8>(), 0..40)) {
            if_none_match([&value[..]], "\"a\"");
        }
    }
}
