//! The commands that talk to a gateway that runs: the real binary against a real gateway.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::gateway::{Gateway, prompt};

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs a command against what listens at `address`, with `input` on its standard input.
fn run_at(address: &str, arguments: &[&str], input: &str, env: &[(&str, &str)]) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
    command.args(arguments).args(["--admin", &format!("http://{address}")]);
    command.current_dir(folder.path()).env_clear().envs(env.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    // A command that does not read it may have ended already.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("its end");
    let text = |bytes| String::from_utf8(bytes).expect("its words are text");
    Run { code: status.code(), out: text(stdout), err: text(stderr) }
}

fn run(gateway: &Gateway, arguments: &[&str], input: &str) -> Run {
    run_at(gateway.operations(), arguments, input, &[])
}

#[track_caller]
fn done(run: Run) -> String {
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{}", run.out);
    run.out
}

#[test]
fn status_says_how_the_gateway_does() {
    let gateway = Gateway::patient().start();
    gateway.chat(prompt("counted")).expect_status(200);
    gateway.wait_until("counted", |_| gateway.metric("anteroom_requests_total", &[]) == Some(1.0));
    let page = done(run(&gateway, &["status"], ""));
    for text in ["anteroom   ok", "requests   1,", "miss 1", "l2         off", "pressure nominal"] {
        assert!(page.contains(text), "{text} in\n{page}");
    }
    let document = done(run(&gateway, &["status", "--json", "--window", "1h"], ""));
    let document: Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!((&document["status"], &document["window"]["name"]), (&json!("ok"), &json!("1h")));
    assert_eq!(run(&gateway, &["status", "--window", "2h"], "").code, Some(2));
}

#[test]
fn a_gateway_with_an_ill_part_is_told_by_the_exit_code() {
    let gateway = Gateway::patient().env("REDIS_URL", "redis://127.0.0.1:1").start();
    gateway.wait_for_state("l2", "degraded");
    let status = run(&gateway, &["status"], "");
    assert_eq!(status.code, Some(1), "{}", status.out);
    assert!(status.out.contains("degraded") && status.out.contains("l2"), "{}", status.out);
}

#[test]
fn answers_are_warmed_explained_and_purged() {
    let gateway = Gateway::patient().start();
    let body = prompt("warm me");
    let request = json!({"path": "/v1/chat/completions", "body": body});
    let told = done(run(&gateway, &["warm", "--wait"], &json!([request]).to_string()));
    assert!(told.contains("done, 1 of 1 ready"), "{told}");
    let plain = Request::post("/v1/chat/completions", &body);
    assert!(gateway.send(&plain).expect_status(200).cache().starts_with("HIT"));

    let path = ["explain", "--path", "/v1/chat/completions"];
    let told = done(run(&gateway, &path, &body.to_string()));
    assert!(told.starts_with("hit L1\n") && told.contains("  route      chat\n"), "{told}");
    let told = done(run(&gateway, &["explain", "--json"], &request.to_string()));
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["would"], "hit L1");
    let refused = run(&gateway, &["explain"], "{\"path\": 1}");
    assert_eq!(refused.code, Some(1), "{}", refused.out);
    assert!(refused.err.contains("400: path: must be a text"), "{}", refused.err);
    assert_eq!(run(&gateway, &["explain"], "{").code, Some(2));
    assert_eq!(run(&gateway, &["warm", "no-such-file"], "").code, Some(2));

    assert_eq!(
        done(run(&gateway, &["purge", "--model", "test-model"], "")),
        "purged: model test-model\n"
    );
    assert!(!gateway.send(&plain).expect_status(200).cache().starts_with("HIT"));
    let lost = run(&gateway, &["purge", "--route", "nowhere"], "");
    assert_eq!(lost.code, Some(1));
    assert!(lost.err.contains("404: `route`: there is no route \"nowhere\""), "{}", lost.err);
    assert_eq!(run(&gateway, &["purge"], "").code, Some(2), "nothing is named");
}

#[test]
fn settings_are_read_anew_and_refused_ones_are_told() {
    let gateway = Gateway::patient().config("log: {level: info}\n").start();
    gateway.write_config("log: {level: warn}\n");
    let told = done(run(&gateway, &["reload"], ""));
    assert_eq!(told, "applied\n  changed: log.level \"info\" → \"warn\"\n");
    gateway.write_config("log: {level: loud}\n");
    let refused = run(&gateway, &["reload"], "");
    assert_eq!(refused.code, Some(1));
    for text in ["422", "log.level = \"loud\"", "error, warn, info, debug, trace"] {
        assert!(refused.err.contains(text), "{text} in {}", refused.err);
    }
}

#[test]
fn top_shows_frame_after_frame() {
    let gateway = Gateway::patient().start();
    let frames = done(run(&gateway, &["top", "--interval", "10ms", "--frames", "3"], ""));
    assert_eq!(frames.matches("anteroom   ok").count(), 3, "{frames}");
    assert!(!frames.contains('\x1b'), "no terminal, no codes\n{frames}");
    let lines = done(run(&gateway, &["top", "--json", "--interval", "10ms", "--frames", "2"], ""));
    assert_eq!(lines.lines().count(), 2, "{lines}");
    for line in lines.lines() {
        let document: Value = serde_json::from_str(line).expect("a line of JSON");
        assert_eq!(document["window"]["name"], "1m");
    }
}

#[test]
fn where_no_gateway_answers_is_told_within_the_deadline() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    // Connections are made, and nobody reads from them.
    let address = free.local_addr().expect("its address").to_string();
    let silent = run_at(&address, &["status", "--deadline", "100ms"], "", &[]);
    assert_eq!(silent.code, Some(3));
    assert!(silent.err.contains(&format!("no answer from http://{address}")), "{}", silent.err);
    drop(free);
    for arguments in [&["status"][..], &["purge", "--all"], &["reload"], &["top"]] {
        let closed = run_at(&address, arguments, "", &[]);
        assert_eq!((closed.code, closed.out.as_str()), (Some(3), ""), "{arguments:?}");
        assert!(closed.err.contains("is the gateway running"), "{}", closed.err);
    }
    // The API's listener is not the one to ask.
    let gateway = Gateway::patient().start();
    let wrong = run_at(gateway.api(), &["status"], "", &[]);
    assert_eq!(wrong.code, Some(1), "{}", wrong.err);
    assert!(wrong.err.contains("404"), "{}", wrong.err);
}

#[test]
fn the_token_comes_from_the_environment_and_is_told_to_nobody() {
    let token = "an-operators-token";
    let gateway = Gateway::patient().env("ANTEROOM__ADMIN__TOKEN", token).start();
    let refused = run(&gateway, &["status"], "");
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("401"), "{}", refused.err);
    let env = [("ANTEROOM__ADMIN__TOKEN", token)];
    let told = run_at(gateway.operations(), &["status"], "", &env);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(!format!("{}{}{}", told.out, told.err, gateway.whole_log()).contains(token));
}

#[test]
fn completions_and_the_schema_need_no_gateway_and_no_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("config.yaml"), "not: [settings").expect("a file");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
        let output = command.args(arguments).current_dir(folder.path()).output().expect("it runs");
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        for word in ["anteroom", "purge", "namespace", "digest-key"] {
            assert!(script.contains(word), "{word} for {shell}");
        }
    }
    let published = include_str!("../../config.schema.json");
    assert!(run(&["schema"]) == published, "config.schema.json is another one");
}
