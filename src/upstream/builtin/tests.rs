use std::sync::Arc;
use std::time::Instant;

use anteroom_actors::clock::{Clock, SystemClock};
use futures_util::{FutureExt, TryStreamExt};
use serde_json::{Value, json};

use super::*;

mod refused;

const TEXT: &str = "Caches keep answers near. A cache answers a repeated request from memory. \
    Cats are soft. A request that a cache answers costs nothing. It rained.";

#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn wall_ms(&self) -> u64 {
        1_700_000_000_999
    }
}

struct Got {
    status: u16,
    headers: Vec<Header>,
    streamed: bool,
    think_first: Duration,
    pieces: Vec<Bytes>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.pieces.concat()).expect("the body is JSON")
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|header| &*header.name == name).map(|header| &*header.value)
    }

    /// The data of each event; fails where an event has another form.
    fn events(&self) -> Vec<Value> {
        let (done, events) = self.pieces.split_last().expect("a stream has events");
        assert_eq!(&done[..], b"data: [DONE]\n\n");
        events
            .iter()
            .map(|event| {
                let data = event.strip_prefix(b"data: ").and_then(|e| e.strip_suffix(b"\n\n"));
                serde_json::from_slice(data.expect("one data line an event")).expect("JSON")
            })
            .collect()
    }
}

fn call(think_time_per_token: Duration, method: &str, path: &str, body: &[u8]) -> Got {
    let builtin = Builtin { think_time_per_token, clock: Arc::new(StoppedClock) };
    let Prepared { status, headers, streamed, think_first, body } =
        builtin.answer(method, path, &Bytes::copy_from_slice(body));
    let pieces = runtime().block_on(body.try_collect()).expect("the body never fails");
    Got { status, headers, streamed, think_first, pieces }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn post(path: &str, body: &Value) -> Got {
    call(Duration::ZERO, "POST", path, body.to_string().as_bytes())
}

fn chat(options: Value) -> Got {
    let mut body = json!({"model": "gpt-x", "messages": [{"role": "user", "content": TEXT}]});
    body.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    post("/v1/chat/completions", &body)
}

fn content(got: &Got, choice: usize) -> String {
    got.json()["choices"][choice]["message"]["content"].as_str().expect("content").to_owned()
}

#[test]
fn a_chat_completion_has_every_field_of_the_openai_form() {
    let got = chat(json!({}));
    assert_eq!((got.status, got.streamed), (200, false));
    assert_eq!(got.header("content-type"), Some(&b"application/json"[..]));
    let answer = got.json();
    let id = answer["id"].as_str().unwrap();
    let text = content(&got, 0);
    assert!(text.contains("A cache answers a repeated request from memory."), "{text}");
    assert!(id.starts_with("chatcmpl-") && id.len() == 41, "{id}");
    let tokens = tokens::estimate(&text);
    let prompt_tokens = tokens::estimate(TEXT) + 6;
    let expected = json!({
        "id": id, "object": "chat.completion", "created": 1_700_000_000_u64,
        "model": "anteroom-builtin",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": null},
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": tokens,
            "total_tokens": prompt_tokens + tokens},
        "system_fingerprint": concat!("anteroom-", env!("CARGO_PKG_VERSION")),
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_completion_has_every_field_of_the_openai_form() {
    let got = post("/v1/completions", &json!({"prompt": [TEXT, "Why?"], "n": 2}));
    let mut answer = got.json();
    let choices = answer["choices"].take();
    let texts: Vec<&str> =
        choices.as_array().unwrap().iter().map(|c| c["text"].as_str().unwrap()).collect();
    let expected: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            json!({"index": index, "text": text, "logprobs": null, "finish_reason": "stop"})
        })
        .collect();
    assert_eq!(choices, json!(expected));
    assert_eq!((texts[0], texts[2]), (texts[1], texts[3]));
    assert_eq!(texts[0], reply::reply(TEXT));
    assert_eq!(texts[2], reply::reply("Why?"));
    let prompt_tokens = tokens::estimate(TEXT) + tokens::estimate("Why?");
    let tokens = texts.iter().map(|text| tokens::estimate(text)).sum::<u64>();
    assert_eq!(
        answer["usage"],
        json!({"prompt_tokens": prompt_tokens, "completion_tokens": tokens,
            "total_tokens": prompt_tokens + tokens})
    );
    assert_eq!(answer["object"], "text_completion");
    assert!(answer["id"].as_str().unwrap().starts_with("cmpl-"));
}

#[test]
fn the_same_body_gets_the_same_bytes_and_another_one_another_id() {
    let got = chat(json!({"n": 3}));
    assert_eq!(got.pieces, chat(json!({"n": 3})).pieces);
    assert_ne!(got.json()["id"], chat(json!({"n": 2})).json()["id"]);
    assert_eq!(got.json()["choices"].as_array().unwrap().len(), 3);
    assert_eq!(content(&got, 0), content(&got, 2));
}

#[test]
fn a_chat_stream_says_what_the_object_says() {
    let got = chat(json!({"stream": true, "n": 2, "stream_options": {"include_usage": true}}));
    assert!(got.streamed);
    assert_eq!(got.header("content-type"), Some(&b"text/event-stream"[..]));
    let mut events = got.events();
    let object = chat(json!({"n": 2}));
    let last = events.pop().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"], object.json()["usage"]);
    let mut said = [String::new(), String::new()];
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["object"], "chat.completion.chunk");
        assert_eq!(event["model"], "anteroom-builtin");
        assert_eq!(event["created"], 1_700_000_000_u64);
        assert_eq!(event["id"], events[0]["id"]);
        assert!(event["system_fingerprint"].is_string());
        assert_eq!(event.get("usage"), Some(&Value::Null));
        let [choice] = event["choices"].as_array().unwrap().as_slice() else {
            panic!("one choice an event: {event}")
        };
        let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
        if at < 2 {
            assert_eq!(choice["delta"], json!({"role": "assistant", "content": ""}));
        } else if at >= events.len() - 2 {
            assert_eq!((&choice["delta"], &choice["finish_reason"]), (&json!({}), &json!("stop")));
        } else {
            assert_eq!(choice["finish_reason"], Value::Null);
            said[index] += choice["delta"]["content"].as_str().expect("a token");
        }
    }
    assert_eq!(said, [content(&object, 0), content(&object, 1)]);
    let num_tokens = object.json()["usage"]["completion_tokens"].as_u64().unwrap();
    assert_eq!(events.len() as u64, num_tokens + 4);
}

