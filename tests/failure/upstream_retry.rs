//! What is sent to the provider again, and what never is.

use serde_json::Value;

use super::upstream_outcome::{Way, is_at_rest, is_our_error};
use crate::support::client::Request;
use crate::support::gateway::{Builder, Gateway, actor, prompt};
use crate::support::provider::{Fault, Gate, Provider, Reply};

/// A gateway that waits little before it sends a request again.
fn eager(provider: &Provider) -> Builder {
    Gateway::builder()
        .upstream(provider)
        .env("ANTEROOM__UPSTREAMS__DEFAULT__RETRY__BASE", "1ms")
        .env("ANTEROOM__UPSTREAMS__DEFAULT__RETRY__AT_MOST", "5ms")
}

fn retries(gateway: &Gateway) -> Option<f64> {
    gateway.metric("anteroom_upstream_retries_total", &[("upstream", "default")])
}

/// Requests that change nothing: one kept, one that goes past the cache.
fn harmless(number: usize) -> [Request; 2] {
    [
        Request::get(&format!("/v1/models/model-{number}")).bearer("sk"),
        Request::get(&format!("/v1/files/{number}")).bearer("sk"),
    ]
}

/// A request that a cached route takes and that goes past the cache, with its body at hand.
fn bypassing(text: &str) -> Request {
    let body = serde_json::json!({"model": "m", "input": text, "background": true});
    Request::post("/v1/responses", body).bearer("sk")
}

/// Faults after which a request may be sent again where that is harmless.
const PASSING: [Fault; 8] = [
    Fault::Status(502),
    Fault::Status(503),
    Fault::Status(504),
    Fault::Status(529),
    Fault::RateLimited(0),
    Fault::Close,
    Fault::Reset,
    Fault::Garbage,
];

#[test]
fn a_failure_that_passes_is_not_seen_by_who_asks_for_something_harmless() {
    let provider = Provider::start();
    let gateway = eager(&provider).start();
    let mut expected = 0.0;
    for (number, fault) in PASSING.into_iter().enumerate() {
        for request in harmless(number) {
            for failures in [1, 2] {
                let before = provider.num_calls();
                let mut request = request.clone();
                request.target.push_str(&format!("?failures={failures}"));
                for _ in 0..failures {
                    provider.next(fault);
                }
                gateway.send(&request).expect_status(200);
                let calls = provider.num_calls() - before;
                assert_eq!(calls, failures + 1, "{fault:?}: {request}\n{}", provider.log());
                expected += f64::from(u32::try_from(failures).expect("a few"));
            }
        }
    }
    assert_eq!(retries(&gateway), Some(expected));
    is_at_rest(&gateway);
}

#[test]
fn what_does_not_pass_is_passed_on_after_the_last_repeat() {
    let provider = Provider::start();
    let gateway = eager(&provider).start();
    for (number, fault) in PASSING.into_iter().enumerate() {
        for request in harmless(number) {
            let before = provider.num_calls();
            provider.script(move |_| fault.into());
            let status = match fault {
                Fault::Status(status) => status,
                Fault::RateLimited(_) => 429,
                _ => 502,
            };
            gateway.send(&request).expect_status(status);
            assert_eq!(provider.num_calls(), before + 3, "{fault:?}: {}", provider.log());
            // Lest they are failures in a row.
            provider.answer_well();
            gateway.send(&request).expect_status(200);
        }
    }
}

/// What was read may have been done, and paid for.
#[test]
fn a_post_that_was_sent_is_not_sent_again_unless_the_deployer_says_so() {
    for is_wanted in [false, true] {
        let provider = Provider::start();
        let gateway =
            eager(&provider).env("ANTEROOM__UPSTREAMS__DEFAULT__RETRY__POSTS", is_wanted).start();
        for fault in PASSING {
            let text = format!("a question for {fault:?}");
            for request in [Way::Chat.call(&text), Way::Messages.call(&text), bypassing(&text)] {
                let before = provider.num_calls();
                provider.next(fault);
                let answer = gateway.send(&request);
                assert_eq!(answer.status == 200, is_wanted, "{fault:?}: {answer}");
                let calls = provider.num_calls() - before;
                assert_eq!(calls, 1 + usize::from(is_wanted), "{fault:?}: {}", provider.log());
            }
            // A body that is passed on as it comes is gone after the first time.
            let before = provider.num_calls();
            provider.next(fault);
            assert_ne!(gateway.send(&Way::PassThrough.call(&text)).status, 200, "{fault:?}");
            assert_eq!(provider.num_calls(), before + 1, "{fault:?}: {}", provider.log());
            gateway.send(&Way::PassThrough.call(&text)).expect_status(200);
        }
    }
}

/// The key must reach the provider: it is what makes a second sending harmless.
#[test]
fn a_post_with_an_idempotency_key_that_goes_upstream_is_sent_again() {
    let provider = Provider::start();
    let gateway = eager(&provider).start();
    let keyed = |request: Request| request.header("Idempotency-Key", "once");
    for (request, calls) in
        [(keyed(bypassing("a question")), 2), (keyed(Way::Chat.call("a question")), 1)]
    {
        let before = provider.num_calls();
        provider.next(Fault::Status(503));
        let answer = gateway.send(&request);
        assert_eq!(answer.status, if calls == 2 { 200 } else { 503 }, "{answer}");
        let seen = provider.calls();
        assert_eq!(seen.len() - before, calls, "{}", provider.log());
        let key = seen.last().and_then(|call| call.headers.get("idempotency-key"));
        assert_eq!(key.is_some(), calls == 2, "{}", provider.log());
    }
}

