//! What is worked out of an entry's body before it is asked for.

use bytes::Bytes;

use super::compress::{compress, is_compressible};
use crate::model::{Encoding, Entry};
use crate::settings::EncodingSettings;

/// Tells whether `entry` may be encoded and is worth it: large enough, of a type that shrinks, not
/// encoded by its origin, and without `no-transform` (RFC 9111 §5.2.2.6).
pub fn is_worth(entry: &Entry, settings: &EncodingSettings) -> bool {
    settings.enabled
        && entry.body.len() > settings.from_bytes
        && entry.header("content-type").is_some_and(is_compressible)
        && entry.header("content-encoding").is_none()
        && !forbids_transforming(entry)
}

/// Tells whether an origin's `Cache-Control` has `no-transform`.
fn forbids_transforming(entry: &Entry) -> bool {
    let named = entry.headers.iter().filter(|header| &*header.name == "cache-control");
    named
        .flat_map(|header| header.value.split(|byte| *byte == b','))
        .any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
}

/// Works out all encodings of `entry`, and its digest. Cost: some 70 ns a byte; not for the path of a response.
pub fn prepare(entry: &Entry, settings: &EncodingSettings) {
    entry.encodings.tag(&entry.body);
    prepare_stored(entry, settings);
    settle(entry, settings, Encoding::Gzip, settings.gzip_level);
}

/// Works out the encoding in which records hold the body of `entry`. Cost: some 50 ns a byte.
pub fn prepare_stored(entry: &Entry, settings: &EncodingSettings) {
    settle(entry, settings, Encoding::Brotli, settings.brotli_level);
}

fn settle(entry: &Entry, settings: &EncodingSettings, encoding: Encoding, level: u8) {
    entry.encodings.settle(encoding, || {
        let compressed = is_worth(entry, settings).then(|| compress(encoding, level, &entry.body));
        compressed.flatten().map(shrunk)
    });
}

/// Returns `bytes` without the room they do not use: they are held for as long as the entry.
fn shrunk(mut bytes: Vec<u8>) -> Bytes {
    bytes.shrink_to_fit();
    Bytes::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::inflate::inflate;
    use crate::model::Header;

    /// Name and value.
    type Field = (&'static str, &'static str);

    fn entry(headers: &[Field], body: &str) -> Entry {
        let header = |(name, value): &Field| Header {
            name: (*name).into(),
            value: Bytes::from_static(value.as_bytes()),
        };
        Entry {
            headers: headers.iter().map(header).collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            ..Entry::default()
        }
    }

    #[test]
    fn encodings_are_worked_out_for_what_may_be_and_is_worth_it() {
        let json = ("content-type", "application/json");
        let body = "{\"a\": 1}".repeat(100);
        let cases: [(&[Field], &str, bool); 6] = [
            (&[json], &body, true),
            (&[json], "{}", false),
            (&[("content-type", "image/png")], &body, false),
            (&[], &body, false),
            (&[json, ("content-encoding", "gzip")], &body, false),
            (&[json, ("cache-control", "max-age=1, No-Transform")], &body, false),
        ];
        for (headers, body, expected) in cases {
            let entry = entry(headers, body);
            prepare(&entry, &EncodingSettings::default());
            for encoding in [Encoding::Gzip, Encoding::Brotli] {
                assert!(entry.encodings.is_settled(encoding));
                let ready = entry.encodings.ready(encoding);
                assert_eq!(ready.is_some(), expected, "{headers:?} {encoding:?}");
                if let Some(ready) = ready {
                    assert_eq!(inflate(encoding, ready, body.len()).as_ref(), Ok(&entry.body));
                }
            }
        }
        let entry = entry(&[json], &body);
        prepare(&entry, &EncodingSettings { enabled: false, ..EncodingSettings::default() });
        assert_eq!(entry.encodings.ready(Encoding::Brotli), None);
    }

    #[test]
    fn what_is_worked_out_weighs() {
        let entry = entry(&[("content-type", "text/plain")], &"a b c ".repeat(500));
        let before = entry.weight_bytes();
        prepare(&entry, &EncodingSettings::default());
        let encoded = [Encoding::Gzip, Encoding::Brotli]
            .map(|encoding| entry.encodings.ready(encoding).map_or(0, Bytes::len));
        assert!(encoded[0] > 0 && encoded[1] > 0);
        let grown = entry.weight_bytes() - before;
        let least = encoded[0] + encoded[1];
        assert!((least..=least + 32).contains(&grown), "{grown} for {least}");
        assert_eq!(entry, Entry { encodings: Default::default(), ..entry.clone() });
    }
}
