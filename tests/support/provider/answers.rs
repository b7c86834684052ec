//! The provider's answers where nothing else is scripted, in the formats of the public APIs:
//! OpenAI (chat, completions, embeddings, models, responses) and Anthropic (messages).

use serde_json::{Value, json};

use super::Call;
use super::reply::Reply;

/// Answers a call well, by its path; `stream: true` in the body makes it a stream of events.
pub fn answer(call: &Call) -> Reply {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or(Value::Null);
    let is_stream = body["stream"] == true;
    let with_usage = body["stream_options"]["include_usage"] == true;
    let text = format!("This is answer number {}, made of several words.", call.serial);
    match (call.path().trim_start_matches("/v1"), is_stream) {
        ("/chat/completions", false) => chat_object(call.serial, &text).into(),
        ("/chat/completions", true) => Reply::events(chat_events(call.serial, &text, with_usage)),
        ("/completions", false) => completion_object(call.serial, &text).into(),
        ("/completions", true) => Reply::events(completion_events(call.serial, &text)),
        ("/responses", false) => response_object(call.serial, &text, "completed").into(),
        ("/responses", true) => Reply::events(response_events(call.serial, &text)),
        ("/messages", false) => message_object(call.serial, &text).into(),
        ("/messages", true) => Reply::events(message_events(call.serial, &text)),
        ("/embeddings", _) => embeddings(call.serial, &body).into(),
        ("/models", _) => models().into(),
        _ => json!({"path": call.path(), "serial": call.serial}).into(),
    }
}

/// An error in OpenAI's form.
pub(super) fn error(message: &str, code: &str) -> Value {
    json!({"error": {"message": message, "type": code, "param": null, "code": code}})
}

/// A chat completion.
pub(super) fn chat_object(serial: usize, text: &str) -> Value {
    json!({
        "id": format!("chatcmpl-{serial}"), "object": "chat.completion", "created": 1_750_000_000,
        "model": "test-model", "system_fingerprint": "fp_test",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text, "refusal": null},
            "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
    })
}

/// One event of a chat stream, without its `data:`.
pub(super) fn chat_delta(serial: usize, text: &str) -> Value {
    chat_chunk(serial, &json!({"content": text}), &Value::Null)
}

/// A chat stream, as `data:` lines: role, words, reason of the end, usage if asked, `[DONE]`.
pub(super) fn chat_events(serial: usize, text: &str, with_usage: bool) -> Vec<String> {
    let role = json!({"role": "assistant", "content": "", "refusal": null});
    let mut events = vec![chat_chunk(serial, &role, &Value::Null)];
    events.extend(words(text).map(|word| chat_delta(serial, word)));
    events.push(chat_chunk(serial, &json!({}), &json!("stop")));
    if with_usage {
        let mut usage = chat_chunk(serial, &json!({}), &Value::Null);
        usage["choices"] = json!([]);
        usage["usage"] = chat_object(serial, text)["usage"].clone();
        events.push(usage);
    }
    let data = events.iter().map(|event| format!("data: {event}"));
    data.chain(["data: [DONE]".to_owned()]).collect()
}

fn chat_chunk(serial: usize, delta: &Value, finish_reason: &Value) -> Value {
    json!({
        "id": format!("chatcmpl-{serial}"), "object": "chat.completion.chunk",
        "created": 1_750_000_000, "model": "test-model", "system_fingerprint": "fp_test",
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}],
    })
}

fn completion_object(serial: usize, text: &str) -> Value {
    json!({
        "id": format!("cmpl-{serial}"), "object": "text_completion", "created": 1_750_000_000,
        "model": "test-model",
        "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
    })
}

fn completion_events(serial: usize, text: &str) -> Vec<String> {
    let event = |text: &str, reason: Value| {
        let mut event = completion_object(serial, text);
        event["choices"][0]["finish_reason"] = reason;
        event["usage"] = Value::Null;
        format!("data: {event}")
    };
    let mut events: Vec<_> = words(text).map(|word| event(word, Value::Null)).collect();
    events.extend([event("", json!("stop")), "data: [DONE]".to_owned()]);
    events
}

