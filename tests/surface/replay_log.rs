//! `anteroom replay --from-log`: what Anteroom would save, before it is deployed.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::gateway::{Gateway, prompt};

/// Replays `log` in `folder` with more arguments.
fn replay(folder: &Path, log: &str, arguments: &[&str]) -> Output {
    std::fs::write(folder.join("calls.jsonl"), log).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
    command.args(["replay", "--from-log", "calls.jsonl"]).args(arguments);
    command.current_dir(folder).env_clear().output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("its words are text")
}

fn report(folder: &Path, log: &str) -> Value {
    let run = replay(folder, log, &["--json"]);
    assert!(run.status.success() && run.stderr.is_empty(), "{}", text(&run.stderr));
    serde_json::from_slice(&run.stdout).expect("JSON")
}

/// The same calls, asked of a gateway and replayed from a log of them: what one saves is what the other
/// tells.
#[test]
fn a_replay_saves_what_a_gateway_would() {
    let yaml = "prices: {models: [{model: '*', input_per_million: '1000.00'}]}\n\
        routes:\n  - {name: chat, methods: [POST], path: /v1/chat/completions, profile: chat, \
        cache: true, max_temperature: 0.5}\n  - {name: rest, methods: ['*'], path: /v1/*}\n";
    let gateway = Gateway::patient().config(yaml).start();
    let of = |text: &str, temperature: &str, more: Value| {
        let mut body = prompt(text);
        body["temperature"] = serde_json::from_str(temperature).expect("a number");
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("one"));
        body
    };
    let spelled = of("one", "0.0", json!({"user": "u7", "metadata": {"a": "b"}}));
    let chat = "/v1/chat/completions";
    let calls = [
        ("ann", chat, of("one", "0", json!({}))),
        ("ann", chat, spelled.clone()),
        ("ann", chat, of("one", "0", json!({"stream": true}))),
        ("bob", chat, of("one", "0", json!({}))),
        ("bob", chat, spelled),
        ("ann", chat, of("one", "0.1", json!({}))),
        ("ann", chat, of("one", "0.9", json!({}))),
        ("ann", chat, of("one", "0.9", json!({}))),
        ("ann", "/v1/embeddings", json!({"model": "m", "input": "a"})),
        ("ann", "/v1/embeddings", json!({"model": "m", "input": "a"})),
        ("ann", chat, of("two", "0", json!({}))),
        ("ann", chat, of("two", "0", json!({"seed": 7}))),
        ("ann", chat, of("two", "0", json!({"seed": 7.0}))),
    ];
    let (mut log, mut hits, mut past, mut tokens) = (String::new(), 0, 0, (0, 0));
    for (at_ms, (user, path, body)) in calls.into_iter().enumerate() {
        let asked = Request::post(path, &body).bearer(user);
        // The model inside does not embed: what goes past the cache may fail.
        let answer = gateway.send(&asked);
        assert!(answer.status == 200 || path != chat, "{answer}");
        let answered = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        let cache = answer.header("x-cache").unwrap_or("BYPASS");
        past += u64::from(cache == "BYPASS");
        if cache.starts_with("HIT") {
            hits += 1_u64;
            let count = |name: &str| answered["usage"][name].as_u64().unwrap_or(0);
            tokens = (tokens.0 + count("prompt_tokens"), tokens.1 + count("completion_tokens"));
        }
        let response = if answered.is_null() { json!(answer.text()) } else { answered };
        let line = json!({
            "timestamp_ms": 1_764_174_240_000_u64 + at_ms as u64, "user": user, "path": path,
            "request": body, "response": response, "latency_ms": 500,
            "status": answer.status,
        });
        log += &format!("{line}\n");
    }
    assert!(hits > 3 && past > 3 && tokens.0 > 0, "{hits} hits, {past} past the cache");

    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("config.yaml"), yaml).expect("a file");
    let report = report(folder.path(), &log);
    assert_eq!(report["left_out"], json!({"route-not-cached": 2, "temperature": 2}), "{report}");
    assert_eq!(report["requests"], 9);
    let money = format!("{}.{:03}000", tokens.0 / 1_000, tokens.0 % 1_000);
    assert_eq!(
        report["saved"],
        json!({
            "calls": hits, "tokens": tokens.0 + tokens.1, "seconds": 0.5 * hits as f64,
            "money": money, "currency": "USD",
        })
    );
}

/// Prompts are nobody's business, neither right nor wrong ones.
#[test]
fn bad_lines_are_told_by_number_and_field_and_never_by_what_they_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = r#"{"timestamp":"2026-11-26T16:24:00Z","request":{"model":"zebra"}}"#;
    let bad = r#"{"timestamp":"zebra","request":{"model":"zebra"}}"#;
    let run = replay(folder.path(), &format!("{good}\n{bad}\n{good}\n"), &["--curve=off"]);
    let out = text(&run.stdout);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let line = out.lines().find(|line| line.starts_with("skipped lines")).unwrap_or_default();
    assert!(line.contains("line 2: timestamp must be a time"), "{out}");
    assert!(out.starts_with("saved calls") && out.contains("50.00 % of 2"), "{out}");
    assert!(!out.contains("zebra"), "{out}");

    let skipped = &report(folder.path(), &format!("{good}\n{bad}\n{good}\n"))["skipped"];
    assert_eq!((&skipped["lines"], &skipped["first"][0]["line"]), (&json!(1), &json!(2)));

    for log in [format!("{good}\n{bad}\nzebra\n"), String::new()] {
        let run = replay(folder.path(), &log, &[]);
        let err = text(&run.stderr);
        assert_eq!((run.status.code(), run.stdout.len()), (Some(1), 0), "{err}");
        assert!(err.contains("lines of the log are no calls") || err.contains("is empty"), "{err}");
        assert!(!err.contains("zebra"), "{err}");
    }
    std::fs::write(folder.path().join("config.yaml"), "l1: {max_entries: -1}").expect("a file");
    let run = replay(folder.path(), good, &[]);
    assert_eq!(run.status.code(), Some(2), "{}", text(&run.stderr));
}

/// A bar is for whoever looks at a terminal. `script` (of util-linux) lends one.
#[test]
fn a_bar_is_shown_on_a_terminal_alone_and_not_beside_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let call = |at: u32| format!("{{\"timestamp_ms\":{at},\"key\":\"{}\"}}\n", at % 7);
    let log: String = (0..10_000).map(call).collect();
    let run = replay(folder.path(), &log, &[]);
    assert_eq!((run.status.code(), text(&run.stderr).as_str()), (Some(0), ""));
    for (arguments, is_shown) in [("", true), ("--json", false)] {
        let binary = env!("CARGO_BIN_EXE_anteroom");
        let line = format!("{binary} replay --from-log calls.jsonl {arguments} > report.txt");
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).current_dir(folder.path());
        let shown = text(&script.env("TERM", "xterm").output().expect("script runs").stdout);
        let bars = ["reading [", "replaying ["].map(|bar| shown.contains(bar));
        assert_eq!(bars, [is_shown; 2], "{arguments}: {shown}");
        let report = std::fs::read_to_string(folder.path().join("report.txt")).expect("a report");
        assert!(report.contains("calls") && !report.contains("reading"), "{report}");
    }
}
