//! What a route's policy keeps, and what it does not: A-39, `negative`, `max_entry`, `min_uses`.

use serde_json::{Value, json};

use super::apis::{ask, ask_stream};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, actor, chat, prompt};
use crate::support::provider::{Provider, Reply};

fn routes(policy: &str) -> String {
    let route = |name: &str, path: &str| {
        format!(
            "  - {{name: {name}, methods: [POST], path: {path}, profile: {name}, cache: true, \
             {policy}}}\n"
        )
    };
    let (chat, messages) =
        (route("chat", "/v1/chat/completions"), route("messages", "/v1/messages"));
    format!("routes:\n{chat}{messages}")
}

fn start(provider: &Provider, policy: &str) -> Gateway {
    Gateway::patient().upstream(provider).config(&routes(policy)).start()
}

/// what a rule finds is passed on and never kept, as an object and as a stream.
#[test]
fn answers_that_a_rule_refuses_are_passed_on_and_asked_for_again() {
    let provider = Provider::start();
    let gateway = start(&provider, "reject: [{pointer: '', pattern: '(?i)sorry'}]");
    let sorry = json!({"id": "c", "object": "chat.completion", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": "I am sorry."}, "finish_reason": "stop"}]});
    let request = chat(prompt("refuse me"));
    for _ in 0..2 {
        provider.next(Reply::json(200, &sorry));
        let answer = gateway.send(&request).expect_status(200);
        assert_eq!(answer.cache(), "MISS", "{answer}");
        let status = answer.header("cache-status").unwrap_or_default();
        assert!(status.ends_with("detail=rejected"), "{answer}");
    }
    let kept = gateway.send(&request).expect_status(200);
    assert_eq!(kept.cache(), "MISS", "{kept}");
    assert_eq!(gateway.send(&request).cache(), "HIT L1");
    assert_eq!(provider.num_calls(), 3);
    // In two pieces: only the whole says it.
    let piece = |delta: &Value, reason: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        format!("data: {}\n\n", json!({"id": "c", "choices": [choice]}))
    };
    let stream = ask_stream("chat/completions", "refuse me in pieces");
    provider.next(Reply::events([
        piece(&json!({"role": "assistant", "content": "I am so"}), Value::Null),
        piece(&json!({"content": "rry."}), Value::Null),
        piece(&json!({}), json!("stop")),
        "data: [DONE]\n\n".to_owned(),
    ]));
    assert!(gateway.send(&stream).expect_status(200).text().contains("rry."));
    let again = gateway.send(&stream).expect_status(200);
    assert_eq!((again.cache().as_str(), provider.num_calls()), ("MISS", 5), "{again}");
    assert_eq!(gateway.send(&stream).cache(), "HIT L1");
}

/// A status with a lifetime of its own is kept as it is, in the form it came in; others are not.
#[test]
fn an_error_with_a_lifetime_is_a_hit_with_its_status() {
    let provider = Provider::start();
    let gateway = start(&provider, "negative: {404: 60s}");
    let error = json!({"error": {"message": "no such model"}});
    let refused = |status: u16| Reply::json(status, &error);
    for request in [ask("chat/completions", "absent"), ask_stream("chat/completions", "absent too")]
    {
        let before = provider.num_calls();
        provider.next(refused(404));
        let miss = gateway.send(&request).expect_status(404);
        assert_eq!(miss.cache(), "MISS", "{miss}");
        let hit = gateway.send(&request).expect_status(404);
        assert_eq!((hit.cache().as_str(), &hit.body), ("HIT L1", &miss.body), "{hit}");
        assert_eq!(provider.num_calls(), before + 1);
    }
    let request = ask("messages", "not allowed");
    let before = provider.num_calls();
    for status in [400, 403] {
        provider.next(refused(status));
        gateway.send(&request).expect_status(status);
    }
    gateway.send(&request).expect_status(200);
    assert_eq!(provider.num_calls(), before + 3);
}

#[test]
fn an_answer_larger_than_the_route_keeps_is_passed_on() {
    let provider = Provider::start();
    let gateway = start(&provider, "max_entry: 1KiB");
    let large = |size: usize| {
        let text = "x".repeat(size);
        json!({"id": "c", "object": "chat.completion", "choices": [{"index": 0,
            "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]})
    };
    let request = chat(prompt("large"));
    provider.next(Reply::json(200, &large(1_024)));
    let answer = gateway.send(&request).expect_status(200);
    let status = answer.header("cache-status").unwrap_or_default();
    assert!(status.ends_with("detail=too-large"), "{answer}");
    provider.next(Reply::json(200, &large(100)));
    gateway.send(&request).expect_status(200);
    assert_eq!(gateway.send(&request).cache(), "HIT L1");
}

/// The third use, the answer's making counted, brings it to L3: there it outlives a kill.
#[test]
fn an_answer_reaches_l3_at_the_use_that_the_route_says() {
    let provider = Provider::start();
    let mut gateway = start(&provider, "min_uses: 3");
    let inserts = |gateway: &Gateway| gateway.actor("l3")["counters"]["inserts"].as_u64();
    let (once, often): (Request, Request) = (chat(prompt("once")), chat(prompt("often")));
    for request in [&once, &often, &often] {
        gateway.send(request).expect_status(200);
    }
    gateway.wait_for_writes();
    assert_eq!(inserts(&gateway), Some(0));
    // Another spelling of the same, so that L1 itself is asked.
    let spelled = Request::post("/v1/chat/completions", format!(" {}", prompt("often")));
    assert_eq!(gateway.send(&spelled.bearer("sk-test")).cache(), "HIT L1");
    gateway.wait_until("written once", |health| {
        actor(health, "l3").is_some_and(|l3| l3["counters"]["inserts"] == 1 && l3["pending"] == 0)
    });
    gateway.restart();
    assert_eq!(gateway.send(&often).cache(), "HIT L3");
    assert_eq!(gateway.send(&once).cache(), "MISS");
    assert_eq!(provider.num_calls(), 3);
}
