//! What goes up and what comes back, unchanged.

use super::*;

#[actix_rt::test]
async fn a_request_goes_up_as_keyed() {
    let upstream = Upstream::answers("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let set_headers = vec![("x-api-key".to_owned(), "ours".to_owned())];
    let spec = HttpSpec { set_headers, ..upstream.spec() };
    let mut call = call("POST", "/v1/chat/completions?b=%20&a", "{\"é\":1.0}");
    call.headers = vec![
        header("content-type", "application/json"),
        header("authorization", "Bearer theirs"),
        header("x-api-key", "theirs"),
        header("accept-encoding", "br"),
        header("user-agent", "sdk"),
        header("host", "evil.example"),
        header("content-length", "1"),
        header("transfer-encoding", "chunked"),
        header("expect", "100-continue"),
    ];
    fetch(spec, call).await.unwrap();
    let [request] = upstream.requests().try_into().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /v1/chat/completions?b=%20&a HTTP/1.1");
    lines.retain(|line| !line.starts_with("date: "));
    lines.sort_unstable();
    let host = format!("host: {}", upstream.address);
    let agent = concat!("user-agent: anteroom/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        lines,
        [
            "accept-encoding: identity",
            "authorization: Bearer theirs",
            "content-length: 10",
            "content-type: application/json",
            &host,
            agent,
            "x-api-key: ours",
        ]
    );
    assert_eq!(body, "{\"é\":1.0}");
}

// Case A-55.
#[actix_rt::test]
async fn large_bodies_pass_whole_in_both_directions() {
    let body: &'static str = "0123456789".repeat(70_000).leak();
    let upstream = Upstream::plays(|_, mut peer| {
        let request = peer.request().unwrap();
        let body = request.split_once("\r\n\r\n").unwrap().1;
        peer.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    });
    let (_, returned) = fetch(upstream.spec(), call("POST", "/v1/x", body)).await.unwrap();
    assert_eq!(returned, body);
}

#[actix_rt::test]
async fn errors_and_redirects_are_passed_on_as_they_are() {
    for status in [301, 302, 307, 400, 401, 404, 429, 500, 503, 529] {
        let answer = format!(
            "HTTP/1.1 {status} Some Reason\r\nlocation: http://127.0.0.1:1/\r\nretry-after: 3\r\ncontent-length: 5\r\n\r\nerror"
        );
        let upstream = Upstream::answers(answer);
        let answer =
            ask_origin(&*origin(upstream.spec()), call("POST", "/v1/x", "{}")).await.unwrap();
        assert_eq!(
            answer.head.headers,
            [header("location", "http://127.0.0.1:1/"), header("retry-after", "3")]
        );
        assert_eq!(gather(answer).await.unwrap(), (status, Bytes::from_static(b"error")));
        assert_eq!(upstream.num_connections(), 1, "{status}");
    }
}

#[actix_rt::test]
async fn an_encoded_body_is_passed_on_encoded() {
    // No proper gzip: whoever decoded it would fail.
    let answer =
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 6\r\n\r\n\x1f\x8b\x08zip";
    let upstream = Upstream::answers(answer);
    let answer = ask_origin(&*origin(upstream.spec()), call("POST", "/v1/x", "{}")).await.unwrap();
    assert_eq!(answer.head.headers, [header("content-encoding", "gzip")]);
    assert_eq!(&gather(answer).await.unwrap().1[..], b"\x1f\x8b\x08zip");
}

// Cases A-28 and A-29.
#[actix_rt::test]
async fn events_arrive_one_by_one_before_the_next_is_sent() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Upstream::plays(move |_, mut peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n");
        for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
            gone.lock().recv().unwrap();
            peer.send(format!("{:x}\r\n{event}\r\n", event.len()));
        }
        peer.send("0\r\n\r\n");
    });
    let mut answer =
        ask_origin(&*origin(upstream.spec()), call("POST", "/v1/x", "{}")).await.unwrap();
    assert!(answer.head.streamed);
    for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
        go.send(()).unwrap();
        assert_eq!(answer.body.next().await.unwrap().unwrap(), event);
    }
    assert!(answer.body.next().await.is_none());
    assert!(answer.body.next().await.is_none());
}
