//! Cuts a text into sentences, by punctuation of several scripts and by the lines of a list.

use std::iter::Peekable;
use std::str::CharIndices;

/// A longer sentence is cut at the next white space: a table or a log has no full stops.
const LONG_CHARS: usize = 240;
/// A longer sentence is cut where it stands.
const LONGEST_CHARS: usize = 300;

/// Words whose full stop ends no sentence, in lower case.
const ABBREVIATIONS: [&str; 21] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "eg", "ie", "e.g", "i.e", "cf", "fig",
    "no", "approx", "inc", "ltd", "jr", "sr", "al",
];

/// Returns the sentences of `text` in order: parts of it, trimmed, none empty.
///
/// A sentence has at most 300 characters; longer ones come as several.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut chars = 0;
    let mut scan = text.char_indices().peekable();
    while let Some((at, c)) = scan.next() {
        chars += 1;
        let so_far = text.get(start..at).unwrap_or_default();
        let ends = match c {
            '。' | '！' | '？' | '｡' | '।' | '॥' | '۔' | '؟' => true,
            '!' | '?' | '…' => space_follows(&mut scan, text),
            '.' => space_follows(&mut scan, text) && full_stop_ends(so_far, rest(&mut scan, text)),
            '\n' => line_ends(rest(&mut scan, text)),
            _ => chars >= LONG_CHARS && c.is_whitespace(),
        };
        if ends || chars >= LONGEST_CHARS {
            while chars < LONGEST_CHARS && scan.next_if(|(_, c)| closes(*c)).is_some() {
                chars += 1;
            }
            let end = next_at(&mut scan, text);
            found.push(text.get(start..end).unwrap_or_default().trim());
            start = end;
            chars = 0;
        }
    }
    found.push(text.get(start..).unwrap_or_default().trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}

type Scan<'a> = Peekable<CharIndices<'a>>;

fn next_at(scan: &mut Scan<'_>, text: &str) -> usize {
    scan.peek().map_or(text.len(), |(at, _)| *at)
}

fn rest<'a>(scan: &mut Scan<'_>, text: &'a str) -> &'a str {
    text.get(next_at(scan, text)..).unwrap_or_default()
}

const fn closes(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '”' | '’' | '»' | '」' | '』' | '）')
}

fn space_follows(scan: &mut Scan<'_>, text: &str) -> bool {
    rest(scan, text).chars().find(|c| !closes(*c)).is_none_or(char::is_whitespace)
}

fn full_stop_ends(before: &str, after: &str) -> bool {
    // Only the end matters; a bounded look keeps the whole scan linear.
    let tail_from = before.ceil_char_boundary(before.len().saturating_sub(16));
    let tail = before.get(tail_from..).unwrap_or_default();
    let word = tail.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    let is_abbreviation = ABBREVIATIONS.iter().any(|short| word.eq_ignore_ascii_case(short));
    let is_list_number = before.trim() == word && word.chars().all(|c| c.is_ascii_digit());
    let goes_on =
        after.chars().take(8).find(|c| c.is_alphanumeric()).is_some_and(char::is_lowercase);
    !(is_initial || is_abbreviation || is_list_number || goes_on)
}

/// A line break ends a sentence before an empty line, a heading, a quotation or a list item.
fn line_ends(after: &str) -> bool {
    let next_line = after.trim_start_matches([' ', '\t', '\r']);
    next_line.starts_with(['\n', '-', '*', '•', '#', '>', '|'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_cut_where_a_reader_would() {
        let table: [(&str, &[&str]); 12] = [
            ("", &[]),
            (" \n\t ", &[]),
            ("One. Two! Three?", &["One.", "Two!", "Three?"]),
            ("Version 1.2 is out. See a.b.c now.", &["Version 1.2 is out.", "See a.b.c now."]),
            ("Dr. Who met J. Smith. He left.", &["Dr. Who met J. Smith.", "He left."]),
            ("Use a cache, e.g. Redis. Done.", &["Use a cache, e.g. Redis.", "Done."]),
            ("He said \"go.\" Then left.", &["He said \"go.\"", "Then left."]),
            ("A heading\n\nA line\nand more.", &["A heading", "A line\nand more."]),
            ("Items:\n- one\n- two", &["Items:", "- one", "- two"]),
            ("1. Boil it. 2 eggs.", &["1. Boil it.", "2 eggs."]),
            ("今日は晴れ。明日は雨！", &["今日は晴れ。", "明日は雨！"]),
            ("यह एक है। वह दो है।", &["यह एक है।", "वह दो है।"]),
        ];
        for (text, expected) in table {
            assert_eq!(sentences(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_text_without_punctuation_is_cut_by_length() {
        assert!(sentences(&"word ".repeat(200)).iter().all(|sentence| sentence.len() < 250));
        let cut = sentences(&"x".repeat(1000)).iter().map(|s| s.len()).collect::<Vec<_>>();
        assert_eq!(cut, [300, 300, 300, 100]);
    }

    proptest! {
        #[test]
        fn sentences_lose_nothing_but_white_space(text in "(?s)[a-c.!? \n\"')。-]{0,120}|.{0,80}") {
            let kept: String = sentences(&text).concat();
            let squeeze = |s: &str| s.split_whitespace().collect::<String>();
            prop_assert_eq!(squeeze(&kept), squeeze(&text));
        }
    }
}
