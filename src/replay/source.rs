//! The lines of a log, gzipped or not.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be opened.
    #[error("failed to open the log: {0}")]
    Open(io::Error),
    /// It cannot be read on.
    #[error("failed to read line {line} of the log: {source}")]
    Read {
        /// Number of the line, from 1.
        line: u64,
        /// What the system or gzip says.
        source: io::Error,
    },
}

/// Lines of bounded length, by number.
pub struct Lines<'a> {
    source: Box<dyn BufRead + 'a>,
    longest: u64,
    line: u64,
    text: Vec<u8>,
}

/// What stands in a line.
pub enum Line<'t> {
    /// Its bytes, with its end.
    Text(&'t [u8]),
    /// It is longer than lines may be; it was passed over.
    Long,
}

impl<'a> Lines<'a> {
    /// Reads lines of at most `longest` bytes, without their end.
    ///
    /// # Errors
    ///
    /// The source cannot be read.
    pub fn of(source: impl Read + 'a, longest: u64) -> Result<Self, SourceError> {
        let mut source = BufReader::new(source);
        let begins = source.fill_buf().map_err(|source| SourceError::Read { line: 1, source })?;
        let source: Box<dyn BufRead + 'a> = if begins.starts_with(&GZIP) {
            Box::new(BufReader::new(MultiGzDecoder::new(source)))
        } else {
            Box::new(source)
        };
        Ok(Self { source, longest, line: 0, text: Vec::new() })
    }

    /// Returns the next line with its number, from 1; `None` at the end.
    ///
    /// # Errors
    ///
    /// The source cannot be read.
    pub fn next_line(&mut self) -> Result<Option<(u64, Line<'_>)>, SourceError> {
        self.line += 1;
        let (line, longest) = (self.line, self.longest);
        let failed = |source| SourceError::Read { line, source };
        self.text.clear();
        let mut bounded = (&mut self.source).take(longest + 1);
        let length = bounded.read_until(b'\n', &mut self.text).map_err(failed)?;
        if length == 0 {
            return Ok(None);
        }
        if length as u64 <= longest || self.text.last() == Some(&b'\n') {
            return Ok(Some((line, Line::Text(&self.text))));
        }
        self.source.skip_until(b'\n').map_err(failed)?;
        Ok(Some((line, Line::Long)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_passed_over_and_the_next_is_read() {
        let mut lines = Lines::of(&b"abcd\nabcde\nabcdefghij\n\nx"[..], 4).unwrap();
        let mut seen = Vec::new();
        while let Some((number, line)) = lines.next_line().unwrap() {
            seen.push((
                number,
                match line {
                    Line::Text(text) => Some(text.to_vec()),
                    Line::Long => None,
                },
            ));
        }
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let expected = [(1, text("abcd\n")), (2, None), (3, None), (4, text("\n")), (5, text("x"))];
        assert_eq!(seen, expected);
    }
}
