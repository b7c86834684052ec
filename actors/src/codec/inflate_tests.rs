use proptest::prelude::*;

use super::super::live::LiveCompressor;
use super::*;

const CODINGS: [Encoding; 2] = [Encoding::Gzip, Encoding::Brotli];

fn deflated(encoding: Encoding, body: &[u8]) -> Vec<u8> {
    let mut compressor = LiveCompressor::new(encoding, 5);
    let mut out = compressor.push(body).unwrap().to_vec();
    out.extend_from_slice(&compressor.finish().unwrap());
    out
}

fn inflated(encoding: Encoding, body: &[u8], most: usize) -> Result<Bytes, InflateError> {
    inflate(encoding, &Bytes::copy_from_slice(body), most)
}

#[test]
fn one_known_encoding_is_taken_and_no_list() {
    let cases: [(&[&str], Result<Encoding, InflateError>); 14] = [
        (&[], Ok(Encoding::Identity)),
        (&[""], Ok(Encoding::Identity)),
        (&["identity"], Ok(Encoding::Identity)),
        (&["gzip"], Ok(Encoding::Gzip)),
        (&["GZip"], Ok(Encoding::Gzip)),
        (&["x-gzip"], Ok(Encoding::Gzip)),
        (&[" br ,"], Ok(Encoding::Brotli)),
        (&["gzip, gzip"], Err(InflateError::Unsupported)),
        (&["gzip", "br"], Err(InflateError::Unsupported)),
        (&["identity, gzip"], Err(InflateError::Unsupported)),
        (&["deflate"], Err(InflateError::Unsupported)),
        (&["zstd"], Err(InflateError::Unsupported)),
        (&["*"], Err(InflateError::Unsupported)),
        (&["gzip;q=1"], Err(InflateError::Unsupported)),
    ];
    for (values, expected) in cases {
        assert_eq!(
            content_encoding(values.iter().map(|value| value.as_bytes())),
            expected,
            "{values:?}"
        );
    }
}

#[test]
fn a_body_may_be_as_large_as_the_bound_and_no_larger() {
    let body: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
    let length = body.len();
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Brotli] {
        let deflated = deflated(encoding, &body);
        assert_eq!(inflated(encoding, &deflated, length), Ok(Bytes::from(body.clone())));
        assert_eq!(inflated(encoding, &deflated, usize::MAX), Ok(Bytes::from(body.clone())));
        for most in [0, 1, CHUNK, length - 1] {
            let error = InflateError::TooLarge { most };
            assert_eq!(inflated(encoding, &deflated, most), Err(error));
        }
    }
}

#[test]
fn a_bomb_is_refused_at_the_bound() {
    // 1 MiB of zeros, 4,000 times over: 4 GiB from some 4 MB.
    let gzip = deflated(Encoding::Gzip, &vec![0; 1 << 20]).repeat(4_000);
    let brotli = deflated(Encoding::Brotli, &vec![0; 8 << 20]);
    assert!(brotli.len() < 1_000, "{} bytes", brotli.len());
    for (bomb, decode) in
        [(gzip, gunzip as fn(&[u8], &mut Bounded) -> Result<(), InflateError>), (brotli, unbrotli)]
    {
        let most = (1 << 20) + 7;
        let mut inflated = Bounded { bytes: Vec::new(), most };
        assert_eq!(decode(&bomb, &mut inflated), Err(InflateError::TooLarge { most }));
        assert!(inflated.bytes.capacity() <= most);
        assert!(inflated.bytes.len() + CHUNK > most, "it was read no further than needed");
    }
}

#[test]
fn several_members_of_gzip_are_one_body() {
    let members = [
        deflated(Encoding::Gzip, b"one, "),
        deflated(Encoding::Gzip, b""),
        deflated(Encoding::Gzip, b"two"),
    ];
    assert_eq!(inflated(Encoding::Gzip, &members.concat(), 100), Ok(Bytes::from("one, two")));
    let error = InflateError::TooLarge { most: 7 };
    assert_eq!(inflated(Encoding::Gzip, &members.concat(), 7), Err(error));
}

#[test]
fn a_body_that_is_cut_anywhere_is_refused() {
    let body = "{\"model\": \"m\", \"input\": [1, 2, 3, 4, 5, 6, 7, 8, 9]}".repeat(4);
    for encoding in CODINGS {
        let deflated = deflated(encoding, body.as_bytes());
        for length in 0..deflated.len() {
            let result = inflated(encoding, &deflated[..length], 1_000);
            assert_eq!(result, Err(InflateError::Truncated), "{encoding:?} after {length}");
        }
    }
    let twice = deflated(Encoding::Gzip, b"x").repeat(2);
    for length in twice.len() / 2 + 1..twice.len() {
        assert!(inflated(Encoding::Gzip, &twice[..length], 1_000).is_err(), "{length}");
    }
}

#[test]
fn what_follows_the_end_is_refused() {
    for encoding in CODINGS {
        for garbage in [&b"x"[..], b"\0", b"\x1f", b"\x1f\x8b", b"garbage after the end"] {
            let body = [&deflated(encoding, b"{\"a\": 1}"), garbage].concat();
            assert!(inflated(encoding, &body, 1_000).is_err(), "{encoding:?} {garbage:?}");
        }
    }
    let twice = deflated(Encoding::Brotli, b"x").repeat(2);
    assert_eq!(inflated(Encoding::Brotli, &twice, 1_000), Err(InflateError::Damaged));
}

#[test]
fn what_is_not_of_the_encoding_is_refused() {
    for encoding in CODINGS {
        for body in [&b"{\"a\": 1}"[..], b"plain", b"\0\0\0\0\0\0\0\0\0\0\0\0"] {
            assert!(inflated(encoding, body, 1_000).is_err(), "{encoding:?} {body:?}");
        }
    }
    let mut wrong_sum = deflated(Encoding::Gzip, b"{\"a\": 1}");
    let place = wrong_sum.len() - 6;
    wrong_sum[place] ^= 1;
    assert_eq!(inflated(Encoding::Gzip, &wrong_sum, 1_000), Err(InflateError::Damaged));
    // A large window of 2^30 bytes, which RFC 7932 §9.1 does not have.
    assert_eq!(inflated(Encoding::Brotli, b"\x11\x1e\x03", 1_000), Err(InflateError::Damaged));
}

proptest! {
    #[test]
    fn bytes_that_were_damaged_are_read_without_harm(
        body in prop::collection::vec(any::<u8>(), 0..300),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        most in 0_usize..400,
    ) {
        for encoding in CODINGS {
            let mut deflated = deflated(encoding, &body);
            for (place, byte) in &damage {
                let place = place.index(deflated.len());
                deflated[place] = *byte;
            }
            if let Ok(inflated) = inflated(encoding, &deflated, most) {
                prop_assert!(inflated.len() <= most);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_harm(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for encoding in CODINGS {
            if let Ok(inflated) = inflated(encoding, &body, 1_000) {
                prop_assert!(inflated.len() <= 1_000);
            }
        }
    }
}
