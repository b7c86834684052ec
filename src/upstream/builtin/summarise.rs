//! The model itself: picks out of a text the sentences that say most of what it is about.
//!
//! Law, after SumBasic (Nenkova and Vanderwende, 2005): a word is worth as much as it is
//! frequent; a sentence is worth the sum of its distinct words, over the root of its length;
//! the best one is taken, its words are marked down so that the next one adds something, and
//! so on. Whole numbers only: the same text gives the same answer on every machine.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::sentences::sentences;
use super::tokens;
use super::words::{Word, words};

/// Bytes of a text that are looked at.
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Most sentences of a summary.
const MAX_SENTENCES: usize = 5;
/// Tokens past which no further sentence is taken.
const MAX_TOKENS: u64 = 64;
/// Most key words.
const MAX_KEY_WORDS: usize = 6;
/// Words below which a sentence's length is no merit: a heading is not a summary.
const SHORT_WORDS: u64 = 6;
/// What is left of a word's worth once a sentence with it was taken: one part of this.
const MARK_DOWN: u64 = 4;

/// What a text says, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary<'a> {
    /// Sentences of the text, in its order; at most five, none for a blank text.
    pub sentences: Vec<&'a str>,
    /// The words that say what it is about, in lower case, weightiest first; at most six.
    pub key_words: Vec<String>,
    /// How many sentences the text has.
    pub num_read: usize,
}

/// Summarises the first 64 KiB of `text`.
pub fn summarise(text: &str) -> Summary<'_> {
    let read = text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default();
    let all = sentences(read);
    let words_of: Vec<Vec<Word>> = all.iter().map(|sentence| words(sentence)).collect();
    let worths = Worths::of(&words_of);
    let key_words = worths.key_words();
    let chosen = choose(&all, &words_of, worths);
    Summary {
        num_read: all.len(),
        sentences: chosen.into_iter().filter_map(|i| all.get(i).copied()).collect(),
        key_words,
    }
}

/// What each word is worth in this text.
struct Worths<'a>(HashMap<&'a str, Worth<'a>>);

struct Worth<'a> {
    worth: u64,
    first_seen: usize,
    shown: &'a str,
}

impl<'a> Worths<'a> {
    fn of(words_of: &'a [Vec<Word>]) -> Self {
        let mut worths: HashMap<&str, Worth<'_>> = HashMap::new();
        for (first_seen, word) in words_of.iter().flatten().enumerate() {
            worths
                .entry(&word.stem)
                .and_modify(|known| known.worth += word.worth)
                .or_insert(Worth { worth: word.worth, first_seen, shown: &word.shown });
        }
        Self(worths)
    }

    fn key_words(&self) -> Vec<String> {
        let mut ranked: Vec<&Worth<'_>> = self.0.values().collect();
        ranked.sort_unstable_by_key(|word| (Reverse(word.worth), word.first_seen));
        ranked.iter().take(MAX_KEY_WORDS).map(|word| word.shown.to_owned()).collect()
    }

    fn score(&self, stems: &BTreeSet<&str>, at: usize) -> u64 {
        let sum: u64 = stems.iter().filter_map(|stem| self.0.get(stem)).map(|w| w.worth).sum();
        let num_words = u64::try_from(stems.len()).unwrap_or(u64::MAX).max(SHORT_WORDS);
        let score = sum.saturating_mul(10_000) / num_words.saturating_mul(100).isqrt();
        // Texts open with what they are about.
        if at == 0 { score + score / 8 } else { score }
    }

    fn mark_down(&mut self, stems: &BTreeSet<&'a str>) {
        for stem in stems {
            if let Some(word) = self.0.get_mut(stem) {
                word.worth /= MARK_DOWN;
            }
        }
    }
}

/// Returns the positions of the sentences to take, in order: a third of them at most.
fn choose<'a>(all: &[&str], words_of: &'a [Vec<Word>], mut worths: Worths<'a>) -> Vec<usize> {
    let mut left: Vec<(usize, &str, BTreeSet<&'a str>)> = all
        .iter()
        .zip(words_of)
        .enumerate()
        .map(|(at, (text, words))| (at, *text, words.iter().map(|w| w.stem.as_str()).collect()))
        .collect();
    let most = all.len().div_ceil(3).min(MAX_SENTENCES);
    let mut chosen = Vec::new();
    let mut tokens_taken = 0;
    while chosen.len() < most {
        let best = left
            .iter()
            .enumerate()
            .max_by_key(|(_, (at, _, stems))| (worths.score(stems, *at), Reverse(*at)))
            .map(|(i, _)| i);
        let Some(best) = best else { break };
        let (at, text, stems) = left.swap_remove(best);
        worths.mark_down(&stems);
        let cost = tokens::estimate(text);
        // The best sentence is taken at any length; the others only where they fit.
        if !chosen.is_empty() && tokens_taken + cost > MAX_TOKENS {
            break;
        }
        tokens_taken += cost;
        chosen.push(at);
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
#[path = "summarise_tests.rs"]
mod tests;
