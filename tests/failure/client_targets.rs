//! Odd methods, targets and heads: never a 5xx, never another upstream, never another's answer.

use crate::support::client::{Connection, Request, Response};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::{Provider, Reply};

/// Sends `bytes` and returns the first answer, `None` where the gateway only closed.
fn answer_to(gateway: &Gateway, method: &str, bytes: &str) -> Option<Response> {
    let mut connection = Connection::open(gateway.api());
    connection.write(bytes.as_bytes()).expect("a listening gateway");
    connection.answer(&Request::new(method, "/")).ok()
}

#[test]
fn an_absolute_target_or_a_host_never_chooses_the_upstream() {
    let provider = Provider::start();
    let elsewhere = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let other = elsewhere.address();
    let body = prompt("a question").to_string();
    for (number, target) in [
        format!("http://{other}/v1/moderations"),
        format!("http://{other}/v1/chat/completions"),
        format!("https://{other}/v1/moderations"),
        "/v1/moderations".to_owned(),
        "/v1/chat/completions?host=http://evil.example".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let bytes = format!(
            "POST {target} HTTP/1.1\r\nHost: {other}\r\nX-Forwarded-Host: {other}\r\n\
             Forwarded: host={other}\r\nX-Original-URL: http://{other}/\r\n\
             X-HTTP-Method-Override: DELETE\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let before = provider.num_calls();
        let answer = answer_to(&gateway, "POST", &bytes);
        assert!(answer.as_ref().is_none_or(|answer| answer.status < 500), "{target}: {answer:?}");
        for call in provider.calls().iter().skip(before) {
            assert_eq!(call.headers.all("host"), [provider.address()], "{number}");
            assert_eq!(call.method, "POST", "{target}");
            assert!(call.target.starts_with("/v1/"), "{target}: {}", call.target);
        }
    }
    assert_eq!(elsewhere.num_calls(), 0, "{}", elsewhere.log());
    assert!(provider.num_calls() >= 2, "{}", provider.log());
}

#[test]
fn the_host_does_not_split_the_cache() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let ask = |host: &str| gateway.send(&chat(prompt("a question")).header("Host", host));
    let first = ask("gateway.example").expect_status(200);
    let second = ask("other.example:8080").expect_status(200);
    assert_eq!((second.cache().as_str(), second.body), ("HIT L1", first.body));
}

#[test]
fn connect_and_trace_are_refused() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    for (method, target) in [
        ("CONNECT", provider.address()),
        ("CONNECT", "evil.example:443".to_owned()),
        ("CONNECT", "/v1/models".to_owned()),
        ("TRACE", "/v1/models".to_owned()),
        ("TRACE", "/v1/chat/completions".to_owned()),
    ] {
        let bytes = format!(
            "{method} {target} HTTP/1.1\r\nHost: h\r\nCookie: secret\r\nConnection: close\r\n\r\n"
        );
        let answer = answer_to(&gateway, method, &bytes);
        let status = answer.as_ref().map(|answer| answer.status);
        assert!(matches!(status, None | Some(400 | 405 | 501)), "{method} {target}: {answer:?}");
        let text = answer.map(|answer| answer.text()).unwrap_or_default();
        assert!(!text.contains("secret"), "nothing is reflected: {text}");
    }
    assert_eq!(provider.num_calls(), 0, "{}", provider.log());
}

