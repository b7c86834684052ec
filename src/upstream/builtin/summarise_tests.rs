use proptest::prelude::*;

use super::super::{reply, tokens};
use super::*;

/// A few paragraphs as a newcomer would send them.
const ARTICLE: &str = "Please summarise the following text for me.\n\n\
    Caching is one of the oldest ideas in computing. A cache keeps the results of expensive \
    operations close to where they are needed, so that a repeated request is answered from \
    memory instead of being computed again. The weather was fine on the day the first paper \
    about it was written.\n\n\
    In front of a language model a cache is worth even more, because every request costs money \
    and takes seconds. A repeated request that is answered from the cache costs nothing and \
    takes less than a millisecond. My neighbour has two dogs.\n\n\
    There are limits, of course. A cache must know which requests are the same, how long an \
    answer may be kept, and who may see it. Dr. Stone, who works on such systems, calls this \
    the only hard part. A cache that serves one customer the answer of another customer is \
    worse than no cache at all. Lunch is at noon.\n\n\
    Three levels are common: memory in the process, a shared store such as Redis, and a \
    database that survives restarts. Each level is slower and larger than the one before it.";

#[test]
fn the_central_sentences_are_picked_and_the_asides_left() {
    let summary = summarise(ARTICLE);
    let text = summary.sentences.join(" ");
    assert!(text.contains("A cache keeps the results of expensive"), "{text}");
    for aside in ["Lunch", "dogs", "weather", "Please"] {
        assert!(!text.contains(aside), "{aside}: {text}");
    }
    assert!(summary.key_words.contains(&"cache".to_owned()), "{:?}", summary.key_words);
    assert!(summary.key_words.contains(&"request".to_owned()), "{:?}", summary.key_words);
}

#[test]
fn a_usual_answer_has_about_a_hundred_tokens() {
    let answer = reply::reply(ARTICLE);
    let tokens = tokens::estimate(&answer);
    assert!((70..=130).contains(&tokens), "{tokens} tokens: {answer}");
}

#[test]
fn a_second_sentence_that_repeats_the_first_is_not_taken() {
    let text = "Alpha beta gamma delta. Alpha beta gamma delta. Kappa lambda sigma omega. \
                Alpha beta. Kappa lambda.";
    let summary = summarise(text);
    assert_eq!(summary.sentences, ["Alpha beta gamma delta.", "Kappa lambda sigma omega."]);
}

#[test]
fn the_opening_sentence_wins_over_one_a_little_weightier() {
    let opening = "Anchor bottle candle dragon engine forest garden hammer.";
    let weightier = "Island jacket kettle lantern magnet needle orange pepper rabbit.";
    let last = "Silver tunnel.";
    let best = |text: String| summarise(&text).sentences.concat();
    assert_eq!(best(format!("{opening} {weightier} {last}")), opening);
    assert_eq!(best(format!("{last} {opening} {weightier}")), weightier);
}

#[test]
fn texts_at_the_edges_are_summarised() {
    let table: [(&str, usize, usize); 6] = [
        ("", 0, 0),
        (" \n ", 0, 0),
        ("What is the capital of France?", 1, 2),
        ("?!. … 🎉🎉 ---", 1, 0),
        ("猫は動物です。犬も動物です。魚は泳ぐ。", 1, 1),
        ("Кошка спит. Кошка ест мышку. Собака лает громко. Дождь идёт.", 2, 6),
    ];
    for (text, num_sentences, num_key_words) in table {
        let summary = summarise(text);
        assert_eq!(summary.sentences.len(), num_sentences, "{text:?}: {summary:?}");
        assert_eq!(summary.key_words.len(), num_key_words, "{text:?}: {summary:?}");
    }
}

#[test]
fn only_the_first_64_kib_are_read() {
    let filler = "Plain filler stands here again. ".repeat(3 * 1024);
    let summary = summarise(&filler);
    assert_eq!(summary.num_read, 2048);
    let late = filler.clone() + &"Zebras zebras zebras run. ".repeat(9000);
    assert_eq!(summarise(&late), summary);
}

#[test]
fn the_worst_texts_are_bounded_in_what_they_give() {
    for text in ["a. ", "x", "。", "東", "Ab ", "\n-", ".", "e\u{301}", "\u{200d}", "' "] {
        let huge = text.repeat(1024 * 1024 / text.len());
        let summary = summarise(&huge);
        assert!(summary.sentences.len() <= MAX_SENTENCES);
        assert!(summary.sentences.iter().all(|sentence| sentence.chars().count() <= 300));
    }
}

proptest! {
    #[test]
    fn sentences_come_from_the_text_in_its_order(
        text in "(?s)([A-Z][a-z]{1,6}( [a-z]{2,9}){0,8}[.!?] ){0,20}|.{0,300}|[\\PC\n]{0,300}"
    ) {
        let summary = summarise(&text);
        let mut rest = text.as_str();
        for sentence in &summary.sentences {
            let found = rest.split_once(sentence);
            prop_assert!(found.is_some(), "{sentence:?} not in {rest:?}");
            rest = found.map_or("", |(_, after)| after);
        }
        prop_assert_eq!(summary.sentences.is_empty(), text.trim().is_empty());
        prop_assert!(summary.sentences.len() <= MAX_SENTENCES);
        prop_assert!(summary.key_words.len() <= MAX_KEY_WORDS);
        prop_assert_eq!(summarise(&text), summary);
    }
}
