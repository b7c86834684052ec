//! Every answer of a cached route says how it came about. A-32, A-75, A-78.

use serde_json::json;

use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, actor, chat, prompt};
use crate::support::provider::{self, Gate, Provider, Reply};

/// The parts of `Server-Timing` by name; each has a duration in milliseconds.
fn timings(answer: &Response) -> Vec<String> {
    let values = answer.headers.all("server-timing");
    let own = values.last().unwrap_or_else(|| panic!("no Server-Timing\n{answer}"));
    own.split(", ")
        .map(|part| {
            let (name, duration) = part.split_once(";dur=").expect("a name and a duration");
            assert!(duration.parse::<f64>().is_ok_and(|millis| millis >= 0.0), "{part}");
            name.to_owned()
        })
        .collect()
}

/// What the headers say; a remaining life is shown as `ttl=N`.
fn says(answer: &Response) -> (String, String, Option<&str>) {
    let status = answer.header("cache-status").unwrap_or_default();
    let parts = status.split("; ").map(|part| match part.strip_prefix("ttl=") {
        Some(ttl) => {
            assert!(ttl.parse::<u64>().is_ok_and(|ttl| (7_100..=7_200).contains(&ttl)), "{status}");
            "ttl=N"
        }
        None => part,
    });
    let level = answer.header("x-cache-level");
    (
        parts.collect::<Vec<_>>().join("; "),
        answer.header("x-cache").unwrap_or_default().into(),
        level,
    )
}

fn expect(answer: &Response, status: &str, x_cache: &str, level: Option<&str>, parts: &[&str]) {
    assert_eq!(says(answer), (status.to_owned(), x_cache.to_owned(), level), "{answer}");
    assert_eq!(timings(answer), parts, "{answer}");
    let age = answer.header("age").and_then(|age| age.parse::<u64>().ok());
    assert!(age.is_some_and(|age| age < 100), "{answer}");
    assert_eq!(answer.headers.all("x-cache").len(), 1, "{answer}");
}

const ALL: [&str; 3] = ["cache", "upstream", "total"];

#[test]
fn a_miss_and_the_hits_from_each_level_say_what_they_are() {
    let provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let request = chat(prompt("headers"));
    let miss = gateway.send(&request);
    expect(&miss, "anteroom; fwd=miss; stored", "MISS", None, &ALL);
    assert_eq!(miss.header("age"), Some("0"), "{miss}");
    let hit = gateway.send(&request);
    let parts = ["cache", "total"];
    expect(&hit, "anteroom; hit; ttl=N; detail=L1", "HIT", Some("L1"), &parts);
    gateway.wait_for_writes();
    gateway.restart();
    let hit = gateway.send(&request);
    expect(&hit, "anteroom; hit; ttl=N; detail=L3", "HIT", Some("L3"), &parts);
}

#[test]
fn streams_say_the_same_but_for_what_is_known_only_at_their_end() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let mut body = prompt("headers of a stream");
    body["stream"] = json!(true);
    let miss = gateway.chat(&body);
    expect(&miss, "anteroom; fwd=miss", "MISS", None, &ALL);
    let hit = gateway.chat(&body);
    expect(&hit, "anteroom; hit; ttl=N; detail=L1", "HIT", Some("L1"), &["cache", "total"]);
}

#[test]
fn those_who_joined_a_call_say_so() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| provider::answer(call).held_by(&held));
    let gateway = Gateway::patient().upstream(&provider).start();
    let answers = std::thread::scope(|scope| {
        let callers = scope.spawn(|| gateway.send_at_once(2, &chat(prompt("joined"))));
        gateway.wait_until("joined", |health| {
            actor(health, "resolver").is_some_and(|it| it["counters"]["joined"] == 1)
        });
        gate.open();
        callers.join().expect("its panic stands above")
    });
    let (led, joined): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.header("x-cache") == Some("MISS"));
    assert_eq!((led.len(), joined.len()), (1, 1));
    expect(led[0], "anteroom; fwd=miss; stored", "MISS", None, &ALL);
    expect(joined[0], "anteroom; fwd=miss; collapsed", "COALESCED", None, &ALL);
}

#[test]
fn what_goes_past_the_cache_says_why() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let responses = |field: &str| {
        let body = format!(r#"{{"model":"m","input":"x",{field}}}"#);
        gateway.send(&Request::post("/v1/responses", body))
    };
    let multipart = Request::post("/v1/embeddings", "--x--").body("--x--");
    let multipart = Request { headers: Default::default(), ..multipart }
        .header("Content-Type", "Multipart/form-data; boundary=x");
    for (answer, reason) in [
        (responses(r#""background":true"#), "background"),
        (responses(r#""conversation":"conv_1""#), "conversation"),
        (gateway.send(&multipart), "multipart"),
    ] {
        let status = format!("anteroom; fwd=bypass; detail={reason}");
        expect(&answer, &status, "BYPASS", None, &ALL);
    }
    assert_eq!(provider.num_calls(), 3);
}

#[test]
fn errors_say_whose_they_are_and_that_nothing_is_kept() {
    let mut provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    provider.next(Reply::json(500, &json!({"error": {"message": "failed"}})));
    let theirs = gateway.chat(prompt("theirs"));
    expect(&theirs, "anteroom; fwd=miss; fwd-status=500; detail=status", "MISS", None, &ALL);
    let callers = gateway.chat("{");
    let status = "anteroom; fwd=bypass; fwd-status=400; detail=invalid_json";
    expect(&callers, status, "BYPASS", None, &["cache", "total"]);
    provider.stop();
    let away = gateway.chat(prompt("away"));
    let status = "anteroom; fwd=miss; fwd-status=502; detail=connect";
    expect(&away, status, "MISS", None, &["cache", "total"]);
}

/// RFC 9211 §2: the cache nearest to the origin comes first, and each adds its own word.
#[test]
fn another_caches_words_stay_on_a_miss_and_ours_come_last() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let whole = json!({"choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "x"}}]});
    let headers = [
        ("Cache-Status", "other; hit"),
        ("Server-Timing", "model;dur=400"),
        ("X-Cache", "HIT from other"),
        ("Age", "12"),
    ];
    provider.next(Reply::new(200, &headers, whole.to_string()));
    let miss = gateway.chat(prompt("two caches")).expect_status(200);
    assert_eq!(miss.headers.all("cache-status"), ["other; hit", "anteroom; fwd=miss; stored"]);
    assert_eq!(miss.headers.all("server-timing").len(), 2, "{miss}");
    assert_eq!(miss.headers.all("x-cache"), ["MISS"], "{miss}");
    let hit = gateway.chat(prompt("two caches")).expect_status(200);
    expect(&hit, "anteroom; hit; ttl=N; detail=L1", "HIT", Some("L1"), &["cache", "total"]);
    assert_eq!(hit.headers.all("cache-status").len(), 1, "{hit}");
}
