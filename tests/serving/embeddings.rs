//! A list of inputs to embed is answered from what is known of each.

use serde_json::{Value, json};

use super::apis::post;
use crate::support::client::{Request, Response};
use crate::support::client_keys::{config, key};
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::Gateway;
use crate::support::provider::{self, Call, Fault, Provider, Reply};

/// Embeds a text that ends in a number as that number, and counts a token for each input.
pub fn by_number(call: &Call) -> Reply {
    Reply::json(200, &embedded(call))
}

fn embedded(call: &Call) -> Value {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let inputs = match &body["input"] {
        Value::Array(inputs) => inputs.clone(),
        one => vec![one.clone()],
    };
    let data = inputs.iter().enumerate().map(|(index, input)| {
        let text = input.as_str().unwrap_or_default();
        let number: u16 = text.rsplit(' ').next().unwrap_or_default().parse().unwrap_or(0);
        let vector = [f32::from(number), 0.5];
        let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        let is_base64 = body["encoding_format"] == "base64";
        let embedding = if is_base64 { json!(provider::base64(&bytes)) } else { json!(vector) };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    // As some providers do: in another order than asked.
    let data: Vec<_> = data.rev().collect();
    json!({"object": "list", "data": data, "model": body["model"],
        "usage": {"prompt_tokens": inputs.len(), "total_tokens": inputs.len()}})
}

pub(super) fn texts(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("item {number}")).collect()
}

pub(super) fn embed(input: impl serde::Serialize) -> Request {
    post("embeddings", json!({"model": "test-embedding", "input": input}))
}

/// Returns the numbers of an answer, whose indices must be in order.
#[track_caller]
pub(super) fn numbers(answer: &Response) -> Vec<usize> {
    let whole = answer.json();
    let data = whole["data"].as_array().unwrap_or_else(|| panic!("{answer}"));
    for (index, element) in data.iter().enumerate() {
        assert_eq!(element["index"], index, "{answer}");
    }
    let number = |element: &Value| element["embedding"][0].as_f64().map(|number| number as usize);
    data.iter().filter_map(number).collect()
}

pub(super) fn usage(answer: &Response) -> Value {
    answer.json()["usage"]["total_tokens"].clone()
}

pub(super) fn status(answer: &Response) -> &str {
    answer.header("cache-status").unwrap_or_default()
}

/// Returns the inputs of the provider's last call.
pub(super) fn last_inputs(provider: &Provider) -> Vec<String> {
    let call = provider.calls().pop().expect("a call");
    let body: Value = serde_json::from_slice(&call.body).expect("JSON");
    serde_json::from_value(body["input"].clone()).expect("texts")
}

/// A-43, A-45: one call of ten; order and usage are right, and what is known is saved.
#[test]
fn of_a_hundred_inputs_with_ninety_known_ten_are_asked() {
    let provider = Provider::scripted(by_number);
    let prices = "prices: {models: [{model: test-embedding, input_per_million: \"1\"}]}\n";
    let mut gateway = Gateway::patient().upstream(&provider).config(prices).start();
    let first = gateway.send(&embed(texts(0..90))).expect_status(200);
    assert_eq!((first.cache().as_str(), usage(&first)), ("MISS", json!(90)), "{first}");
    assert!(status(&first).ends_with("fwd=miss; stored"), "{first}");
    let asked: Vec<usize> = (0..100).rev().collect();
    let part = gateway.send(&embed(texts(asked.clone()))).expect_status(200);
    assert_eq!((part.cache().as_str(), usage(&part)), ("MISS", json!(10)), "{part}");
    assert_eq!(status(&part), "anteroom; fwd=miss; stored; detail=partial-90/100");
    assert_eq!(numbers(&part), asked);
    assert_eq!(last_inputs(&provider), texts((90..100).rev()));
    for (level, calls, saved, spent) in [
        ("HIT L1", 1, 190, "0.000100"),
        ("HIT L3", 1, 100, "0.000000"),
        ("HIT L1", 2, 200, "0.000000"),
    ] {
        if level == "HIT L3" {
            gateway.wait_for_writes();
            gateway.restart();
        }
        let hit = gateway.send(&embed(texts(0..100))).expect_status(200);
        assert_eq!((hit.cache().as_str(), usage(&hit)), (level, json!(0)), "{hit}");
        assert_eq!(numbers(&hit), (0..100).collect::<Vec<_>>());
        assert!(hit.header("age").is_some() && status(&hit).starts_with("anteroom; hit; ttl="));
        let shown = poll(PATIENCE, || {
            let shown = gateway.operate(&Request::get("/api/v1/savings")).json();
            (shown["total"]["saved"]["calls"] == calls).then_some(shown)
        });
        let total = &shown.expect("saved calls")["total"];
        assert_eq!(total["saved"]["input_tokens"], saved, "{total:#}");
        assert_eq!(total["spent"]["money"], spent, "{total:#}");
    }
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
}

/// An input has one key: alone, alone in a list, and among others.
#[test]
fn an_input_is_the_same_alone_and_in_any_list() {
    let provider = Provider::scripted(by_number);
    let gateway = Gateway::patient().upstream(&provider).start();
    assert_eq!(gateway.send(&embed("item 1")).expect_status(200).cache(), "MISS");
    for single in [json!("item 1"), json!(["item 1"])] {
        let hit = gateway.send(&embed(single)).expect_status(200);
        assert_eq!((hit.cache(), numbers(&hit)), ("HIT L1".into(), vec![1]), "{hit}");
    }
    let list = gateway.send(&embed(["item 2", "item 1", "item 3"])).expect_status(200);
    assert_eq!(numbers(&list), [2, 1, 3]);
    assert!(status(&list).ends_with("detail=partial-1/3"), "{list}");
    for number in [2, 3] {
        let hit = gateway.send(&embed(format!("item {number}"))).expect_status(200);
        assert_eq!((hit.cache(), numbers(&hit)), ("HIT L1".into(), vec![number]), "{hit}");
    }
    // One missing input is an ordinary call, and so is kept.
    assert_eq!(numbers(&gateway.send(&embed(["item 1", "item 4"]))), [1, 4]);
    assert_eq!(last_inputs(&provider), ["item 4"]);
    let hit = gateway.send(&embed("item 4")).expect_status(200);
    assert_eq!(hit.cache(), "HIT L1", "{hit}");
    assert_eq!(provider.num_calls(), 3, "{}", provider.log());
}

#[test]
fn an_input_that_is_there_twice_is_asked_once() {
    let provider = Provider::scripted(by_number);
    let gateway = Gateway::patient().upstream(&provider).start();
    let answer = gateway.send(&embed(["item 1", "item 2", "item 1"])).expect_status(200);
    assert_eq!((numbers(&answer), usage(&answer)), (vec![1, 2, 1], json!(2)));
    assert_eq!(last_inputs(&provider), ["item 1", "item 2"]);
    let answer = gateway.send(&embed(["item 3", "item 3"])).expect_status(200);
    assert_eq!((numbers(&answer), usage(&answer)), (vec![3, 3], json!(1)));
    assert_eq!(last_inputs(&provider), ["item 3"]);
}

/// A-44: other dimensions, another encoding, another model: other items.
#[test]
fn what_shapes_a_vector_counts_for_each_item() {
    let provider = Provider::scripted(by_number);
    let gateway = Gateway::patient().upstream(&provider).start();
    gateway.send(&embed(["item 1", "item 2"])).expect_status(200);
    for (field, value) in [
        ("dimensions", json!(2)),
        ("encoding_format", json!("base64")),
        ("model", json!("other")),
        ("input_type", json!("query")),
    ] {
        let mut body = json!({"model": "test-embedding", "input": ["item 1", "item 2"]});
        body[field] = value;
        for cache in ["MISS", "HIT L1"] {
            let answer = gateway.send(&post("embeddings", &body)).expect_status(200);
            assert_eq!(answer.cache(), cache, "{field}");
            let is_text = answer.json()["data"][0]["embedding"].is_string();
            assert_eq!(is_text, field == "encoding_format", "{answer}");
        }
    }
}

/// A failure is told as for any request, and nothing of it is kept; what was known stays known.
#[test]
fn a_failure_of_the_missing_part_is_the_answer_and_is_not_kept() {
    let provider = Provider::scripted(by_number);
    let gateway = Gateway::patient()
        .upstream(&provider)
        .config("upstreams: {default: {retry: {attempts: 0}}}\n")
        .start();
    gateway.send(&embed(["item 1", "item 2"])).expect_status(200);
    let more = embed(["item 1", "item 2", "item 3", "item 4"]);
    for code in [400, 429, 500] {
        provider.next(Reply::new(code, &[], r#"{"error":{"message":"no"}}"#));
        let failed = gateway.send(&more).expect_status(code);
        assert_eq!(failed.json()["error"]["message"], "no", "{failed}");
        assert_eq!(last_inputs(&provider), ["item 3", "item 4"]);
    }
    provider.next(Fault::Close);
    let failed = gateway.send(&more).expect_status(502);
    assert_eq!(failed.json()["error"]["code"], "upstream_broke_off", "{failed}");
    assert_eq!(gateway.send(&embed(["item 2", "item 1"])).expect_status(200).cache(), "HIT L1");
    assert_eq!(numbers(&gateway.send(&more).expect_status(200)), [1, 2, 3, 4]);
}

/// An answer that cannot be used by item: the list is asked whole, and that answer passed on and kept.
#[test]
fn what_cannot_be_taken_apart_is_asked_whole() {
    let provider = Provider::scripted(by_number);
    let gateway = Gateway::patient().upstream(&provider).start();
    gateway.send(&embed(["item 1", "item 2"])).expect_status(200);
    let one_too_few = r#"{"object":"list","model":"test-embedding","data":[{"index":0,"embedding":[7]}],"usage":{"prompt_tokens":1,"total_tokens":1}}"#;
    provider.next(Reply::new(200, &[], one_too_few));
    let answer = gateway.send(&embed(texts(1..5))).expect_status(200);
    assert_eq!(answer.json()["data"].as_array().map(Vec::len), Some(4), "{answer}");
    assert_eq!((provider.num_calls(), last_inputs(&provider)), (3, texts(1..5)));
    // The caller's own list is not asked twice.
    provider.next(Reply::new(200, &[], one_too_few));
    for cache in ["MISS", "HIT L1"] {
        let odd = gateway.send(&embed(["item 8", "item 9"])).expect_status(200);
        assert_eq!((odd.cache().as_str(), odd.text().as_str()), (cache, one_too_few), "{odd}");
    }
    assert_eq!(provider.num_calls(), 4);
}

/// A-16, A-18: items are as much their callers' own as whole answers are.
#[test]
fn two_keys_and_two_namespaces_never_share_items() {
    let provider = Provider::scripted(by_number);
    let keys = [("a", ""), ("b", ""), ("c", "scope: a")];
    let gateway = Gateway::patient().config(&config(&provider, &keys)).start();
    let ask = |name: &str, namespace: &str, inputs: &[&str]| {
        let body = json!({"model": "test-embedding", "input": inputs});
        let request = Request::post("/v1/embeddings", body).bearer(&key(name));
        let request = match namespace {
            "" => request,
            namespace => request.header("X-Cache-Namespace", namespace),
        };
        gateway.send(&request).expect_status(200)
    };
    assert_eq!(ask("a", "", &["item 1", "item 2"]).cache(), "MISS");
    assert_eq!(ask("b", "", &["item 1", "item 2"]).cache(), "MISS");
    assert_eq!(ask("a", "n", &["item 1", "item 2"]).cache(), "MISS");
    assert_eq!(ask("a", "n", &["item 1"]).cache(), "HIT L1");
    let part = ask("b", "", &["item 1", "item 3"]);
    assert!(status(&part).ends_with("detail=partial-1/2"), "{part}");
    assert_eq!(ask("c", "", &["item 2", "item 1"]).cache(), "HIT L1", "one scope");
    assert_eq!(ask("c", "", &["item 3"]).cache(), "MISS", "the other's item");
}

/// Directives count for each item: `no-cache` asks all anew, `no-store` keeps none, `only-if-cached`
/// asks nobody, `X-Cache-TTL` is each item's own life.
#[test]
fn directives_hold_for_items() {
    let provider = Provider::scripted(by_number);
    let gateway = Gateway::patient().upstream(&provider).start();
    let with = |inputs: &[&str], value: &str| embed(inputs).header("Cache-Control", value);
    let not_stored = gateway.send(&with(&["item 1", "item 2"], "no-store")).expect_status(200);
    assert_eq!((not_stored.cache().as_str(), numbers(&not_stored)), ("MISS", vec![1, 2]));
    gateway.send(&with(&["item 1", "item 2"], "only-if-cached")).expect_status(504);
    gateway.send(&with(&["item 1"], "only-if-cached")).expect_status(504);
    let short = embed(["item 1", "item 2"]).header("X-Cache-TTL", "100");
    assert_eq!(gateway.send(&short).expect_status(200).cache(), "MISS");
    let hit = gateway.send(&with(&["item 2", "item 1"], "only-if-cached")).expect_status(200);
    assert!(status(&hit).contains("ttl=99") || status(&hit).contains("ttl=98"), "{hit}");
    gateway.send(&with(&["item 2", "item 3"], "only-if-cached")).expect_status(504);
    let anew = gateway.send(&with(&["item 2", "item 1"], "no-cache")).expect_status(200);
    assert_eq!((anew.cache().as_str(), usage(&anew)), ("MISS", json!(2)), "{anew}");
    let single = gateway.send(&embed("item 1")).expect_status(200);
    assert_eq!(single.cache(), "HIT L1", "{single}");
    assert_eq!(provider.num_calls(), 3, "{}", provider.log());
}

/// Where the origin's headers decide, what they say is of the whole answer: no part of one is kept, and
/// none is put together of what another request may not have.
#[test]
fn where_the_origin_decides_a_list_is_kept_whole_or_not_at_all() {
    let provider = Provider::scripted(|call| {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let varies = body["user"] == "varies";
        let control = if varies { "public, max-age=60" } else { "private" };
        let vary = if varies { "accept-language" } else { "accept" };
        let headers =
            [("content-type", "application/json"), ("cache-control", control), ("vary", vary)];
        Reply::new(200, &headers, embedded(call).to_string())
    });
    let gateway = Gateway::patient().upstream(&provider).config(ORIGIN_DECIDES).start();
    let ask = |user: &str, language: &str, inputs: &[&str]| {
        let body = json!({"model": "test-embedding", "input": inputs, "user": user});
        let request = post("embeddings", body).header("Accept-Language", language);
        gateway.send(&request).expect_status(200).cache()
    };
    for _ in 0..2 {
        assert_eq!(ask("private", "de", &["item 1", "item 2"]), "MISS");
    }
    assert_eq!(ask("private", "de", &["item 2"]), "MISS");
    assert_eq!(ask("varies", "de", &["item 3", "item 4"]), "MISS");
    assert_eq!(ask("varies", "de", &["item 3", "item 4"]), "HIT L1");
    assert_eq!(ask("varies", "fr", &["item 3", "item 4"]), "MISS");
    assert_eq!(ask("varies", "de", &["item 4"]), "MISS");
    assert_eq!(provider.num_calls(), 6, "{}", provider.log());
}

const ORIGIN_DECIDES: &str = "
routes:
  - {name: embeddings, methods: [POST], path: /v1/embeddings, profile: embeddings, cache: true,
     scope: shared, heed_origin: true}
";
