//! A list of inputs to embed is answered from what is known of each.

use serde_json::{Value, json};

use super::apis::{KEY, post};
use crate::support::client::{Connection, Request, Response};
use crate::support::client_keys::{config, key};
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::Gateway;
use crate::support::provider::{self, Call, Fault, Gate, Provider, Reply};

/// Embeds a text that ends in a number as that number, and counts a token for each input.
pub fn by_number(call: &Call) -> Reply {
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
    Reply::json(
        200,
        &json!({"object": "list", "data": data, "model": body["model"],
        "usage": {"prompt_tokens": inputs.len(), "total_tokens": inputs.len()}}),
    )
}

fn texts(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("item {number}")).collect()
}

fn embed(input: impl serde::Serialize) -> Request {
    post("embeddings", json!({"model": "test-embedding", "input": input}))
}

/// Returns the numbers of an answer, whose indices must be in order.
#[track_caller]
fn numbers(answer: &Response) -> Vec<usize> {
    let whole = answer.json();
    let data = whole["data"].as_array().unwrap_or_else(|| panic!("{answer}"));
    for (index, element) in data.iter().enumerate() {
        assert_eq!(element["index"], index, "{answer}");
    }
    let number = |element: &Value| element["embedding"][0].as_f64().map(|number| number as usize);
    data.iter().filter_map(number).collect()
}

fn usage(answer: &Response) -> Value {
    answer.json()["usage"]["total_tokens"].clone()
}

fn status(answer: &Response) -> &str {
    answer.header("cache-status").unwrap_or_default()
}

/// Returns the inputs of the provider's last call.
fn last_inputs(provider: &Provider) -> Vec<String> {
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

/// Those who miss the same share one call, whatever each of them knows beside it.
#[test]
fn equal_missing_parts_share_one_call() {
    let gate = Gate::closed();
    gate.open();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| by_number(call).held_by(&held));
    let gateway = Gateway::patient().upstream(&provider).start();
    gateway.send(&embed(["item 1", "item 2"])).expect_status(200);
    gate.close();
    let lists = [["item 1", "item 3", "item 4"], ["item 3", "item 2", "item 4"]];
    std::thread::scope(|scope| {
        let gateway = &gateway;
        let callers = lists.map(|list| scope.spawn(move || gateway.send(&embed(list))));
        gateway.wait_until("both in one flight", |_| {
            gateway.actor("resolver")["counters"]["joined"] == 1
        });
        gate.open();
        let answers = callers.map(|caller| caller.join().expect("its panic stands above"));
        assert_eq!(answers.each_ref().map(numbers), [[1, 3, 4], [3, 2, 4]]);
        let mut caches = answers.each_ref().map(|answer| answer.cache());
        caches.sort();
        assert_eq!(caches, ["COALESCED", "MISS"]);
    });
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
}

/// Stale items stand in for a failing provider, and are asked for again in one call where it is well.
#[test]
fn stale_items_are_asked_again_together_or_stand_in() {
    let mut provider = Provider::scripted(by_number);
    let route = "routes:\n  - {name: embeddings, methods: [POST], path: /v1/embeddings, profile: \
                 embeddings, cache: true, lifetime: 1s, stale_while_revalidate: 1h, \
                 stale_if_error: 1h}\nupstreams: {default: {retry: {attempts: 0}}}\n";
    let gateway = Gateway::patient().upstream(&provider).config(route).start();
    let list = embed(["item 1", "item 2"]);
    gateway.send(&list).expect_status(200);
    provider.script(|_| Reply::new(503, &[], "{}"));
    let stale = poll(PATIENCE, || {
        let answer = gateway.send(&list).expect_status(200);
        // In its last millisecond it may be found fresh and turn stale on the way.
        let is_asked = answer.cache().starts_with("STALE") && status(&answer).contains("fwd=");
        is_asked.then_some(answer)
    });
    let stale = stale.expect("it turns stale");
    assert_eq!(numbers(&stale), [1, 2]);
    assert!(status(&stale).contains("fwd=stale; fwd-status=503; ttl=-"), "{stale}");
    provider.stop();
    let stale = gateway.send(&list).expect_status(200);
    assert!(status(&stale).contains("detail=stale-if-error-connect"), "{stale}");
    gateway.send(&embed(["item 1", "item 2", "item 3"])).expect_status(502);
    provider.resume();
    provider.script(by_number);
    let before = provider.num_calls();
    let fresh = gateway.send(&list).expect_status(200);
    assert_eq!((fresh.cache().as_str(), numbers(&fresh)), ("MISS", vec![1, 2]), "{fresh}");
    assert_eq!(provider.num_calls(), before + 1);
}

