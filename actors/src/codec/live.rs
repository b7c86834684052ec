//! Answers that are compressed while they pass.

use std::fmt;
use std::io::{self, Write};

use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::write::GzEncoder;

use super::compress::{brotli_params, gzip_level};
use crate::model::Encoding;

/// Window of brotli for live answers, as a power of two: what an answer repeats is near.
///
/// The smallest above 16, where level 5 takes 32 MiB. It bounds the memory of each answer under
/// way: 0.9 MiB at level 4; gzip takes 0.4 MiB at any level.
const BROTLI_WINDOW: u8 = 17;

/// Lowest level of brotli for live answers: below, flushing takes all that is saved.
const MIN_BROTLI_LEVEL: u8 = 2;

/// Bytes of compressed output that are moved at once.
const BROTLI_BUFFER: usize = 4 << 10;

/// A compressor that holds nothing back.
///
/// Whatever was pushed can be decoded from what was returned up to there, so that an event of a
/// stream leaves at once. Its memory does not grow with the answer. An answer that breaks
/// off must be dropped without [`finish`](Self::finish): its end then shows that it is cut.
pub struct LiveCompressor {
    inner: Inner,
}

enum Inner {
    Identity,
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
}

impl fmt::Debug for LiveCompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveCompressor").field("encoding", &self.encoding()).finish()
    }
}

impl LiveCompressor {
    /// Starts an answer. Levels are those of [`compress`](super::compress::compress), but that
    /// brotli has at least 2. Of short events gzip makes as few bytes, at half the cost.
    pub fn new(encoding: Encoding, level: u8) -> Self {
        let inner = match encoding {
            Encoding::Identity => Inner::Identity,
            Encoding::Gzip => Inner::Gzip(Box::new(GzEncoder::new(Vec::new(), gzip_level(level)))),
            Encoding::Brotli => {
                let params = brotli_params(level.max(MIN_BROTLI_LEVEL), BROTLI_WINDOW);
                let writer = CompressorWriter::with_params(Vec::new(), BROTLI_BUFFER, &params);
                Inner::Brotli(Box::new(writer))
            }
        };
        Self { inner }
    }

    /// Returns the encoding of what comes out.
    pub const fn encoding(&self) -> Encoding {
        match self.inner {
            Inner::Identity => Encoding::Identity,
            Inner::Gzip(_) => Encoding::Gzip,
            Inner::Brotli(_) => Encoding::Brotli,
        }
    }

    /// Takes the next piece and returns all that is needed to decode it; nothing for nothing.
    ///
    /// Errors: the encoder failed; the answer cannot go on.
    pub fn push(&mut self, piece: &[u8]) -> io::Result<Bytes> {
        if piece.is_empty() {
            return Ok(Bytes::new());
        }
        let out = match &mut self.inner {
            Inner::Identity => return Ok(Bytes::copy_from_slice(piece)),
            Inner::Gzip(encoder) => {
                encoder.write_all(piece)?;
                encoder.flush()?;
                std::mem::take(encoder.get_mut())
            }
            Inner::Brotli(encoder) => {
                encoder.write_all(piece)?;
                encoder.flush()?;
                std::mem::take(encoder.get_mut())
            }
        };
        Ok(Bytes::from(out))
    }

    /// As [`Self::push`]; for identity the piece itself, not a copy.
    ///
    /// Errors: the encoder failed; the answer cannot go on.
    pub fn push_bytes(&mut self, piece: Bytes) -> io::Result<Bytes> {
        if matches!(self.inner, Inner::Identity) { Ok(piece) } else { self.push(&piece) }
    }

    /// Ends the answer and returns its last bytes.
    ///
    /// Errors: the encoder failed; the answer is cut.
    pub fn finish(self) -> io::Result<Bytes> {
        Ok(Bytes::from(match self.inner {
            Inner::Identity => Vec::new(),
            Inner::Gzip(encoder) => encoder.finish()?,
            Inner::Brotli(encoder) => encoder.into_inner(),
        }))
    }
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
