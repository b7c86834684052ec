//! Lists of up to six inputs under every pattern of what is known, against a scripted provider.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::canonical::{Profile, canonicalise};

/// A provider whose vector and charge depend on the input alone; answers back to front.
#[derive(Default)]
struct Provider {
    calls: Vec<Value>,
}

fn price(input: &Value) -> u64 {
    match input {
        Value::String(text) => 1 + u64::try_from(text.len()).unwrap(),
        Value::Array(tokens) => u64::try_from(tokens.len()).unwrap(),
        _ => panic!("asked for {input}"),
    }
}

fn vector(input: &Value) -> Value {
    let digest = blake3::hash(input.to_string().as_bytes());
    json!(digest.as_bytes()[..3].iter().map(|byte| f64::from(*byte) / 7.0).collect::<Vec<_>>())
}

fn element(index: usize, input: &Value) -> Value {
    json!({"object": "embedding", "index": index, "embedding": vector(input)})
}

impl Provider {
    fn ask(&mut self, body: &[u8]) -> Bytes {
        let body: Value = serde_json::from_slice(body).unwrap();
        let inputs = match &body["input"] {
            Value::Array(inputs) if !inputs[0].is_number() => inputs.clone(),
            one => vec![one.clone()],
        };
        self.calls.push(json!(inputs));
        let charge: u64 = inputs.iter().map(price).sum();
        let data: Vec<_> =
            inputs.iter().enumerate().map(|(index, input)| element(index, input)).rev().collect();
        let usage = json!({"prompt_tokens": charge, "total_tokens": charge});
        let id = format!("call-{}", self.calls.len());
        let answer =
            json!({"object": "list", "id": id, "data": data, "model": "m", "usage": usage});
        answer.to_string().into()
    }
}

fn key(body: &[u8]) -> Vec<u8> {
    let uncounted = Profile::Embeddings.uncounted_fields();
    canonicalise(&normal_form(body), uncounted).unwrap().as_bytes().to_vec()
}

/// The caller's loop, with a map for a cache.
#[derive(Default)]
struct Gateway {
    provider: Provider,
    cache: BTreeMap<Vec<u8>, Bytes>,
}

impl Gateway {
    fn answer(&mut self, body: &str) -> Result<Merged, Bytes> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let Split::List(list) = split(&body) else {
            let Self { provider, cache } = self;
            return Err(cache.entry(key(&body)).or_insert_with(|| provider.ask(&body)).clone());
        };
        let mut known = Known::new();
        for position in list.distinct() {
            if let Some(kept) = self.cache.get(&key(&list.item_body(position).unwrap())) {
                known.insert(position, take_apart(kept, 1).unwrap());
            }
        }
        let missing = list.missing(&known);
        let fetched = (!missing.is_empty()).then(|| {
            let answer = self.provider.ask(&list.request_for(&missing));
            take_apart(&answer, missing.len()).unwrap()
        });
        for (position, kept) in
            fetched.iter().flat_map(|parts| stored_items(&list, &missing, parts).unwrap())
        {
            self.cache.insert(key(&list.item_body(position).unwrap()), kept.into());
        }
        Ok(merge(&list, &known, fetched.as_ref()).unwrap())
    }
}