/// A caller who leaves has paid: what the call brings is kept item by item all the same.
#[test]
fn items_of_a_caller_who_left_are_kept() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| by_number(call).held_by(&held));
    let gateway = Gateway::patient().upstream(&provider).start();
    let body = json!({"model": "test-embedding", "input": ["item 1", "item 2"]}).to_string();
    let head = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer";
    let length = body.len();
    let request = format!("{head} {KEY}\r\nContent-Length: {length}\r\n\r\n{body}");
    let mut left = Connection::open(gateway.api());
    left.write(request.as_bytes()).expect("sent");
    provider.wait_for_calls(1);
    drop(left);
    gate.open();
    gateway.wait_until("the answer kept", |_| gateway.actor("l1")["counters"]["entries"] == 2);
    let hit = gateway.send(&embed("item 2")).expect_status(200);
    assert_eq!((hit.cache(), numbers(&hit)), ("HIT L1".into(), vec![2]), "{hit}");
}

/// A-67: what a list brought is purged item by item: by its own tag, model, or route, and a fill that
/// began before the purge is not kept.
#[test]
fn a_purge_drops_the_items_it_names_from_every_level() {
    let gate = Gate::closed();
    gate.open();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| by_number(call).held_by(&held));
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let purge = |gateway: &Gateway, body: Value| {
        let answer = gateway.operate(&Request::post("/api/v1/cache/purge", body));
        assert_eq!(answer.expect_status(200).json()["status"], "complete");
    };
    let tagged = |numbers: std::ops::Range<usize>, tag: &str| {
        embed(texts(numbers)).header("X-Cache-Tags", tag)
    };
    gateway.send(&tagged(0..3, "a")).expect_status(200);
    gateway.send(&tagged(3..6, "b")).expect_status(200);
    assert_eq!(gateway.send(&embed(texts(0..6))).expect_status(200).cache(), "HIT L1");
    gateway.wait_for_writes();
    purge(&gateway, json!({"tag": "a"}));
    gateway.restart();
    let part = gateway.send(&embed(texts(0..6))).expect_status(200);
    assert!(status(&part).ends_with("detail=partial-3/6"), "{part}");
    assert_eq!((numbers(&part), last_inputs(&provider)), ((0..6).collect(), texts(0..3)));
    purge(&gateway, json!({"model": "test-embedding"}));
    gate.close();
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| gateway.send(&embed(texts(0..6))));
        provider.wait_for_calls(4);
        assert_eq!(last_inputs(&provider), texts(0..6));
        purge(&gateway, json!({"route": "embeddings"}));
        gate.open();
        caller.join().expect("its panic stands above").expect_status(200);
    });
    let anew = gateway.send(&embed(texts(0..6))).expect_status(200);
    assert_eq!((anew.cache().as_str(), provider.num_calls()), ("MISS", 5), "{anew}");
    assert_eq!(status(&anew), "anteroom; fwd=miss; stored");
    assert_eq!(gateway.send(&embed("item 5")).expect_status(200).cache(), "HIT L1");
}

/// A-77, A-79: a key pays for what was asked upstream; what is known costs it nothing.
#[test]
fn a_key_pays_for_the_missing_part_only() {
    let provider = Provider::scripted(by_number);
    let keys = [("rich", "tokens_per_minute: 1000000")];
    let gateway = Gateway::patient().config(&config(&provider, &keys)).start();
    for (numbers, spent) in [(0..3, 3.0), (0..3, 3.0), (0..5, 5.0), (2..6, 6.0), (0..6, 6.0)] {
        let body = json!({"model": "test-embedding", "input": texts(numbers)});
        let request = Request::post("/v1/embeddings", body).bearer(&key("rich"));
        gateway.send(&request).expect_status(200);
        let counted = gateway.metric("anteroom_client_tokens_total", &[("key", "rich")]);
        assert_eq!(counted, Some(spent));
    }
}

/// A list's answer may be larger than what is kept of one answer: each item is not.
#[test]
fn a_list_larger_than_an_entry_is_kept_by_item() {
    let provider = Provider::scripted(|call| {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let inputs = body["input"].as_array().map_or(1, Vec::len);
        let vector = vec![0.125; 4_000];
        let data = (0..inputs).map(|index| json!({"index": index, "embedding": vector}));
        let data: Vec<_> = data.collect();
        Reply::json(200, &json!({"object": "list", "model": "m", "data": data}))
    });
    let builder = Gateway::patient().upstream(&provider);
    let gateway = builder.env("ANTEROOM__CACHE__MAX_ENTRY", "100KiB").start();
    let list = embed(texts(0..20));
    let miss = gateway.send(&list).expect_status(200);
    assert!(miss.body.len() > 400_000 && status(&miss).ends_with("fwd=miss; stored"), "{miss}");
    let hit = gateway.send(&list).expect_status(200);
    assert_eq!((hit.cache().as_str(), hit.body == miss.body), ("HIT L1", true));
    assert_eq!(provider.num_calls(), 1);
}
