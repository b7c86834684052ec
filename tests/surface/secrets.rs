//! Credentials and prompts are shown nowhere: not in logs, metrics, health, errors, keys or the
//! settings that `check` prints. A-4.

use std::path::Path;
use std::process::Command;

use crate::support::client::Request;
use crate::support::deadline::{self, PATIENCE};
use crate::support::gateway::{Gateway, prompt};
use crate::support::provider::{Fault, Provider};
use crate::support::redis::{Redis, Reply};

const TOKEN: &str = "sk-secret-bearer-of-0451";
const API_KEY: &str = "key-secret-header-of-0451";
const PROMPT: &str = "a-secret-prompt-of-0451";
const ADMIN: &str = "admin-secret-token-of-0451";

fn ask(target: &str, text: &str) -> Request {
    Request::post(target, prompt(text)).bearer(TOKEN).header("X-Api-Key", API_KEY)
}

/// All that a gateway goes through: misses, hits, streams, errors of all sides.
fn mixed_run(gateway: &Gateway, provider: &Provider) -> Vec<String> {
    let chat = || ask("/v1/chat/completions", PROMPT);
    let mut said = Vec::new();
    let mut send = |request: &Request| said.push(gateway.send(request).text());
    for fault in [
        Fault::Close,
        Fault::Garbage,
        Fault::Truncate,
        Fault::Html,
        Fault::ErrorIn200,
        Fault::Status(401),
        Fault::Status(500),
        Fault::CutStream,
    ] {
        provider.next(fault);
        send(&chat());
    }
    send(&chat());
    send(&chat());
    send(&chat().body(format!("{{\"messages\":[\"{PROMPT}\",}}")));
    send(&chat().body(format!("{{\"{PROMPT}\":1,\"{PROMPT}\":2}}")));
    send(&ask(&format!("/nowhere/{PROMPT}"), PROMPT));
    send(&ask(&format!("/v1/files?name={PROMPT}"), PROMPT));
    send(&ask("/v1/realtime", PROMPT));
    said
}

#[test]
fn a_mixed_run_leaves_no_credential_and_no_prompt_in_what_operators_see() {
    let (mut provider, redis) = (Provider::start(), Redis::start());
    let gateway = Gateway::patient()
        .upstream(&provider)
        .redis(&redis)
        .env("ANTEROOM__ADMIN__TOKEN", ADMIN)
        .env("ANTEROOM__LOG__LEVEL", "debug")
        .start();
    mixed_run(&gateway, &provider);
    provider.stop();
    gateway.send(&ask("/v1/embeddings", PROMPT)).expect_status(502);
    let page = |path| gateway.operate(&Request::get(path).bearer(ADMIN)).expect_status(200).text();
    let refused = gateway.operate(&Request::get("/metrics").bearer("wrong-of-0451")).text();
    // Samples come in batches; the run was mixed once its errors are there.
    let metrics = deadline::poll(PATIENCE, || {
        Some(page("/metrics")).filter(|text| text.contains("anteroom_upstream_errors_total"))
    });
    let metrics = metrics.expect("the run was mixed");
    assert!(gateway.whole_log().contains("WARN"), "the run was logged");
    for (place, text) in [
        ("health", page("/health/actors")),
        ("ready", page("/health/ready")),
        ("metrics", metrics),
        ("a refusal", refused),
        ("the log", gateway.whole_log()),
        ("Redis' keys", redis.keys("*").join("\n")),
    ] {
        let at =
            text.find("of-0451").map(|at| text[..at].lines().last().unwrap_or_default().to_owned());
        assert_eq!(at, None, "{place} tells");
    }
}

/// The gateway's own words about a request repeat nothing of it, but for the path of one that has
/// no route.
#[test]
fn errors_of_the_gateways_own_repeat_neither_body_nor_credential() {
    let mut provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let said = mixed_run(&gateway, &provider);
    provider.stop();
    let away = gateway.send(&ask("/v1/messages", PROMPT)).expect_status(502).text();
    for text in said.iter().chain([&away]).filter(|text| !text.contains("no route for")) {
        assert!(!text.contains("of-0451"), "{text}");
    }
}

/// What lies on disk and in Redis can be answers, never credentials.
#[test]
fn credentials_are_not_at_rest() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let mut gateway = Gateway::patient().upstream(&provider).redis(&redis).sqlite().start();
    gateway.send(&ask("/v1/chat/completions", PROMPT)).expect_status(200);
    gateway.wait_for_writes();
    assert!(gateway.terminate().success());
    let files = files_below(&gateway.data_dir());
    assert!(files.len() >= 2, "the database and the secret");
    for (path, bytes) in files {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains(TOKEN) && !text.contains(API_KEY), "{path}");
        assert!(!text.contains(PROMPT), "{path}: a request's body is not kept");
    }
    for key in redis.keys("*") {
        let Reply::Bytes(Some(record)) = redis.command(&["GET", &key]) else { continue };
        let text = String::from_utf8_lossy(&record).into_owned();
        assert!(!text.contains("of-0451"), "{key}");
    }
}

fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    files
        .map(|file| {
            (file.path().display().to_string(), std::fs::read(file.path()).expect("a file"))
        })
        .collect()
}

#[test]
fn check_masks_every_secret_also_where_it_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = "admin: {token: '${T}'}\ncache: {secret: hidden-of-0451}\n\
        l2: {url: 'redis://:hidden-of-0451@localhost'}\nl3: {url: 'postgres://u:hidden-of-0451@h/d'}\n\
        upstreams: {default: {kind: http, url: 'https://a.example',\n  \
        proxy: 'http://u:hidden-of-0451@p:1', set_headers: {authorization: 'Bearer hidden-of-0451'}}}\n";
    let run = |text: &str| {
        std::fs::write(folder.path().join("config.yaml"), text).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
        command.arg("check").current_dir(folder.path()).env_clear().env("T", "hidden-of-0451");
        let output = command.output().expect("the binary runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let (code, said) = run(config);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("hidden"), "{said}");
    for key in ["token", "secret", "url", "authorization", "proxy"] {
        assert!(said.contains(&format!("{key}: ")), "{key} is not shown at all\n{said}");
    }
    for (right, wrong) in [
        ("redis://:hidden-of-0451@localhost", "memcached://:hidden-of-0451@localhost"),
        ("postgres://u:hidden-of-0451@h/d", "mysql://u:hidden-of-0451@h/d"),
        ("http://u:hidden-of-0451@p:1", "ftp://u:hidden-of-0451@p:1"),
        ("'Bearer hidden-of-0451'", "\"hidden-of-0451\\nX: y\""),
        ("'https://a.example'", "'https://u:hidden-of-0451@a.example'"),
        ("hidden-of-0451}\nl2", "[hidden-of-0451]}\nl2"),
    ] {
        let (code, said) = run(&config.replace(right, wrong));
        assert_eq!(code, Some(2), "{wrong}: {said}");
        assert!(!said.contains("hidden-of-0451"), "{said}");
    }
}