/// Asks `inputs` where those with a bit in `hits` are known, and checks everything.
fn check(inputs: &[Value], hits: u32) {
    let mut gateway = Gateway::default();
    let is_known = |input: &Value| {
        let mut places = (0..inputs.len()).filter(|place| hits >> place & 1 == 1);
        places.any(|place| inputs[place] == *input)
    };
    for input in inputs.iter().filter(|input| is_known(input)) {
        // Asked alone before, in one form or the other.
        let form = if hits.is_multiple_of(3) { json!([input]) } else { json!(input) };
        assert!(gateway.answer(&json!({"model": "m", "input": form}).to_string()).is_err());
    }
    gateway.provider.calls.clear();

    let Ok(merged) = gateway.answer(&json!({"input": inputs, "model": "m"}).to_string()) else {
        panic!("not split: {inputs:?}")
    };
    let mut missing: Vec<&Value> = Vec::new();
    for input in inputs {
        if !is_known(input) && !missing.contains(&input) {
            missing.push(input);
        }
    }
    let calls = if missing.is_empty() { vec![] } else { vec![json!(missing)] };
    assert_eq!(gateway.provider.calls, calls);

    let answer: Value = serde_json::from_slice(&merged.body).unwrap();
    let data: Vec<_> =
        inputs.iter().enumerate().map(|(index, input)| element(index, input)).collect();
    let charge: u64 = missing.iter().map(|input| price(input)).sum();
    assert_eq!(answer["object"], "list");
    assert_eq!(answer["data"], json!(data));
    assert_eq!(answer["model"], "m");
    assert_eq!(answer["usage"], json!({"prompt_tokens": charge, "total_tokens": charge}));
    assert_eq!(answer["id"], "call-1");
    assert_eq!(merged.charged, Tokens { prompt: charge, total: charge });
    assert_eq!(merged.num_saved, inputs.len() - missing.len());
    // Shares of texts are estimates; those of arrays of tokens are exact.
    let is_exact = inputs[0].is_array();
    let unsplit: u64 = inputs.iter().map(price).sum();
    if is_exact {
        assert_eq!(merged.charged.plus(merged.saved).total, unsplit, "{inputs:?} {hits:b}");
    }

    // All is known now, alone and as a list; nothing is charged and nobody asked.
    for input in inputs {
        let alone = gateway.answer(&json!({"input": input, "model": "m"}).to_string()).unwrap_err();
        let alone: Value = serde_json::from_slice(&alone).unwrap();
        assert_eq!(alone["data"][0]["embedding"], vector(input));
        assert_eq!(alone["data"][0]["index"], 0);
        assert!(!is_exact || alone["usage"]["total_tokens"] == price(input));
    }
    let again = gateway.answer(&json!({"input": inputs, "model": "m"}).to_string()).unwrap();
    let again_answer: Value = serde_json::from_slice(&again.body).unwrap();
    assert_eq!(again_answer["data"], answer["data"]);
    assert_eq!(again_answer["usage"], json!({"prompt_tokens": 0, "total_tokens": 0}));
    assert_eq!(again.charged.total, 0);
    assert!(!is_exact || again.saved.total == unsplit);
    assert_eq!(gateway.provider.calls, calls);
}

/// A-43, A-45: all 2^n patterns of lists of two to six inputs, inputs repeated in many ways.
#[test]
fn every_pattern_of_hits_gives_order_index_count_and_usage_right() {
    let inputs: Vec<Value> = (1..=6_u8).map(|length| json!(vec![length; length.into()])).collect();
    for num_items in 2..=6_usize {
        // Of the longest only some ways of repeating, to spare time; of hits all patterns.
        let step = if num_items == inputs.len() { 5 } else { 1 };
        for repetition in (0..1_u32 << (num_items - 1)).step_by(step) {
            let list: Vec<Value> = (0..num_items)
                .map(|place| {
                    let repeats = place > 0 && repetition >> (place - 1) & 1 == 1;
                    inputs[if repeats { place / 2 } else { place }].clone()
                })
                .collect();
            for hits in 0..1_u32 << num_items {
                check(&list, hits);
            }
        }
    }
}

/// A-43: the same for texts, one of them there twice and one in another script.
#[test]
fn every_pattern_of_hits_of_a_list_of_texts_is_right() {
    let texts = ["aé\n", "\"b\\\"", "cccc", "aé\n", "dd\u{7f}d", "😀"].map(Value::from);
    for num_items in 2..=texts.len() {
        for hits in 0..1_u32 << num_items {
            check(&texts[..num_items], hits);
        }
    }
}

