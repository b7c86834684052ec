//! Keys of callers, as operators set them and callers meet them.

use std::io::Write;
use std::process::{Command, Stdio};

use anteroom::telemetry::names::METRICS;
use serde_json::json;

use crate::support::client::Request;
use crate::support::client_keys::{config, key};
use crate::support::gateway::{Gateway, prompt};
use crate::support::provider::Provider;

#[test]
fn a_request_without_a_key_is_told_so_in_its_apis_form() {
    let provider = Provider::start();
    let gateway = Gateway::patient().config(&config(&provider, &[("a", "")])).start();
    let invalid = "Bearer realm=\"anteroom\", error=\"invalid_token\"";
    for (request, is_anthropic) in [
        (Request::post("/v1/chat/completions", prompt("q")), false),
        (Request::get("/v1/models"), false),
        (Request::get("/v1/files"), false),
        (Request::post("/v1/messages", prompt("q")), true),
        (Request::post("/v1/messages/count_tokens", prompt("q")), true),
        (Request::get("/nowhere"), false),
        (Request::get("/v1/../health/live"), false),
        (Request::get("/health/live/../../v1/models"), false),
        (Request::new("TRACE", "/v1/models"), false),
    ] {
        for (request, challenge) in
            [(request.clone(), "Bearer realm=\"anteroom\""), (request.bearer("sk-wrong"), invalid)]
        {
            let answer = gateway.send(&request).expect_status(401);
            assert_eq!(answer.header("www-authenticate"), Some(challenge), "{answer}");
            let body = answer.json();
            if is_anthropic {
                assert_eq!(body["type"], "error", "{answer}");
                assert_eq!(body["error"]["type"], "authentication_error", "{answer}");
            } else {
                assert_eq!(body["error"]["type"], "invalid_request_error", "{answer}");
                assert_eq!(body["error"]["code"], "invalid_api_key", "{answer}");
                assert_eq!(body["error"]["param"], json!(null), "{answer}");
            }
            assert!(!answer.text().contains("sk-wrong"), "{answer}");
        }
    }
    for page in ["/health/live", "/health/ready"] {
        Request::get(page).send(gateway.api()).expect_status(200);
    }
    gateway.send(&Request::get("/nowhere").bearer(&key("a"))).expect_status(404);
    assert_eq!(provider.num_calls(), 0, "{}", provider.log());
    let refused = [("key", ""), ("outcome", "refused")];
    assert_eq!(gateway.metric("anteroom_client_requests_total", &refused), Some(18.0));
    // Counted among all requests, too, but where no route is theirs.
    gateway.wait_until("every refusal with a route counted", |_| {
        let errors = gateway.metric("anteroom_requests_total", &[("outcome", "error")]);
        errors == Some(14.0)
    });
}

/// A body of any size is not waited for before the caller is told.
#[test]
fn a_large_body_without_a_key_is_refused_before_it_is_sent() {
    let provider = Provider::start();
    let gateway = Gateway::patient().config(&config(&provider, &[("a", "")])).start();
    let request = Request::new("POST", "/v1/chat/completions")
        .header("Content-Length", "1000000")
        .body(b"{".to_vec());
    let refused = gateway.send(&request).expect_status(401);
    assert_eq!(refused.header("connection"), Some("close"), "{refused}");
}

#[test]
fn keys_and_their_digests_are_in_nothing_that_operators_see() {
    let provider = Provider::start();
    let yaml = config(&provider, &[("visible-name", "requests_per_minute: 5")]);
    let gateway = Gateway::patient().config(&yaml).env("ANTEROOM__LOG__LEVEL", "trace").start();
    let key = key("visible-name");
    for request in [
        Request::post("/v1/chat/completions", prompt("q")).bearer(&key),
        Request::post("/v1/chat/completions", prompt("q")).header("X-Api-Key", &key),
        Request::get("/v1/files").header("Api-Key", &key),
        Request::get("/v1/files").bearer(&format!("{key}wrong")),
    ] {
        gateway.send(&request);
    }
    let metrics = gateway.operate(&Request::get("/metrics")).text();
    for metric in METRICS.iter().filter(|metric| metric.labels.first() == Some(&"key")) {
        let line = format!("{}{{key=\"visible-name\"", metric.name);
        assert!(metrics.contains(&line) && metrics.contains(metric.help), "{line}\n{metrics}");
    }
    let digest = blake3::hash(key.as_bytes()).to_string();
    for text in [metrics, gateway.whole_log(), gateway.health().to_string()] {
        assert!(!text.contains(&key) && !text.contains(&digest), "{text}");
    }
}

fn digest_key(input: &[u8]) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_anteroom"))
        .arg("digest-key")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("its words are text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_printed_digest_opens_the_door_for_its_key() {
    let key = "a-key-of-some-length-0123456789";
    let (code, line, said) = digest_key(format!("{key}\n").as_bytes());
    assert_eq!((code, said.as_str()), (Some(0), ""), "{line}");
    let provider = Provider::start();
    let yaml = format!("auth:\n  keys:\n    - name: printed\n      {line}");
    let gateway = Gateway::patient().upstream(&provider).config(&yaml).start();
    let request = Request::post("/v1/chat/completions", prompt("q"));
    gateway.send(&request.clone().bearer(key)).expect_status(200);
    gateway.send(&request.bearer(&key[1..])).expect_status(401);
    let (code, line, said) = digest_key(b"short");
    assert!(code == Some(0) && line.starts_with("digest: ") && said.contains("short"), "{said}");
    for nothing in [&b""[..], b"  \n", b"two words\n"] {
        let (code, line, said) = digest_key(nothing);
        assert_eq!((code, line.as_str()), (Some(2), ""), "{said}");
    }
}

/// With keys, a gateway that has a credential may be open to the network.
#[test]
fn keys_make_an_open_listener_safe_and_check_hides_their_digests() {
    let folder = tempfile::tempdir().expect("a folder");
    let provider = Provider::start();
    let yaml = config(&provider, &[("a", "")]);
    let check = |yaml: &str| {
        std::fs::write(folder.path().join("config.yaml"), yaml).expect("a file");
        let output = Command::new(env!("CARGO_BIN_EXE_anteroom"))
            .arg("check")
            .current_dir(folder.path())
            .env_clear()
            .env("ANTEROOM_LISTEN", "0.0.0.0:0")
            .output()
            .expect("the binary runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, said) = check(&yaml);
    assert_eq!(code, Some(0), "{said}");
    assert!(out.contains("digest: \"***\"") && !out.contains("blake3:"), "{out}");
    let without = yaml.split("auth:").next().expect("a part");
    let (code, _, said) = check(without);
    assert!(code == Some(2) && said.contains("auth.keys"), "{said}");
}
