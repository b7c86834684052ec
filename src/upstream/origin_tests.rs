//! Who may have an answer, what is kept of it, and what judges it.

use std::time::Duration;

use super::super::spec::{SpecKind, UpstreamSpec};
use super::super::tests::{
    LIFETIMES, Upstream, ask_origin, billing, call, clock, gather, header, origin,
};
use super::*;
use crate::canonical::Profile;

const SHARED: RouteSpec =
    RouteSpec { profile: Profile::Generic, shared: true, heed_origin: None, policy: None };
const OWN: RouteSpec =
    RouteSpec { profile: Profile::Generic, shared: false, heed_origin: None, policy: None };

#[test]
fn what_the_origin_forbids_depends_on_who_shares() {
    for (name, value, shared_reason, own_reason, is_shared) in [
        ("cache-control", "no-cache", None, None, true),
        ("cache-control", "max-age=0, must-revalidate", None, None, true),
        ("cache-control", "private", Some("private"), None, false),
        ("cache-control", "No-Store", Some("no-store"), Some("no-store"), false),
        ("vary", "*", Some("vary"), Some("vary"), false),
        ("vary", "origin", None, None, true),
        ("set-cookie", "a=b", None, None, false),
        ("x-other", "private", None, None, true),
    ] {
        let headers = [header(name, value)];
        assert_eq!(forbids(&headers, &SHARED), shared_reason, "{name}: {value}");
        assert_eq!(forbids(&headers, &OWN), own_reason, "{name}: {value}");
        assert_eq!(is_shareable(&headers, &SHARED), is_shared, "{name}: {value}");
        assert!(is_shareable(&headers, &OWN), "{name}: {value}");
    }
}

#[actix_rt::test]
async fn an_answer_brings_its_stored_headers_and_its_judge() {
    let upstream = Upstream::keeps_answering(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nset-cookie: a=b\r\nx-request-id: 1\r\nopenai-version: 2\r\ncontent-length: 2\r\n\r\n{}",
    );
    let origin = origin(upstream.spec());
    for (route, shareable) in [(0, true), (1, false)] {
        let call = OriginCall { route, ..call("POST", "/v1/x", "{}") };
        let answer = ask_origin(&*origin, call).await.unwrap();
        assert_eq!(answer.head.headers.len(), 4);
        assert_eq!(
            answer.stored_headers,
            [header("content-type", "application/json"), header("openai-version", "2")]
        );
        assert_eq!((answer.shareable, answer.head.streamed), (shareable, false));
        let keep = Verdict::Keep { lifetimes: LIFETIMES, usage: None, age: Duration::ZERO };
        assert_eq!((answer.judge)(&Bytes::from_static(b"{\"a\":1}")), keep);
    }
}

#[actix_rt::test]
async fn an_answer_that_must_not_be_stored_is_discarded() {
    let upstream = Upstream::answers(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\ncontent-length: 7\r\n\r\n{\"a\":1}",
    );
    let answer = ask_origin(&*origin(upstream.spec()), call("POST", "/v1/x", "{}")).await.unwrap();
    let verdict = (answer.judge)(&Bytes::from_static(b"{\"a\":1}"));
    assert_eq!(verdict, Verdict::Discard("no-store"));
}

#[actix_rt::test]
async fn an_unknown_upstream_or_route_is_an_error_of_ours() {
    let origin = origin(Upstream::answers("").spec());
    for wrong in [
        OriginCall { upstream: "other".into(), ..call("POST", "/v1/x", "") },
        OriginCall { route: 9, ..call("POST", "/v1/x", "") },
        OriginCall { target: "no path".into(), ..call("POST", "/v1/x", "") },
        OriginCall { method: "NO METHOD".into(), ..call("POST", "/v1/x", "") },
    ] {
        let error = ask_origin(&*origin, wrong).await.err().unwrap();
        assert_eq!(error.label(), "internal");
    }
}

#[actix_rt::test]
async fn the_built_in_model_answers_and_is_judged_like_a_provider() {
    let kind = SpecKind::Builtin { think_time_per_token: Duration::ZERO };
    let upstreams = Upstreams::prepare(&[UpstreamSpec { name: "up".into(), kind }], None).unwrap();
    let routes =
        [RouteSpec { profile: Profile::Chat, shared: true, heed_origin: None, policy: None }];
    let origin = factory(
        upstreams,
        Arc::new(move |route: usize| routes.get(route).cloned()),
        Arc::new(|_, _| Default::default()),
        clock(),
        billing(),
    )();
    let body = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello there\"}]}";
    let mut answer =
        ask_origin(&*origin, call("POST", "/v1/chat/completions", body)).await.unwrap();
    assert!(answer.shareable);
    let judge = std::mem::replace(&mut answer.judge, Box::new(|_| Verdict::Discard("")));
    let (status, body) = gather(answer).await.unwrap();
    assert_eq!(status, 200);
    assert!(matches!(judge(&body), Verdict::Keep { usage: Some(_), .. }));
}

const KEPT: &str = "HTTP/1.1 304 Not Modified\r\netag: \"one\"\r\ncache-control: max-age=9\r\n\r\n";
const OTHER: &str = "HTTP/1.1 304 Not Modified\r\netag: \"two\"\r\n\r\n";
const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nnew";

fn kept(name: &str, value: &str) -> Arc<Entry> {
    let headers = vec![header(name, value)];
    Arc::new(Entry {
        status: 200,
        headers: headers.into(),
        body: Bytes::from_static(b"old"),
        ..Entry::default()
    })
}

/// RFC 9111 §4.3.1, §4.3.4: what has a validator is asked about; a 304 for another answer is not
/// believed.
#[actix_rt::test]
async fn a_kept_answer_is_asked_about_by_its_validator() {
    for (validates, header, first, num_requests, unchanged) in [
        (true, ("etag", "\"one\""), KEPT, 1, true),
        (true, ("etag", "\"one\""), OTHER, 2, false),
        (true, ("etag", "\"one\""), WHOLE, 1, false),
        (true, ("x-other", "1"), WHOLE, 1, false),
        (false, ("etag", "\"one\""), WHOLE, 1, false),
    ] {
        let upstream = Upstream::plays(move |_, mut peer| {
            let mut answers = [first, WHOLE].into_iter();
            while peer.request().is_some() {
                peer.send(answers.next().unwrap_or(WHOLE));
            }
        });
        let origin = origin(upstream.spec());
        let call = OriginCall { validates, ..call("GET", "/v1/x", "") };
        let reply = origin.call(Arc::new(call), Some(kept(header.0, header.1))).await.unwrap();
        match reply {
            Reply::Unchanged { entry, keep } => {
                assert!(unchanged && keep, "{first}");
                assert_eq!(
                    (&entry.body[..], entry.freshness.lifetime.get().as_secs()),
                    (&b"old"[..], 9)
                );
            }
            Reply::Answer(answer) => {
                assert!(!unchanged, "{first}");
                assert_eq!(gather(answer).await.unwrap(), (200, Bytes::from_static(b"new")));
            }
        }
        let requests = upstream.requests();
        assert_eq!(requests.len(), num_requests);
        let is_asked = requests[0].to_lowercase().contains("if-none-match: \"one\"");
        assert_eq!(is_asked, validates && header.0 == "etag");
        assert!(num_requests == 1 || !requests[1].to_lowercase().contains("if-none-match"));
    }
}
