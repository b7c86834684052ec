//! Which client key is it? The settings hold digests alone, and so does the gateway.

use crate::settings::{ClientKey, KeyDigest};

/// The digests of all client keys.
pub struct ClientKeys {
    /// By position in the settings. `blake3::Hash` holds them all: it compares in constant time.
    digests: Vec<(Kind, blake3::Hash)>,
    has_sha256: bool,
    has_blake3: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sha256,
    Blake3,
}

impl ClientKeys {
    /// Prepares the settings' keys; `None` where there are none, and so none is wanted.
    pub fn new(keys: &[ClientKey]) -> Option<Self> {
        if keys.is_empty() {
            return None;
        }
        let digests: Vec<_> = keys
            .iter()
            .map(|key| match key.digest() {
                Some(KeyDigest::Sha256(digest)) => (Kind::Sha256, digest.into()),
                Some(KeyDigest::Blake3(digest)) => (Kind::Blake3, digest.into()),
                // The settings are checked: this is none that a key has.
                None => (Kind::Blake3, [0; 32].into()),
            })
            .collect();
        let has = |kind| digests.iter().any(|(own, _)| *own == kind);
        Some(Self { has_sha256: has(Kind::Sha256), has_blake3: has(Kind::Blake3), digests })
    }

    /// Returns the position of the key that `shown` is.
    ///
    /// Every digest is compared, each in constant time, whatever the ones before it gave: how long
    /// it takes tells nothing of which key is near.
    pub fn find(&self, shown: &[u8]) -> Option<usize> {
        let sha256 = if self.has_sha256 { sha256(shown) } else { [0; 32] };
        let blake3 = self.has_blake3.then(|| blake3::hash(shown));
        let mut found = None;
        for (position, (kind, digest)) in self.digests.iter().enumerate() {
            let is_same = match kind {
                Kind::Sha256 => *digest == blake3::Hash::from_bytes(sha256),
                Kind::Blake3 => Some(*digest) == blake3,
            };
            if is_same {
                found = Some(position);
            }
        }
        found
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().try_into().unwrap_or([0; 32])
}

/// Keys below this length are guessed too easily, and nothing slows a guesser down who has the
/// digest. In bytes.
const SHORT: usize = 20;

/// Returns the line of `config.yaml` for the key that `text` holds, and whether the key is so short
/// that its digest gives it away. White space around it is no part of it.
///
/// # Errors
///
/// Why no request can show such a key.
pub fn digest_line(text: &[u8]) -> Result<(String, bool), &'static str> {
    let key = text.trim_ascii();
    if key.is_empty() {
        return Err("no key came on standard input");
    }
    if !key.iter().all(u8::is_ascii_graphic) {
        return Err("a key is one line of printable ASCII without white space");
    }
    Ok((format!("digest: \"{}\"\n", KeyDigest::Sha256(sha256(key))), key.len() < SHORT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;

    fn key(digest: KeyDigest) -> ClientKey {
        ClientKey { digest: Secret::new(digest.to_string()), ..ClientKey::default() }
    }

    #[test]
    fn a_key_is_known_by_either_digest_and_others_are_not() {
        let keys = [
            key(KeyDigest::Sha256(sha256(b"first"))),
            key(KeyDigest::Blake3(*blake3::hash(b"second").as_bytes())),
            key(KeyDigest::Sha256(sha256(b"third"))),
            ClientKey::default(),
        ];
        let known = ClientKeys::new(&keys).unwrap();
        for (shown, position) in [
            (&b"first"[..], Some(0)),
            (b"second", Some(1)),
            (b"third", Some(2)),
            (b"First", None),
            (b"firs", None),
            (b"first ", None),
            (b"", None),
            (b"\0", None),
        ] {
            assert_eq!(known.find(shown), position, "{shown:?}");
        }
        for alone in &keys[..3] {
            let known = ClientKeys::new(std::slice::from_ref(alone)).unwrap();
            let shown = [&b"first"[..], b"second", b"third"];
            assert_eq!(shown.iter().filter(|key| known.find(key).is_some()).count(), 1);
        }
        assert!(ClientKeys::new(&[]).is_none());
    }

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn the_line_holds_the_digest_that_other_tools_give() {
        let (line, is_short) = digest_line(b"abc\n").unwrap();
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(line, format!("digest: \"sha256:{digest}\"\n"));
        assert!(is_short && !digest_line(&[b'k'; 20]).unwrap().1);
    }

    #[test]
    fn what_no_request_can_show_gets_no_digest() {
        for text in [&b""[..], b"\n", b"two words", b"two\nlines", b"\xc3\xa4\n", b"a\0b"] {
            assert!(digest_line(text).is_err(), "{text:?}");
        }
    }
}