#[test]
fn answers_that_do_not_belong_together_are_not_merged() {
    let Split::List(list) = split(&Bytes::from_static(br#"{"input":["a","b"]}"#)) else {
        panic!("not split")
    };
    let parts = |model: &str, num_elements: usize| {
        let data: Vec<_> =
            (0..num_elements).map(|index| json!({"index": index, "embedding": [1]})).collect();
        let answer = json!({"data": data, "model": model}).to_string();
        take_apart(&answer.into(), num_elements).unwrap()
    };
    let known = |kept: Parts| Known::from([(0, kept)]);
    let failed = |known: &Known, fetched: Option<&Parts>| merge(&list, known, fetched).unwrap_err();
    let one = parts("m", 1);
    assert_eq!(failed(&Known::new(), None), EmbeddingsError::Incomplete);
    assert_eq!(failed(&known(one.clone()), None), EmbeddingsError::Incomplete);
    assert_eq!(failed(&Known::new(), Some(&one)), EmbeddingsError::Count { expected: 2 });
    let two = parts("m", 2);
    assert_eq!(failed(&known(one.clone()), Some(&two)), EmbeddingsError::Count { expected: 1 });
    assert_eq!(failed(&known(two.clone()), Some(&one)), EmbeddingsError::Count { expected: 1 });
    assert_eq!(failed(&known(parts("m2", 1)), Some(&one)), EmbeddingsError::Models);
    assert!(merge(&list, &known(one.clone()), Some(&one)).is_ok());
    assert!(stored_items(&list, &[0], &two).is_err());
}

#[test]
fn a_provider_that_reports_no_usage_is_not_spoken_for() {
    let Split::List(list) = split(&Bytes::from_static(br#"{"input":["a","b"]}"#)) else {
        panic!("not split")
    };
    let answer = r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[2]}]}"#;
    let fetched = take_apart(&Bytes::from_static(answer.as_bytes()), 2).unwrap();
    let merged = merge(&list, &Known::new(), Some(&fetched)).unwrap();
    assert_eq!((merged.body.as_slice(), merged.charged), (answer.as_bytes(), Tokens::default()));
}

/// A few bytes repeated must not become an answer of any size.
#[test]
fn a_merged_answer_is_bounded() {
    let body = json!({"input": vec!["a"; MAX_ITEMS]}).to_string();
    let Split::List(list) = split(&body.into()) else { panic!("not split") };
    let answer = json!({"data": [{"index": 0, "embedding": "A".repeat(200_000)}]}).to_string();
    let fetched = take_apart(&answer.into(), 1).unwrap();
    assert_eq!(merge(&list, &Known::new(), Some(&fetched)), Err(EmbeddingsError::TooLarge));
}

fn inputs() -> impl Strategy<Value = Vec<Value>> {
    let text = prop_oneof![any::<String>(), "[ab\\\\\"]{0,2}"].prop_map(Value::from);
    let tokens = prop::collection::vec(0_u32..3, 1..3).prop_map(Value::from);
    prop_oneof![prop::collection::vec(text, 2..12), prop::collection::vec(tokens, 2..12)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn two_lists_in_a_row_are_answered_as_if_there_were_no_cache(
        first in inputs(),
        second in inputs(),
        mixed in any::<u32>(),
    ) {
        let mut gateway = Gateway::default();
        // The second list takes some of its inputs from the first.
        let is_text = first[0].is_string();
        let second: Vec<Value> = second.into_iter().enumerate().map(|(place, input)| {
            let is_taken = mixed >> (place % 32) & 1 == 1 || input.is_string() != is_text;
            if is_taken { first[place % first.len()].clone() } else { input }
        }).collect();
        let mut charged = 0;
        for list in [&first, &second] {
            let merged = gateway.answer(&json!({"model": "m", "input": list}).to_string()).unwrap();
            let answer: Value = serde_json::from_slice(&merged.body).unwrap();
            let numbered = list.iter().enumerate();
            let expected: Vec<_> =
                numbered.map(|(index, input)| element(index, input)).collect();
            prop_assert_eq!(&answer["data"], &json!(expected));
            prop_assert_eq!(&answer["usage"]["total_tokens"], &json!(merged.charged.total));
            charged += merged.charged.total;
        }
        let mut distinct: Vec<&Value> = Vec::new();
        for input in first.iter().chain(&second) {
            if !distinct.contains(&input) {
                distinct.push(input);
            }
        }
        prop_assert_eq!(charged, distinct.into_iter().map(price).sum::<u64>());
    }
}
