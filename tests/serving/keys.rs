//! When two requests are the same, seen from outside.

use serde_json::{Value, json};

use super::apis::{ask, post};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, chat};
use crate::support::provider::Provider;

const EXAMPLES: [(&str, &str); 5] = [
    ("chat/completions", include_str!("../examples/chat.json")),
    ("completions", include_str!("../examples/completions.json")),
    ("responses", include_str!("../examples/responses.json")),
    ("messages", include_str!("../examples/messages.json")),
    ("embeddings", include_str!("../examples/embeddings.json")),
];

/// Fields of which an API says that they cannot change the answer.
fn uncounted(api: &str) -> &'static [&'static str] {
    match api {
        "chat/completions" => &[
            "user",
            "metadata",
            "store",
            "service_tier",
            "safety_identifier",
            "prompt_cache_key",
            "prompt_cache_retention",
            "stream_options",
        ],
        "responses" => &[
            "user",
            "metadata",
            "service_tier",
            "safety_identifier",
            "prompt_cache_key",
            "prompt_cache_retention",
        ],
        "messages" => &["metadata", "service_tier"],
        "completions" => &["user", "stream_options"],
        _ => &["user"],
    }
}

/// Writes members backwards, each character escaped, integers with a fraction, and odd space.
fn respell(value: &Value) -> String {
    let escaped = |text: &str| {
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("\"{units}\"")
    };
    match value {
        Value::Number(number) if number.is_i64() => format!("{number}.0"),
        Value::String(text) => escaped(text),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(respell).collect();
            format!("[ {}\n]", items.join("\t, "))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| escaped(name) + " :" + &respell(value);
            let members: Vec<_> = members.iter().rev().map(member).collect();
            format!("\r\n{{{}}}", members.join(" ,"))
        }
        other => other.to_string(),
    }
}

/// The same request with one thing in it changed, for each of its top-level fields and a new one.
fn mutants(example: &Value) -> Vec<(String, Value)> {
    let members = example.as_object().expect("an object");
    let with = |name: &str, value: Value| {
        let mut mutant = example.clone();
        mutant[name] = value;
        (name.to_owned(), mutant)
    };
    let mut mutants: Vec<_> = members
        .iter()
        .map(|(name, value)| match value {
            // A stream stays a stream: what comes back must be of the kind asked for.
            Value::Bool(flag) if name == "stream" => with("stream", json!(flag)),
            Value::Bool(flag) => with(name, json!(!flag)),
            Value::Number(number) => with(name, json!(number.as_f64().unwrap_or(0.0) + 0.5)),
            Value::String(text) => with(name, json!(format!("{text} "))),
            Value::Array(items) => with(name, json!([items.clone(), items.clone()].concat())),
            Value::Object(members) => {
                let mut members = members.clone();
                members.insert("nobody_has_heard_of_this".into(), json!(1));
                with(name, json!(members))
            }
            Value::Null => with(name, json!("not null")),
        })
        .filter(|(_, mutant)| mutant != example)
        .collect();
    mutants.push(with("nobody_has_heard_of_this", json!({"num_ctx": 8192})));
    mutants
}

/// A-1, A-2, A-3, A-5, A-12.
#[test]
fn a_full_request_spelled_otherwise_hits_and_each_change_of_what_counts_misses() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for (api, example) in EXAMPLES {
        let original = gateway.send(&post(api, example)).expect_status(200);
        assert_eq!(original.cache(), "MISS", "{original}");
        let example: Value = serde_json::from_str(example).expect("an example is JSON");
        for body in [example.to_string(), respell(&example)] {
            let hit = gateway.send(&post(api, &body)).expect_status(200);
            assert_eq!(hit.cache(), "HIT L1", "{hit}");
            // Of a list that is put together of known items nothing was charged.
            match api {
                "embeddings" => assert_eq!(hit.json()["data"], original.json()["data"], "{hit}"),
                _ => assert_eq!(hit.body, original.body, "{hit}"),
            }
        }
        for (field, mutant) in mutants(&example) {
            let expected = match field.as_str() {
                field if uncounted(api).contains(&field) => "HIT L1",
                // State that lies with the provider is not for a cache.
                "background" | "conversation" => "BYPASS",
                // The same inputs twice: each is a question of its own, and known.
                "input" if api == "embeddings" => "HIT L1",
                _ => "MISS",
            };
            let answer = gateway.send(&post(api, mutant)).expect_status(200);
            assert_eq!(answer.cache(), expected, "{api}: {field}\n{answer}");
        }
    }
}

