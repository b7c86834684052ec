//! An unchanged SDK needs nothing but another base URL.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::embeddings::by_number;
use crate::support::gateway::Gateway;
use crate::support::process::variable;
use crate::support::provider::{self, Call, Provider, Reply};

/// The steps of `tests/sdk/openai_sdk.py`, each of which says when it is done.
const STEPS: [&str; 10] = [
    "chat",
    "second_chat_is_a_hit",
    "stream",
    "both_forms",
    "completions",
    "responses",
    "embeddings",
    "embeddings_in_parts",
    "models",
    "errors",
];

#[test]
fn the_official_openai_sdk_works_through_the_gateway() {
    let provider = Provider::scripted(answer);
    let gateway = Gateway::builder().upstream(&provider).start();
    let output = run(&format!("http://{}", gateway.api()));
    let said = String::from_utf8_lossy(&output.stdout);
    let context = || {
        let errors = String::from_utf8_lossy(&output.stderr);
        format!("{said}\n{errors}\n{}\n{}", provider.log(), gateway.log())
    };
    assert!(output.status.success(), "{}", context());
    let done: Vec<_> = said.lines().filter_map(|line| line.strip_suffix(": ok")).collect();
    assert_eq!(done, STEPS, "{}", context());
    // Of a hundred inputs with ninety known, ten are asked.
    let asked = provider.calls().into_iter().filter(|call| call.text().contains("test-numbers"));
    let counts: Vec<_> = asked.map(|call| call.text().matches("item ").count()).collect();
    assert_eq!(counts, [90, 10], "{}", context());
    // Of two equal calls one arrives; of two equal errors both.
    assert_eq!(provider.num_calls_with("twice"), 1, "{}", context());
    assert_eq!(provider.num_calls_with("streamed first"), 1, "{}", context());
    assert_eq!(provider.num_calls_with("whole first"), 1, "{}", context());
    assert_eq!(provider.num_calls_with("test-limited"), 2, "{}", context());
}

/// The script itself, against the provider alone: what fails here is not the gateway's fault.
/// Only the step that needs a cache fails.
#[test]
fn the_sdk_script_finds_the_lack_of_a_cache() {
    let provider = Provider::scripted(answer);
    let output = run(&provider.url());
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "chat: ok\n", "{}", provider.log());
}

fn answer(call: &Call) -> Reply {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let status = match body["model"].as_str() {
        Some("test-numbers") => return by_number(call),
        Some("test-unauthorized") => 401,
        Some("test-limited") => 429,
        _ => return provider::answer(call),
    };
    let error = json!({"message": "refused", "type": "refusal", "code": body["model"]});
    Reply::new(status, &[("Retry-After", "1")], json!({ "error": error }).to_string())
}

fn run(url: &str) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Command::new(python(root))
        .arg(root.join("tests/sdk/openai_sdk.py"))
        .arg(url)
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .expect("python runs")
}

fn python(root: &Path) -> PathBuf {
    let named = variable("ANTEROOM_TEST_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| root.join("target/sdk-venv/bin/python"));
    assert!(
        python.is_file(),
        "{} is missing: scripts/test makes it, with the OpenAI SDK in it",
        python.display()
    );
    python
}
