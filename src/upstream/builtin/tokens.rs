//! A token estimate: cuts a text into pieces about as large as a model's tokens.
//!
//! It is near what byte-pair tokenizers count for English prose and is no more than that: a
//! word of up to seven ASCII letters or digits is one token and a longer one is cut; other
//! alphabets are cut after four letters; Chinese and Japanese characters, punctuation and
//! symbols count one each. White space belongs to the piece that follows it.

/// Past this many bytes of one text tokens are estimated at four bytes each.
const MAX_COUNTED_BYTES: usize = 64 * 1024;

/// Returns an estimate of the tokens of `text`: exact pieces for its first 64 KiB.
pub fn estimate(text: &str) -> u64 {
    let (counted, rest) = text.split_at(text.floor_char_boundary(MAX_COUNTED_BYTES));
    let tokens = pieces(counted).count() + rest.len().div_ceil(4);
    u64::try_from(tokens).unwrap_or(u64::MAX)
}

/// Cuts `text` into pieces of one token each; together they are `text` again.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at_checked(piece_bytes(rest))?;
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Tells whether a character stands for a word or half of one, and needs no space beside it.
pub(super) const fn is_ideographic(c: char) -> bool {
    matches!(c,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

fn piece_bytes(text: &str) -> usize {
    let letters = text.trim_start();
    let space_bytes = text.len() - letters.len();
    let Some(first) = letters.chars().next() else { return space_bytes };
    let class = Class::of(first);
    let letter_bytes: usize = letters
        .chars()
        .take(class.longest())
        .take_while(|c| Class::of(*c) == class)
        .map(char::len_utf8)
        .sum();
    space_bytes + letter_bytes
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Ascii,
    Alphabet,
    Single,
}

impl Class {
    fn of(c: char) -> Self {
        if c.is_ascii_alphanumeric() {
            Self::Ascii
        } else if c.is_alphanumeric() && !is_ideographic(c) {
            Self::Alphabet
        } else {
            Self::Single
        }
    }

    const fn longest(self) -> usize {
        match self {
            Self::Ascii => 7,
            Self::Alphabet => 4,
            Self::Single => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pieces_are_cut_as_documented() {
        let table: [(&str, &[&str]); 9] = [
            ("", &[]),
            ("   ", &["   "]),
            ("The cat sat.", &["The", " cat", " sat", "."]),
            ("international", &["interna", "tional"]),
            ("don't", &["don", "'", "t"]),
            ("привет", &["прив", "ет"]),
            ("東京 都", &["東", "京", " 都"]),
            ("a\n\nb ", &["a", "\n\nb", " "]),
            ("🎉🎉", &["🎉", "🎉"]),
        ];
        for (text, expected) in table {
            assert_eq!(pieces(text).collect::<Vec<_>>(), expected, "{text:?}");
            assert_eq!(estimate(text), expected.len() as u64, "{text:?}");
        }
    }

    #[test]
    fn past_the_bound_tokens_are_four_bytes_each() {
        let counted = ", ".repeat(MAX_COUNTED_BYTES / 2);
        let exact = estimate(&counted);
        let rest = "é".repeat(1001);
        assert_eq!(estimate(&(counted + &rest)), exact + 501);
    }

    proptest! {
        #[test]
        fn pieces_together_are_the_text(text in any::<String>()) {
            prop_assert_eq!(pieces(&text).collect::<String>(), text);
        }
    }
}