#[test]
fn a_refused_request_is_sent_once_the_provider_is_back() {
    let mut provider = Provider::start();
    let gateway = Gateway::builder()
        .upstream(&provider)
        .env("ANTEROOM__UPSTREAMS__DEFAULT__RETRY__ATTEMPTS", "10")
        .env("ANTEROOM__UPSTREAMS__DEFAULT__RETRY__BASE", "2s")
        .start();
    let requests =
        [Way::Chat.call("a question"), bypassing("a question"), Request::get("/v1/files/1")];
    for request in &requests {
        provider.stop();
        let before = retries(&gateway);
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| gateway.send(request));
            gateway.wait_until("refused at least once", |_| retries(&gateway) > before);
            provider.resume();
            asking.join().expect("an answer").expect_status(200);
        });
    }
    assert_eq!(provider.num_calls(), requests.len(), "{}", provider.log());
}

#[test]
fn who_is_asked_to_wait_for_long_is_told_so_at_once() {
    let provider = Provider::start();
    let gateway = eager(&provider).start();
    let body = serde_json::json!({"error": {"message": "busy"}}).to_string();
    let busy = |status| Reply::new(status, &[("Retry-After", "30")], &body);
    let date = "Fri, 31 Dec 2100 23:59:59 GMT";
    for (reply, status, retry_after) in [
        (Reply::from(Fault::RateLimited(3)), 429, Some("3")),
        (Reply::from(Fault::RateLimitedUntilDate), 429, Some(date)),
        (busy(503), 503, Some("30")),
        (busy(529), 529, Some("30")),
        (Reply::new(429, &[], &body), 429, None),
    ] {
        for request in harmless(1) {
            let before = provider.num_calls();
            provider.next(reply.clone());
            let answer = gateway.send(&request).expect_status(status);
            assert_eq!(answer.header("retry-after"), retry_after, "{answer}");
            assert_eq!(provider.num_calls(), before + 1, "{}", provider.log());
        }
    }
    assert_eq!(retries(&gateway), Some(0.0));
}

#[test]
fn a_time_out_is_not_tried_again_nor_an_answer_that_has_begun() {
    let provider = Provider::start();
    let gateway =
        eager(&provider).env("ANTEROOM__UPSTREAMS__DEFAULT__FIRST_BYTE_TIMEOUT", "400ms").start();
    for fault in [Fault::Hang, Fault::Truncate, Fault::TruncateChunked, Fault::LengthAndChunked] {
        for request in harmless(1) {
            let before = provider.num_calls();
            provider.next(fault);
            let answer = gateway.send(&request);
            assert!(answer.status >= 500 || answer.cut.is_some(), "{fault:?}: {answer}");
            assert_eq!(provider.num_calls(), before + 1, "{fault:?}: {}", provider.log());
        }
    }
    assert_eq!(retries(&gateway), Some(0.0));
}

#[test]
fn zero_attempts_turn_repeats_off() {
    let mut provider = Provider::start();
    let gateway =
        eager(&provider).env("ANTEROOM__UPSTREAMS__DEFAULT__RETRY__ATTEMPTS", "0").start();
    for request in harmless(1) {
        provider.next(Fault::Status(503));
        gateway.send(&request).expect_status(503);
    }
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
    provider.stop();
    let answer = gateway.send(&Request::post("/v1/chat/completions", prompt("a question")));
    is_our_error(&answer, Way::Chat, 502, "upstream_unreachable", "refused");
    assert_eq!(retries(&gateway), Some(0.0));
}

/// Case A-60: many who wait for one answer do not each send its request again.
#[test]
fn many_who_wait_make_no_storm_of_repeats() {
    const CALLERS: u64 = 16;
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let joined = |health: &Value| {
        actor(health, "resolver").and_then(|actor| actor["counters"]["joined"].as_u64())
    };
    // An answer is for all. Where there was none, one of those who waited leads once more; a third
    // call is led by who comes too late for the second.
    for (fault, calls) in [(Fault::Status(503), 3..=3), (Fault::Close, 6..=9)] {
        let gate = Gate::closed();
        let held = gate.clone();
        let before = (provider.num_calls(), joined(&gateway.health()));
        provider.script(move |_| Reply::from(fault).held_by(&held));
        let [request, _] = harmless(provider.num_calls());
        std::thread::scope(|scope| {
            let callers: Vec<_> =
                (0..CALLERS).map(|_| scope.spawn(|| gateway.send(&request))).collect();
            gateway.wait_until("all wait for one call", |health| {
                joined(health) == before.1.map(|joined| joined + CALLERS - 1)
            });
            gate.open();
            for caller in callers {
                let answer = caller.join().expect("its panic stands above");
                assert!([502, 503].contains(&answer.status), "{answer}");
            }
        });
        let made = provider.num_calls() - before.0;
        assert!(calls.contains(&made), "{made} calls\n{}", provider.log());
        is_at_rest(&gateway);
    }
}
