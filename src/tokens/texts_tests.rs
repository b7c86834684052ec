use serde_json::{Value, json};

use super::*;

/// Keeps what is found.
#[derive(Default)]
struct Found {
    texts: Vec<String>,
    tokens: u64,
}

impl Sink for Found {
    fn text(&mut self, text: &str) {
        self.texts.push(text.to_owned());
    }

    fn tokens(&mut self, tokens: u64) {
        self.tokens += tokens;
    }
}

fn request(body: &Value) -> Found {
    let mut found = Found::default();
    assert!(of_request(body.to_string().as_bytes(), &mut found), "{body}");
    found
}

#[test]
fn what_a_request_says_is_found_and_what_it_shows_is_not() {
    for (body, texts, tokens) in [
        (json!({"model": "m", "user": "u"}), &[][..], 0),
        (json!({"prompt": "one"}), &["one"], 0),
        (json!({"prompt": ["one", "two"]}), &["one", "two"], 0),
        (json!({"input": [1, 2, 3]}), &[], 3),
        (
            json!({"messages": [{"role": "user", "content": "Hi \"there\""}], "metadata": {"a": "b"}}),
            &["user", "Hi \"there\""],
            6,
        ),
        (
            json!({"messages": [{"role": "user", "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "image", "source": {"type": "base64", "data": "AAAA"}}]}]}),
            &["user", "see"],
            6,
        ),
        (
            json!({"system": "be brief", "messages": [
                {"role": "assistant", "content": null, "tool_calls": [{"id": "t", "type": "function",
                    "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "t", "content": "done"}]}),
            &["be brief", "assistant", "f", "{}", "tool", "done"],
            9,
        ),
        (
            json!({"instructions": "brief", "input": [{"role": "user", "content": [
                {"type": "input_text", "text": "Hi"}]}]}),
            &["Hi", "brief", "user"],
            3,
        ),
    ] {
        let mut found = request(&body);
        let mut expected = texts.to_vec();
        found.texts.sort();
        expected.sort_unstable();
        assert_eq!(
            (found.texts, found.tokens),
            (expected.iter().map(|it| (*it).to_owned()).collect(), tokens),
            "{body}"
        );
    }
}

#[test]
fn what_an_answer_says_is_found_in_each_apis_form() {
    for (body, texts) in [
        (
            json!({"id": "1", "choices": [{"index": 0, "finish_reason": "stop", "message":
                {"role": "assistant", "content": "Hello", "refusal": null}}], "usage": {}}),
            &["Hello"][..],
        ),
        (json!({"choices": [{"text": "Hello", "logprobs": {"tokens": ["Hello"]}}]}), &["Hello"]),
        (
            json!({"choices": [{"message": {"content": null, "tool_calls": [{"id": "t",
                "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]}}]}),
            &["f", "{\"a\":1}"],
        ),
        (json!({"type": "message", "content": [{"type": "text", "text": "Hello"}]}), &["Hello"]),
        (
            json!({"output": [{"type": "message", "id": "1", "role": "assistant", "content":
                [{"type": "output_text", "text": "Hello", "annotations": []}]}]}),
            &["Hello"],
        ),
        (json!({"error": {"message": "no"}}), &[]),
    ] {
        let mut found = Found::default();
        assert!(of_answer(body.to_string().as_bytes(), &mut found));
        found.texts.sort();
        assert_eq!(
            (found.texts, found.tokens),
            (texts.iter().map(|it| (*it).to_owned()).collect(), 0),
            "{body}"
        );
    }
}

#[test]
fn the_pieces_of_a_stream_are_found_once_each_in_order() {
    for (events, expected) in [
        (
            &[
                r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
                r#"{"choices":[{"delta":{"content":"Hel"}}]}"#,
                r#"{"choices":[{"delta":{"content":"lo"},"finish_reason":"stop"}]}"#,
                "[DONE]",
            ][..],
            "Hello",
        ),
        (&[r#"{"choices":[{"text":"Hel"}]}"#, r#"{"choices":[{"text":"lo"}]}"#], "Hello"),
        (
            &[
                r#"{"type":"content_block_start","content_block":{"type":"text","text":""}}"#,
                r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"Hello"}}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
            ],
            "Hello",
        ),
        (
            &[
                r#"{"type":"response.output_text.delta","delta":"Hello"}"#,
                r#"{"type":"response.output_text.done","text":"Hello"}"#,
                r#"{"type":"response.completed","response":{"output":[{"text":"Hello"}]}}"#,
            ],
            "Hello",
        ),
    ] {
        let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let mut found = Found::default();
        of_stream(body.as_bytes(), &mut found);
        assert_eq!(found.texts.concat(), expected, "{body}");
    }
}

#[test]
fn what_is_no_json_object_has_no_texts() {
    for body in ["", "[]", "\"text\"", "{\"messages\":[", "{\"prompt\":\"a\"} x", "\u{ff}"] {
        let mut found = Found::default();
        let was_read = of_request(body.as_bytes(), &mut found);
        assert!(!was_read || body.starts_with("{\"prompt"), "{body}");
    }
    let deep = format!("{{\"input\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(!of_request(deep.as_bytes(), &mut Found::default()));
}
