use bytes::Bytes;
use proptest::prelude::*;

use super::super::inflate::inflate;
use super::*;

#[test]
fn text_shrinks_and_dense_bytes_are_left_alone() {
    let cases = [
        ("application/json", true),
        ("Application/JSON; charset=utf-8", true),
        ("text/event-stream", true),
        ("text/plain;charset=utf-8", true),
        ("text/html", true),
        ("application/problem+json", true),
        ("application/vnd.api+json ; x=y", true),
        ("application/atom+xml", true),
        ("application/xml", true),
        ("application/javascript", true),
        ("application/x-ndjson", true),
        ("application/octet-stream", false),
        ("application/zip", false),
        ("application/jsonx", false),
        ("image/png", false),
        ("audio/mpeg", false),
        ("video/mp4", false),
        ("multipart/form-data; boundary=text/", false),
        ("text/", false),
        ("json", false),
        ("", false),
    ];
    for (content_type, expected) in cases {
        assert_eq!(is_compressible(content_type.as_bytes()), expected, "{content_type}");
    }
    assert!(!is_compressible(b"\xff\xfe;"));
}

#[test]
fn more_than_500_bytes_are_compressed_by_default() {
    assert!(!Threshold::default().is_passed_by(500));
    assert!(Threshold::default().is_passed_by(501));
}

#[test]
fn what_does_not_shrink_enough_is_sent_as_it_is() {
    // Digests are as dense as bytes come.
    let mut dense: Vec<u8> =
        (0..200_u32).flat_map(|i| *blake3::hash(&i.to_le_bytes()).as_bytes()).collect();
    for encoding in [Encoding::Gzip, Encoding::Brotli] {
        assert_eq!(compress(encoding, 5, &dense), None);
        assert_eq!(compress(encoding, 5, b""), None);
        assert_eq!(compress(encoding, 5, b"a"), None);
    }
    // A hundredth to save is too little, a tenth is enough.
    let dense_len = dense.len();
    dense.resize(dense_len + dense_len / 100, b' ');
    assert_eq!(compress(Encoding::Brotli, 5, &dense), None);
    dense.resize(dense_len + dense_len / 9, b' ');
    assert!(compress(Encoding::Brotli, 5, &dense).is_some());
    assert_eq!(compress(Encoding::Identity, 5, &b"a".repeat(1_000)), None);
}

#[test]
fn levels_beyond_the_bounds_count_as_the_nearest() {
    let body = "{\"a\": [1, 2, 3], \"b\": \"text of a kind\"} ".repeat(30);
    let at = |encoding, level| compress(encoding, level, body.as_bytes());
    assert_eq!(at(Encoding::Brotli, 11), at(Encoding::Brotli, 5));
    assert_eq!(at(Encoding::Gzip, 0), at(Encoding::Gzip, 1));
    assert_eq!(at(Encoding::Gzip, 255), at(Encoding::Gzip, 9));
}

#[test]
fn the_window_holds_the_body_within_its_bounds() {
    for (length, window) in [(0, 18), (262_143, 18), (262_144, 19), (4 << 20, 22), (usize::MAX, 22)]
    {
        assert_eq!(window_of(length), window, "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_compressed_is_inflated_to_the_same_bytes(
        unit in prop::collection::vec(any::<u8>(), 1..200),
        num_units in 1_usize..200,
        level in 0_u8..12,
    ) {
        let body = unit.repeat(num_units);
        for encoding in [Encoding::Gzip, Encoding::Brotli] {
            let compressed = compress(encoding, level, &body);
            prop_assert_eq!(&compressed, &compress(encoding, level, &body));
            if let Some(compressed) = compressed {
                prop_assert!(compressed.len() < body.len());
                let back = inflate(encoding, &Bytes::from(compressed), body.len());
                prop_assert_eq!(back, Ok(Bytes::from(body.clone())));
            }
        }
    }
}
