//! Repeats, and what the breaker counts, on the wire.

use std::convert::Infallible;

use futures_util::stream;

use super::super::forward::{Forward, Forwarder};
use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that closes its first `failures` connections after a request, and then answers.
fn flaky(failures: usize) -> Upstream {
    Upstream::plays(move |number, mut peer| {
        if peer.request().is_some() && number >= failures {
            peer.send(OK);
        }
    })
}

fn spec(upstream: &Upstream, attempts: u32, failures: u32) -> HttpSpec {
    let spec = upstream.spec();
    HttpSpec {
        retry: RetrySpec { attempts, ..spec.retry },
        breaker: BreakerSpec { failures, ..spec.breaker },
        ..spec
    }
}

#[actix_rt::test]
async fn a_get_without_an_answer_is_repeated_up_to_the_attempts() {
    for (failures, attempts, is_answered, connections) in
        [(0, 2, true, 1), (1, 2, true, 2), (2, 2, true, 3), (3, 2, false, 3), (1, 0, false, 1)]
    {
        let upstream = flaky(failures);
        let result = fetch(spec(&upstream, attempts, 0), call("GET", "/v1/x", "")).await;
        assert_eq!(result.is_ok(), is_answered, "{failures} {attempts}: {result:?}");
        assert_eq!(upstream.num_connections(), connections, "{failures} {attempts}");
    }
}

#[actix_rt::test]
async fn a_post_is_repeated_whole_where_that_is_wanted() {
    let upstream = flaky(1);
    let spec = spec(&upstream, 2, 0);
    let spec = HttpSpec { retry: RetrySpec { posts: true, ..spec.retry }, ..spec };
    let answer = fetch(spec, call("POST", "/v1/x", "{\"a\":1}")).await;
    assert_eq!(answer, Ok((200, Bytes::from_static(b"ok"))));
    let requests = upstream.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| request.ends_with("\r\n\r\n{\"a\":1}")), "{requests:?}");
}

#[actix_rt::test]
async fn repeats_are_counted_for_the_upstream_and_a_call_counts_once_for_its_breaker() {
    let upstream = flaky(5);
    let upstreams = prepared(spec(&upstream, 1, 2));
    let routes =
        [RouteSpec { profile: Profile::Generic, shared: false, heed_origin: None, policy: None }];
    let origin = factory(
        Arc::clone(&upstreams),
        Arc::new(move |route: usize| routes.get(route).cloned()),
        Arc::new(|_, _| Default::default()),
        clock(),
        billing(),
    )();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let error = ask_origin(&*origin, call("GET", "/v1/x", "")).await.err().unwrap();
        let [health] = upstreams.health().collect::<Vec<_>>().try_into().unwrap();
        seen.push((error.label(), health.retries, health.is_open));
    }
    let expected = [("no_answer", 1, false), ("no_answer", 2, true), ("breaker_open", 2, true)];
    assert_eq!(seen, expected);
    assert_eq!(upstream.num_connections(), 4);
}

#[actix_rt::test]
async fn a_call_that_waits_for_others_in_vain_says_nothing_about_the_upstream() {
    let upstream = Upstream::keeps_answering(OK);
    let connect_timeout = Duration::from_millis(100);
    let origin = origin(HttpSpec { connections: 1, connect_timeout, ..spec(&upstream, 2, 1) });
    let held = ask_origin(&*origin, call("POST", "/v1/x", "{}")).await.unwrap();
    let late = ask_origin(&*origin, call("POST", "/v1/x", "{}")).await;
    assert_eq!(late.err().unwrap().label(), "timed_out");
    gather(held).await.unwrap();
    let next = ask_origin(&*origin, call("POST", "/v1/x", "{}")).await.unwrap();
    assert_eq!(gather(next).await.unwrap().0, 200);
}

#[actix_rt::test]
async fn a_caller_that_breaks_off_says_nothing_about_the_upstream() {
    let upstream = Upstream::plays(|number, mut peer| match number {
        0 => peer.wait_for_close(),
        _ => {
            peer.request();
            peer.send(OK);
        }
    });
    let forwarder = Forwarder::new(&prepared(spec(&upstream, 2, 1)), &clock());
    let request = |length| Forward {
        upstream: "up",
        method: "POST",
        target: "/v1/files",
        headers: std::iter::empty::<(&str, &[u8])>(),
        length,
    };
    let broken = stream::iter([Ok(Bytes::from("ab")), Err("gone")]);
    let error = forwarder.forward(request(Some(9)), broken).await.err().unwrap();
    assert_eq!(error.label(), "no_answer");
    let pieces = stream::iter([Ok::<_, Infallible>(Bytes::from("abc"))]);
    let answer = forwarder.forward(request(Some(3)), pieces).await.unwrap();
    assert_eq!(answer.status, 200);
    let whole = forwarder.forward_whole(request(None), Bytes::from("abc")).await.unwrap();
    assert_eq!(whole.status, 200);
    let requests = upstream.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert!(request.contains("content-length: 3\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\nabc"), "{request}");
    }
}
