//! What is done to answers beside their encoding, and to compressed requests: minified JSON, parts of
//! answers, secrets in error bodies.

use anteroom_actors::codec::compress::compress;
use anteroom_actors::model::Encoding;
use serde_json::json;

use super::apis::{KEY, ask, ask_stream, post};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::{Provider, Reply};

/// A whole answer as a provider spells it: pretty, with a number and an escape of its own.
const PRETTY: &str = r#"{
  "id": "chatcmpl-1",
  "system_fingerprint": null,
  "choices": [
    { "index": 0, "finish_reason": "stop", "logprobs": null,
      "message": { "role": "assistant", "content": "caf\u00e9  \"x\"" } }
  ],
  "usage": { "total_tokens": 21.0, "cost": 1e-07 }
}
"#;
const COMPACT: &str = r#"{"id":"chatcmpl-1","system_fingerprint":null,"choices":[{"index":0,"finish_reason":"stop","logprobs":null,"message":{"role":"assistant","content":"caf\u00e9  \"x\""}}],"usage":{"total_tokens":21.0,"cost":1e-07}}"#;

fn pretty() -> Provider {
    Provider::scripted(|_| Reply::new(200, &[("Content-Type", "application/json")], PRETTY))
}

#[test]
fn hit_and_miss_are_the_same_bytes_without_white_space() {
    let provider = pretty();
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let request = chat(prompt("pretty"));
    for cache in ["MISS", "HIT L1", "HIT L1"] {
        let response = gateway.send(&request).expect_status(200);
        assert_eq!((response.cache().as_str(), response.text().as_str()), (cache, COMPACT));
    }
    gateway.wait_for_writes();
    gateway.restart();
    let hit = gateway.send(&request).expect_status(200);
    assert_eq!((hit.cache(), hit.text().as_str()), ("HIT L3".into(), COMPACT));
}

#[test]
fn a_route_may_drop_nulls_and_what_is_declared_sensitive() {
    let provider = pretty();
    let config = "
routes:
  - {name: chat, methods: [POST], path: /v1/chat/completions, profile: chat, cache: true,
     drop_nulls: true, redact_bodies: true}
response:
  redact: {names: [id], patterns: ['caf.']}
";
    let gateway = Gateway::patient().upstream(&provider).config(config).start();
    for _ in 0..2 {
        let answer = gateway.chat(prompt("changed")).expect_status(200);
        let body = answer.json();
        assert_eq!(body["id"], "[redacted]", "{answer}");
        assert_eq!(body["choices"][0]["message"]["content"], "[redacted]  \"x\"", "{answer}");
        assert!(!answer.text().contains("null"), "{answer}");
    }
}

#[test]
fn a_stream_is_reshaped_event_by_event_and_kept_so() {
    let provider = Provider::start();
    let config = "
routes:
  - {name: chat, methods: [POST], path: /v1/chat/completions, profile: chat, cache: true,
     drop_nulls: true, redact_bodies: true}
response:
  redact: {names: [id], patterns: []}
";
    let gateway = Gateway::patient().upstream(&provider).config(config).start();
    let request = ask_stream("chat/completions", "changed");
    let miss = gateway.send(&request).expect_status(200);
    assert!(
        miss.text().contains("\"id\":\"[redacted]\"") && !miss.text().contains("null"),
        "{miss}"
    );
    assert!(miss.text().ends_with("data: [DONE]\n\n"), "{miss}");
    let hit = gateway.send(&request).expect_status(200);
    assert_eq!((hit.cache(), hit.text()), ("HIT L1".into(), miss.text()));
}

#[test]
fn a_caller_gets_the_part_of_an_answer_that_it_names() {
    let provider = pretty();
    let gateway = Gateway::patient().upstream(&provider).start();
    let request = chat(prompt("a part"));
    let part = |fields: &str| request.clone().header("X-Fields", fields);
    let content = r#"{"choices":[{"message":{"content":"caf\u00e9  \"x\""}}]}"#;
    for cache in ["MISS", "HIT L1", "HIT L1"] {
        let response = gateway.send(&part("choices.message.content")).expect_status(200);
        assert_eq!((response.cache().as_str(), response.text().as_str()), (cache, content));
        let varies: Vec<_> = response
            .headers
            .0
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("vary"))
            .collect();
        assert!(varies.iter().any(|(_, value)| value.to_ascii_lowercase().contains("x-fields")));
    }
    // The whole is what is kept.
    assert_eq!(gateway.send(&request).expect_status(200).text(), COMPACT);
    let ids = gateway.send(&part(" id ,usage.cost")).expect_status(200);
    assert_eq!(ids.text(), r#"{"id":"chatcmpl-1","usage":{"cost":1e-07}}"#);
    let refused = gateway.send(&part("a..b")).expect_status(400);
    assert_eq!(refused.json()["error"]["code"], "field_empty_part", "{refused}");
    assert!(refused.text().contains("x-fields") && refused.text().contains("a..b"), "{refused}");
    assert_eq!(provider.num_calls(), 1);
}

#[test]
fn a_part_of_a_stream_is_a_part_of_each_of_its_events() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let request = ask_stream("chat/completions", "a part of each");
    let part = request.clone().header("X-Fields", "choices.delta.content");
    let miss = gateway.send(&part).expect_status(200);
    assert_eq!(miss.cache(), "MISS");
    assert!(miss.text().starts_with("data: {\"choices\":[{\"delta\":{"), "{miss}");
    assert!(miss.text().ends_with("data: [DONE]\n\n"), "{miss}");
    assert!(!miss.text().contains("chatcmpl") && miss.text().contains("answer"), "{miss}");
    let hit = gateway.send(&part).expect_status(200);
    assert_eq!((hit.cache(), hit.text()), ("HIT L1".into(), miss.text()));
    let whole = gateway.send(&request).expect_status(200);
    assert!(whole.cache() == "HIT L1" && whole.text().contains("chatcmpl"), "{whole}");
}

