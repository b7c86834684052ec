use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::codec::prepare;
use crate::settings::EncodingSettings;

/// More than any body here.
const MOST: usize = 1 << 20;

fn header() -> impl Strategy<Value = Header> {
    ("[a-z-]{0,20}", vec(any::<u8>(), 0..40))
        .prop_map(|(name, value)| Header { name: name.into_boxed_str(), value: Bytes::from(value) })
}

prop_compose! {
    fn entry()(
        key: [u8; 32],
        status: u16,
        headers in vec(header(), 0..5),
        unit in vec(any::<u8>(), 0..300),
        num_units in 1..5_usize,
        is_text: bool,
        made_wall_ms: u64,
        times_ms: [u64; 5],
        never_stale: bool,
        selection: [u8; 16],
        form in 0..3_u8,
        generation: u64,
        names in vec(any::<u64>(), 0..5),
        model in proptest::option::of("[a-z0-9.-]{1,20}"),
        usage in proptest::option::of((any::<u64>(), any::<u64>())),
        latency_us: u64,
    ) -> Entry {
        let mut headers = headers;
        if is_text {
            let (name, value) = ("content-type".into(), Bytes::from_static(b"text/plain"));
            headers.insert(0, Header { name, value });
        }
        let entry = Entry {
            min_uses: 0,
            key: CacheKey::new(key),
            status,
            headers: headers.into(),
            body: Bytes::from(unit.repeat(num_units)),
            encodings: Encodings::default(),
            form: Form::from_code(form).unwrap_or_default(),
            freshness: Freshness {
                made_wall_ms,
                lifetime: Millis::new(times_ms[0]),
                stale_while_revalidate: Millis::new(times_ms[1]),
                stale_if_error: Millis::new(times_ms[2]),
                keep_to_validate: Millis::new(times_ms[3]),
                initial_age: Millis::new(times_ms[4]),
                never_stale,
            },
            labels: Labels {
                generation,
                names: names.into_iter().map(Label::from_u64).collect(),
            },
            model: model.map(String::into_boxed_str),
            usage: usage.map(|(input_tokens, output_tokens)| Usage { input_tokens, output_tokens }),
            selection,
            upstream_latency: Duration::from_micros(latency_us),
        };
        prepare(&entry, Encoding::Brotli, &EncodingSettings::default());
        entry
    }
}

/// Gives `content` a right checksum, as an attacker or another program could.
fn sealed(mut content: Vec<u8>) -> Bytes {
    let sum = checksum(&content);
    content.extend_from_slice(&sum);
    Bytes::from(content)
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(entry in entry()) {
        let record = Bytes::from(encode(&entry, entry.encodings.ready(Encoding::Brotli)));
        let brotli = entry.encodings.ready(Encoding::Brotli);
        let saved = brotli.map_or(0, |brotli| entry.body.len() - brotli.len());
        prop_assert_eq!(record.len(), encoded_len(&entry) - saved);
        let decoded = decode(&entry.key, &record, MOST);
        let decoded = decoded.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(decoded.encodings.ready(Encoding::Brotli), brotli);
        prop_assert_eq!(decoded.encodings.tag(b"?"), entry.encodings.tag(&entry.body));
        prop_assert_eq!(decoded, entry);
    }

    #[test]
    fn one_altered_bit_is_an_error(entry in entry(), at: prop::sample::Index, bit in 0..8_u8) {
        let mut record = encode(&entry, entry.encodings.ready(Encoding::Brotli));
        let at = at.index(record.len());
        record[at] ^= 1 << bit;
        prop_assert!(matches!(
            decode(&entry.key, &Bytes::from(record), MOST),
            Err(LevelError::Damaged(_))
        ));
    }

    #[test]
    fn a_record_cut_or_lengthened_is_an_error(entry in entry(), at: prop::sample::Index) {
        let mut record = encode(&entry, entry.encodings.ready(Encoding::Brotli));
        let cut = Bytes::copy_from_slice(&record[..at.index(record.len())]);
        prop_assert!(decode(&entry.key, &cut, MOST).is_err());
        record.push(0);
        prop_assert!(decode(&entry.key, &Bytes::from(record), MOST).is_err());
    }

    #[test]
    fn bytes_of_any_kind_do_not_panic(bytes in vec(any::<u8>(), 0..400)) {
        let key = CacheKey::new([7; 32]);
        prop_assert!(decode(&key, &Bytes::from(bytes.clone()), MOST).is_err());
        let mut content = Vec::from(*MAGIC);
        content.push(VERSION);
        content.extend_from_slice(key.as_bytes());
        content.extend_from_slice(&bytes);
        let _ = decode(&key, &sealed(content), MOST);
    }
}

#[test]
fn a_record_is_refused_for_another_key_or_of_another_version() {
    let body = Bytes::from_static(b"{}");
    let key = CacheKey::new([1; 32]);
    let freshness = Freshness {
        made_wall_ms: 1,
        lifetime: Duration::from_secs(1).into(),
        ..Freshness::default()
    };
    let entry = Entry { key, status: 200, body, freshness, ..Entry::default() };
    let mut content = encode(&entry, entry.encodings.ready(Encoding::Brotli));
    assert_eq!(
        decode(&CacheKey::new([2; 32]), &Bytes::from(content.clone()), MOST),
        Err(LevelError::Damaged("another key"))
    );
    content.truncate(content.len() - CHECKSUM_LEN);
    content[MAGIC.len()] = VERSION + 1;
    assert_eq!(
        decode(&key, &sealed(content), MOST),
        Err(LevelError::Damaged("another format version"))
    );
}

/// A record that was sealed for it is no way to a bomb.
#[test]
fn a_body_inflates_to_its_raw_length_within_the_bound_or_not_at_all() {
    let headers =
        vec![Header { name: "content-type".into(), value: Bytes::from_static(b"text/plain") }];
    let entry = Entry {
        headers: headers.into(),
        body: Bytes::from(vec![b'a'; 100_000]),
        ..Entry::default()
    };
    prepare(&entry, Encoding::Brotli, &EncodingSettings::default());
    let stored_len = entry.encodings.ready(Encoding::Brotli).map_or(0, Bytes::len);
    assert!(stored_len > 0);
    let record = Bytes::from(encode(&entry, entry.encodings.ready(Encoding::Brotli)));
    assert!(record.len() < 1_000);
    assert!(decode(&entry.key, &record, 100_000).is_ok());
    let too_much = Err(LevelError::Damaged("the body inflates to too much"));
    assert_eq!(decode(&entry.key, &record, 99_999), too_much);
    let raw_at = record.len() - CHECKSUM_LEN - stored_len - 16;
    for (raw_len, said) in [
        (99_999_u64, "the body does not inflate"),
        (100_001, "the body has another length"),
        (u64::MAX, "the body inflates to too much"),
    ] {
        let mut content = record[..record.len() - CHECKSUM_LEN].to_vec();
        content[raw_at..raw_at + 8].copy_from_slice(&raw_len.to_le_bytes());
        let decoded = decode(&entry.key, &sealed(content), 200_000);
        assert_eq!(decoded, Err(LevelError::Damaged(said)));
    }
}
