//! Which request is cached, which is not, and what the provider's answer keeps of itself.

use serde_json::json;

use super::apis::{KEY, ask, ask_stream};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::{Provider, Reply};

#[test]
fn each_default_route_keeps_its_answers() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let mut requests = vec![
        Request::get("/v1/models").bearer(KEY),
        Request::get("/v1/models/test-model").bearer(KEY),
        ask("embeddings", "each route"),
    ];
    for api in super::apis::STREAMED {
        requests.extend([ask(api, "each route"), ask_stream(api, "each route as a stream")]);
    }
    for request in &requests {
        let calls = provider.num_calls();
        let first = gateway.send(request).expect_status(200);
        let second = gateway.send(request).expect_status(200);
        assert_eq!(first.cache(), "MISS", "{first}");
        assert_eq!(second.cache(), "HIT L1", "{second}");
        assert_eq!(first.body, second.body, "{second}");
        assert_eq!(first.header("content-type"), second.header("content-type"), "{second}");
        assert_eq!(provider.num_calls(), calls + 1, "{}", provider.log());
    }
}

const OF_ONE_CALL: [(&str, &str); 8] = [
    ("Set-Cookie", "session=cookie-of-one-call; HttpOnly"),
    ("Set-Cookie", "second=cookie-of-one-call"),
    ("x-request-id", "req-of-one-call"),
    ("request-id", "req-of-one-call"),
    ("x-ratelimit-remaining-requests", "59"),
    ("anthropic-ratelimit-tokens-remaining", "1000"),
    ("openai-organization", "org-of-one-call"),
    ("openai-processing-ms", "417"),
];

#[test]
fn a_miss_is_the_providers_answer_and_a_stored_copy_drops_what_belongs_to_one_call() {
    let body = crate::support::provider::answer;
    let provider = Provider::scripted(move |call| {
        let mut headers = vec![("openai-version", "2020-10-01"), ("X-Custom", "of the answer")];
        headers.extend(OF_ONE_CALL);
        let whole = json!({"choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": call.serial.to_string()}}]});
        match call.path() {
            "/v1/chat/completions" => Reply::new(200, &headers, whole.to_string()),
            _ => body(call),
        }
    });
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let request = chat(prompt("headers of one call"));
    let miss = gateway.send(&request).expect_status(200);
    for (name, value) in OF_ONE_CALL {
        assert!(miss.headers.all(name).contains(&value), "the miss lacks {name}\n{miss}");
    }
    let l1 = gateway.send(&request).expect_status(200);
    gateway.wait_for_writes();
    gateway.restart();
    let l3 = gateway.send(&request).expect_status(200);
    for (hit, level) in [(l1, "HIT L1"), (l3, "HIT L3")] {
        assert_eq!(hit.cache(), level, "{hit}");
        for (name, _) in OF_ONE_CALL {
            assert_eq!(hit.header(name), None, "a stored copy keeps {name}\n{hit}");
        }
        assert_eq!(hit.header("x-custom"), Some("of the answer"), "{hit}");
        assert_eq!(hit.header("openai-version"), Some("2020-10-01"), "{hit}");
        assert_eq!(hit.body, miss.body);
    }
}

#[test]
fn a_providers_error_is_passed_on_as_it_is() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let error = r#"{"error": {"message": "slow down",  "type":"requests"}}"#;
    let headers = [("Retry-After", "7"), ("X-Request-Id", "req-1"), ("Date", "then")];
    provider.next(Reply::new(429, &headers, error));
    let answer = gateway.send(&ask("chat/completions", "errors")).expect_status(429);
    // But for its white space.
    assert_eq!(answer.text(), r#"{"error":{"message":"slow down","type":"requests"}}"#);
    assert_eq!(answer.header("retry-after"), Some("7"), "{answer}");
    assert_eq!(answer.header("x-request-id"), Some("req-1"), "{answer}");
    assert_eq!(answer.headers.all("date"), ["then"], "{answer}");
    assert_eq!(answer.headers.all("content-length").len(), 1, "{answer}");
}

#[test]
fn what_is_no_route_of_the_gateway_is_refused_in_the_form_of_its_api() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for (method, target, status) in [
        ("GET", "/v1/realtime", 501),
        ("GET", "/v1/realtime?model=gpt-realtime", 501),
        ("POST", "/v1/realtime", 501),
        ("GET", "/", 404),
        ("GET", "/v2/models", 404),
        ("POST", "/chat/completions", 404),
        ("GET", "/metrics", 404),
        ("GET", "/health/actors", 404),
        ("TRACE", "/v1/models", 405),
        ("GET", "/v1/models/../files", 400),
        ("GET", "/v1/models/%2E%2e/files", 400),
        ("POST", "/v1/./embeddings", 400),
    ] {
        let answer = gateway.send(&Request::new(method, target)).expect_status(status);
        let error = answer.json()["error"].clone();
        assert!(error["message"].is_string() && error["type"].is_string(), "{answer}");
        assert_eq!(answer.header("x-cache"), None, "{answer}");
    }
    assert_eq!(provider.num_calls(), 0, "{}", provider.log());
}

#[test]
fn an_unreachable_provider_is_a_502_in_the_form_of_the_api() {
    let mut provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    provider.stop();
    let openai = gateway.send(&ask("chat/completions", "away")).expect_status(502);
    assert_eq!(openai.json()["error"]["code"], "upstream_unreachable", "{openai}");
    let anthropic = gateway.send(&ask("messages", "away")).expect_status(502);
    assert_eq!(anthropic.json()["type"], "error", "{anthropic}");
    assert_eq!(anthropic.json()["error"]["type"], "api_error", "{anthropic}");
    for answer in [&openai, &anthropic] {
        assert!(!answer.text().contains(&provider.address()), "an address leaks\n{answer}");
    }
    provider.resume();
    let back = gateway.send(&ask("chat/completions", "away")).expect_status(200);
    assert_eq!(back.cache(), "MISS", "{back}");
}
