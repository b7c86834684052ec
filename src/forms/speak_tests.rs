//! Objects and the very events that say them.

use super::tree_tests::Tree;
use super::{FormError, events, object_to_events, without_usage};
use crate::canonical::Profile;

fn speak(object: &str) -> Vec<String> {
    let body = object_to_events(Profile::Chat, object.as_bytes()).expect(object);
    let items = events(&body).map(|event| {
        let event = std::str::from_utf8(event).unwrap();
        event
            .strip_prefix("data: ")
            .and_then(|event| event.strip_suffix("\n\n"))
            .unwrap()
            .to_owned()
    });
    items.collect()
}

/// A-22, A-25: the events are those that the provider itself would send.
#[test]
fn a_chat_is_spoken_as_openai_speaks() {
    let object = r#"{
  "id": "c-1", "object": "chat.completion", "created": 1741, "model": "gpt-4o",
  "choices": [{
    "index": 0,
    "message": {"role": "assistant", "content": "The capital of France is Paris.", "refusal": null, "annotations": []},
    "logprobs": null, "finish_reason": "stop"
  }],
  "usage": {"prompt_tokens": 5, "total_tokens": 12}, "system_fingerprint": "fp"
}"#;
    let frame = |choices: &str, usage: &str| {
        format!(
            r#"{{"id":"c-1","object":"chat.completion.chunk","created":1741,"model":"gpt-4o","choices":[{choices}],"usage":{usage},"system_fingerprint":"fp"}}"#
        )
    };
    let delta = |delta: &str, reason: &str| {
        frame(
            &format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}"#),
            "null",
        )
    };
    let expected = [
        delta(r#"{"role":"assistant","content":"","refusal":null,"annotations":[]}"#, "null"),
        delta(r#"{"content":"The capital of France is"}"#, "null"),
        delta(r#"{"content":" Paris."}"#, "null"),
        delta("{}", r#""stop""#),
        frame("", r#"{"prompt_tokens":5,"total_tokens":12}"#),
        "[DONE]".to_owned(),
    ];
    assert_eq!(speak(object), expected);

    let body = object_to_events(Profile::Chat, object.as_bytes()).unwrap();
    let hidden = String::from_utf8(without_usage(&body)).unwrap();
    let unasked = expected.iter().enumerate().filter(|(position, _)| *position != 4);
    let unasked: String = unasked
        .map(|(_, event)| format!("data: {}\n\n", event.replace(",\"usage\":null", "")))
        .collect();
    assert_eq!(hidden, unasked);
}

#[test]
fn tool_calls_are_spoken_one_by_one() {
    let object = r#"{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[
        {"id":"a","type":"function","function":{"name":"look","arguments":"{\"place\": \"Paris, Texas\"}"},"extra":1.0},
        {"id":"b","type":"custom","custom":{"name":"calc","input":"1 + 1"}},
        {"id":"c","type":"function","function":{"name":"none","arguments":""}}
    ]},"finish_reason":"tool_calls"}]}"#;
    let delta = |delta: &str, reason: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}],"object":"chat.completion.chunk"}}"#
        )
    };
    let call = |call: &str| delta(&format!(r#"{{"tool_calls":[{{"index":{call}}}]}}"#), "null");
    let expected = [
        delta(r#"{"role":"assistant","content":null}"#, "null"),
        call(
            r#"0,"id":"a","type":"function","function":{"name":"look","arguments":""},"extra":1.0"#,
        ),
        call(r#"0,"function":{"arguments":"{\"place\": \"Paris, Texas\"}"}"#),
        call(r#"1,"id":"b","type":"custom","custom":{"name":"calc","input":""}"#),
        call(r#"1,"custom":{"input":"1 + 1"}"#),
        call(r#"2,"id":"c","type":"function","function":{"name":"none","arguments":""}"#),
        delta("{}", r#""tool_calls""#),
        "[DONE]".to_owned(),
    ];
    assert_eq!(speak(object), expected);
}

/// A-23: the model thinks before it speaks, and each token keeps its own probability.
#[test]
fn thoughts_come_first_and_tokens_with_their_probabilities() {
    let object = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Paris","reasoning_content":"Hm"},
        "logprobs":{"content":[{"token":"Par","logprob":-0.10},{"token":"is","logprob":0}],"refusal":null,"note":1},
        "finish_reason":"stop","score":1e2}]}"#;
    let chunk = |choice: &str| {
        format!(r#"{{"choices":[{{"index":0,{choice}}}],"object":"chat.completion.chunk"}}"#)
    };
    let expected = [
        chunk(
            r#""delta":{"role":"assistant","content":""},"logprobs":{"note":1},"finish_reason":null"#,
        ),
        chunk(r#""delta":{"reasoning_content":"Hm"},"logprobs":null,"finish_reason":null"#),
        chunk(
            r#""delta":{"content":"Paris"},"logprobs":{"content":[{"token":"Par","logprob":-0.10},{"token":"is","logprob":0}],"refusal":null},"finish_reason":null"#,
        ),
        chunk(r#""delta":{},"logprobs":null,"finish_reason":"stop","score":1e2"#),
        "[DONE]".to_owned(),
    ];
    assert_eq!(speak(object), expected);
}

#[test]
fn what_is_long_is_said_once() {
    let long = "x".repeat(300);
    let object = format!(
        r#"{{"id":"c","note":"short","sources":["{long}"],"choices":[{{"index":0,"message":{{"content":"A"}},"finish_reason":"stop"}}]}}"#
    );
    let events = speak(&object);
    let count = |text: &str| events.iter().filter(|event| event.contains(text)).count();
    assert_eq!((count(&long), count("short"), count("\"id\":\"c\"")), (1, 3, 3));
    assert!(events.first().is_some_and(|event| event.contains(&long)));
}

#[test]
fn what_is_no_whole_chat_is_not_spoken() {
    let whole = r#"{"choices":[{"index":0,"message":{"content":"A"},"finish_reason":"stop"}]}"#;
    assert_eq!(speak(whole).len(), 4);
    for (object, error) in [
        (whole.replace("\"stop\"", "null"), FormError::Incomplete),
        (whole.replace(",\"finish_reason\":\"stop\"", ""), FormError::Incomplete),
        (whole.replace("message", "text"), FormError::NotOfApi),
        (whole.replace("choices", "data"), FormError::NotOfApi),
        (r#"{"choices":[]}"#.to_owned(), FormError::NotOfApi),
        (whole.replace("{\"choices\"", "{\"error\":{},\"choices\""), FormError::HoldsError),
        (
            whole
                .replace("[{", "[{\"index\":1,\"finish_reason\":\"stop\",\"message\":{}},{")
                .replace(":0", ":1"),
            FormError::NotOfApi,
        ),
        (format!("[{whole}]"), FormError::NotJson),
        (format!("{whole}x"), FormError::NotJson),
        (String::new(), FormError::NotJson),
    ] {
        assert_eq!(object_to_events(Profile::Chat, object.as_bytes()), Err(error), "{object}");
    }
    assert_eq!(object_to_events(Profile::Completions, whole.as_bytes()), Err(FormError::NotOfApi));
}

/// Long members at the top with very many short calls below would multiply.
#[test]
fn events_do_not_grow_out_of_bounds() {
    let note = "x".repeat(200);
    let notes: Vec<_> = (0..100).map(|index| format!("\"n{index}\":\"{note}\"")).collect();
    let calls = vec![r#"{"id":"a"}"#; 4000].join(",");
    let object = format!(
        r#"{{{},"choices":[{{"index":0,"message":{{"content":null,"tool_calls":[{calls}]}},"finish_reason":"stop"}}]}}"#,
        notes.join(",")
    );
    assert_eq!(object_to_events(Profile::Chat, object.as_bytes()), Err(FormError::TooLarge));
}

#[test]
fn a_long_answer_stays_a_few_times_as_long() {
    let text = "word ".repeat(40_000);
    let object = format!(
        r#"{{"id":"c","choices":[{{"index":0,"message":{{"content":"{text}"}},"finish_reason":"stop"}}]}}"#
    );
    let body = object_to_events(Profile::Chat, object.as_bytes()).unwrap();
    assert!(body.len() < 2 * object.len());
    let chunk = events(&body).nth(1).and_then(|event| event.strip_prefix(b"data: "));
    assert!(Tree::read(chunk.unwrap()).get("choices").is_some());
}
