//! Tokens are counted here where the provider does not say how many they were.

use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::client_keys::{config, key};
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Gateway, actor, chat, prompt};
use crate::support::provider::{Provider, Reply};

/// Six tokens, as their maker says.
const TEXT: &str = "tiktoken is great!";

/// The tokens of a request that says [`TEXT`]: six, the role, three of framing and three more.
const INPUT: u64 = 6 + 1 + 3 + 3;

/// A provider that says nothing of tokens.
fn silent() -> Provider {
    Provider::scripted(|call| {
        let body: Value = serde_json::from_slice(&call.body).expect("JSON");
        if body["stream"] == true {
            let chunk = |delta: Value, reason: Value| {
                format!(
                    "data: {}",
                    json!({"id": "1", "object": "chat.completion.chunk", "created": 1,
                    "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
                )
            };
            let (first, second) = TEXT.split_at(3);
            return Reply::events(vec![
                chunk(json!({"role": "assistant", "content": first}), Value::Null),
                chunk(json!({"content": second}), Value::Null),
                chunk(json!({}), json!("stop")),
                "data: [DONE]".to_owned(),
            ]);
        }
        json!({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}]})
        .into()
    })
}

fn ask(model: &str, namespace: &str, stream: bool) -> Request {
    let body = json!({"model": model, "stream": stream,
        "messages": [{"role": "user", "content": TEXT}]});
    chat(body).header("X-Cache-Namespace", namespace)
}

fn counter(gateway: &Gateway, name: &str) -> u64 {
    let number = gateway.actor("models")["counters"][name].as_u64();
    number.unwrap_or_else(|| panic!("no {name}"))
}

/// Waits until so many models were loaded.
#[track_caller]
fn wait_for_loads(gateway: &Gateway, loads: u64) {
    gateway.wait_until(&format!("{loads} loads"), |health| {
        actor(health, "models").is_some_and(|models| models["counters"]["loads"] == loads)
    });
}

/// Waits until so many calls were saved, and returns what was.
#[track_caller]
fn saved(gateway: &Gateway, calls: u64) -> Value {
    let savings = || {
        let all = gateway.operate(&Request::get("/api/v1/savings")).expect_status(200).json();
        (all["total"]["saved"]["calls"] == calls).then(|| all["total"]["saved"].clone())
    };
    poll(PATIENCE, savings).unwrap_or_else(|| panic!("never {calls} saved"))
}

#[test]
fn calls_without_usage_are_counted_by_the_tokenizer_of_their_family() {
    let provider = silent();
    let gateway = Gateway::patient().upstream(&provider).start();
    assert_eq!(counter(&gateway, "loaded"), 0, "none before it is needed");
    gateway.send(&ask("gpt-4", "a", false)).expect_status(200);
    wait_for_loads(&gateway, 1);
    let bytes = counter(&gateway, "bytes");
    assert!((8 << 20..128 << 20).contains(&bytes), "{bytes} bytes");
    assert!(counter(&gateway, "load_ms") > 0);
    // What was not counted then is counted now.
    gateway.send(&ask("gpt-4", "a", false)).expect_status(200);
    assert_eq!(saved(&gateway, 1)["input_tokens"], 0);
    for (stream, calls) in [(false, 2), (true, 3)] {
        let namespace = calls.to_string();
        for cache in ["MISS", "HIT L1"] {
            let answer = gateway.send(&ask("gpt-4", &namespace, stream)).expect_status(200);
            assert_eq!(answer.cache(), cache);
            assert!(!answer.text().contains("usage"), "the answer is the provider's: {answer}");
        }
        let saved = saved(&gateway, calls);
        assert_eq!(saved["input_tokens"], (calls - 1) * INPUT, "{saved}");
        assert_eq!(saved["output_tokens"], (calls - 1) * 6, "{saved}");
    }
}

#[test]
fn at_most_so_many_tokenizers_are_loaded_and_a_dead_actor_costs_nothing() {
    let provider = silent();
    let gateway = Gateway::patient().upstream(&provider).env("MODEL_CACHE_SIZE", 1).start();
    gateway.send(&ask("gpt-4", "a", false)).expect_status(200);
    wait_for_loads(&gateway, 1);
    // Its place is taken, and it has only come.
    gateway.send(&ask("gpt-4o", "a", false)).expect_status(200);
    assert_eq!((counter(&gateway, "loads"), counter(&gateway, "loaded")), (1, 1));
    gateway.make_panic("models");
    gateway.send(&ask("gpt-4", "b", false)).expect_status(200);
    gateway.wait_until("models back", |health| {
        actor(health, "models")
            .is_some_and(|models| models["restarts"] == 1 && models["state"] == "running")
    });
    gateway.send(&ask("gpt-4o", "b", false)).expect_status(200);
    wait_for_loads(&gateway, 1);
    assert_eq!(counter(&gateway, "loaded"), 1);
}

#[test]
fn a_limit_of_tokens_is_taken_by_count_before_the_call_is_made() {
    let provider = silent();
    let keys = [("team", "tokens_per_minute: 1000")];
    let gateway = Gateway::patient().config(&config(&provider, &keys)).start();
    let ask = |text: &str, most: u64| {
        let mut body = prompt(text);
        body["model"] = json!("gpt-4");
        body["max_tokens"] = json!(most);
        gateway.send(&Request::post("/v1/chat/completions", body).bearer(&key("team")))
    };
    ask("the first one", 1).expect_status(200);
    wait_for_loads(&gateway, 1);
    let left = |answer: &crate::support::client::Response| -> u64 {
        let field = answer.header("ratelimit").expect("a field").to_owned();
        let number = field.split("r=").nth(1).and_then(|rest| rest.split(';').next());
        number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{field}"))
    };
    let before = left(&ask("the second one", 1).expect_status(200));
    let after = left(&ask(TEXT, 50).expect_status(200));
    let taken = before - after;
    assert!(taken <= INPUT + 50, "{taken}");
    assert!(taken >= INPUT + 50 - 2, "little is refilled meanwhile: {taken}");
    let refused = ask("too long an answer", 990).expect_status(429);
    assert!(refused.header("retry-after").is_some(), "{refused}");
    assert_eq!(provider.num_calls(), 3, "{}", provider.log());
}

#[test]
fn counting_can_be_switched_off() {
    let provider = silent();
    let gateway =
        Gateway::patient().upstream(&provider).env("ANTEROOM__MODELS__COUNT_TOKENS", false).start();
    for _ in 0..2 {
        gateway.send(&ask("gpt-4", "a", false)).expect_status(200);
    }
    assert_eq!(saved(&gateway, 1)["input_tokens"], 0);
    assert_eq!((counter(&gateway, "loads"), counter(&gateway, "load_failures")), (0, 0));
}