fn ask_about(messages: Value) -> Request {
    chat(json!({"model": "m", "messages": messages}))
}

fn part(kind: &str, value: Value) -> Value {
    json!([{"role": "user", "content": [{"type": "text", "text": "what is it?"},
        {"type": kind, kind: value}]}])
}

/// A-6 (each part counts), A-7 (all messages), A-15 (no folding, no trimming), A-9 (0 is not absent),
/// J1 (numbers by their exact value). Each is asked once, then again: none gets another's answer.
#[test]
fn requests_that_differ_in_anything_that_counts_have_answers_of_their_own() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let user = |text: &str| ask_about(json!([{"role": "user", "content": text}]));
    let history = |first: &str| {
        ask_about(json!([{"role": "user", "content": first}, {"role": "assistant", "content": "b"},
            {"role": "user", "content": "and the last?"}]))
    };
    let image = |data: &str| {
        let url = format!("data:image/png;base64,{data}");
        ask_about(part("image_url", json!({"url": url})))
    };
    let audio = |data: &str| ask_about(part("input_audio", json!({"data": data, "format": "wav"})));
    let file = |id: &str| ask_about(part("file", json!({"file_id": id})));
    let with = |members: &str| {
        chat(format!(r#"{{"model":"m","messages":[{{"role":"user","content":"n"}}]{members}}}"#))
    };
    let requests = [
        user("Polish this"),
        user("polish this"),
        user("polish this "),
        user("polish  this"),
        user("caf\u{e9}"),
        user("cafe\u{301}"),
        history("one"),
        history("two"),
        image("iVBORw0KGgoA"),
        image("ivBORw0KGgoA"),
        image("iVBORw0KGgoB"),
        audio("UklGRiQA"),
        audio("UklGRiQB"),
        file("file-1"),
        file("file-2"),
        with(""),
        with(r#","seed":0"#),
        with(r#","seed":null"#),
        with(r#","seed":"0""#),
        with(r#","seed":-0"#),
        with(r#","seed":18446744073709551616"#),
        with(r#","seed":18446744073709551617"#),
        with(r#","temperature":0.1"#),
        with(r#","temperature":0.10000000000000001"#),
        with(r#","options":{"num_ctx":2048}"#),
        with(r#","options":{"num_ctx":4096}"#),
        with(r#","stop":[]"#),
        with(r#","stop":{}"#),
        chat(json!({"model": "m", "messages": []})).header("OpenAI-Beta", "a"),
        chat(json!({"model": "m", "messages": []})).header("OpenAI-Beta", "b"),
        chat(json!({"model": "m", "messages": []})),
    ];
    let first: Vec<_> = requests.iter().map(|request| gateway.send(request)).collect();
    for answer in &first {
        assert_eq!((answer.status, answer.cache().as_str()), (200, "MISS"), "{answer}");
    }
    for (request, first) in requests.iter().zip(&first) {
        let again = gateway.send(request);
        assert_eq!((again.cache(), &again.body), ("HIT L1".into(), &first.body), "{again}");
    }
    assert_eq!(provider.num_calls(), requests.len(), "{}", provider.log());
}

/// A-13: method, path and query are in the key; the order of a query's names is not.
#[test]
fn the_target_counts_and_the_order_of_its_query_does_not() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let get = |target: &str| gateway.send(&Request::get(target).bearer("k")).expect_status(200);
    for (target, expected) in [
        ("/v1/models", "MISS"),
        ("/v1/models?a=1&b=2", "MISS"),
        ("/v1/models?b=2&a=1", "HIT L1"),
        ("/v1/models?b=1&a=2", "MISS"),
        ("/v1/models?a=1&a=2", "MISS"),
        ("/v1/models?a=2&a=1", "MISS"),
        ("/v1/models/x", "MISS"),
        ("/v1/models/%78", "MISS"),
        ("/v1/models//x", "MISS"),
        ("/v1/models/X", "MISS"),
        ("/v1/models/x", "HIT L1"),
    ] {
        let answer = get(target);
        assert_eq!(answer.cache(), expected, "{target}\n{answer}");
    }
    let targets: Vec<_> = provider.calls().into_iter().map(|call| call.target).collect();
    assert_eq!(targets[5..], ["/v1/models/x", "/v1/models/%78", "/v1/models//x", "/v1/models/X"]);
}

/// What is keyed is what is sent: byte for byte, whatever its spelling.
#[test]
fn the_body_goes_upstream_as_it_came() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let body = "\r\n{ \"messages\" :[{\"content\":\"\\u00e9 \\ud83d\\ude00 \\/ caf\u{e9}\",\
        \"role\":\"user\"}]\t,\n\"seed\": 18446744073709551617, \"temperature\":1.0E-0, \"user\":\"u\",\
        \"top_p\":0.10000000000000000000001,\"model\":\"m\" } \n";
    gateway.chat(body).expect_status(200);
    let call = provider.calls().pop().expect("a call");
    assert_eq!(call.text(), body);
    assert_eq!(call.headers.get("content-length"), Some(body.len().to_string().as_str()));
    assert_eq!((call.method.as_str(), call.target.as_str()), ("POST", "/v1/chat/completions"));
}

/// What is not in the key cannot change the answer: it does not reach the provider.
#[test]
fn only_keyed_headers_and_the_credential_go_upstream() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let plain = || {
        ask("messages", "headers")
            .header("anthropic-version", "2023-06-01")
            .header("anthropic-beta", "tools-1")
    };
    let dropped = [
        ("Cookie", "session=1"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("Forwarded", "for=10.0.0.1"),
        ("X-Original-URL", "/v1/other"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Of-The-Caller", "anything"),
        ("Accept-Language", "de"),
        ("Accept-Encoding", "gzip"),
        ("Origin", "http://evil.example"),
        ("Referer", "http://evil.example/"),
        ("Expect-Ct", "x"),
        ("Range", "bytes=0-1"),
        ("If-None-Match", "\"x\""),
        ("Proxy-Authorization", "Basic eDp5"),
        ("X-Stainless-Lang", "python"),
    ];
    let request =
        dropped.iter().fold(plain(), |request, (name, value)| request.header(name, value));
    let request = request.header("User-Agent", "an SDK").header("Host", "evil.example");
    let miss = gateway.send(&request).expect_status(200);
    assert_eq!(miss.cache(), "MISS", "{miss}");
    let call = provider.calls().pop().expect("a call");
    for (name, value) in dropped {
        assert_ne!(call.headers.get(name), Some(value), "{name} went upstream");
    }
    for (name, value) in [
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "tools-1"),
        ("authorization", "Bearer sk-test"),
        ("content-type", "application/json"),
        ("host", provider.address().as_str()),
        ("accept-encoding", "identity"),
    ] {
        assert_eq!(call.headers.all(name), [value], "{name}: {:?}", call.headers);
    }
    assert!(!call.headers.get("user-agent").unwrap_or_default().contains("SDK"));
    // And so they are no difference, while keyed ones are.
    assert_eq!(gateway.send(&plain()).cache(), "HIT L1");
    let other = ask("messages", "headers").header("anthropic-version", "2024-01-01");
    assert_eq!(gateway.send(&other.header("anthropic-beta", "tools-1")).cache(), "MISS");
    let none = ask("messages", "headers").header("anthropic-version", "2023-06-01");
    assert_eq!(gateway.send(&none).cache(), "MISS");
}

/// W3C Trace Context: the call is a part of the trace of who led to it, and of nobody's where it is made
/// unasked.
#[test]
fn a_trace_goes_along_and_makes_no_difference() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let traced = ask("messages", "trace").header("traceparent", parent);
    let traced = traced.header("tracestate", "vendor=opaque");
    assert_eq!(gateway.send(&traced).expect_status(200).cache(), "MISS");
    let call = provider.calls().pop().expect("a call");
    assert_eq!(call.headers.all("traceparent"), [parent], "{:?}", call.headers);
    assert_eq!(call.headers.all("tracestate"), ["vendor=opaque"], "{:?}", call.headers);
    let other = "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203332-01";
    let again = gateway.send(&ask("messages", "trace").header("traceparent", other));
    assert_eq!(again.cache(), "HIT L1", "{again}");
    assert_eq!(again.header("traceparent"), None, "{again}");
    let wrong = ask("messages", "another").header("traceparent", "00-none");
    assert_eq!(gateway.send(&wrong).expect_status(200).cache(), "MISS");
    let call = provider.calls().pop().expect("a call");
    assert_eq!(call.headers.get("traceparent"), None, "{:?}", call.headers);
}
