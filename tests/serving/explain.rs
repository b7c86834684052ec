//! `POST /api/v1/cache/explain`: A-78.

use serde_json::{Value, json};

use super::apis::{ask, body, post};
use crate::support::client::{Request, Response};
use crate::support::client_keys;
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::{Provider, Reply};

const EXAMPLES: [(&str, &str); 5] = [
    ("chat/completions", include_str!("../examples/chat.json")),
    ("completions", include_str!("../examples/completions.json")),
    ("responses", include_str!("../examples/responses.json")),
    ("messages", include_str!("../examples/messages.json")),
    ("embeddings", include_str!("../examples/embeddings.json")),
];

fn page(question: impl std::fmt::Display) -> Request {
    Request::post("/api/v1/cache/explain", question)
}

/// Explains a request to an API with these headers.
#[track_caller]
fn explain(gateway: &Gateway, api: &str, headers: Value, body: &Value) -> Value {
    let question = json!({"path": format!("/v1/{api}"), "headers": headers, "body": body});
    gateway.operate(&page(question)).expect_status(200).json()
}

fn mine() -> Value {
    json!({"authorization": "Bearer sk-test"})
}

/// Returns the pointers of all leaves, and of members and items that can be taken away.
fn pointers(value: &Value, at: &str, leaves: &mut Vec<String>, removable: &mut Vec<String>) {
    let mut inner = |name: String, value: &Value, is_removable: bool| {
        let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        if is_removable {
            removable.push(pointer.clone());
        }
        pointers(value, &pointer, leaves, removable);
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            // What is left of an object must be an object with members.
            let is_removable = members.len() > 1;
            members.iter().for_each(|(name, value)| inner(name.clone(), value, is_removable));
        }
        Value::Array(items) if !items.is_empty() => {
            let last = items.len() - 1;
            items.iter().enumerate().for_each(|(index, item)| {
                inner(index.to_string(), item, index == last && last > 0);
            });
        }
        _ => leaves.push(at.to_owned()),
    }
}

fn change(value: &mut Value) {
    *value = match value {
        Value::Null => json!("not null"),
        Value::Bool(flag) => json!(!*flag),
        Value::Number(number) => json!(number.as_f64().unwrap_or_default() + 1.0),
        Value::String(text) => json!(format!("{text} ")),
        Value::Array(_) | Value::Object(_) => json!(["no longer empty"]),
    };
}

fn remove(body: &mut Value, pointer: &str) {
    let (above, name) = pointer.rsplit_once('/').expect("a pointer");
    match body.pointer_mut(above).expect("what is above") {
        Value::Object(members) => {
            members.remove(&name.replace("~1", "/").replace("~0", "~")).expect("a member");
        }
        Value::Array(items) => {
            items.pop().expect("an item");
        }
        other => panic!("{other} holds nothing"),
    }
}

/// A-78, A-2: one field of each API's example, anywhere in it, changed, taken away or
/// added, is named by its pointer; one that does not count hits.
#[test]
fn a_change_of_one_field_is_explained_by_its_pointer() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for (api, example) in EXAMPLES {
        let mut example: Value = serde_json::from_str(example).expect("JSON");
        if api == "embeddings" {
            // A list is several questions, each kept on its own; explained is one.
            let told = explain(&gateway, api, mine(), &example);
            assert_eq!(told["would"], "in items", "{told:#}");
            example["input"] = example["input"][0].clone();
        }
        gateway.send(&post(api, &example)).expect_status(200);
        let told = explain(&gateway, api, mine(), &example);
        assert_eq!(told["would"], "hit L1", "{api} {told:#}");
        let left_out = told["left_out"].as_array().expect("a list");
        let left_out: Vec<&str> =
            left_out.iter().filter_map(|one| one["pointer"].as_str()).collect();
        let (mut leaves, mut removable) = (Vec::new(), Vec::new());
        pointers(&example, "", &mut leaves, &mut removable);
        let changed = leaves.iter().map(|pointer| {
            let mut body = example.clone();
            change(body.pointer_mut(pointer).expect("a leaf"));
            (pointer.clone(), body)
        });
        let removed = removable.iter().map(|pointer| {
            let mut body = example.clone();
            remove(&mut body, pointer);
            (pointer.clone(), body)
        });
        let mut added = example.clone();
        added["nobody/has_heard_of_this"] = json!({"deep": [1]});
        let added = ("/nobody~1has_heard_of_this".to_owned(), added);
        let mut num_misses = 0;
        for (pointer, body) in changed.chain(removed).chain([added]) {
            let told = explain(&gateway, api, mine(), &body);
            let context = || format!("{api} {pointer} {told:#}");
            match told["would"].as_str().expect("a text") {
                "miss" => {
                    num_misses += 1;
                    assert_eq!(
                        told["nearest_miss"]["differs_at"],
                        json!([pointer]),
                        "{}",
                        context()
                    );
                }
                "hit L1" => {
                    let is_left_out =
                        |above: &str| pointer == above || pointer.starts_with(&format!("{above}/"));
                    let mut all = left_out.iter();
                    assert!(all.any(|above| is_left_out(above)), "{}", context());
                }
                "bypass" => {
                    let of_upstream = ["/background", "/conversation"].contains(&pointer.as_str());
                    let reason = if of_upstream { &pointer[1..] } else { "stream-options" };
                    assert_eq!(told["reason"], reason, "{}", context());
                }
                _ => panic!("{}", context()),
            }
        }
        assert!(num_misses >= 8, "{api}: {num_misses}");
    }
    assert_eq!(provider.num_calls(), EXAMPLES.len(), "nothing went upstream");
}

