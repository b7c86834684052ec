use anteroom_actors::clock::ManualClock;
use anteroom_actors::message::{Load, ask};
use anteroom_actors::model::{LoadedModel, ModelLoader};
use anteroom_actors::models::ModelCacheActor;
use proptest::prelude::*;
use serde_json::json;

use super::super::vocabulary::{CL100K, shelf};
use super::*;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// Each word is a token.
struct Words;

impl LocalModel for Words {
    fn count_tokens(&self, text: &str) -> u64 {
        u64::try_from(text.split_whitespace().count()).unwrap()
    }
}

fn tally() -> Tally {
    Tally { model: Arc::new(Words), room: COUNTED, counted: 0, in_bytes: 0, left_out: 0, apart: 0 }
}

#[actix_web::test]
async fn tokens_are_counted_once_their_models_tokenizer_is_loaded() {
    let shelf = shelf();
    let loader: ModelLoader = Arc::new(|_| Ok(LoadedModel { model: Arc::new(Words), bytes: 1 }));
    let actor = ModelCacheActor::new(1, shelf.clone(), loader, ManualClock::new());
    ModelCacheActor::connect(&actix::Actor::start(actor), &shelf);
    let counter = TokenCounter::new(Some(shelf.clone()));
    let body = json!({"model": "gpt-4", "max_tokens": 50,
        "messages": [{"role": "user", "content": "one two three"}]})
    .to_string();
    let by_length = of_length(body.len()) + 50;
    assert_eq!(counter.estimate(Some("gpt-4"), body.as_bytes()), by_length, "not loaded yet");
    ask(shelf.load(), Load { name: CL100K }, PATIENCE).await.unwrap().unwrap();
    // Three words, the role, three tokens of framing and three that the answer begins with.
    assert_eq!(counter.estimate(Some("gpt-4"), body.as_bytes()), 10 + 50);
    assert_eq!(counter.estimate(Some("gpt-4o"), body.as_bytes()), by_length, "another family");
    assert_eq!(counter.estimate(Some("gpt-4"), b"no json"), of_length(7));

    let usage = |profile, answer| counter.usage(profile, Some("gpt-4"), body.as_bytes(), answer);
    let object = br#"{"choices":[{"message":{"content":"four five"}}]}"#;
    let cost = |output_tokens| Some(Usage { input_tokens: 10, output_tokens });
    assert_eq!(usage(Profile::Chat, Answered::Object(object)), cost(2));
    // One word in two pieces is one word.
    let stream = b"data: {\"choices\":[{\"delta\":{\"content\":\"fo\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"ur five six\"}}]}\n\ndata: [DONE]\n\n";
    assert_eq!(usage(Profile::Chat, Answered::Stream(stream)), cost(3));
    assert_eq!(usage(Profile::Embeddings, Answered::Object(b"{\"data\":[]}")), cost(0));
    assert_eq!(usage(Profile::Chat, Answered::Object(b"{\"error\":{\"message\":\"no\"}}")), None);
    assert_eq!(usage(Profile::Generic, Answered::Object(object)), None);
    let off = TokenCounter::new(None);
    assert_eq!(off.usage(Profile::Chat, None, body.as_bytes(), Answered::Object(object)), None);
    assert_eq!(off.estimate(None, body.as_bytes()), by_length);
}

proptest! {
    /// A long text is reckoned by its beginning, and nothing overflows.
    #[test]
    fn a_text_of_any_length_has_tokens_in_proportion(times in 0_usize..60_000) {
        let mut tally = tally();
        tally.text(&"ä bc ".repeat(times));
        let (exact, counted) = (2 * u64::try_from(times).unwrap(), tally.tokens());
        prop_assert!(counted.abs_diff(exact) <= 1 + exact / 1_000, "{counted} for {exact}");
    }

    #[test]
    fn many_texts_count_as_their_sum_up_to_the_bound(
        texts in prop::collection::vec("[a-zé ]{0,40}", 0..50),
    ) {
        let mut tally = tally();
        texts.iter().for_each(|text| tally.text(text));
        let exact: u64 = texts.iter().map(|text| Words.count_tokens(text)).sum();
        prop_assert_eq!(tally.tokens(), exact);
    }
}
