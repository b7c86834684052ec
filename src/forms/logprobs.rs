//! Log probabilities go with the text they belong to, token by token.

use std::borrow::Cow;

use super::json::{Raw, write_name};
use super::ordered::Ordered;
use super::pieces::{can_begin, piece_bytes, pieces};

/// A piece of a text, and its `logprobs` as JSON where its tokens are known.
pub(super) type Piece<'a> = (&'a str, Option<String>);

/// How `logprobs` of a choice are dealt out to its chunks.
#[derive(Default)]
pub(super) struct Dealt<'a> {
    tracks: Vec<Track<'a>>,
    /// Names of members that are `null`: each chunk with log probabilities says so.
    nulls: Vec<Cow<'a, str>>,
    /// What no text's tokens account for, as JSON.
    rest: Option<String>,
}

/// Arrays that have one element for each token of one text.
struct Track<'a> {
    /// Member of the delta that holds the text.
    text_name: &'static str,
    /// Where each token ends in the text, in bytes.
    ends: Vec<usize>,
    arrays: Vec<(Cow<'a, str>, Vec<Raw<'a>>)>,
}

impl<'a> Dealt<'a> {
    /// Deals out those of a chat: `content` and `refusal` belong to the message's texts of the
    /// same names, where their tokens are the text.
    pub(super) fn of_chat(logprobs: Raw<'a>, texts: [(&'static str, Option<&str>); 2]) -> Self {
        let members = Ordered::of(logprobs);
        let mut tracks = Vec::new();
        for (text_name, text) in texts {
            let (Some(text), Some(entries)) = (text, members.get(text_name)) else { continue };
            let entries: Vec<_> = entries.elements().collect();
            let tokens = entries.iter().map(|entry| entry.member("token").and_then(Raw::string));
            if let Some(ends) = token_ends(text, tokens) {
                let arrays = vec![(Cow::Borrowed(text_name), entries)];
                tracks.push(Track { text_name, ends, arrays });
            }
        }
        Self::new(logprobs, &members, tracks)
    }

    /// Deals out those of a completion: `tokens`, and all arrays that are as long.
    pub(super) fn of_completion(logprobs: Raw<'a>, text: &str) -> Self {
        let members = Ordered::of(logprobs);
        let tokens: Vec<_> =
            members.get("tokens").into_iter().flat_map(|raw| raw.elements()).collect();
        let ends = token_ends(text, tokens.iter().map(|token| token.string()));
        let track = ends.map(|ends| {
            let arrays = members.in_order().map(|(name, value)| {
                (Cow::Owned(name.to_owned()), value.elements().collect::<Vec<_>>())
            });
            let arrays = arrays.filter(|(_, elements)| elements.len() == ends.len()).collect();
            Track { text_name: "text", ends, arrays }
        });
        Self::new(logprobs, &members, track.into_iter().collect())
    }

    fn new(logprobs: Raw<'a>, members: &Ordered<'a, Raw<'a>>, tracks: Vec<Track<'a>>) -> Self {
        if logprobs.is_null() {
            return Self::default();
        }
        if tracks.is_empty() {
            let mut whole = String::new();
            logprobs.write(&mut whole);
            return Self { rest: Some(whole), ..Self::default() };
        }
        let is_dealt = |name: &str| {
            tracks.iter().any(|track| track.arrays.iter().any(|(dealt, _)| dealt == name))
        };
        let (mut nulls, mut rest) = (Vec::new(), String::from("{"));
        for (name, value) in members.in_order().filter(|(name, _)| !is_dealt(name)) {
            if value.is_null() {
                nulls.push(Cow::Owned(name.to_owned()));
            } else {
                write_name(&mut rest, name);
                value.write(&mut rest);
            }
        }
        let rest = (rest.len() > 1).then(|| rest + "}");
        Self { tracks, nulls, rest }
    }

    /// Returns what the choice's first chunk says; nothing where it is all in the pieces.
    pub(super) fn rest(&self) -> Option<&str> {
        self.rest.as_deref()
    }

    /// Cuts a text of the delta into pieces, between tokens where they are known.
    pub(super) fn pieces<'t>(&self, text_name: &str, text: &'t str) -> Vec<Piece<'t>> {
        let Some(track) = self.tracks.iter().find(|track| track.text_name == text_name) else {
            return pieces(text).map(|piece| (piece, None)).collect();
        };
        let enough = piece_bytes(text);
        let (mut cut, mut from, mut first_token) = (Vec::new(), 0, 0);
        for (position, end) in track.ends.iter().copied().enumerate() {
            let is_last = position + 1 == track.ends.len();
            let rest = text.get(end..).unwrap_or_default();
            if is_last || end - from >= enough && can_begin(rest) {
                let piece = text.get(from..end).unwrap_or_default();
                cut.push((piece, Some(self.write(track, first_token, position + 1))));
                (from, first_token) = (end, position + 1);
            }
        }
        cut
    }

    /// Writes the log probabilities of some tokens, and of nothing else.
    fn write(&self, track: &Track<'_>, from: usize, to: usize) -> String {
        let mut out = String::from("{");
        for (name, elements) in &track.arrays {
            write_name(&mut out, name);
            out.push('[');
            let elements = elements.get(from..to).unwrap_or_default();
            for (position, element) in elements.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                element.write(&mut out);
            }
            out.push(']');
        }
        for name in &self.nulls {
            write_name(&mut out, name);
            out.push_str("null");
        }
        out.push('}');
        out
    }
}

/// Returns where each token ends in the text; nothing where the tokens are not the text, letter
/// by letter: some stand for parts of characters.
fn token_ends<'t>(text: &str, tokens: impl Iterator<Item = Option<&'t str>>) -> Option<Vec<usize>> {
    let (mut rest, mut ends) = (text, Vec::new());
    for token in tokens {
        rest = rest.strip_prefix(token?)?;
        ends.push(text.len() - rest.len());
    }
    (rest.is_empty() && !ends.is_empty()).then_some(ends)
}
