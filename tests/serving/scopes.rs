//! Who shares answers: those who show the same credential, and nobody else.

use super::apis::body;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, prompt};
use crate::support::provider::{self, Fault, Provider, Reply};

const CREDENTIALS: [&[(&str, &str)]; 12] = [
    &[],
    &[("Authorization", "")],
    &[("Authorization", "Bearer one")],
    &[("Authorization", "Bearer two")],
    &[("Authorization", "bearer one")],
    &[("X-Api-Key", "one")],
    &[("X-Api-Key", "two")],
    &[("Api-Key", "one")],
    &[("Authorization", "Bearer one"), ("OpenAI-Organization", "org-1")],
    &[("Authorization", "Bearer one"), ("OpenAI-Organization", "org-2")],
    &[("Authorization", "Bearer one"), ("OpenAI-Project", "org-1")],
    &[("Authorization", "Bearer one"), ("X-Api-Key", "one")],
];

fn shown(headers: &[(&str, &str)], api: &str) -> Request {
    let request = Request::post(&format!("/v1/{api}"), body(api, "whose is it?"));
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// A-16, A-17, A-18, A-19: isolation, and the control that each finds its own again.
#[test]
fn callers_share_only_what_they_fetched_with_the_same_credentials() {
    let provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).start();
    for api in ["chat/completions", "embeddings", "messages"] {
        let before = provider.num_calls();
        let first = CREDENTIALS.map(|headers| gateway.send(&shown(headers, api)));
        for answer in &first {
            assert_eq!((answer.status, answer.cache().as_str()), (200, "MISS"), "{answer}");
        }
        for (headers, first) in CREDENTIALS.iter().zip(&first) {
            let again = gateway.send(&shown(headers, api));
            assert_eq!((again.cache(), &again.body), ("HIT L1".into(), &first.body), "{again}");
        }
        assert_eq!(provider.num_calls(), before + CREDENTIALS.len(), "{}", provider.log());
    }
    // The scope outlives the process, and still tells them apart.
    gateway.wait_for_writes();
    gateway.restart();
    for headers in CREDENTIALS {
        assert_eq!(gateway.send(&shown(headers, "embeddings")).cache(), "HIT L3");
    }
    let stranger = gateway.send(&shown(&[("Authorization", "Bearer three")], "embeddings"));
    assert_eq!(stranger.cache(), "MISS", "{stranger}");
}

/// The credential reaches the provider as the caller sent it.
#[test]
fn the_credential_goes_along() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for headers in CREDENTIALS {
        gateway.send(&shown(headers, "chat/completions")).expect_status(200);
        let call = provider.calls().pop().expect("a call");
        for (name, value) in headers {
            assert_eq!(call.headers.all(name), [*value], "{name}: {:?}", call.headers);
        }
    }
}

/// A-21: a key that the provider refuses gets the refusal, never somebody's answer.
#[test]
fn a_wrong_key_never_hits_and_harms_nobody() {
    let provider = Provider::scripted(|call| match call.headers.get("authorization") {
        Some("Bearer right") => provider::answer(call),
        _ => Reply::new(401, &[], r#"{"error":{"message":"wrong key","type":"auth"}}"#),
    });
    let gateway = Gateway::patient().upstream(&provider).start();
    let ask = |key| gateway.send(&Request::post("/v1/chat/completions", prompt("q")).bearer(key));
    let kept = ask("right").expect_status(200);
    for wrong in ["wrong", "Right", "right2", "righ"] {
        for cache in ["MISS", "BYPASS"] {
            let refused = ask(wrong).expect_status(401);
            assert_eq!(refused.cache(), cache, "{refused}");
        }
    }
    let hit = ask("right").expect_status(200);
    assert_eq!((hit.cache(), &hit.body), ("HIT L1".into(), &kept.body), "{hit}");
}

/// A key that was good and is refused now gets no more hits, until the provider takes it again.
#[test]
fn a_revoked_key_hits_no_more_until_it_succeeds_again() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let ask = |key: &str, text: &str| {
        gateway.send(&Request::post("/v1/chat/completions", prompt(text)).bearer(key))
    };
    let kept = ask("mine", "kept").expect_status(200);
    let others = ask("other", "kept").expect_status(200);
    for status in [401, 403] {
        provider.next(Fault::Status(status));
        ask("mine", &format!("new {status}")).expect_status(status);
        provider.next(Fault::Status(status));
        let refused = ask("mine", "kept").expect_status(status);
        assert_eq!(refused.cache(), "BYPASS", "{refused}");
        assert_eq!(ask("other", "kept").body, others.body, "another's key is not touched");
        // The provider answers again: this once past the cache, then from it.
        assert_eq!(ask("mine", "kept").expect_status(200).cache(), "BYPASS");
        let hit = ask("mine", "kept").expect_status(200);
        assert_eq!((hit.cache(), &hit.body), ("HIT L1".into(), &kept.body), "{hit}");
    }
}

const TWO_ROUTES: &str = "
routes:
  - {name: shared, methods: [POST], path: /v1/chat/completions, profile: chat, cache: true,
     scope: shared}
  - {name: own, methods: [POST], path: /v1/embeddings, profile: embeddings, cache: true}
";

#[test]
fn sharing_between_credentials_is_a_routes_own_choice() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).config(TWO_ROUTES).start();
    let one: &[_] = &[("Authorization", "Bearer one")];
    let two: &[_] = &[("Authorization", "Bearer two")];
    assert_eq!(gateway.send(&shown(one, "chat/completions")).cache(), "MISS");
    assert_eq!(gateway.send(&shown(two, "chat/completions")).cache(), "HIT L1");
    assert_eq!(gateway.send(&shown(one, "embeddings")).cache(), "MISS");
    assert_eq!(gateway.send(&shown(two, "embeddings")).cache(), "MISS");
}

#[test]
fn a_shared_route_keeps_nothing_that_is_private() {
    let provider = Provider::scripted(|call| {
        let Ok(text) = std::str::from_utf8(&call.body) else { return Reply::json(400, &0.into()) };
        let header = match text {
            text if text.contains("cookie") => ("Set-Cookie", "session=1"),
            text if text.contains("private") => ("Cache-Control", "private, max-age=60"),
            _ => ("Cache-Control", "no-store"),
        };
        let whole = serde_json::json!({"choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": call.serial.to_string()}}]});
        Reply::new(200, &[header], whole.to_string())
    });
    let gateway = Gateway::patient().upstream(&provider).config(TWO_ROUTES).start();
    for text in ["cookie", "private", "nothing"] {
        let before = provider.num_calls();
        for caller in ["one", "two"] {
            let request = Request::post("/v1/chat/completions", prompt(text)).bearer(caller);
            assert_eq!(gateway.send(&request).expect_status(200).cache(), "MISS", "{text}");
        }
        assert_eq!(provider.num_calls(), before + 2, "{text}");
    }
}
