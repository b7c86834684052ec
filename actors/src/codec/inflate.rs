//! Bodies that come compressed, inflated within a bound.

use std::io::{ErrorKind, Read};

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;

use crate::model::Encoding;

/// How much is decoded at once, in bytes.
const CHUNK: usize = 8 << 10;

/// Why a body was not inflated. The texts hold nothing of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// A `Content-Encoding` other than one of `gzip`, `br` and `identity`, or several of them.
    #[error("the content encoding is not supported; use one of gzip, br and identity")]
    Unsupported,
    /// It has more bytes than may be.
    #[error("the body inflates to more than {most} bytes")]
    TooLarge {
        /// The bound, in bytes.
        most: usize,
    },
    /// It ends before its last part.
    #[error("the compressed body is cut off")]
    Truncated,
    /// It is not what its encoding says, or something follows its end.
    #[error("the compressed body is damaged")]
    Damaged,
}

impl InflateError {
    /// Returns the metric label, which is the error's `code` too.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unsupported => "content_encoding_unsupported",
            Self::TooLarge { .. } => "inflated_body_too_large",
            Self::Truncated => "compressed_body_truncated",
            Self::Damaged => "compressed_body_damaged",
        }
    }
}

/// Returns the encoding that the values of all `Content-Encoding` lines name; identity for none.
///
/// Errors: an encoding that is not spoken here, or a list of several (RFC 9110 §8.4: 415).
pub fn content_encoding<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Encoding, InflateError> {
    let mut named = None;
    for token in values.into_iter().flat_map(|value| value.split(|byte| *byte == b',')) {
        // Empty elements of a list do not count (RFC 9110 §5.6.1.2).
        let token = token.trim_ascii();
        if token.is_empty() {
            continue;
        }
        let encoding = Encoding::from_token(token).ok_or(InflateError::Unsupported)?;
        if named.replace(encoding).is_some() {
            return Err(InflateError::Unsupported);
        }
    }
    Ok(named.unwrap_or(Encoding::Identity))
}

/// Returns the bytes that `body` stands for in `encoding`: at most `most`, and no buffer for more.
///
/// gzip may have several members (RFC 1952 §2.2). Beside the bytes there are, until it is done, the
/// buffer they outgrew and the decoder's window: 32 KiB, for brotli at most 16 MiB. Brotli's
/// large windows of up to 1 GiB, which are none of RFC 7932, are refused.
/// Errors: more bytes than `most`, a body that is cut off, damaged, or goes on after its end.
pub fn inflate(encoding: Encoding, body: &Bytes, most: usize) -> Result<Bytes, InflateError> {
    let mut inflated = Bounded { bytes: Vec::new(), most };
    match encoding {
        Encoding::Identity if body.len() > most => return Err(InflateError::TooLarge { most }),
        Encoding::Identity => return Ok(body.clone()),
        Encoding::Gzip => gunzip(body, &mut inflated)?,
        Encoding::Brotli => unbrotli(body, &mut inflated)?,
    }
    Ok(Bytes::from(inflated.bytes))
}

fn gunzip(body: &[u8], inflated: &mut Bounded) -> Result<(), InflateError> {
    let mut decoder = MultiGzDecoder::new(body);
    let mut chunk = [0; CHUNK];
    loop {
        match decoder.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(length) => inflated.push(chunk.get(..length).unwrap_or_default())?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(InflateError::Truncated);
            }
            Err(_) => return Err(InflateError::Damaged),
        }
    }
}

fn unbrotli(body: &[u8], inflated: &mut Bounded) -> Result<(), InflateError> {
    let allocator = StandardAlloc::default;
    let mut state = BrotliState::new_strict(allocator(), allocator(), allocator());
    let (mut num_left, mut at, mut total) = (body.len(), 0, 0);
    let mut chunk = [0; CHUNK];
    loop {
        let (mut room, mut length) = (CHUNK, 0);
        let result = BrotliDecompressStream(
            &mut num_left,
            &mut at,
            body,
            &mut room,
            &mut length,
            &mut chunk,
            &mut total,
            &mut state,
        );
        inflated.push(chunk.get(..length).unwrap_or_default())?;
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess if num_left == 0 => return Ok(()),
            BrotliResult::NeedsMoreInput => return Err(InflateError::Truncated),
            BrotliResult::ResultSuccess | BrotliResult::ResultFailure => {
                return Err(InflateError::Damaged);
            }
        }
    }
}

/// Bytes that never have room for more than `most`.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Bounded {
    fn push(&mut self, chunk: &[u8]) -> Result<(), InflateError> {
        let length = self.bytes.len() + chunk.len();
        if length > self.most {
            return Err(InflateError::TooLarge { most: self.most });
        }
        if length > self.bytes.capacity() {
            // Doubled as a vector would, but not past the bound.
            let room = self.bytes.capacity().saturating_mul(2).clamp(length, self.most);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }
}

#[cfg(test)]
#[path = "inflate_tests.rs"]
mod tests;