#[test]
fn odd_methods_and_targets_are_never_a_5xx() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let lines = [
        "OPTIONS * HTTP/1.1",
        "OPTIONS /v1/chat/completions HTTP/1.1",
        "PROPFIND /v1/models HTTP/1.1",
        "get /v1/models HTTP/1.1",
        "M-SEARCH /v1/models HTTP/1.1",
        "DELETE /v1/chat/completions HTTP/1.1",
        "PATCH /v1/models/m HTTP/1.1",
        "GET v1/models HTTP/1.1",
        "GET /v1/models",
        "GET  /v1/models  HTTP/1.1",
        "GET /v1/models HTTP/9.9",
        "GET /v1/models HTTP/2.0",
        "GET /v1/mo dels HTTP/1.1",
        "GET /v1/\u{7f} HTTP/1.1",
        "GET /v1/m\u{f6}dels HTTP/1.1",
        "GET /v1/%00 HTTP/1.1",
        "GET /v1/%zz HTTP/1.1",
        "GET /v1/models#fragment HTTP/1.1",
        "GET /v1/models?a=%ff&&=&a HTTP/1.1",
        "GET // HTTP/1.1",
        "GET //evil.example/v1/models HTTP/1.1",
        "GET /v1/../../etc/passwd HTTP/1.1",
        "GET @evil.example/v1/models HTTP/1.1",
        "PRI * HTTP/2.0",
        "\x16\x03\x01\x02\x00\x01\x00",
        "",
    ];
    for line in lines {
        let bytes = format!("{line}\r\nHost: h\r\nConnection: close\r\n\r\n");
        let answer = answer_to(&gateway, line.split(' ').next().unwrap_or_default(), &bytes);
        assert!(answer.as_ref().is_none_or(|answer| answer.status < 500), "{line}: {answer:?}");
    }
    let strange = provider.calls().into_iter().find(|call| !call.target.starts_with("/v1"));
    assert!(strange.is_none(), "{strange:?}");
    gateway.chat(prompt("the process lives")).expect_status(200);
}

#[test]
fn long_targets_and_many_or_large_headers_are_never_a_5xx() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let long = |length: usize| format!("GET /v1/{} HTTP/1.1\r\n", "u".repeat(length));
    let many = |count: usize| {
        let lines: String = (0..count).map(|number| format!("X-{number}: 1\r\n")).collect();
        format!("GET /v1/models HTTP/1.1\r\n{lines}")
    };
    let large =
        |length: usize| format!("GET /v1/models HTTP/1.1\r\nX-Large: {}\r\n", "v".repeat(length));
    let cases = [
        (long(4_000), Some(200)),
        (long(70_000), None),
        (long(300_000), None),
        (many(60), Some(200)),
        (many(200), None),
        (many(5_000), None),
        (large(4_000), Some(200)),
        (large(200_000), None),
    ];
    for (head, expected) in cases {
        let bytes = format!("{head}Host: h\r\nConnection: close\r\n\r\n");
        let shown: String = bytes.chars().take(60).collect();
        let mut connection = Connection::open(gateway.api());
        // It may close before all was written.
        let _ = connection.write(bytes.as_bytes());
        let status = connection.answer(&Request::get("/")).ok().map(|answer| answer.status);
        match expected {
            Some(_) => assert_eq!(status, expected, "{shown}"),
            None => {
                assert!(matches!(status, None | Some(400 | 413 | 414 | 431)), "{shown}: {status:?}")
            }
        }
    }
    gateway.chat(prompt("the process lives")).expect_status(200);
}

