//! Strong entity tags, one per encoding (RFC 9110 §8.8.3).

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

#[cfg(test)]
mod tests {
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
}
