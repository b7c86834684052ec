use anteroom_actors::codec;

use super::*;

fn text(headers: &[(&str, &'static str)]) -> Entry {
    let header = |(name, value): &(&str, &'static str)| Header {
        name: (*name).into(),
        value: Bytes::from_static(value.as_bytes()),
    };
    let headers = headers.iter().map(header).collect();
    Entry { status: 200, headers, body: "a b c ".repeat(200).into(), ..Entry::default() }
}

fn accepting(text: &str) -> Accepted {
    Accepted::parse([text.as_bytes()].into_iter())
}

#[test]
fn an_encoding_is_sent_once_it_is_ready_and_the_body_as_it_is_until_then() {
    let (settings, entry) = (EncodingSettings::default(), text(&[("content-type", "text/plain")]));
    let before = StoredHead::of(&entry, accepting("br"), &settings);
    assert!(!before.is_final && before.encoding == Encoding::Identity);
    assert_eq!(before.body(&entry), entry.body);
    let untold = StoredHead::of(&entry, Accepted::default(), &settings);
    assert!(untold.is_final, "nothing is waited for that this caller does not want");
    for encoding in [Encoding::Brotli, Encoding::Gzip] {
        codec::prepare(&entry, encoding, &settings);
    }
    for (accepted, encoding, suffix) in [
        ("br, gzip", Encoding::Brotli, "-br"),
        ("br;q=0.5, gzip", Encoding::Gzip, "-gz"),
        ("deflate", Encoding::Identity, ""),
    ] {
        let head = StoredHead::of(&entry, accepting(accepted), &settings);
        assert!(head.is_final && head.encoding == encoding, "{accepted}");
        assert_eq!(Some(&head.body(&entry)), entry.encodings.ready(encoding).or(Some(&entry.body)));
        let value = |wanted: &str| {
            let found = head.headers.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.to_str().unwrap_or_default().to_owned())
        };
        assert_eq!(value("etag"), None, "it stands apart");
        let is_encoded = encoding != Encoding::Identity;
        assert_eq!(value("vary").as_deref(), Some("Accept-Encoding"), "{accepted}");
        assert_eq!(value("x-original-size"), is_encoded.then(|| "1200".to_owned()));
        let named = is_encoded.then(|| encoding.as_str().to_owned());
        assert_eq!(value("content-encoding"), named);
        let etag = head.etag(&entry).unwrap();
        let etag = etag.to_str().unwrap();
        assert!(etag.ends_with(&format!("{suffix}\"")) && etag.len() == 34 + suffix.len());
    }
}

#[test]
fn a_providers_tag_and_vary_are_kept_and_added_to() {
    let settings = EncodingSettings::default();
    let own = [("content-type", "text/plain"), ("etag", "W/\"v1\""), ("vary", "X-A")];
    let entry = text(&own);
    for encoding in [Encoding::Brotli, Encoding::Gzip] {
        codec::prepare(&entry, encoding, &settings);
    }
    for (accepted, etag) in [("identity", "W/\"v1\""), ("gzip", "W/\"v1-gz\"")] {
        let head = StoredHead::of(&entry, accepting(accepted), &settings);
        let values = |wanted: &str| -> Vec<&str> {
            let found = head.headers.iter().filter(|(name, _)| name == wanted);
            found.filter_map(|(_, value)| value.to_str().ok()).collect()
        };
        assert!(values("etag").is_empty() && head.etag(&entry).is_some_and(|own| own == etag));
        assert_eq!(values("vary"), ["X-A, Accept-Encoding"]);
    }
}