/// What is told is what then happens; asking changes nothing.
#[test]
fn what_is_foretold_comes_true() {
    let provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let steered = json!({"Authorization": ["Bearer sk-test"], "X-Cache-Tags": "a,b",
        "x-cache-namespace": "team", "openai-beta": "x", "user-agent": "sdk"});
    let request = ask("chat/completions", "foretold")
        .header("x-cache-tags", "a,b")
        .header("x-cache-namespace", "team")
        .header("openai-beta", "x");
    let told = || {
        explain(
            &gateway,
            "chat/completions",
            steered.clone(),
            &body("chat/completions", "foretold"),
        )
    };
    let before = told();
    assert_eq!((&before["would"], &before["nearest_miss"]), (&json!("miss"), &Value::Null));
    assert_eq!(before, told(), "asking changes nothing");
    for (field, value) in [
        ("route", json!("chat")),
        ("profile", json!("chat")),
        ("upstream", json!("default")),
        ("namespace", json!("team")),
        ("form", json!("object")),
        ("model", json!("test-model")),
        ("counted", json!(["/messages", "/model"])),
        ("left_out", json!([])),
        ("keyed_headers", json!(["openai-beta"])),
        ("labels", json!(["route", "scope", "model", "namespace", "tag", "tag"])),
    ] {
        assert_eq!(before[field], value, "{field}: {before:#}");
    }
    assert_eq!(before["policy"]["lifetime"], "2h", "{before:#}");
    assert_eq!(before["directives"]["tags"], json!(["a", "b"]));
    for hex in ["key", "scope"] {
        assert_eq!(before[hex].as_str().map(str::len), Some(64), "{before:#}");
    }
    assert_eq!(gateway.send(&request).expect_status(200).cache(), "MISS");
    let kept = told();
    assert_eq!((&kept["would"], &kept["status"]), (&json!("hit L1"), &json!(200)), "{kept:#}");
    assert!(kept["age"].as_u64() < Some(60) && kept["ttl"].as_u64() > Some(7_000), "{kept:#}");
    assert_eq!(kept["key"], before["key"]);
    gateway.wait_for_writes();
    gateway.restart();
    let after =
        explain(&gateway, "chat/completions", steered, &body("chat/completions", "foretold"));
    assert_eq!(after["would"], "hit L3", "{after:#}");
    assert_eq!(gateway.send(&request).cache(), "HIT L3");
    assert_eq!(provider.num_calls(), 1);
}

/// A-16, A-17: who shows another credential, or names another part of its scope, learns
/// nothing of what others asked; the same one does.
#[test]
fn nobody_learns_of_requests_in_another_scope() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    gateway.send(&ask("messages", "mine")).expect_status(200);
    let near = body("messages", "mine too");
    let nearest =
        |headers: Value| explain(&gateway, "messages", headers, &near)["nearest_miss"].clone();
    let known = || nearest(mine())["differs_at"] == json!(["/messages/0/content"]);
    assert!(known(), "{}", nearest(mine()));
    for other in [
        json!({}),
        json!({"authorization": "Bearer sk-other"}),
        json!({"authorization": "Bearer sk-test", "openai-project": "p"}),
        json!({"authorization": "Bearer sk-test", "x-cache-namespace": "n"}),
    ] {
        assert_eq!(nearest(other.clone()), Value::Null, "{other}");
    }
    assert!(known());
    let purge = Request::post("/api/v1/cache/purge", json!({"route": "messages"}));
    gateway.operate(&purge).expect_status(200);
    assert_eq!(nearest(mine()), Value::Null, "what was purged is not near");
    assert_eq!(provider.num_calls(), 1);
}

