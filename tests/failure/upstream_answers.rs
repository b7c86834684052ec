//! The provider's answers are wrong: each of its faults, on each way through the gateway.

use serde_json::Value;

use super::upstream_outcome::{Outcome, Way, check, is_at_rest, outcome};
use crate::support::client::Response;
use crate::support::gateway::Gateway;
use crate::support::provider::{Fault, Provider};

/// Statuses of errors, beside those in `Fault::ALL`.
const STATUSES: [u16; 9] = [400, 401, 403, 404, 422, 502, 503, 504, 529];

fn faults() -> Vec<Fault> {
    let statuses = STATUSES.into_iter().map(Fault::Status);
    Fault::ALL.into_iter().chain(statuses).collect()
}

/// A gateway that does not wait long for a provider that says nothing.
fn impatient(provider: &Provider) -> Gateway {
    Gateway::builder()
        .upstream(provider)
        .env("ANTEROOM__UPSTREAMS__DEFAULT__FIRST_BYTE_TIMEOUT", "500ms")
        .env("ANTEROOM__UPSTREAMS__DEFAULT__IDLE_TIMEOUT", "500ms")
        .start()
}

/// Plays every fault, each between good answers on the same gateway and, where the provider keeps
/// them, the same connections; then asks for everything again.
fn every_fault_is_passed_on_or_named_and_never_kept(way: Way) {
    let provider = Provider::start();
    let gateway = impatient(&provider);
    let well = |text: &str| {
        let before = provider.num_calls();
        let answer = gateway.send(&way.call(text)).expect_status(200);
        assert_eq!(provider.num_calls(), before + 1, "{text}: {answer}\n{}", provider.log());
        assert!(answer.json()["error"].is_null(), "{text}: {answer}");
        answer
    };
    well("a question before all faults");
    let mut outcomes = Vec::new();
    for fault in faults() {
        let request = way.call(&format!("a question for {fault:?}"));
        let before = provider.num_calls();
        provider.next(fault);
        let answer = gateway.send(&request);
        check(fault, way, &request, &answer);
        // A call that was sent is never repeated: it may have been done, and paid for.
        assert_eq!(provider.num_calls(), before + 1, "{fault:?}: {}", provider.log());
        well(&format!("a question after {fault:?}"));
        outcomes.push((fault, request, answer));
    }
    gateway.wait_for_writes();
    is_at_rest(&gateway);
    for (fault, request, first) in outcomes {
        let before = provider.num_calls();
        let again = gateway.send(&request).expect_status(200);
        let is_kept = outcome(fault, way) == Outcome::OwnAndKept;
        let calls = before + usize::from(!is_kept);
        assert_eq!(provider.num_calls(), calls, "{fault:?}: {again}\n{}", gateway.log());
        if is_kept {
            kept_without_what_belongs_to_one_call(&first, &again);
        } else {
            assert_ne!(again.body, first.body, "{fault:?}: {again}");
        }
    }
}

fn kept_without_what_belongs_to_one_call(first: &Response, again: &Response) {
    assert!(again.cache().starts_with("HIT"), "{again}");
    assert_eq!(again.body, first.body, "{again}");
    assert_eq!(again.header("set-cookie"), None, "{again}");
}

#[test]
fn every_fault_on_a_cached_route_of_openai_s_api() {
    every_fault_is_passed_on_or_named_and_never_kept(Way::Chat);
}

#[test]
fn every_fault_on_a_cached_route_of_anthropic_s_api() {
    every_fault_is_passed_on_or_named_and_never_kept(Way::Messages);
}

#[test]
fn every_fault_on_a_route_past_the_cache() {
    every_fault_is_passed_on_or_named_and_never_kept(Way::PassThrough);
}

#[test]
fn an_answer_that_is_not_kept_says_why() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let cases = [
        (Fault::Status(500), "status"),
        (Fault::RateLimited(3), "status"),
        (Fault::Redirect, "status"),
        (Fault::BadJson, "not-json"),
        (Fault::NanJson, "not-json"),
        (Fault::BadUtf8, "not-json"),
        (Fault::Html, "not-json"),
        (Fault::Empty, "empty"),
        (Fault::ErrorIn200, "error-in-200"),
        (Fault::Gzip, "encoding"),
        (Fault::Close, "no_answer"),
        (Fault::Truncate, "cut"),
    ];
    for (fault, detail) in cases {
        provider.next(fault);
        let answer = gateway.send(&Way::Chat.call(&format!("a question for {fault:?}")));
        let status = answer.header("cache-status").unwrap_or_default().to_owned();
        assert!(status.starts_with("anteroom; fwd=miss"), "{fault:?}: {answer}");
        assert!(status.ends_with(&format!("; detail={detail}")), "{fault:?}: {answer}");
        assert!(!status.contains("stored"), "{fault:?}: {answer}");
        assert_eq!(answer.cache(), "MISS", "{fault:?}: {answer}");
        let fwd_status = format!("; fwd-status={}", answer.status);
        assert_eq!(status.contains(&fwd_status), answer.status >= 400, "{fault:?}: {answer}");
    }
    // One for each answer that came whole, and one for each that did not.
    let sum = |name| gateway.metric(name, &[("route", "chat")]);
    gateway.wait_until("counted", |_| {
        sum("anteroom_discards_total") == Some(10.0)
            && sum("anteroom_upstream_errors_total") == Some(2.0)
    });
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Provider::start();
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let location = format!("{}/v1/elsewhere", elsewhere.url());
    for way in [Way::Chat, Way::PassThrough] {
        for status in [301, 302, 303, 307, 308] {
            let headers = [("Location", location.as_str())];
            provider.next(crate::support::provider::Reply::new(status, &headers, "{}"));
            let answer = gateway.send(&way.call(&format!("a question, {status}")));
            assert_eq!(answer.status, status, "{answer}");
            assert_eq!(answer.header("location"), Some(location.as_str()), "{answer}");
        }
    }
    assert_eq!(elsewhere.num_calls(), 0, "{}", elsewhere.log());
}

#[test]
fn a_failing_provider_that_recovers_is_asked_again_at_once() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let request = Way::Chat.call("a question asked until it is answered");
    for _ in 0..3 {
        provider.next(Fault::Status(500));
        gateway.send(&request).expect_status(500);
    }
    let answer = gateway.send(&request).expect_status(200);
    assert_eq!(answer.cache(), "MISS");
    assert_eq!(gateway.send(&request).body, answer.body);
    assert_eq!(provider.num_calls(), 4, "{}", provider.log());
    assert_ne!(answer.json()["id"], Value::Null);
}