#[test]
fn a_completion_stream_says_what_the_object_says() {
    let events = post("/v1/completions", &json!({"prompt": TEXT, "stream": true})).events();
    let said: String =
        events.iter().map(|event| event["choices"][0]["text"].as_str().unwrap()).collect();
    let object = post("/v1/completions", &json!({"prompt": TEXT})).json();
    assert_eq!(said, object["choices"][0]["text"]);
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "stop");
    assert!(events.iter().all(|event| event["object"] == "text_completion"));
    assert!(events.iter().all(|event| event.get("usage").is_none()));
}

#[test]
fn an_answer_ends_where_the_caller_says() {
    let whole = content(&chat(json!({})), 0);
    let start: String = tokens::pieces(&whole).take(5).collect();
    for limit in [
        json!({"max_tokens": 5}),
        json!({"max_tokens": 5.0}),
        json!({"max_tokens": 9, "max_completion_tokens": 5}),
    ] {
        let got = chat(limit);
        assert_eq!(content(&got, 0), start);
        assert_eq!(got.json()["choices"][0]["finish_reason"], "length");
        assert_eq!(got.json()["usage"]["completion_tokens"], 5);
    }
    let exact = tokens::estimate(&whole);
    let got = chat(json!({"max_tokens": exact}));
    assert_eq!(got.json()["choices"][0]["finish_reason"], "stop");
    for stop in [json!("Key words"), json!(["never there", "", "Key words", "words: "])] {
        let got = chat(json!({"stop": stop}));
        assert_eq!(content(&got, 0), whole.split("Key words").next().unwrap());
        assert_eq!(got.json()["choices"][0]["finish_reason"], "stop");
    }
    let cut = chat(json!({"stream": true, "max_tokens": 5})).events();
    assert_eq!(cut.last().unwrap()["choices"][0]["finish_reason"], "length");
}

