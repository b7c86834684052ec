//! The words of a text that carry its meaning, and how much each is worth.

use super::tokens::is_ideographic;

/// Longer runs are addresses, digests or encoded data.
const LONGEST_CHARS: usize = 32;

/// English words without a meaning of their own, and what a request for a summary is made of.
/// Sorted: looked up by bisection.
#[rustfmt::skip] // one word a line otherwise
const STOP_WORDS: [&str; 161] = [
    "a", "about", "above", "after", "again", "against", "all", "also", "am", "an", "and", "any",
    "are", "as", "at", "be", "because", "been", "before", "being", "below", "between", "both",
    "but", "by", "can", "can't", "cannot", "could", "did", "do", "does", "doesn't", "doing",
    "don't", "down", "during", "each", "even", "every", "few", "following", "for", "from",
    "further", "get", "had", "has", "have", "having", "he", "her", "here", "hers", "him", "his",
    "how", "however", "i", "i'm", "if", "in", "into", "is", "isn't", "it", "it's", "its", "just",
    "let", "like", "made", "make", "many", "may", "me", "might", "more", "most", "much", "must",
    "my", "no", "nor", "not", "now", "of", "off", "on", "once", "one", "only", "or", "other", "our",
    "out", "over", "own", "paragraph", "per", "please", "same", "shall", "she", "should", "since",
    "so", "some", "still", "such", "summarise", "summarize", "summary", "tell", "text", "than",
    "that", "that's", "the", "their", "them", "then", "there", "these", "they", "this", "those",
    "though", "through", "to", "too", "under", "until", "up", "upon", "us", "use", "used", "very",
    "was", "we", "were", "what", "what's", "when", "where", "which", "while", "who", "whom",
    "whose", "why", "will", "with", "without", "would", "write", "yet", "you", "your", "yours",
];

/// A word that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word in lower case.
    pub shown: String,
    /// What it is counted under: without the `s` of an English plural.
    pub stem: String,
    /// What one occurrence is worth, 1–4: short words are often only grammar, in languages
    /// whose stop words are not known here.
    pub worth: u64,
}

/// Returns the words of `text` that count, in order, repeats included.
///
/// Chinese and Japanese, written without spaces, give every pair of neighbouring characters.
pub fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    for run in text.split(|c: char| !in_word(c)) {
        let run = run.trim_matches(['\'', '’', '_']);
        if run.chars().any(is_ideographic) {
            let chars = run.chars().take(LONGEST_CHARS * 16).collect::<Vec<_>>();
            found.extend(chars.windows(2).filter_map(ideographic_pair));
        } else {
            found.extend(word(run));
        }
    }
    found
}

fn in_word(c: char) -> bool {
    // Indian scripts join their letters by signs that are no letters themselves.
    c.is_alphanumeric()
        || matches!(c, '\'' | '’' | '_' | '\u{200c}' | '\u{200d}')
        || matches!(c, '\u{0900}'..='\u{0963}' | '\u{0966}'..='\u{0dff}' | '\u{0300}'..='\u{036f}')
}

fn ideographic_pair(pair: &[char]) -> Option<Word> {
    // Hiragana alone is mostly grammar.
    let is_grammar = |c: &char| matches!(c, '\u{3040}'..='\u{309f}');
    if pair.iter().any(|c| is_grammar(c) || !is_ideographic(*c)) {
        return None;
    }
    let shown: String = pair.iter().collect();
    Some(Word { stem: shown.clone(), shown, worth: 4 })
}

fn word(run: &str) -> Option<Word> {
    let chars = run.chars().take(LONGEST_CHARS + 1).count();
    if !(2..=LONGEST_CHARS).contains(&chars) || !run.contains(char::is_alphabetic) {
        return None;
    }
    let shown = run.to_lowercase().replace('’', "'");
    if STOP_WORDS.binary_search(&shown.as_str()).is_ok() {
        return None;
    }
    let worth = match chars {
        ..=3 => 1,
        4 => 2,
        5 => 3,
        _ => 4,
    };
    Some(Word { stem: stem(&shown).to_owned(), shown, worth })
}

fn stem(word: &str) -> &str {
    let possessive = word.strip_suffix("'s").unwrap_or(word);
    match possessive.strip_suffix('s') {
        Some(singular) if singular.len() >= 3 && !singular.ends_with(['s', 'u', 'i']) => singular,
        _ => possessive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.shown).collect()
    }

    #[test]
    fn stop_words_are_sorted() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn only_words_that_carry_meaning_count() {
        let table: [(&str, &[&str]); 8] = [
            ("What is the capital of France?", &["capital", "france"]),
            ("It’s the cache's size, 42 MB", &["cache's", "size", "mb"]),
            ("", &[]),
            ("!!! 🎉 ---", &[]),
            ("Größe ändern", &["größe", "ändern"]),
            ("東京都は大きい", &["東京", "京都"]),
            ("नमस्ते दुनिया", &["नमस्ते", "दुनिया"]),
            ("q1w2e3r4t5y6u7i8o9p0q1w2e3r4t5y6u7i8o9p0 ok", &["ok"]),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn plurals_and_possessives_count_as_the_word() {
        let table =
            [("caches", "cache"), ("cache's", "cache"), ("glass", "glass"), ("status", "status")];
        for (word, expected) in table {
            assert_eq!(stem(word), expected);
        }
    }
}
