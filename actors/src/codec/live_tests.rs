use proptest::prelude::*;

use super::super::inflate::inflate;
use super::*;

const CODINGS: [Encoding; 2] = [Encoding::Gzip, Encoding::Brotli];

/// A decoder that is given piece after piece, as a client is.
enum Client {
    Identity(Vec<u8>),
    Gzip(Box<flate2::write::GzDecoder<Vec<u8>>>),
    Brotli(Box<brotli::DecompressorWriter<Vec<u8>>>),
}

impl Client {
    fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Identity => Self::Identity(Vec::new()),
            Encoding::Gzip => Self::Gzip(Box::new(flate2::write::GzDecoder::new(Vec::new()))),
            // Its buffer holds every piece of these tests: this decoder says that it needs
            // more input as soon as there is none, whatever output it still has.
            Encoding::Brotli => {
                Self::Brotli(Box::new(brotli::DecompressorWriter::new(Vec::new(), 1 << 20)))
            }
        }
    }

    /// Returns what can be decoded of this piece and all before, and was not returned yet.
    fn read(&mut self, piece: &[u8]) -> Vec<u8> {
        match self {
            Self::Identity(out) => {
                out.extend_from_slice(piece);
                std::mem::take(out)
            }
            Self::Gzip(decoder) => {
                decoder.write_all(piece).unwrap();
                decoder.flush().unwrap();
                std::mem::take(decoder.get_mut())
            }
            Self::Brotli(decoder) => {
                decoder.write_all(piece).unwrap();
                decoder.flush().unwrap();
                std::mem::take(decoder.get_mut())
            }
        }
    }
}

fn event(number: usize) -> String {
    let delta = format!("{{\"delta\":{{\"content\":\"w{number}\"}}}}");
    format!("data: {{\"id\":\"chatcmpl-9\",\"choices\":[{delta}]}}\n\n")
}

/// an event that is compressed is not held back until others fill a buffer.
#[test]
fn every_event_can_be_decoded_as_soon_as_it_was_pushed() {
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Brotli] {
        for level in [0, 1, 4, 9] {
            let mut compressor = LiveCompressor::new(encoding, level);
            let mut client = Client::new(encoding);
            for number in 0..300 {
                let event = event(number);
                let sent = compressor.push(event.as_bytes()).unwrap();
                assert_eq!(client.read(&sent), event.as_bytes(), "{encoding:?} {level}");
            }
            let end = compressor.finish().unwrap();
            assert_eq!(client.read(&end), b"");
        }
    }
}

/// memory does not grow with a stream.
#[test]
fn nothing_is_kept_of_what_was_sent() {
    for encoding in CODINGS {
        let mut compressor = LiveCompressor::new(encoding, 4);
        for number in 0..3_000 {
            let event = event(number);
            let sent = compressor.push(event.as_bytes()).unwrap();
            assert!(sent.len() < event.len() + 32, "{encoding:?}: {} bytes", sent.len());
            let kept = match &compressor.inner {
                Inner::Identity => 0,
                Inner::Gzip(encoder) => encoder.get_ref().capacity(),
                Inner::Brotli(encoder) => encoder.get_ref().capacity(),
            };
            assert_eq!(kept, 0);
        }
    }
}

#[test]
fn an_answer_that_was_dropped_is_seen_to_be_cut() {
    for encoding in CODINGS {
        let mut compressor = LiveCompressor::new(encoding, 4);
        let sent = compressor.push(event(1).as_bytes()).unwrap();
        assert!(inflate(encoding, &sent, 1_000).is_err());
    }
}

#[test]
fn nothing_pushed_is_nothing_sent() {
    for encoding in CODINGS {
        let mut compressor = LiveCompressor::new(encoding, 4);
        assert_eq!(compressor.encoding(), encoding);
        assert!(compressor.push(b"").unwrap().is_empty());
        let end = compressor.finish().unwrap();
        assert_eq!(inflate(encoding, &end, 0), Ok(Bytes::new()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_pieces_come_out_whole_and_the_same_each_time(
        pieces in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..100), 1_usize..50), 0..12,
        ),
        level in 0_u8..10,
    ) {
        let pieces: Vec<Vec<u8>> =
            pieces.into_iter().map(|(unit, times)| unit.repeat(times)).collect();
        for encoding in CODINGS {
            let run = || {
                let mut compressor = LiveCompressor::new(encoding, level);
                let mut client = Client::new(encoding);
                let mut sent = Vec::new();
                for piece in &pieces {
                    let out = compressor.push(piece).unwrap();
                    assert_eq!(&client.read(&out), piece);
                    sent.extend_from_slice(&out);
                }
                sent.extend_from_slice(&compressor.finish().unwrap());
                sent
            };
            let sent = Bytes::from(run());
            prop_assert_eq!(&sent, &run());
            let whole = pieces.concat();
            prop_assert_eq!(inflate(encoding, &sent, whole.len()), Ok(Bytes::from(whole)));
        }
    }
}