#[test]
fn a_part_or_a_head_never_becomes_the_stored_whole() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let target = "/v1/models";
    // A HEAD is asked for as a GET: what is kept of it is whole.
    let head = gateway.send(&Request::new("HEAD", target));
    assert_eq!((head.status, head.body.len()), (200, 0), "{head}");
    assert_eq!(provider.calls()[0].method, "GET");
    let whole = gateway.send(&Request::get(target)).expect_status(200);
    assert_eq!((whole.cache().as_str(), whole.body.is_empty()), ("HIT L1", false), "{whole}");
    // A part is the provider's to cut.
    let part = Request::get(target).header("Range", "bytes=0-3");
    let passed = gateway.send(&part).expect_status(200);
    assert_eq!(passed.cache(), "BYPASS", "{passed}");
    let call = provider.calls().pop().expect("a call");
    assert_eq!(call.headers.get("range"), Some("bytes=0-3"), "{:?}", call.headers);
    // A provider that answers with a part or with nothing unasked is passed on, and not kept.
    for (status, header, body) in
        [(206, ("Content-Range", "bytes 0-3/9"), "{\"da"), (304, ("ETag", "\"a\""), "")]
    {
        let target = format!("{target}/{status}");
        provider.next(Reply::new(status, &[header], body));
        assert_eq!(gateway.send(&Request::get(&target)).status, status);
        let again = gateway.send(&Request::get(&target)).expect_status(200);
        assert_eq!(again.cache(), "MISS", "{again}");
        assert_eq!(gateway.send(&Request::get(&target)).cache(), "HIT L1");
    }
    // A HEAD where a whole is kept, and a part where it is passed through.
    let head = gateway.send(&Request::new("HEAD", target));
    assert_eq!((head.status, head.body.len()), (200, 0), "{head}");
    provider.next(Reply::new(206, &[("Content-Range", "bytes 0-3/9")], "part"));
    let part = gateway.send(&Request::get("/v1/files/f/content").header("Range", "bytes=0-3"));
    assert_eq!((part.status, part.text().as_str()), (206, "part"), "{part}");
    let call = provider.calls().pop().expect("a call");
    assert_eq!(call.headers.get("range"), Some("bytes=0-3"), "{:?}", call.headers);
}

#[test]
fn a_304_or_a_head_past_the_cache_keeps_its_length_and_the_connection() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    provider.next(Reply::raw("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"));
    let mut connection = Connection::open(gateway.api());
    let unchanged = connection.send(&Request::get("/v1/files/f/content"));
    assert_eq!((unchanged.status, unchanged.header("content-length")), (304, Some("500")));
    provider.next(Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"));
    let head = connection.send(&Request::new("HEAD", "/v1/files/f/content"));
    assert_eq!((head.status, head.header("content-length")), (200, Some("500")), "{head}");
    connection.send(&Request::get("/health/live")).expect_status(200);
}

#[test]
fn targets_that_look_alike_are_different_questions() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let targets = [
        "/v1/models/a",
        "/v1/models/a/",
        "/v1/models//a",
        "/v1/models/%61",
        "/v1/models/A",
        "/v1/models/a%2Fb",
        "/v1/models/a%2fb",
        "/v1/models/a/b",
        "/v1/models/a;b",
        "/v1/models/a%3Bb",
        "/v1/models/a%00",
        "/v1/models/a.css",
        "/v1/models/a?",
        "/v1/models/a?b",
        "/v1/models/a?b=",
        "/v1/models/a?b=1",
        "/v1/models/a?B=1",
        "/v1/models/a?b=1&b=2",
        "/v1/models/a?b=2&b=1",
        "/v1/models/a?b=1;b=2",
        "/v1/models/a%3Fb=1",
    ];
    for target in ["/v1/models/./a", "/v1/models/b/../a", "/v1/models/b/%2e%2E/a"] {
        let refused = gateway.send(&Request::get(target));
        assert_eq!(refused.status, 400, "{target}: {refused}");
    }
    assert_eq!(provider.num_calls(), 0, "{}", provider.log());
    for target in targets {
        let before = provider.num_calls();
        provider.next(Reply::new(
            200,
            &[],
            format!("{{\"asked\":\"{}\"}}", target.replace('"', "")),
        ));
        let first = gateway.send(&Request::get(target)).expect_status(200);
        // A bare `?` may be the same question as none; everything else is one of its own.
        if target == "/v1/models/a?" && first.cache().starts_with("HIT") {
            continue;
        }
        assert_eq!(first.cache(), "MISS", "{target}: {first}");
        assert_eq!(provider.num_calls(), before + 1, "{target}: {}", provider.log());
        assert_eq!(provider.calls().last().expect("a call").target, target);
    }
    for target in targets {
        let hit = gateway.send(&Request::get(target)).expect_status(200);
        assert_eq!(hit.cache(), "HIT L1", "{target}: {hit}");
        if target != "/v1/models/a?" {
            assert_eq!(hit.json()["asked"], target, "{hit}");
        }
    }
}
