//! The cached APIs, as the tests call them.

use serde_json::{Value, json};

use crate::support::client::Request;

/// The credential of a test that needs only one.
pub const KEY: &str = "sk-test";

/// An API with a stream of its own.
pub const STREAMED: [&str; 4] = ["chat/completions", "completions", "responses", "messages"];

/// A small request body of an API that takes one, about `topic`.
pub fn body(api: &str, topic: &str) -> Value {
    match api {
        "chat/completions" => {
            json!({"model": "test-model", "messages": [{"role": "user", "content": topic}]})
        }
        "completions" => json!({"model": "test-model", "prompt": topic}),
        "responses" => json!({"model": "test-model", "input": topic}),
        "messages" => json!({"model": "test-model", "max_tokens": 99,
            "messages": [{"role": "user", "content": topic}]}),
        "embeddings" => json!({"model": "test-embedding", "input": topic}),
        _ => panic!("no API {api}"),
    }
}

/// A request of an API about `topic`, with [`KEY`].
pub fn ask(api: &str, topic: &str) -> Request {
    post(api, body(api, topic))
}

/// As [`ask`], for a stream.
pub fn ask_stream(api: &str, topic: &str) -> Request {
    let mut body = body(api, topic);
    body["stream"] = json!(true);
    post(api, body)
}

/// As [`ask_stream`], with `usage` at its end.
pub fn ask_stream_with_usage(api: &str, topic: &str) -> Request {
    let mut body = body(api, topic);
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    post(api, body)
}

/// Any JSON to an API, with [`KEY`].
pub fn post(api: &str, body: impl std::fmt::Display) -> Request {
    Request::post(&format!("/v1/{api}"), body).bearer(KEY)
}