fn response_object(serial: usize, text: &str, status: &str) -> Value {
    let part = json!({"type": "output_text", "text": text, "annotations": []});
    let item = json!({"type": "message", "id": format!("msg_{serial}"), "status": status,
        "role": "assistant", "content": [part]});
    let is_whole = status == "completed";
    let usage = json!({"input_tokens": 9, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 12, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 21});
    json!({
        "id": format!("resp_{serial}"), "object": "response", "created_at": 1_750_000_000,
        "status": status, "error": null, "incomplete_details": null, "model": "test-model",
        "output": if is_whole { json!([item]) } else { json!([]) }, "parallel_tool_calls": true,
        "tool_choice": "auto", "tools": [], "usage": if is_whole { usage } else { Value::Null },
    })
}

fn response_events(serial: usize, text: &str) -> Vec<String> {
    let whole = response_object(serial, text, "completed");
    let item = whole["output"][0].clone();
    let part = item["content"][0].clone();
    let begun = response_object(serial, "", "in_progress");
    let (mut opened, mut empty) = (item.clone(), part.clone());
    (opened["status"], opened["content"], empty["text"]) =
        (json!("in_progress"), json!([]), json!(""));
    let at = |mut event: Value| {
        event["item_id"] = item["id"].clone();
        (event["output_index"], event["content_index"]) = (json!(0), json!(0));
        event
    };
    let mut events = vec![
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.in_progress", "response": begun}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": opened}),
        at(json!({"type": "response.content_part.added", "part": empty})),
    ];
    let delta = |word| at(json!({"type": "response.output_text.delta", "delta": word}));
    events.extend(words(text).map(delta));
    events.extend([
        at(json!({"type": "response.output_text.done", "text": text})),
        at(json!({"type": "response.content_part.done", "part": part})),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": whole}),
    ]);
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    named(&events)
}

fn message_object(serial: usize, text: &str) -> Value {
    json!({
        "id": format!("msg_{serial}"), "type": "message", "role": "assistant",
        "model": "test-model", "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 9, "output_tokens": 12},
    })
}

fn message_events(serial: usize, text: &str) -> Vec<String> {
    let mut begun = message_object(serial, text);
    (begun["content"], begun["stop_reason"]) = (json!([]), Value::Null);
    let mut events = vec![
        json!({"type": "message_start", "message": begun}),
        json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
    ];
    events.extend(words(text).map(|word| {
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "text_delta", "text": word}})
    }));
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": 12}}),
        json!({"type": "message_stop"}),
    ]);
    named(&events)
}

fn named(events: &[Value]) -> Vec<String> {
    let name = |event: &Value| event["type"].as_str().unwrap_or_default().to_owned();
    events.iter().map(|event| format!("event: {}\ndata: {event}", name(event))).collect()
}

/// One vector per input, as floats or, where asked, as base64 of little-endian `f32`.
fn embeddings(serial: usize, body: &Value) -> Value {
    let inputs = body["input"].as_array().map_or(1, Vec::len);
    let vector = |index: usize| {
        let first = u16::try_from(serial * 100 + index).unwrap_or(u16::MAX);
        [f32::from(first), 0.5, -0.25]
    };
    let data = (0..inputs).map(|index| {
        let vector = vector(index);
        let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        let is_base64 = body["encoding_format"] == "base64";
        let embedding = if is_base64 { json!(base64(&bytes)) } else { json!(vector) };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    json!({"object": "list", "data": data.collect::<Vec<_>>(), "model": "test-embedding",
        "usage": {"prompt_tokens": 8, "total_tokens": 8}})
}

fn models() -> Value {
    let model = |id| json!({"id": id, "object": "model", "created": 1, "owned_by": "test"});
    json!({"object": "list", "data": [model("test-model"), model("test-embedding")]})
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

/// RFC 4648 section 4, with padding.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | usize::from(*group.get(i).unwrap_or(&0)));
        let sign = |i: usize| match i <= group.len() {
            true => char::from(ALPHABET[bits >> (18 - 6 * i) & 63]),
            false => '=',
        };
        [sign(0), sign(1), sign(2), sign(3)]
    };
    bytes.chunks(3).flat_map(group).collect()
}