#[test]
fn fields_in_the_query_are_neither_keyed_nor_forwarded_where_the_route_allows_them() {
    let provider = Provider::start();
    let config = "
routes:
  - {name: models, methods: [GET], path: /v1/models, profile: models, cache: true, fields_query: true}
";
    let gateway = Gateway::patient().upstream(&provider).config(config).start();
    let get = |target: &str| gateway.send(&Request::get(target).bearer(KEY));
    let whole = get("/v1/models").expect_status(200);
    let part = get("/v1/models?fields=data.id").expect_status(200);
    assert_eq!(part.cache(), "HIT L1", "{part}");
    let expected: Vec<_> = whole.json()["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| json!({"id": model["id"]}))
        .collect();
    assert_eq!(part.json(), json!({"data": expected}));
    let another = get("/v1/models?fields=object&a=b").expect_status(200);
    assert_eq!((another.cache(), another.json()), ("MISS".into(), json!({"object": "list"})));
    assert_eq!(provider.calls().last().unwrap().target, "/v1/models?a=b");
    get("/v1/models?fields=").expect_status(400);
}

#[test]
fn a_providers_key_does_not_leave_in_an_error() {
    let key = "sk-proj-0123456789abcdefghij";
    let provider = Provider::scripted(move |_| {
        let message = format!("Incorrect API key provided: {key}.");
        Reply::json(401, &json!({"error": {"message": message, "api_key": "abc", "code": null}}))
    });
    let gateway = Gateway::patient().upstream(&provider).start();
    // Then past the cache: the provider refuses this credential.
    for cache in ["MISS", "BYPASS"] {
        let refused = gateway.chat(prompt("refused")).expect_status(401);
        assert_eq!(refused.cache(), cache, "{refused}");
        let error = &refused.json()["error"];
        assert_eq!(error["message"], "Incorrect API key provided: [redacted].", "{refused}");
        assert_eq!((&error["api_key"], &error["code"]), (&json!("[redacted]"), &json!(null)));
    }
}

#[test]
fn a_gateway_does_not_start_with_a_pattern_that_is_none() {
    let config = "response: {redact: {patterns: ['sk-(']}}";
    let said = Gateway::builder().config(config).try_start().err().expect("no start");
    assert!(said.contains("response.redact cannot be used: pattern number 1"), "{said}");
}

#[test]
fn a_compressed_request_is_the_same_as_a_plain_one() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let plain = ask("chat/completions", &"a long question ".repeat(100));
    for (token, encoding) in
        [("gzip", Encoding::Gzip), ("BR", Encoding::Brotli), ("identity", Encoding::Identity)]
    {
        let body = compress(encoding, 5, &plain.body).unwrap_or_else(|| plain.body.clone());
        let request = plain.clone().header("Content-Encoding", token).body(body);
        gateway.send(&request).expect_status(200);
    }
    assert_eq!(gateway.send(&plain).expect_status(200).cache(), "HIT L1");
    let call = provider.calls().pop().expect("a call");
    assert_eq!((call.body, call.headers.get("content-encoding")), (plain.body, None));
    assert_eq!(provider.num_calls(), 1);
}

#[test]
fn a_compressed_request_that_goes_past_the_cache_is_sent_plain() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let body = format!("--x\r\n\r\n{}\r\n--x--", "a ".repeat(500));
    let packed = compress(Encoding::Gzip, 5, body.as_bytes()).expect("fewer bytes");
    let request = Request::new("POST", "/v1/chat/completions").bearer(KEY);
    let request = request.header("Content-Type", "multipart/form-data; boundary=x");
    let answer = gateway.send(&request.header("Content-Encoding", "gzip").body(packed));
    assert_eq!(answer.cache(), "BYPASS", "{answer}");
    let call = provider.calls().pop().expect("a call");
    assert_eq!((call.text(), call.headers.get("content-encoding")), (body, None));
}

#[test]
fn compressed_requests_are_inflated_within_the_bound_or_refused() {
    let provider = Provider::start();
    let gateway =
        Gateway::patient().upstream(&provider).env("ANTEROOM__SERVER__MAX_BODY", "64KiB").start();
    let bomb = |encoding| compress(encoding, 5, &vec![b' '; 50 << 20]).expect("fewer bytes");
    let gzip = bomb(Encoding::Gzip);
    let brotli = bomb(Encoding::Brotli);
    let small = compress(Encoding::Gzip, 5, &b"{} ".repeat(100)).expect("fewer bytes");
    for (token, body, status, code) in [
        ("gzip", gzip.as_slice(), 413, "inflated_body_too_large"),
        ("br", &brotli, 413, "inflated_body_too_large"),
        ("gzip", &small[..small.len() - 9], 400, "compressed_body_truncated"),
        ("gzip", b"{\"model\": \"m\"}", 400, "compressed_body_damaged"),
        ("zstd", b"{}", 415, "content_encoding_unsupported"),
        ("gzip, br", b"{}", 415, "content_encoding_unsupported"),
    ] {
        if body.len() > 64 << 10 {
            continue;
        }
        let request = post("chat/completions", "").header("Content-Encoding", token).body(body);
        let refused = gateway.send(&request).expect_status(status);
        assert_eq!(refused.json()["error"]["code"], code, "{refused}");
        assert_eq!(refused.json()["error"]["type"], "invalid_request_error", "{refused}");
    }
    assert_eq!(provider.num_calls(), 0);
}
