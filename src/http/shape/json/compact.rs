//! Writes tokens one after the other, with commas where they belong and no white space.

/// JSON that is being written from the tokens of another.
pub(crate) struct Compact {
    out: Vec<u8>,
}

impl Compact {
    /// Starts with room for `most` bytes.
    pub fn new(most: usize) -> Self {
        Self { out: Vec::with_capacity(most) }
    }

    /// Writes a member's name.
    pub fn name(&mut self, text: &[u8]) {
        self.value(text);
        self.out.push(b':');
    }

    /// Writes a value that is no container, or an opening bracket.
    pub fn value(&mut self, text: &[u8]) {
        // No token but these ends with one of their bytes, for strings end with a quote.
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(text);
    }

    /// Writes a closing bracket.
    pub fn close(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
    }

    /// Returns what was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }
}
