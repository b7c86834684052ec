//! The words in which the model answers. It never pretends to know more than it does.

use super::summarise::{Summary, summarise};

/// Most characters of a question that are repeated in the answer.
const MAX_QUOTED_CHARS: usize = 120;
/// A text of more sentences than this is summarised; a shorter one is taken for a question.
const MAX_QUESTION_SENTENCES: usize = 2;

/// Returns the answer to `text`: its summary, or for a short one what the model saw in it and
/// how to reach a real one. Depends on `text` alone.
pub fn reply(text: &str) -> String {
    let summary = summarise(text);
    if summary.num_read > MAX_QUESTION_SENTENCES {
        summary_reply(&summary)
    } else {
        question_reply(text, &summary)
    }
}

fn summary_reply(summary: &Summary<'_>) -> String {
    let sentences: Vec<String> = summary.sentences.iter().map(|s| one_line(s)).collect();
    let key_words = named("Key words: ", &summary.key_words, ".\n\n");
    format!(
        "In short: {}\n\n{key_words}(Picked out by Anteroom's built-in model; set \
         ANTEROOM_UPSTREAM_URL for a real one.)",
        sentences.join(" ")
    )
}

fn question_reply(text: &str, summary: &Summary<'_>) -> String {
    let key_words = named(" Key words I see here: ", &summary.key_words, ".");
    format!(
        "You wrote: “{}” I am Anteroom's built-in model: I pick the main sentences and key words \
         out of a text, and cannot answer questions.{key_words} Send me a few paragraphs and I \
         will summarise them. For real answers, start Anteroom with ANTEROOM_UPSTREAM_URL set to \
         your provider's address.",
        clipped(text)
    )
}

fn named(before: &str, words: &[String], after: &str) -> String {
    if words.is_empty() { String::new() } else { format!("{before}{}{after}", words.join(", ")) }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn clipped(text: &str) -> String {
    // A character has at most four bytes: enough is looked at, however long the text is.
    let start = text.trim_start();
    let end = start.floor_char_boundary(MAX_QUOTED_CHARS * 8);
    let line = one_line(start.get(..end).unwrap_or_default());
    match line.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default().trim_end()),
        None if end < start.trim_end().len() => format!("{line}…"),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tokens::estimate;
    use super::*;

    #[test]
    fn a_question_gets_an_honest_answer_of_usual_length() {
        let answer = reply("What is the capital of France?");
        assert!(answer.contains("“What is the capital of France?”"), "{answer}");
        assert!(answer.contains("Key words I see here: capital, france."), "{answer}");
        assert!(answer.contains("cannot answer questions"), "{answer}");
        assert!(answer.contains("ANTEROOM_UPSTREAM_URL"), "{answer}");
        assert!((60..=110).contains(&estimate(&answer)), "{} tokens", estimate(&answer));
    }

    #[test]
    fn a_text_is_answered_by_its_summary() {
        let answer = reply("Cats sleep a lot. Cats hunt mice at\nnight. Dogs bark. It rained.");
        assert!(answer.starts_with("In short: "), "{answer}");
        assert!(answer.contains("Cats hunt mice at night."), "{answer}");
        assert!(!answer.contains("It rained"), "{answer}");
        assert!(answer.contains("Key words: cats,"), "{answer}");
    }

    #[test]
    fn a_long_question_is_quoted_in_part() {
        let quoted = clipped(&format!("  {}", "long ".repeat(1000)));
        assert_eq!(quoted.chars().count(), MAX_QUOTED_CHARS);
        assert!(quoted.ends_with("long…"), "{quoted}");
        assert_eq!(clipped("a\n b "), "a b");
        assert_eq!(clipped(&"é".repeat(120)), "é".repeat(120));
        assert_eq!(clipped(&format!("x{}y", " ".repeat(2000))), "x…");
    }

    #[test]
    fn a_text_without_words_is_answered_without_key_words() {
        assert!(!reply("🎉").contains("Key words I"));
    }

    proptest! {
        #[test]
        fn any_text_gets_an_answer_of_bounded_length(text in "(?s).{0,400}") {
            let answer = reply(&text);
            prop_assert!(!answer.is_empty());
            prop_assert!(answer.chars().count() < 2600);
            prop_assert_eq!(answer, reply(&text));
        }
    }
}
