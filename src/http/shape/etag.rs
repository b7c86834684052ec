//! Strong entity tags, one per encoding (RFC 9110 §8.8.3).

use anteroom_actors::model::TAG_LEN;

use super::negotiate::Encoding;

/// Returns the entity tag of a body, quoted, in the form in which `encoding` sends it.
///
/// `digest` is that of the body before it is encoded. One body has one tag per encoding (RFC 9110
/// §8.8.3.3): 32 hexadecimal digits, then nothing, `-gz` or `-br`.
pub fn of_digest(digest: &[u8; TAG_LEN], encoding: Encoding) -> String {
    let mut digits = [0; 2 * TAG_LEN];
    for ([high, low], byte) in digits.as_chunks_mut().0.iter_mut().zip(digest) {
        (*high, *low) = (digit(byte >> 4), digit(byte & 0x0f));
    }
    let suffix = suffix(encoding);
    let mut tag = String::with_capacity(digits.len() + suffix.len() + 2);
    tag.push('"');
    tag.push_str(str::from_utf8(&digits).unwrap_or_default());
    tag.push_str(suffix);
    tag.push('"');
    tag
}

/// Returns the hexadecimal digit of a number below 16; without a table or a branch, so that all digits of a
/// tag are made at once.
const fn digit(number: u8) -> u8 {
    let letters = if number > 9 { b'a' - b'9' - 1 } else { 0 };
    b'0' + number + letters
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