/// The same for client keys, and a wrong one is told nothing.
#[test]
fn client_keys_of_one_scope_share_explanations_and_others_do_not() {
    let provider = Provider::start();
    let keys = [("ann", "scope: team"), ("bob", "scope: team"), ("eve", "")];
    let gateway = Gateway::patient().config(&client_keys::config(&provider, &keys)).start();
    let shown = |name: &str| format!("Bearer {}", client_keys::key(name));
    let request = Request::post("/v1/chat/completions", prompt("ours"));
    gateway.send(&request.header("authorization", &shown("ann"))).expect_status(200);
    let ours = body("chat/completions", "ours too");
    let told = |name: &str| {
        explain(&gateway, "chat/completions", json!({"authorization": shown(name)}), &ours)
    };
    assert!(told("bob")["nearest_miss"]["differs_at"].is_array(), "{:#}", told("bob"));
    assert_eq!(told("eve")["nearest_miss"], Value::Null);
    let wrong = told("nobody");
    assert_eq!((&wrong["would"], &wrong["reason"]), (&json!("refused"), &json!("invalid_api_key")));
    assert_eq!(wrong["scope"], Value::Null);
}

/// A-42, A-78: why a request goes past the cache; and what was never kept is near to nothing.
#[test]
fn reasons_to_bypass_are_told_and_what_is_not_kept_is_not_near() {
    let provider = Provider::start();
    let gateway = Gateway::patient()
        .upstream(&provider)
        .config(
            "routes:\n  - {name: chat, methods: [POST], path: /v1/chat/completions, profile: chat, \
             cache: true, max_temperature: 0.5}\n  - {name: rest, methods: ['*'], path: /v1/*}\n",
        )
        .start();
    let cool = |topic: &str| {
        let mut body = body("chat/completions", topic);
        body["temperature"] = json!(0);
        body
    };
    for (api, headers, body, reason) in [
        ("chat/completions", mine(), body("chat/completions", "hot"), "temperature"),
        ("files", mine(), json!({}), "route-not-cached"),
    ] {
        let told = explain(&gateway, api, headers, &body);
        assert_eq!(
            (&told["would"], &told["reason"]),
            (&json!("bypass"), &json!(reason)),
            "{told:#}"
        );
        assert_eq!(told["key"], Value::Null);
    }
    provider.next(Reply::json(200, &json!({"choices": []})));
    gateway.send(&chat(cool("not kept"))).expect_status(200);
    let told = explain(&gateway, "chat/completions", mine(), &cool("not kept, too"));
    assert_eq!(told["nearest_miss"], Value::Null, "{told:#}");
    let only = json!({"cache-control": "only-if-cached"});
    let told = explain(&gateway, "chat/completions", only, &cool("x"));
    assert_eq!((&told["would"], &told["reason"]), (&json!("refused"), &json!("only_if_cached")));
}

#[test]
fn bad_questions_name_their_field() {
    let gateway = Gateway::patient().start();
    let ask = |question: &str| -> Response { gateway.operate(&page(question)) };
    for (question, field) in [
        ("{", "the request"),
        ("{}", "path"),
        (r#"{"path":"/nowhere"}"#, "path"),
        (r#"{"path":"/v1/../x"}"#, "path"),
        (r#"{"path":"/v1/chat/completions","body":{"a":1,"a":2}}"#, "body"),
        (r#"{"path":"/v1/chat/completions","body_text":"{"}"#, "body"),
        (r#"{"path":"/v1/chat/completions","headers":{"x-cache-ttl":"0"}}"#, "headers"),
        (r#"{"path":"/v1/chat/completions","header":{}}"#, "header"),
    ] {
        let refused = ask(question).expect_status(400).json();
        assert_eq!(refused["error"]["param"], field, "{question}: {refused}");
    }
    gateway.operate(&Request::get("/api/v1/cache/explain")).expect_status(405);
    page("{}").send(gateway.api()).expect_status(404);
}

/// `explain.sketches: 0` remembers nothing.
#[test]
fn without_sketches_there_is_no_nearest_miss() {
    let provider = Provider::start();
    let gateway =
        Gateway::patient().upstream(&provider).env("ANTEROOM__EXPLAIN__SKETCHES", 0).start();
    gateway.send(&ask("completions", "one")).expect_status(200);
    let told = explain(&gateway, "completions", mine(), &body("completions", "two"));
    assert_eq!((&told["would"], &told["nearest_miss"]), (&json!("miss"), &Value::Null));
}

/// What is in the key beside the body is named in words.
#[test]
fn other_parts_of_a_request_are_named_too() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    gateway.send(&Request::get("/v1/models/one?a=1").bearer("sk-test")).expect_status(200);
    for (path, beta, expected) in [
        ("/v1/models/two?a=1", None, json!(["path"])),
        ("/v1/models/one?a=2", None, json!(["query"])),
        ("/v1/models/one", None, json!(["query"])),
        ("/v1/models/one?a=1", Some("b"), json!(["header openai-beta"])),
        ("/v1/models/two?b=1", Some("b"), json!(["header openai-beta", "path", "query"])),
    ] {
        let mut headers = mine();
        if let Some(beta) = beta {
            headers["OpenAI-Beta"] = json!(beta);
        }
        let question = json!({"method": "GET", "path": path, "headers": headers});
        let told = gateway.operate(&page(question)).expect_status(200).json();
        assert_eq!(told["nearest_miss"]["differs_at"], expected, "{path} {told:#}");
    }
}
