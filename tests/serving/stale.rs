//! Answers past their lifetime: served while a new one is fetched, or where the provider fails.

use crate::support::client::Response;
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::{Gate, Provider, Reply, answer};

fn route(windows: &str) -> String {
    format!(
        "routes:\n  - {{name: chat, methods: [POST], path: /v1/chat/completions, profile: chat, \
         cache: true, lifetime: 1s, {windows}}}\nupstreams:\n  default:\n    retry: {{attempts: 0}}\n"
    )
}

const REVALIDATE: &str = "stale_while_revalidate: 1h, stale_if_error: 0s";
const IF_ERROR: &str = "stale_while_revalidate: 0s, stale_if_error: 1h";

/// Asks until the kept answer has turned stale; returns the first answer that says so.
fn until_stale(gateway: &Gateway, text: &str) -> Response {
    let request = chat(prompt(text));
    let stale = poll(PATIENCE, || {
        let answer = gateway.send(&request).expect_status(200);
        (!answer.cache().starts_with("HIT")).then_some(answer)
    });
    stale.expect("it turns stale")
}

fn status(answer: &Response) -> &str {
    answer.header("cache-status").unwrap_or_default()
}

/// RFC 5861 §3, RFC 9211 §2: the stale answer at once, marked as such; one call behind, for any number
/// of callers; then the new answer.
#[test]
fn a_stale_answer_is_served_at_once_while_one_call_refreshes_it() {
    let gate = Gate::closed();
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).config(&route(REVALIDATE)).start();
    let request = chat(prompt("swr"));
    let first = gateway.send(&request).expect_status(200);
    let held = gate.clone();
    provider.script(move |call| answer(call).held_by(&held));
    let stale = until_stale(&gateway, "swr");
    assert_eq!((stale.cache().as_str(), &stale.body), ("STALE L1", &first.body), "{stale}");
    assert!(status(&stale).starts_with("anteroom; hit; ttl=-"), "{stale}");
    assert!(stale.header("age").and_then(|age| age.parse::<u64>().ok()) >= Some(1), "{stale}");
    for stale in gateway.send_at_once(20, &request) {
        assert_eq!((stale.cache().as_str(), &stale.body), ("STALE L1", &first.body), "{stale}");
    }
    provider.wait_for_calls(2);
    gate.open();
    let fresh = poll(PATIENCE, || {
        let answer = gateway.send(&request);
        (answer.body != first.body).then_some(answer)
    });
    let fresh = fresh.expect("the new answer");
    assert!(fresh.text().contains("answer number 2"), "{fresh}");
    let counted = poll(PATIENCE, || {
        let stale = gateway.metric("anteroom_requests_total", &[("outcome", "stale")])?;
        (stale >= 21.0).then_some(stale)
    });
    assert!(counted.is_some(), "stale answers are counted");
}

/// RFC 5861 §4: where the provider cannot answer, the last good answer does, and says so.
#[test]
fn a_stale_answer_stands_in_for_a_failing_provider() {
    let mut provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).config(&route(IF_ERROR)).start();
    let request = chat(prompt("sie"));
    let first = gateway.send(&request).expect_status(200);
    gateway.wait_for_writes();
    for code in [429, 500, 503, 529] {
        provider.script(move |_| Reply::new(code, &[("Retry-After", "7")], "{}"));
        let stale = until_stale(&gateway, "sie");
        assert_eq!((stale.cache().as_str(), &stale.body), ("STALE L1", &first.body), "{stale}");
        assert!(
            status(&stale).contains(&format!("fwd=stale; fwd-status={code}; ttl=-")),
            "{stale}"
        );
    }
    provider.stop();
    let stale = gateway.send(&request).expect_status(200);
    assert_eq!((stale.cache().as_str(), &stale.body), ("STALE L1", &first.body), "{stale}");
    assert!(status(&stale).contains("detail=stale-if-error-connect"), "{stale}");
    // What is on disk answers too, after a restart.
    gateway.restart();
    let stale = gateway.send(&request).expect_status(200);
    assert_eq!((stale.cache().as_str(), &stale.body), ("STALE L3", &first.body), "{stale}");
    // A key that is not kept gets the error, in the API's own form.
    let failed = gateway.send(&chat(prompt("never kept"))).expect_status(502);
    assert_eq!(failed.json()["error"]["code"], "upstream_unreachable", "{failed}");
    provider.resume();
    provider.answer_well();
    let fresh = gateway.send(&request).expect_status(200);
    assert_eq!(fresh.cache(), "MISS", "{fresh}");
    assert_ne!(fresh.body, first.body);
}

/// A refusal is an answer: nothing stale hides a 401, a 403 or an error of the caller's.
#[test]
fn nothing_stale_covers_a_refusal() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).config(&route(IF_ERROR)).start();
    for code in [400, 404, 422, 401, 403] {
        let text = format!("refused with {code}");
        provider.answer_well();
        let first = gateway.send(&chat(prompt(&text))).expect_status(200);
        provider.script(move |_| Reply::new(code, &[], "{\"error\":{}}"));
        let refused = poll(PATIENCE, || {
            let answer = gateway.send(&chat(prompt(&text)));
            (answer.body != first.body).then_some(answer)
        });
        let refused = refused.expect("it turns stale").expect_status(code);
        assert!(["MISS", "BYPASS"].contains(&refused.cache().as_str()), "{refused}");
    }
}

/// no number of hits keeps an answer for ever: its age is absolute.
#[test]
fn a_popular_answer_ages_like_any_other() {
    let provider = Provider::start();
    let windows = "stale_while_revalidate: 0s, stale_if_error: 0s";
    let gateway = Gateway::patient().upstream(&provider).config(&route(windows)).start();
    let first = gateway.send(&chat(prompt("popular"))).expect_status(200);
    let again = until_stale(&gateway, "popular");
    assert_eq!(again.cache(), "MISS", "{again}");
    assert_ne!(again.body, first.body);
}
