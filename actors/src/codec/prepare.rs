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

/// Works out the body of `entry` in `encoding`, and its digest, which stay with it. Cost: some 50 ns a byte; not
/// for the path of a response.
pub fn prepare(entry: &Entry, encoding: Encoding, settings: &EncodingSettings) {
    entry.encodings.tag(&entry.body);
    entry.encodings.settle(encoding, || compressed(entry, encoding, settings));
}

/// Returns the body of `entry` as records hold it: in brotli, `None` where that does not pay. What is
/// worked out for this does not stay with the entry: its callers may want nothing encoded. Cost: as of
/// [`prepare`], where it is not done already.
pub fn packed(entry: &Entry, settings: &EncodingSettings) -> Option<Bytes> {
    if entry.encodings.is_settled(Encoding::Brotli) {
        return entry.encodings.ready(Encoding::Brotli).cloned();
    }
    compressed(entry, Encoding::Brotli, settings)
}

fn compressed(entry: &Entry, encoding: Encoding, settings: &EncodingSettings) -> Option<Bytes> {
    let level = match encoding {
        Encoding::Identity => return None,
        Encoding::Gzip => settings.gzip_level,
        Encoding::Brotli => settings.brotli_level,
    };
    let worth = is_worth(entry, settings).then_some(&entry.body)?;
    compress(encoding, level, worth).map(shrunk)
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
            for encoding in [Encoding::Gzip, Encoding::Brotli] {
                assert!(!entry.encodings.is_settled(encoding));
                prepare(&entry, encoding, &EncodingSettings::default());
                assert!(entry.encodings.is_settled(encoding));
                let ready = entry.encodings.ready(encoding);
                assert_eq!(ready.is_some(), expected, "{headers:?} {encoding:?}");
                if let Some(ready) = ready {
                    assert_eq!(inflate(encoding, ready, body.len()).as_ref(), Ok(&entry.body));
                }
            }
        }
        let entry = entry(&[json], &body);
        let off = EncodingSettings { enabled: false, ..EncodingSettings::default() };
        assert_eq!(packed(&entry, &off), None);
        prepare(&entry, Encoding::Brotli, &off);
        assert_eq!(entry.encodings.ready(Encoding::Brotli), None);
    }

    #[test]
    fn what_is_worked_out_weighs() {
        let entry = entry(&[("content-type", "text/plain")], &"a b c ".repeat(500));
        let before = entry.weight_bytes();
        let encoded = [Encoding::Gzip, Encoding::Brotli].map(|encoding| {
            prepare(&entry, encoding, &EncodingSettings::default());
            entry.encodings.ready(encoding).map_or(0, Bytes::len)
        });
        assert!(encoded[0] > 0 && encoded[1] > 0);
        let grown = entry.weight_bytes() - before;
        let least = encoded[0] + encoded[1] + 2 * size_of::<Bytes>();
        assert!((least..=least + 32).contains(&grown), "{grown} for {least}");
        assert_eq!(entry, Entry { encodings: Default::default(), ..entry.clone() });
    }
    #[test]
    fn what_is_packed_for_records_does_not_stay() {
        let entry = entry(&[("content-type", "text/plain")], &"a b c ".repeat(500));
        let settings = EncodingSettings::default();
        let packed_body = packed(&entry, &settings).unwrap();
        assert!(!entry.encodings.is_settled(Encoding::Brotli));
        assert_eq!(
            inflate(Encoding::Brotli, &packed_body, entry.body.len()).as_ref(),
            Ok(&entry.body)
        );
        prepare(&entry, Encoding::Brotli, &settings);
        assert_eq!(packed(&entry, &settings).as_ref(), entry.encodings.ready(Encoding::Brotli));
    }
}
