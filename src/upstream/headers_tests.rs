//! Which headers cross, come back and stay.

use std::sync::Arc;

use super::super::prepared::{Upstreams, Way};
use super::super::spec::HttpSpec;
use super::super::tests::{clock, header, http_spec, prepared};
use super::*;

fn sent(spec: HttpSpec, headers: &[(&str, &str)], passage: Passage) -> Vec<String> {
    let upstreams: Arc<Upstreams> = prepared(spec);
    let ways = upstreams.open(&clock());
    let Way::Http(client) = &**ways.get("up").unwrap() else { panic!("not over HTTP") };
    let pairs = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    let map = for_request(client.endpoint(), pairs, passage).unwrap();
    let mut lines: Vec<String> = map
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .filter(|line| !line.starts_with("host: ") && !line.starts_with("user-agent: anteroom/"))
        .collect();
    lines.sort_unstable();
    lines
}

fn received(headers: &[(&str, &str)]) -> Vec<Header> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse().unwrap(), value.parse().unwrap());
    }
    of_answer(&map)
}

#[actix_rt::test]
async fn hop_by_hop_headers_and_those_named_in_connection_stay_behind() {
    let headers = [
        ("Connection", "close, X-Mine"),
        ("connection", "x-other,authorization, Host,content-length,content-type"),
        ("x-mine", "1"),
        ("x-other", "2"),
        ("x-kept", "3"),
        ("x-kept", "4"),
        ("authorization", "Bearer k"),
        ("content-type", "a/b"),
        ("content-length", "7"),
        ("host", "h"),
        ("expect", "100-continue"),
        ("keep-alive", "timeout=5"),
        ("te", "trailers"),
        ("trailer", "x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("http2-settings", "x"),
        ("proxy-authorization", "Basic x"),
        ("proxy-connection", "keep-alive"),
        ("accept-encoding", "gzip"),
        ("user-agent", "sdk/1"),
    ];
    assert_eq!(
        sent(http_spec(1), &headers, Passage::Through),
        [
            "accept-encoding: gzip",
            "authorization: Bearer k",
            "content-type: a/b",
            "user-agent: sdk/1",
            "x-kept: 3",
            "x-kept: 4",
        ]
    );
}

#[actix_rt::test]
async fn the_callers_credential_stays_behind_where_the_upstream_has_its_own() {
    let headers = [
        ("authorization", "Bearer theirs"),
        ("x-api-key", "theirs"),
        ("api-key", "theirs"),
        ("cookie", "theirs"),
        ("openai-organization", "theirs"),
        ("openai-beta", "assistants=v2"),
    ];
    let set_headers = vec![("authorization".to_owned(), "Bearer ours".to_owned())];
    let spec = HttpSpec { pass_credential: false, set_headers, ..http_spec(1) };
    for (passage, first) in
        [(Passage::Keyed, Some("accept-encoding: identity")), (Passage::Through, None)]
    {
        let lines = sent(spec.clone(), &headers, passage);
        let expected: Vec<&str> = first
            .into_iter()
            .chain(["authorization: Bearer ours", "openai-beta: assistants=v2"])
            .collect();
        assert_eq!(lines, expected);
    }
    assert!(!format!("{spec:?}").contains("ours"));
}

#[actix_rt::test]
async fn an_answers_headers_come_back_end_to_end() {
    let headers = received(&[
        ("connection", "keep-alive, x-hop, Content-Type, Set-Cookie"),
        ("keep-alive", "timeout=5"),
        ("x-hop", "1"),
        ("transfer-encoding", "chunked"),
        ("content-length", "5"),
        ("proxy-authenticate", "Basic"),
        ("Set-Cookie", "b=1"),
        ("set-cookie", "a=2"),
        ("CONTENT-TYPE", "a/b"),
        ("x-request-id", "r"),
    ]);
    assert_eq!(
        headers,
        [
            header("content-type", "a/b"),
            header("set-cookie", "b=1"),
            header("set-cookie", "a=2"),
            header("x-request-id", "r"),
        ]
    );
}

#[test]
fn a_stored_copy_drops_what_belongs_to_one_call_and_keeps_the_rest() {
    for kept in [
        "content-type",
        "content-language",
        "content-disposition",
        "content-encoding",
        "cache-control",
        "etag",
        "last-modified",
        "link",
        "vary",
        "openai-model",
        "openai-version",
        "anthropic-version",
        "x-provider-own",
        "x-ratelimiter",
    ] {
        assert_eq!(stored(&[header(kept, "v")]).len(), 1, "{kept}");
    }
    for dropped in [
        "set-cookie",
        "x-ratelimit-remaining-tokens",
        "ratelimit",
        "ratelimit-reset",
        "anthropic-ratelimit-requests-limit",
        "retry-after",
        "openai-organization",
        "x-request-id",
        "request-id",
        "apim-request-id",
        "x-amzn-requestid",
        "traceparent",
        "cf-ray",
        "cf-cache-status",
        "x-envoy-upstream-service-time",
        "openai-processing-ms",
        "server-timing",
        "date",
        "age",
        "via",
        "server",
        "alt-svc",
        "strict-transport-security",
        "cache-status",
        "x-cache",
        "x-cache-level",
    ] {
        assert!(stored(&[header(dropped, "v")]).is_empty(), "{dropped}");
    }
}

#[test]
fn no_rule_of_the_stored_copy_is_hidden_by_another() {
    for (rule, reason) in NOT_STORED {
        assert!(!reason.is_empty());
        let Name(name) = rule else { continue };
        let hits = NOT_STORED.iter().filter(|(other, _)| match other {
            Name(exact) => exact == name,
            Prefix(prefix) => name.starts_with(prefix),
        });
        assert_eq!(hits.count(), 1, "{name}");
    }
}

#[test]
fn list_headers_are_read_by_item() {
    let headers = [
        header("cache-control", "max-age=0, No-Store"),
        header("cache-control", "private=\"x\""),
        header("vary", "accept"),
    ];
    assert!(lists(&headers, "cache-control", "no-store"));
    assert!(lists(&headers, "cache-control", "private"));
    assert!(!lists(&headers, "cache-control", "store"));
    assert!(!lists(&headers, "vary", "*"));
}

#[test]
fn event_streams_are_known_by_their_media_type() {
    for (content_type, streamed) in [
        ("text/event-stream", true),
        ("Text/Event-Stream;charset=utf-8", true),
        ("application/x-ndjson ; a=b", true),
        ("application/json", false),
        ("text/event-streams", false),
        ("", false),
    ] {
        assert_eq!(is_event_stream(content_type), streamed, "{content_type}");
    }
}
