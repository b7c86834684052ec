use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn take(answer: &str, expected: usize) -> Result<Parts, EmbeddingsError> {
    take_apart(&Bytes::copy_from_slice(answer.as_bytes()), expected)
}

const TWO: &str = r#"{ "object":"list", "id":"e-1", "data":[
    {"object":"embedding","index":1,"embedding":[1.50,-2e-3, 18446744073709551617],"x":null},
    {"index" : 0 ,"embedding":"AACAPw=="} ], "model":"m-1",
    "usage":{"prompt_tokens":7,"total_tokens":9,"cost":0.10} , "z":[0.0] }"#;

#[test]
fn embeddings_are_cut_out_in_the_order_of_their_index_and_in_their_own_text() {
    let parts = take(TWO, 2).unwrap();
    assert_eq!(parts.num_elements(), 2);
    assert_eq!(parts.element(0).unwrap(), br#"{"index" : 0 ,"embedding":"AACAPw=="}"#);
    assert!(parts.element(1).unwrap().starts_with(br#"{"object":"embedding","index":1,"#));
    assert_eq!(parts.element(2), None);
    assert_eq!(parts.tokens(), Some(Tokens { prompt: 7, total: 9 }));
    assert_eq!(parts.model(), Some(&br#""m-1""#[..]));
    assert!(!format!("{parts:?}").contains("AACAPw"), "a vector was printed");
}

#[test]
fn a_kept_item_is_a_whole_answer_with_one_embedding_and_its_share() {
    let parts = take(TWO, 2).unwrap();
    let kept = parts.stored_item(1, Tokens { prompt: 3, total: 4 }).unwrap();
    let expected = r#"{ "object":"list", "id":"e-1", "data":[{"object":"embedding","index":0,"embedding":[1.50,-2e-3, 18446744073709551617],"x":null}], "model":"m-1",
    "usage":{"prompt_tokens":3,"total_tokens":4} , "z":[0.0] }"#;
    assert_eq!(String::from_utf8(kept.clone()).unwrap(), expected);
    assert_eq!(parts.stored_item(2, Tokens::default()), None);

    // Once more through: what one embedding cost is not shared out again.
    let again = take_apart(&kept.clone().into(), 1).unwrap();
    assert_eq!(again.stored_item(0, Tokens::default()).unwrap(), kept);
}

#[test]
fn usage_may_come_first_or_not_at_all() {
    let share = Tokens { prompt: 1, total: 1 };
    for (usage, expected) in [
        (r#""usage":{"prompt_tokens":5},"#, r#""usage":{"prompt_tokens":1,"total_tokens":1},"#),
        (r#""usage":null,"#, r#""usage":null,"#),
        (r#""usage":{"seconds":5},"#, r#""usage":{"seconds":5},"#),
        ("", ""),
    ] {
        let data = r#"{"embedding":[1],"index":0},{"embedding":[2],"index":1}"#;
        let answer = format!(r#"{{{usage}"data":[{data}]}}"#);
        let kept = take(&answer, 2).unwrap().stored_item(1, share).unwrap();
        let expected = format!(r#"{{{expected}"data":[{{"embedding":[2],"index":0}}]}}"#);
        assert_eq!(String::from_utf8(kept).unwrap(), expected);
    }
}

#[test]
fn an_answer_that_is_not_what_was_asked_is_refused() {
    use EmbeddingsError::{Count, Index, NoEmbedding, NotAnAnswer};
    let with = |data: &str| format!(r#"{{"data":{data}}}"#);
    let one = r#"{"index":0,"embedding":[1]}"#;
    for (answer, expected, error) in [
        (String::new(), 1, NotAnAnswer),
        ("[]".into(), 1, NotAnAnswer),
        ("{}".into(), 1, NotAnAnswer),
        (r#"{"error":{"message":"x"}}"#.into(), 1, NotAnAnswer),
        (with("null"), 1, NotAnAnswer),
        (with("{}"), 1, NotAnAnswer),
        (format!(r#"{{"data":[{one}],"data":[{one}]}}"#), 1, NotAnAnswer),
        (format!(r#"{{"data":[{one}]"#), 1, NotAnAnswer),
        (with("[]"), 1, Count { expected: 1 }),
        (with(&format!("[{one},{one}]")), 1, Count { expected: 1 }),
        (with(&format!("[{one},{one},7]")), 2, NoEmbedding),
        (with(&format!("[{one}]")), 2, Count { expected: 2 }),
        (with(&format!("[{one},{one}]")), 2, Index),
        (with(r#"[{"embedding":[1]}]"#), 1, Index),
        (with(r#"[{"index":1,"embedding":[1]}]"#), 1, Index),
        (with(r#"[{"index":-1,"embedding":[1]}]"#), 1, Index),
        (with(r#"[{"index":0.0,"embedding":[1]}]"#), 1, Index),
        (with(r#"[{"index":"0","embedding":[1]}]"#), 1, Index),
        (with(r#"[{"index":0}]"#), 1, NoEmbedding),
        (with(r#"[{"index":0,"embedding":null}]"#), 1, NoEmbedding),
        (with(r#"[{"index":0,"index":0,"embedding":[1]}]"#), 1, NoEmbedding),
        (with("[7]"), 1, NoEmbedding),
    ] {
        // The third element of three where two were asked for is one too many before all else.
        let error = if answer.ends_with(",7]}") { Count { expected: 2 } } else { error };
        assert_eq!(take(&answer, expected).map(|_| ()), Err(error), "{answer}");
        assert!(!error.label().is_empty() && !error.to_string().ends_with('.'));
    }
}

proptest! {
    #[test]
    fn an_answer_in_any_order_gives_each_embedding_its_place(
        vectors in prop::collection::vec(prop::collection::vec(any::<f64>(), 0..4), 1..20),
        order in any::<u64>(),
        total in 0_u64..1_000,
    ) {
        let mut data: Vec<Value> = vectors.iter().enumerate()
            .map(|(index, vector)| json!({"index": index, "embedding": vector})).collect();
        // A shuffle of its own: elements sorted by a digest of order and place.
        let digest = |text: String| *blake3::hash(text.as_bytes()).as_bytes();
        data.sort_by_key(|element| digest(format!("{order}{element}")));
        let usage = json!({"prompt_tokens": total, "total_tokens": total});
        let answer = json!({"object": "list", "data": data, "model": "m", "usage": usage});
        let parts = take(&answer.to_string(), vectors.len()).unwrap();
        for (position, vector) in vectors.iter().enumerate() {
            let kept = parts.stored_item(position, Tokens { prompt: 2, total: 2 }).unwrap();
            let share = if vectors.len() == 1 { total } else { 2 };
            // As text: serde_json does not read every double back exactly.
            let element = json!({"index": 0, "embedding": vector});
            let usage = json!({"prompt_tokens": share, "total_tokens": share});
            let data = [element];
            let expected = json!({"object": "list", "data": data, "model": "m", "usage": usage});
            prop_assert_eq!(String::from_utf8(kept).unwrap(), expected.to_string());
        }
    }

    #[test]
    fn any_bytes_are_an_answer_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        expected in 0_usize..5,
    ) {
        prop_assert!(take_apart(&Bytes::from(bytes), expected).is_err());
    }

    #[test]
    fn damaged_answers_are_read_without_harm(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut answer = TWO.as_bytes().to_vec();
        let at = at.index(answer.len());
        answer[at] = byte;
        for end in [answer.len(), cut.index(answer.len())] {
            if let Ok(parts) = take_apart(&Bytes::copy_from_slice(&answer[..end]), 2) {
                parts.stored_item(1, Tokens::default());
            }
        }
    }
}
