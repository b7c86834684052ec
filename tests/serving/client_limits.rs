//! What a client key may use in a minute. Limits are so low that nothing is refilled in a test.

use serde_json::json;

use crate::support::client::{Request, Response};
use crate::support::client_keys::{config, key};
use crate::support::gateway::{Gateway, prompt};
use crate::support::provider::{self, Fault, Gate, Provider};

fn ask(gateway: &Gateway, name: &str, text: &str) -> Response {
    gateway.send(&Request::post("/v1/chat/completions", prompt(text)).bearer(&key(name)))
}

/// Returns one number of `RateLimit`, such as `r` of `requests`.
fn left(answer: &Response, policy: &str, parameter: &str) -> u64 {
    let fields = answer.header("ratelimit").unwrap_or_else(|| panic!("no RateLimit\n{answer}"));
    let item = fields.split(", ").find(|item| item.starts_with(&format!("\"{policy}\";")));
    let numbers = item.unwrap_or_else(|| panic!("no {policy}: {fields}")).split(';');
    let number = numbers.filter_map(|part| part.strip_prefix(&format!("{parameter}="))).next();
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{fields}"))
}

fn retry_after(answer: &Response) -> u64 {
    let value = answer.header("retry-after").and_then(|value| value.parse().ok());
    value.unwrap_or_else(|| panic!("no Retry-After\n{answer}"))
}

#[test]
fn requests_are_counted_by_key_hits_too_and_past_the_limit_answered_429() {
    let provider = Provider::start();
    let keys = [("few", "requests_per_minute: 3"), ("free", "")];
    let gateway = Gateway::patient().config(&config(&provider, &keys)).start();
    for (text, cache, requests_left) in [("a", "MISS", 2), ("a", "HIT L1", 1), ("b", "MISS", 0)] {
        let answer = ask(&gateway, "few", text).expect_status(200);
        assert_eq!(answer.cache(), cache);
        assert_eq!(answer.headers.all("ratelimit-policy"), ["\"requests\";q=3;w=60"], "{answer}");
        assert_eq!(left(&answer, "requests", "r"), requests_left, "{answer}");
        assert!((1..=60).contains(&left(&answer, "requests", "t")), "{answer}");
    }
    let before = provider.num_calls();
    let refused = ask(&gateway, "few", "a").expect_status(429);
    let error = &refused.json()["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("requests"), &json!("rate_limit_exceeded"))
    );
    assert!((1..=20).contains(&retry_after(&refused)), "{refused}");
    assert_eq!(left(&refused, "requests", "r"), 0, "{refused}");
    let anthropic = Request::post("/v1/messages", prompt("x")).header("X-Api-Key", &key("few"));
    let refused = gateway.send(&anthropic).expect_status(429);
    assert_eq!(refused.json()["error"]["type"], "rate_limit_error", "{refused}");
    assert_eq!(provider.num_calls(), before, "{}", provider.log());
    for _ in 0..10 {
        let free = ask(&gateway, "free", "a").expect_status(200);
        assert_eq!((free.header("ratelimit"), free.header("ratelimit-policy")), (None, None));
    }
    for (key, outcome, count) in
        [("few", "admitted", 3.0), ("few", "limited", 2.0), ("free", "admitted", 10.0)]
    {
        let labels = [("key", key), ("outcome", outcome)];
        assert_eq!(gateway.metric("anteroom_client_requests_total", &labels), Some(count));
    }
}

/// A-77, A-79: a call is estimated, then settled by what it says it cost; a hit costs nothing.
#[test]
fn tokens_are_taken_by_estimate_settled_by_usage_and_free_on_hits() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| provider::answer(call).held_by(&held));
    let keys = [("poor", "tokens_per_minute: 6")];
    let gateway = Gateway::patient().config(&config(&provider, &keys)).start();
    let spent = || gateway.metric("anteroom_client_tokens_total", &[("key", "poor")]);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| ask(&gateway, "poor", "first"));
        provider.wait_for_calls(1);
        // All is taken while the first is on its way.
        let refused = ask(&gateway, "poor", "second").expect_status(429);
        assert_eq!(refused.json()["error"]["type"], "tokens", "{refused}");
        assert!((1..=60).contains(&retry_after(&refused)), "{refused}");
        assert_eq!(left(&refused, "tokens", "r"), 0);
        gate.open();
        let first = first.join().expect("its panic stands above").expect_status(200);
        let policy = "\"tokens\";q=6;w=60;qu=\"tokens\"";
        assert_eq!(first.header("ratelimit-policy"), Some(policy), "{first}");
    });
    assert_eq!((provider.num_calls(), spent()), (1, Some(21.0)), "{}", provider.log());
    // It cost more than there was: 15 tokens are owed, 10 s each, and 6 are wanted.
    let refused = ask(&gateway, "poor", "second").expect_status(429);
    assert!((61..=210).contains(&retry_after(&refused)), "{refused}");
    let hit = ask(&gateway, "poor", "first").expect_status(200);
    assert_eq!(hit.cache(), "HIT L1", "what is known costs nothing");
    let listed = gateway.send(&Request::get("/v1/files").bearer(&key("poor")));
    listed.expect_status(200);
    assert_eq!((provider.num_calls(), spent()), (2, Some(21.0)), "{}", provider.log());
}

#[test]
fn each_way_of_an_answer_costs_what_it_says_and_failures_cost_nothing() {
    let provider = Provider::start();
    let keys = [("rich", "tokens_per_minute: 1000000")];
    let gateway = Gateway::patient().config(&config(&provider, &keys)).start();
    let mut spent = 0.0;
    let mut costs = |what: &str, tokens: f64, answer: Response| {
        spent += tokens;
        let counted = gateway.metric("anteroom_client_tokens_total", &[("key", "rich")]);
        assert_eq!(counted, Some(spent), "{what}\n{answer}");
    };
    let post = |path: &str, body: &serde_json::Value| {
        gateway.send(&Request::post(path, body).bearer(&key("rich")))
    };
    // The provider's stream of this API says nothing of usage.
    let bare = json!({"model": "m", "prompt": "streamed", "stream": true});
    let estimate = bare.to_string().len().div_ceil(4);
    let estimate = f64::from(u32::try_from(estimate).expect("small"));
    costs("no usage: the estimate", estimate, post("/v1/completions", &bare));
    let mut stream = prompt("streamed");
    stream["stream"] = json!(true);
    stream["stream_options"] = json!({"include_usage": true});
    costs("a stream's usage", 21.0, post("/v1/chat/completions", &stream));
    costs("a stream's hit", 0.0, post("/v1/chat/completions", &stream));
    let background = json!({"model": "m", "input": "x", "background": true});
    let mut most = prompt("at most");
    most["max_tokens"] = json!(500_000);
    costs("settled", 21.0, post("/v1/chat/completions", &most));
    costs("past the cache", 21.0, post("/v1/responses", &background));
    provider.next(Fault::Status(500));
    costs("a failure", 0.0, post("/v1/chat/completions", &prompt("fails")));
    provider.next(Fault::Close);
    costs("no answer", 0.0, post("/v1/chat/completions", &prompt("breaks")));
    let broken = Request::post("/v1/chat/completions", "{").bearer(&key("rich"));
    costs("no JSON", 0.0, gateway.send(&broken));
    let files = Request::post("/v1/files", "").body(vec![b'x'; 4_000]);
    let files = Request { headers: Default::default(), ..files }.bearer(&key("rich"));
    costs("an upload", 0.0, gateway.send(&files));
}
