//! Uncached calls, streamed both ways.

use std::convert::Infallible;
use std::io::Read as _;

use futures_util::stream;

use super::super::spec::{HttpSpec, SpecKind, UpstreamSpec};
use super::super::tests::{Upstream, clock, header, prepared};
use super::*;

type Pairs<'a> = std::vec::IntoIter<(&'a str, &'a [u8])>;

fn request(
    method: &'static str,
    target: &'static str,
    length: Option<u64>,
) -> Forward<'static, Pairs<'static>> {
    Forward { upstream: "up", method, target, headers: Vec::new().into_iter(), length }
}

fn forwarder(spec: HttpSpec) -> Forwarder {
    Forwarder::new(&prepared(spec), &clock())
}

fn no_body() -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::empty()
}

async fn gathered(forwarded: Forwarded) -> Result<Vec<u8>, OriginError> {
    let mut body = forwarded.body;
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

#[actix_rt::test]
async fn a_body_of_known_length_goes_up_as_it_comes() {
    // awc writes once it holds 8 KiB: smaller pieces wait for the next.
    let first = Bytes::from(vec![b'1'; 20_000]);
    let (arrived, arrival) = tokio::sync::oneshot::channel();
    let arrived = parking_lot::Mutex::new(Some(arrived));
    let upstream = Upstream::plays(move |_, mut peer| {
        let head = peer.head().unwrap();
        peer.tcp.read_exact(&mut [0; 8192]).unwrap();
        arrived.lock().take().unwrap().send(head).unwrap();
        peer.tcp.read_exact(&mut vec![0; 20_006 - 8192]).unwrap();
        peer.send(
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x-hop\r\nx-hop: 1\r\n\
             x-request-id: 7\r\n\r\nok",
        );
    });
    // The second piece is there only after the upstream has seen the first.
    let second = stream::once(async {
        let head = arrival.await.unwrap();
        assert!(head.contains("content-length: 20006\r\n"), "{head}");
        Bytes::from("second")
    });
    let pieces = stream::iter([first]).chain(second).map(Ok::<_, Infallible>);
    let forwarder = forwarder(upstream.spec());
    let answer =
        forwarder.forward(request("POST", "/v1/files", Some(20_006)), pieces).await.unwrap();
    assert_eq!((answer.status, answer.length), (200, Some(2)));
    assert_eq!(answer.headers, [header("x-request-id", "7")]);
    assert_eq!(gathered(answer).await.unwrap(), b"ok");
}

#[actix_rt::test]
async fn a_body_of_unknown_length_goes_up_in_chunks() {
    let upstream = Upstream::answers("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let pieces = stream::iter(["ab", "cde"].map(|piece| Ok::<_, Infallible>(Bytes::from(piece))));
    let forwarder = forwarder(upstream.spec());
    forwarder.forward(request("POST", "/v1/files?x=1", None), pieces).await.unwrap();
    let [request] = upstream.requests().try_into().unwrap();
    assert!(request.starts_with("POST /v1/files?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"), "{request}");
}

#[actix_rt::test]
async fn a_call_without_a_body_has_none_upstream() {
    let upstream = Upstream::keeps_answering("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
    let forwarder = forwarder(upstream.spec());
    let head = forwarder.forward(request("HEAD", "/v1/files", Some(0)), no_body()).await.unwrap();
    assert_eq!(head.length, Some(3));
    assert_eq!(gathered(head).await.unwrap(), b"");
    drop(forwarder.forward(request("POST", "/v1/cancel", Some(0)), no_body()).await);
    let [head, post] = upstream.requests().try_into().unwrap();
    assert!(!head.contains("content-length") && !head.contains("chunked"), "{head}");
    assert!(post.contains("content-length: 0\r\n"), "{post}");
}

#[actix_rt::test]
async fn a_caller_that_breaks_off_or_stalls_is_not_the_upstreams_fault() {
    let upstream = Upstream::plays(|_, mut peer| peer.wait_for_close());
    let broken = stream::iter([Ok(Bytes::from("ab")), Err("gone")]);
    let first =
        forwarder(upstream.spec()).forward(request("POST", "/v1/files", Some(9)), broken).await;
    let short = HttpSpec { idle_timeout: Duration::from_millis(60), ..upstream.spec() };
    let stalled = stream::iter([Ok::<_, Infallible>(Bytes::from("ab"))]).chain(stream::pending());
    let second = forwarder(short).forward(request("POST", "/v1/files", Some(9)), stalled).await;
    for (result, expected) in [
        (first, "the caller broke off its request"),
        (second, "the caller sent no more of its request"),
    ] {
        let upstream = "up".to_owned();
        let error = OriginError::NoAnswer { upstream, reason: expected };
        assert_eq!(result.err(), Some(error));
    }
}

#[actix_rt::test]
async fn the_wait_for_the_first_byte_begins_when_the_upload_has_ended() {
    let upstream = Upstream::answers("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let first_byte_timeout = Duration::from_millis(400);
    let spec = HttpSpec { first_byte_timeout, ..upstream.spec() };
    // Longer altogether than the time-out.
    let pieces = stream::iter(0..10).then(|_| async {
        actix_rt::time::sleep(Duration::from_millis(60)).await;
        Ok::<_, Infallible>(Bytes::from("x"))
    });
    let forwarder = forwarder(spec);
    let result = forwarder.forward(request("POST", "/v1/files", Some(10)), pieces).await;
    assert_eq!(result.map(|answer| answer.status), Ok(200));
}

#[actix_rt::test]
async fn a_download_is_not_bounded_and_its_cut_is_seen() {
    let upstream = Upstream::answers("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello");
    let forwarder = forwarder(HttpSpec { max_answer_bytes: 1, ..upstream.spec() });
    let answer = forwarder.forward(request("GET", "/v1/files", Some(0)), no_body()).await.unwrap();
    assert_eq!(answer.length, Some(9));
    assert_eq!(gathered(answer).await.unwrap_err().label(), "cut");
}

#[actix_rt::test]
async fn the_built_in_model_takes_calls_too() {
    let kind = SpecKind::Builtin { think_time_per_token: Duration::ZERO };
    let upstreams = Upstreams::prepare(&[UpstreamSpec { name: "up".into(), kind }], None).unwrap();
    let forwarder = Forwarder::new(&upstreams, &clock());
    let models = forwarder.forward(request("GET", "/v1/models", Some(0)), no_body()).await.unwrap();
    assert_eq!(models.status, 200);
    let pieces = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from(vec![b' '; 1 << 20])));
    let result = forwarder.forward(request("POST", "/v1/completions", None), pieces).await;
    assert_eq!(result.err().unwrap().label(), "no_answer");
    let other = Forward { upstream: "other", ..request("GET", "/v1/models", Some(0)) };
    assert_eq!(forwarder.forward(other, no_body()).await.err().unwrap().label(), "internal");
}
