//! The access log: one line for each request, without what was said.

use serde_json::Value;

use crate::support::client::Request;
use crate::support::client_keys::{config, key};
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Gateway, prompt};
use crate::support::provider::{Fault, Provider};

fn lines(gateway: &Gateway, count: usize) -> Vec<String> {
    let lines = || -> Vec<String> { gateway.stdout().lines().map(str::to_owned).collect() };
    let all = poll(PATIENCE, || Some(lines()).filter(|all| all.len() >= count));
    all.unwrap_or_else(|| panic!("{count} lines wanted: {:#?}", lines()))
}

#[test]
fn each_request_is_a_line_that_holds_no_secret() {
    let provider = Provider::start();
    let yaml = config(&provider, &[("team-a", "")]);
    let gateway = Gateway::patient().config(&yaml).env("ANTEROOM__LOG__ACCESS", "json").start();
    let key = key("team-a");
    let asked = prompt("what nobody may read");
    let path = "/v1/chat/completions?hidden=value";
    for _ in 0..2 {
        gateway.send(&Request::post(path, asked.clone()).bearer(&key)).expect_status(200);
    }
    gateway.send(&Request::post(path, asked.clone())).expect_status(401);
    gateway.send(&Request::get("/v1/files/f?hidden=value").bearer(&key)).expect_status(200);
    provider.next(Fault::Close);
    gateway.send(&Request::post(path, prompt("failed")).bearer(&key)).expect_status(502);
    gateway.send(&Request::get("/api/v1/conversations/hidden-name").bearer(&key));
    gateway.send(&Request::get("/health/live")).expect_status(200);
    let all = lines(&gateway, 6);
    assert_eq!(all.len(), 6, "{all:#?}");
    let shown: Vec<Value> = all.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (line, (path, route, status, cache, level, key)) in shown.iter().zip([
        ("/v1/chat/completions", Some("chat"), 200, Some("miss"), None, Some("team-a")),
        ("/v1/chat/completions", Some("chat"), 200, Some("hit"), Some("l1"), Some("team-a")),
        ("/v1/chat/completions", Some("chat"), 401, Some("bypass"), None, None),
        ("/v1/files/f", Some("passthrough"), 200, None, None, Some("team-a")),
        ("/v1/chat/completions", Some("chat"), 502, Some("miss"), None, Some("team-a")),
        ("/api/v1/conversations/{id}", None, 404, None, None, Some("team-a")),
    ]) {
        let text = |name: &str| line[name].as_str();
        assert_eq!((text("path"), text("route")), (Some(path), route), "{line}");
        assert_eq!(line["status"], status, "{line}");
        assert_eq!((text("cache"), text("level"), text("key")), (cache, level, key), "{line}");
        assert_eq!((&line["whole"], text("peer")), (&true.into(), Some("127.0.0.1")), "{line}");
        assert!(line["total_ms"].as_f64() >= line["head_ms"].as_f64(), "{line}");
        assert!(line["sent_bytes"].as_u64() > Some(0), "{line}");
    }
    for secret in [key.as_str(), "nobody may read", "hidden", "value"] {
        assert!(!all.join("\n").contains(secret), "{secret} in {all:#?}");
    }
}

#[test]
fn one_in_so_many_is_written_and_none_where_it_is_off() {
    let provider = Provider::start();
    let sampled = Gateway::patient()
        .upstream(&provider)
        .env("ANTEROOM__SERVER__WORKERS", 1)
        .env("ANTEROOM__LOG__ACCESS", "text")
        .env("ANTEROOM__LOG__ACCESS_ONE_IN", 4)
        .start();
    let silent = Gateway::patient().upstream(&provider).start();
    for gateway in [&sampled, &silent] {
        for _ in 0..8 {
            gateway.chat(prompt("again")).expect_status(200);
        }
    }
    provider.next(Fault::Close);
    sampled.chat(prompt("failed")).expect_status(502);
    let all = lines(&sampled, 3);
    assert_eq!(all.len(), 3, "{all:#?}");
    assert!(
        all[0].contains("method=POST path=/v1/chat/completions route=chat status=200 cache=miss")
    );
    assert!(all[1].contains("cache=hit level=l1") && all[2].contains("status=502"), "{all:#?}");
    assert_eq!(silent.stdout(), "");
}
