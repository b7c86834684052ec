//! What the environment controls, seen in a running gateway.

use crate::support::client::Request;
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::Provider;

#[test]
fn the_upstreams_url_may_end_with_v1_or_not() {
    let provider = Provider::start();
    for url in ["", "/", "/v1", "/v1/"] {
        let gateway = Gateway::patient()
            .env("ANTEROOM_UPSTREAM_URL", format!("{}{url}", provider.url()))
            .start();
        let before = provider.num_calls();
        gateway.chat(prompt(url)).expect_status(200);
        gateway.send(&Request::get("/v1/files?a=b")).expect_status(200);
        let targets: Vec<_> =
            provider.calls().into_iter().skip(before).map(|call| call.target).collect();
        assert_eq!(targets, ["/v1/chat/completions", "/v1/files?a=b"], "{url:?}");
    }
}

#[test]
fn a_path_of_the_upstreams_url_comes_before_the_callers() {
    let provider = Provider::start();
    let gateway = Gateway::patient()
        .env("ANTEROOM_UPSTREAM_URL", format!("{}/some/place/v1", provider.url()))
        .start();
    gateway.send(&Request::get("/v1/files")).expect_status(200);
    gateway.send(&Request::get("/v1/models")).expect_status(200);
    let targets: Vec<_> = provider.calls().into_iter().map(|call| call.target).collect();
    assert_eq!(targets, ["/some/place/v1/files", "/some/place/v1/models"]);
}

#[test]
fn the_gateway_can_hold_the_key_and_then_callers_need_none() {
    let provider = Provider::start();
    let config = format!(
        "upstreams:\n  default:\n    kind: http\n    url: {}\n    pass_credential: false\n    \
         set_headers: {{authorization: 'Bearer ${{PROVIDER_KEY}}', openai-project: p}}\n",
        provider.url()
    );
    let gateway =
        Gateway::patient().config(&config).env("PROVIDER_KEY", "sk-of-the-gateway").start();
    let request = chat(prompt("with whose key?")).header("X-Api-Key", "sk-of-the-caller");
    gateway.send(&request).expect_status(200);
    gateway.send(&Request::get("/v1/files").bearer("sk-of-the-caller")).expect_status(200);
    for call in provider.calls() {
        assert_eq!(call.headers.all("authorization"), ["Bearer sk-of-the-gateway"]);
        assert_eq!(call.headers.all("openai-project"), ["p"]);
        assert_eq!(call.headers.get("x-api-key"), None, "{}", provider.log());
    }
    // Who shares with whom is still a matter of what callers show.
    let anonymous = Request::post("/v1/chat/completions", prompt("with whose key?"));
    assert_eq!(gateway.send(&anonymous).expect_status(200).cache(), "MISS");
    assert_eq!(gateway.send(&anonymous).expect_status(200).cache(), "HIT L1");
}

#[test]
fn without_an_upstream_the_model_inside_answers_and_says_what_it_is() {
    let gateway =
        Gateway::patient().env("ANTEROOM__UPSTREAMS__DEFAULT__THINK_TIME_PER_TOKEN", "0s").start();
    let body = prompt("Rivers carry water. Water shapes valleys. Cats sleep.");
    let miss = gateway.chat(&body).expect_status(200);
    assert_eq!(miss.json()["model"], "anteroom-builtin", "{miss}");
    assert!(miss.json()["usage"]["total_tokens"].as_u64() > Some(0), "{miss}");
    let hit = gateway.chat(&body).expect_status(200);
    assert_eq!((hit.cache(), &hit.body), ("HIT L1".into(), &miss.body), "{hit}");
    let mut streamed = body;
    streamed["stream"] = serde_json::json!(true);
    streamed["seed"] = serde_json::json!(1);
    for cache in ["MISS", "HIT L1"] {
        let stream = gateway.chat(&streamed).expect_status(200);
        assert_eq!(stream.cache(), cache, "{stream}");
        assert!(stream.text().ends_with("data: [DONE]\n\n"), "{stream}");
    }
    for target in ["/v1/embeddings", "/v1/responses", "/v1/messages"] {
        let refused = gateway.send(&Request::post(target, "{}")).expect_status(501);
        assert!(refused.json()["error"]["message"].is_string(), "{refused}");
        assert_eq!(refused.json()["type"] == "error", target == "/v1/messages", "{refused}");
    }
    gateway.send(&Request::get("/v1/models")).expect_status(200);
}
