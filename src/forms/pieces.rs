//! How a text is cut into the deltas of a stream.

/// Fewest bytes of a piece, but for the last one of a text: a handful of words.
const MIN_PIECE_BYTES: usize = 24;

/// Most pieces of one text, so that a long one does not become many times as long.
const MAX_PIECES: usize = 256;

/// Returns how many bytes a piece of a text should have at least.
pub(super) fn piece_bytes(text: &str) -> usize {
    MIN_PIECE_BYTES.max(text.len().div_ceil(MAX_PIECES))
}

/// Cuts a spelled string into pieces, before spaces where there are any.
///
/// Law: the pieces after one another are the text; each is whole characters and whole escapes;
/// none but the last is shorter than [`piece_bytes`] says. An empty text has no pieces.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let enough = piece_bytes(text);
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at_checked(cut(rest, enough))?;
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Returns where to cut: before the first space that leaves a piece of `enough` bytes, or after
/// twice as many.
fn cut(text: &str, enough: usize) -> usize {
    let mut here = 0;
    while let Some(rest) = text.get(here..) {
        let is_good = rest.starts_with(' ') || here >= 2 * enough;
        if rest.is_empty() || here >= enough && is_good && can_begin(rest) {
            break;
        }
        here += unit_len(rest);
    }
    here
}

/// Tells whether a piece may begin here: not with the second half of a surrogate pair.
pub(super) fn can_begin(rest: &str) -> bool {
    let half = rest.strip_prefix("\\u").and_then(|digits| digits.as_bytes().first_chunk::<2>());
    !matches!(half, Some([b'd' | b'D', b'c'..=b'f' | b'C'..=b'F']))
}

/// Returns the length of the first character or escape.
fn unit_len(text: &str) -> usize {
    if text.starts_with("\\u") {
        6
    } else if text.starts_with('\\') {
        2
    } else {
        text.chars().next().map_or(1, char::len_utf8)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_cut_before_spaces() {
        let text = "The capital of France is Paris, which lies on the river Seine.";
        let expected = ["The capital of France is", " Paris, which lies on the", " river Seine."];
        assert_eq!(pieces(text).collect::<Vec<_>>(), expected);
        assert_eq!(pieces("").count(), 0);
        assert_eq!(pieces("Hi").collect::<Vec<_>>(), ["Hi"]);
    }

    #[test]
    fn a_long_text_has_a_bounded_number_of_pieces() {
        assert!(pieces(&"word ".repeat(100_000)).count() <= MAX_PIECES);
        assert!(pieces(&"\\u00e9".repeat(100_000)).count() <= MAX_PIECES);
    }

    proptest! {
        #[test]
        fn pieces_are_whole_characters_and_escapes(
            units in prop::collection::vec(prop_oneof![
                4 => "[a-z ]".boxed(),
                1 => prop::sample::select(vec!["\\\\", "\\n", "\\\"", "\\u00e9", "\\ud83d\\ude00", "\\uD83D", "é", "😀"])
                    .prop_map(str::to_owned).boxed(),
            ], 0..200),
        ) {
            let text = units.concat();
            let cut: Vec<_> = pieces(&text).collect();
            prop_assert_eq!(cut.concat(), text.clone());
            for (position, piece) in cut.iter().enumerate() {
                let raw = format!("\"{piece}\"");
                prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&raw).is_ok());
                prop_assert!(can_begin(piece) || position == 0);
                prop_assert!(position + 1 == cut.len() || piece.len() >= MIN_PIECE_BYTES);
            }
        }
    }
}