#[test]
fn the_last_user_message_is_answered() {
    let old = json!({"role": "user", "content": "Old question?"});
    let system = json!({"role": "system", "content": "Be brief."});
    let tool = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "x"}]});
    let parts = json!({"role": "user", "content": [
        {"type": "text", "text": "New"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "text": "no"},
        {"type": "text", "text": "question?"},
    ]});
    let table = [
        (json!([system, old, tool, parts, tool]), "New\nquestion?"),
        (json!([parts, old]), "Old question?"),
        (json!([system]), "Be brief."),
    ];
    for (messages, text) in table {
        let got = post("/v1/chat/completions", &json!({"messages": messages}));
        assert_eq!(content(&got, 0), reply::reply(text), "{messages}");
    }
}

#[test]
fn thinking_takes_its_time_for_each_token_of_the_longest_choice() {
    let think = Duration::from_millis(8);
    let body = json!({"messages": [{"role": "user", "content": TEXT}], "n": 4}).to_string();
    let builtin = Builtin { think_time_per_token: think, clock: Arc::new(StoppedClock) };
    let prepared = builtin.answer("POST", "/v1/chat/completions", &body.into());
    let tokens = u32::try_from(tokens::estimate(&reply::reply(TEXT))).unwrap();
    assert_eq!(prepared.think_first, think * tokens);

    let ask = request::chat(
        json!({"messages": [{"role": "user", "content": TEXT}], "n": 4}).to_string().as_bytes(),
    )
    .unwrap();
    let written = answer::Written::answering(format::Api::Chat, &ask, b"", 0);
    let events = stream::events(&written, true, think);
    assert_eq!(events.iter().map(|event| event.think).sum::<Duration>(), think * tokens);
    assert!(events.iter().all(|event| event.think <= think));
    assert_eq!(events[0].think, Duration::ZERO, "the first event is not thought about");
}

#[test]
fn a_stream_begins_at_once_and_thinks_before_each_token() {
    let body = json!({"messages": [{"role": "user", "content": TEXT}], "stream": true});
    let hour = Duration::from_secs(3600);
    let builtin = Builtin { think_time_per_token: hour, clock: Arc::new(StoppedClock) };
    let mut prepared = builtin.answer("POST", "/v1/chat/completions", &body.to_string().into());
    assert_eq!(prepared.think_first, Duration::ZERO);
    runtime().block_on(async {
        assert!(prepared.body.next().now_or_never().is_some(), "the role comes at once");
        assert!(prepared.body.next().now_or_never().is_none(), "the first token is thought about");
    });
}

#[test]
fn a_paced_stream_gives_the_same_events() {
    let body = json!({"prompt": "Why?", "stream": true, "max_tokens": 3}).to_string();
    let path = "/v1/completions";
    let paced = call(Duration::from_micros(1), "POST", path, body.as_bytes());
    assert_eq!(paced.pieces, call(Duration::ZERO, "POST", path, body.as_bytes()).pieces);
}

#[test]
fn the_one_model_is_listed() {
    let entry = json!({"id": "anteroom-builtin", "object": "model", "created": 1_767_225_600,
        "owned_by": "anteroom"});
    let list = call(Duration::ZERO, "GET", "/v1/models?limit=3", b"");
    assert_eq!((list.status, list.json()), (200, json!({"object": "list", "data": [entry]})));
    let one = call(Duration::ZERO, "GET", "/v1/models/anteroom-builtin", b"");
    assert_eq!((one.status, one.json()), (200, entry));
    let head = call(Duration::ZERO, "HEAD", "/v1/models", b"");
    assert_eq!((head.status, head.pieces.len()), (200, 0));
}

proptest::proptest! {
    #[test]
    fn any_body_gets_an_answer(body in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
        proptest::prop_assert_eq!(call(Duration::ZERO, "POST", "/v1/completions", &body).status, 400);
    }

    #[test]
    fn any_text_gets_the_same_answer_whole_and_streamed(text in "(?s)\\PC{1,200}") {
        let ask = |stream: bool| post("/v1/completions", &json!({"prompt": text, "stream": stream}));
        let whole = ask(false);
        if text.trim().is_empty() {
            proptest::prop_assert_eq!(whole.status, 400);
        } else {
            let events = ask(true).events();
            let said: String =
                events.iter().map(|event| event["choices"][0]["text"].as_str().unwrap()).collect();
            proptest::prop_assert_eq!(&whole.json()["choices"][0]["text"], &said);
        }
    }
}
