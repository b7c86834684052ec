//! What awc takes for a clean end and is none; what must not start the next answer.

use std::time::Duration;

use anteroom_actors::model::Verdict;

use super::*;

fn label(result: &Result<(u16, Bytes), OriginError>) -> &'static str {
    result.as_ref().map_or_else(OriginError::label, |_| "whole")
}

#[actix_rt::test]
async fn an_answer_is_whole_only_if_the_protocol_says_so() {
    let ok = "HTTP/1.1 200 OK\r\n";
    for (rest, expected) in [
        ("content-length: 5\r\n\r\nhello", "whole"),
        ("content-length: 0\r\n\r\n", "whole"),
        ("content-length: 6\r\n\r\nhello", "cut"),
        ("content-length: 6\r\n\r\n", "cut"),
        ("transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "whole"),
        ("transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n", "whole"),
        ("transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "cut"),
        ("transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "cut"),
        ("transfer-encoding: chunked\r\n\r\n5\r\nhel", "cut"),
        ("transfer-encoding: chunked\r\n\r\n", "cut"),
        ("transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", "cut"),
        ("transfer-encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n", "cut"),
        ("transfer-encoding: gzip\r\n\r\nhello", "no_answer"),
        ("transfer-encoding: identity\r\ncontent-length: 5\r\n\r\nhello", "no_answer"),
        (
            "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "no_answer",
        ),
        ("content-length: 5\r\ncontent-length: 6\r\n\r\nhello!", "no_answer"),
        ("content-length: 5, 6\r\n\r\nhello!", "no_answer"),
        ("content-length: five\r\n\r\nhello", "no_answer"),
        ("content-length: 5\r\nbad header\r\n\r\nhello", "no_answer"),
        ("content-length: 5\r\nx: a\0b\r\n\r\nhello", "no_answer"),
        ("content-length: 5", "no_answer"),
        ("\r\nhello", "whole"),
    ] {
        let upstream = Upstream::answers(format!("{ok}{rest}"));
        let result = fetch(upstream.spec(), call("POST", "/v1/x", "{}")).await;
        assert_eq!(label(&result), expected, "{rest:?}: {result:?}");
        if let Ok((200, body)) = result {
            assert_eq!(body, if rest.ends_with(": 0\r\n\r\n") { "" } else { "hello" }, "{rest:?}");
        }
    }
}

#[actix_rt::test]
async fn what_is_no_answer_is_an_error_before_the_head() {
    let long_head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(200_000));
    for bytes in [
        "",
        "HTTP/1.1",
        "GARBAGE\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        &long_head,
    ] {
        let upstream = Upstream::answers(bytes.to_owned());
        let result = fetch(upstream.spec(), call("POST", "/v1/x", "{}")).await;
        assert_eq!(label(&result), "no_answer", "{:?}", bytes.get(..30));
    }
}

#[actix_rt::test]
async fn a_body_that_only_the_close_ends_is_passed_on_and_never_kept() {
    for version in ["1.0", "1.1"] {
        let answer = format!("HTTP/{version} 200 OK\r\ncontent-type: text/plain\r\n\r\nhello");
        let upstream = Upstream::answers(answer);
        let mut answer =
            ask_origin(&*origin(upstream.spec()), call("POST", "/", "")).await.unwrap();
        let judge = std::mem::replace(&mut answer.judge, Box::new(|_| Verdict::Discard("")));
        let (_, body) = gather(answer).await.unwrap();
        assert_eq!(body, "hello");
        let verdict = judge(&body);
        assert_eq!(verdict, Verdict::Discard("no-length"), "{version}");
    }
}

#[actix_rt::test]
async fn spare_bytes_never_start_the_next_answer() {
    let spare = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    let upstream = Upstream::plays(move |_, mut peer| {
        if peer.request().is_some() {
            peer.send(spare);
        }
        peer.wait_for_close();
    });
    let origin = origin(upstream.spec());
    for _ in 0..3 {
        let answer = ask_origin(&*origin, call("POST", "/v1/x", "{}")).await.unwrap();
        assert_eq!(gather(answer).await.unwrap().1, "hello");
    }
    assert_eq!(upstream.num_connections(), 3);
}

#[actix_rt::test]
async fn interim_answers_are_passed_over() {
    let upstream = Upstream::keeps_answering(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok",
    );
    let origin = origin(upstream.spec());
    for _ in 0..2 {
        let answer = ask_origin(&*origin, call("POST", "/v1/x", "{}")).await.unwrap();
        assert_eq!(gather(answer).await.unwrap(), (201, Bytes::from_static(b"ok")));
    }
    assert_eq!(upstream.num_connections(), 1);
}

#[actix_rt::test]
async fn answers_without_a_body_end_at_once_whatever_length_they_tell() {
    for (method, status) in
        [("GET", "304 Not Modified"), ("GET", "204 No Content"), ("HEAD", "200 OK")]
    {
        let upstream = Upstream::plays(move |_, mut peer| {
            while peer.request().is_some() {
                peer.send(format!("HTTP/1.1 {status}\r\ncontent-length: 9\r\n\r\n"));
            }
        });
        let origin = origin(upstream.spec());
        for _ in 0..2 {
            let answer = ask_origin(&*origin, call(method, "/v1/x", "")).await.unwrap();
            assert_eq!(gather(answer).await.unwrap().1, "", "{method} {status}");
        }
    }
}

#[actix_rt::test]
async fn an_answer_above_the_bound_is_refused() {
    for (answer, bound) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 4),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 4),
    ] {
        let upstream = Upstream::answers(answer);
        let spec = |max_answer_bytes| HttpSpec { max_answer_bytes, ..upstream.spec() };
        let result = fetch(spec(bound), call("POST", "/v1/x", "{}")).await;
        assert_eq!(label(&result), "too_large");
        let result = fetch(spec(bound + 1), call("POST", "/v1/x", "{}")).await;
        assert_eq!(label(&result), "whole");
    }
}

#[actix_rt::test]
async fn each_wait_has_its_time_out() {
    let short = Duration::from_millis(60);
    let hangs = |text: &'static str| {
        Upstream::plays(move |_, mut peer| {
            peer.request();
            peer.send(text);
            peer.wait_for_close();
        })
    };
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello";
    let (silent, half_head, half_body) = (hangs(""), hangs("HTTP/1.1 200 OK\r\nx:"), hangs(begun));
    for (spec, expected) in [
        (HttpSpec { first_byte_timeout: short, ..silent.spec() }, "first byte"),
        (HttpSpec { first_byte_timeout: short, ..half_head.spec() }, "first byte"),
        (HttpSpec { total_timeout: short, ..silent.spec() }, "end"),
        (HttpSpec { idle_timeout: short, ..half_body.spec() }, "next byte"),
        (HttpSpec { total_timeout: short, ..half_body.spec() }, "end"),
    ] {
        let error = fetch(spec, call("POST", "/v1/x", "{}")).await.unwrap_err();
        let upstream = "up".to_owned();
        assert_eq!(error, OriginError::TimedOut { upstream, awaited: expected, waited: short });
    }
}
