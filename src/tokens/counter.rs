//! How many tokens are this request and this answer, where nobody says so?

use std::sync::Arc;

use anteroom_actors::model::{LocalModel, Usage};
use anteroom_actors::models::LocalModels;

use super::texts::{self, Sink};
use super::vocabulary::vocabulary_of;
use super::{most_tokens, of_length};
use crate::canonical::Profile;

/// Bytes of text that are counted token by token; what is beyond is reckoned by its length in the same
/// proportion. Bounds the time of one count: about two milliseconds.
const COUNTED: usize = 64 * 1024;

/// Counts tokens by tokenizers that are loaded. Never waits: where a tokenizer is not loaded it is asked
/// for, and there is no count.
#[derive(Debug, Clone)]
pub struct TokenCounter {
    /// Nothing where counting is switched off.
    shelf: Option<LocalModels>,
}

impl TokenCounter {
    /// Creates a counter by the models on `shelf`; without one, nothing is counted.
    pub const fn new(shelf: Option<LocalModels>) -> Self {
        Self { shelf }
    }

    /// Returns an estimate of what a call with this body will cost, in tokens: those of its texts, or a
    /// quarter of its bytes where they cannot be counted now, and the longest answer it allows.
    pub fn estimate(&self, model: Option<&str>, body: &[u8]) -> u64 {
        let input = self.request(model, body).unwrap_or_else(|| of_length(body.len()));
        input.saturating_add(most_tokens(body))
    }

    /// Returns what a call has cost whose answer does not say so; nothing for APIs without tokens, for an
    /// answer in which nothing is said, and where it cannot be counted now.
    pub fn usage(
        &self,
        profile: Profile,
        model: Option<&str>,
        request: &[u8],
        answer: Answered<'_>,
    ) -> Option<Usage> {
        let output = match (profile, answer) {
            (Profile::Generic | Profile::Models, _) => return None,
            (Profile::Embeddings, _) => 0,
            (_, Answered::Object(body)) => self.object(model, body).filter(|tokens| *tokens > 0)?,
            (_, Answered::Stream(body)) => self.stream(model, body).filter(|tokens| *tokens > 0)?,
        };
        Some(Usage { input_tokens: self.request(model, request)?, output_tokens: output })
    }

    fn request(&self, model: Option<&str>, body: &[u8]) -> Option<u64> {
        let mut tally = self.tally(model)?;
        texts::of_request(body, &mut tally).then(|| tally.tokens())
    }

    fn object(&self, model: Option<&str>, body: &[u8]) -> Option<u64> {
        let mut tally = self.tally(model)?;
        texts::of_answer(body, &mut tally).then(|| tally.tokens())
    }

    fn stream(&self, model: Option<&str>, body: &[u8]) -> Option<u64> {
        // A piece may end within a token: they are counted together.
        let mut whole = Whole::default();
        texts::of_stream(body, &mut whole);
        let mut tally = self.tally(model)?;
        tally.text(&whole.text);
        tally.left_out = tally.left_out.saturating_add(whole.left_out);
        Some(tally.tokens())
    }

    fn tally(&self, model: Option<&str>) -> Option<Tally> {
        let model = self.shelf.as_ref()?.get(vocabulary_of(model.unwrap_or_default()))?;
        Some(Tally { model, room: COUNTED, counted: 0, in_bytes: 0, left_out: 0, apart: 0 })
    }
}

/// An answer's body.
#[derive(Debug, Clone, Copy)]
pub enum Answered<'a> {
    /// One object.
    Object(&'a [u8]),
    /// A stream of events.
    Stream(&'a [u8]),
}

/// A count under way.
struct Tally {
    model: Arc<dyn LocalModel>,
    /// Bytes that are still counted token by token.
    room: usize,
    counted: u64,
    /// Bytes of what was counted.
    in_bytes: usize,
    /// Bytes of what was not.
    left_out: usize,
    /// Tokens beside all texts.
    apart: u64,
}

impl Tally {
    fn tokens(&self) -> u64 {
        let (counted, in_bytes) = (u128::from(self.counted), self.in_bytes.max(1) as u128);
        let beyond = (self.left_out as u128).saturating_mul(counted) / in_bytes;
        let beyond = u64::try_from(beyond).unwrap_or(u64::MAX);
        self.counted.saturating_add(beyond).saturating_add(self.apart)
    }
}

impl Sink for Tally {
    fn text(&mut self, text: &str) {
        let head = text.get(..text.floor_char_boundary(self.room)).unwrap_or_default();
        if !head.is_empty() {
            self.counted = self.counted.saturating_add(self.model.count_tokens(head));
            self.room = self.room.saturating_sub(head.len());
            self.in_bytes = self.in_bytes.saturating_add(head.len());
        }
        self.left_out = self.left_out.saturating_add(text.len().saturating_sub(head.len()));
    }

    fn tokens(&mut self, tokens: u64) {
        self.apart = self.apart.saturating_add(tokens);
    }
}

/// The pieces of a stream as one text, as far as it is counted token by token.
#[derive(Default)]
struct Whole {
    text: String,
    left_out: usize,
}

impl Sink for Whole {
    fn text(&mut self, text: &str) {
        let room = COUNTED.saturating_sub(self.text.len());
        let head = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        self.text.push_str(head);
        self.left_out = self.left_out.saturating_add(text.len().saturating_sub(head.len()));
    }

    fn tokens(&mut self, _: u64) {}
}

#[cfg(test)]
#[path = "counter_tests.rs"]
mod tests;
