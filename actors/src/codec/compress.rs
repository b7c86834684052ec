//! Whole bodies in fewer bytes, and which bodies that is tried on.

use std::io::{self, Write};

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::model::Encoding;

/// Highest brotli quality that is used: 9 takes 10 to 70 times as long as 5 (DESIGN B1).
pub const MAX_BROTLI_LEVEL: u8 = 5;

/// Highest level of gzip.
pub const MAX_GZIP_LEVEL: u8 = 9;

/// Least part of a body that compressing must save, as a divisor: a twentieth.
///
/// Less does not pay for decoding it.
const LEAST_SAVED: usize = 20;

/// Smallest and largest window of brotli for whole bodies, as powers of two.
///
/// At 16 and below, its level 5 goes over to a matcher that takes 32 MiB and 40 ms a body.
const BROTLI_WINDOW: (u8, u8) = (18, 22);

/// From which size on bodies are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// In bytes; larger bodies are compressed.
    pub bytes: usize,
}

impl Default for Threshold {
    /// 500 bytes: such an answer fits one packet with its head, compressed or not.
    fn default() -> Self {
        Self { bytes: 500 }
    }
}

impl Threshold {
    /// Tells whether a body of `length` bytes is large enough.
    pub const fn is_passed_by(self, length: usize) -> bool {
        length > self.bytes
    }
}

/// Tells whether bodies of this `Content-Type` shrink: text, JSON, XML, JavaScript, event streams.
///
/// Parameters and case do not count. Images, sound, films and unnamed bytes are dense already.
pub fn is_compressible(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    if let Some(kind) = essence.strip_prefix(b"application/") {
        let is_plain = matches!(
            kind,
            b"json" | b"xml" | b"javascript" | b"x-javascript" | b"x-ndjson" | b"jsonl" | b"yaml"
        );
        return is_plain || kind.ends_with(b"+json") || kind.ends_with(b"+xml");
    }
    essence.len() > 5 && essence.starts_with(b"text/")
}

/// Returns `body` in `encoding`, or `None` where that does not save a twentieth of it.
///
/// `level`: 1 to 9 for gzip, 0 to 5 for brotli; what is beyond counts as the nearest. The same
/// input gives the same bytes, on every machine. For identity always `None`.
/// Cost: some 50 ns a byte for brotli at level 5, 20 ns for gzip; not for the path of a response.
/// Memory beside the result: 0.4 MiB for gzip; for brotli 1.2 MiB, 6 MiB for a body of 1 MB, at
/// most some 50 MiB.
pub fn compress(encoding: Encoding, level: u8, body: &[u8]) -> Option<Vec<u8>> {
    // A failure means that the body is sent as it is.
    let compressed = match encoding {
        Encoding::Identity => return None,
        Encoding::Gzip => gzip(level, body).ok()?,
        Encoding::Brotli => brotli(level, body).ok()?,
    };
    let most = body.len() - body.len().div_ceil(LEAST_SAVED).min(body.len());
    (compressed.len() <= most).then_some(compressed)
}

fn gzip(level: u8, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 3), gzip_level(level));
    encoder.write_all(body)?;
    encoder.finish()
}

fn brotli(level: u8, mut body: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len() / 3);
    let mut params = brotli_params(level, window_of(body.len()));
    params.size_hint = body.len();
    brotli::BrotliCompress(&mut body, &mut out, &params)?;
    Ok(out)
}

/// Returns the smallest window that holds all of a body, as a power of two.
fn window_of(length: usize) -> u8 {
    let (least, most) = BROTLI_WINDOW;
    let bits = usize::BITS - length.leading_zeros();
    u8::try_from(bits).unwrap_or(most).clamp(least, most)
}

/// Returns flate2's level; 0, which only wraps, counts as 1.
pub(super) fn gzip_level(level: u8) -> Compression {
    Compression::new(u32::from(level.clamp(1, MAX_GZIP_LEVEL)))
}

/// Returns brotli's parameters for text.
pub(super) fn brotli_params(level: u8, window: u8) -> BrotliEncoderParams {
    BrotliEncoderParams {
        quality: i32::from(level.min(MAX_BROTLI_LEVEL)),
        lgwin: i32::from(window),
        ..BrotliEncoderParams::default()
    }
}

#[cfg(test)]
#[path = "compress_tests.rs"]
mod tests;
