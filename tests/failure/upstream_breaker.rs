//! A provider that fails again and again is left alone, and tried out before it is called again.

use super::upstream_outcome::{Way, is_at_rest, is_our_error};
use crate::support::client::Response;
use crate::support::deadline::{self, PATIENCE};
use crate::support::gateway::{Builder, Gateway};
use crate::support::provider::{Fault, Gate, Provider, answer};

const WAYS: [Way; 3] = [Way::Chat, Way::Messages, Way::PassThrough];

/// A gateway whose breaker opens after so many failed calls, for so long.
fn with_breaker(provider: &Provider, failures: u32, open_for: &str) -> Builder {
    Gateway::builder()
        .upstream(provider)
        .env("ANTEROOM__UPSTREAMS__DEFAULT__BREAKER__FAILURES", failures)
        .env("ANTEROOM__UPSTREAMS__DEFAULT__BREAKER__OPEN_FOR", open_for)
        .env("ANTEROOM__UPSTREAMS__DEFAULT__BREAKER__OPEN_AT_MOST", "1h")
        .env("ANTEROOM__UPSTREAMS__DEFAULT__FIRST_BYTE_TIMEOUT", "500ms")
}

fn is_open(gateway: &Gateway) -> bool {
    let labels = [("upstream", "default")];
    gateway.metric("anteroom_upstream_breaker_open", &labels) == Some(1.0)
}

/// Checks an error that says: not called, come back later.
#[track_caller]
fn is_left_alone(answer: &Response, way: Way) -> u64 {
    is_our_error(answer, way, 503, "upstream_breaker_open", "left alone");
    if way != Way::PassThrough {
        let status = answer.header("cache-status").unwrap_or_default();
        assert!(status.ends_with("detail=breaker_open"), "{answer}");
    }
    let seconds = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
    seconds.unwrap_or_else(|| panic!("no Retry-After in seconds: {answer}"))
}

#[test]
fn a_provider_that_keeps_failing_is_spared_and_its_callers_learn_when_to_come_back() {
    for fault in [
        Fault::Status(500),
        Fault::Status(502),
        Fault::Status(503),
        Fault::Status(504),
        Fault::Status(529),
        Fault::Close,
        Fault::TwoLengths,
        Fault::Hang,
    ] {
        let provider = Provider::start();
        let gateway = with_breaker(&provider, 3, "1h").start();
        let kept = gateway.send(&Way::Chat.call("a question before")).expect_status(200);
        provider.script(move |_| fault.into());
        // Calls of all threads count together.
        for way in WAYS {
            assert!(!is_open(&gateway), "{fault:?}");
            let answer = gateway.send(&way.call("a question"));
            assert!(answer.status >= 500, "{answer}");
        }
        assert!(is_open(&gateway), "{fault:?}: {}", gateway.log());
        provider.answer_well();
        for way in WAYS {
            for _ in 0..2 {
                let seconds = is_left_alone(&gateway.send(&way.call("a question")), way);
                assert!((3_500..=4_500).contains(&seconds), "{seconds}");
            }
        }
        assert_eq!(provider.num_calls(), 4, "{fault:?}: {}", provider.log());
        // What is kept needs no provider.
        let hit = gateway.send(&Way::Chat.call("a question before")).expect_status(200);
        assert_eq!((hit.cache().as_str(), &hit.body), ("HIT L1", &kept.body));
        is_at_rest(&gateway);
        let errors = [("route", "chat"), ("error", "breaker_open")];
        gateway.wait_until("counted", |_| {
            gateway.metric("anteroom_upstream_errors_total", &errors) == Some(2.0)
        });
    }
}

#[test]
fn a_provider_that_cannot_be_reached_opens_the_breaker_and_its_repeats_count_as_one_call() {
    let mut provider = Provider::start();
    let gateway = with_breaker(&provider, 2, "1h")
        .env("ANTEROOM__UPSTREAMS__DEFAULT__RETRY__BASE", "1ms")
        .start();
    provider.stop();
    for _ in 0..2 {
        let answer = gateway.send(&Way::Chat.call("a question"));
        is_our_error(&answer, Way::Chat, 502, "upstream_unreachable", "refused");
    }
    provider.resume();
    is_left_alone(&gateway.send(&Way::Chat.call("a question")), Way::Chat);
    assert_eq!(provider.num_calls(), 0, "{}", provider.log());
    let retries = gateway.metric("anteroom_upstream_retries_total", &[("upstream", "default")]);
    assert_eq!(retries, Some(4.0), "two repeats of each call");
}

/// An answer that is about one caller, or one question, says that the provider is there.
#[test]
fn what_is_one_callers_affair_never_opens_the_breaker() {
    let provider = Provider::start();
    let gateway = with_breaker(&provider, 1, "1h").start();
    let faults = [400, 401, 403, 404, 422].map(Fault::Status);
    let limits = [Fault::RateLimited(3), Fault::RateLimitedUntilDate, Fault::Html, Fault::Empty];
    for fault in faults.into_iter().chain(limits) {
        for way in WAYS {
            provider.next(fault);
            let text = format!("a question for {fault:?}");
            assert_ne!(gateway.send(&way.call(&text)).status, 503, "{fault:?}");
            gateway.send(&way.call(&format!("{text}, again"))).expect_status(200);
        }
    }
    assert!(!is_open(&gateway), "{}", gateway.log());
}

#[test]
fn an_answer_between_begins_the_count_again_and_zero_turns_the_breaker_off() {
    for (failures, in_a_row) in [(3, 2), (0, 12)] {
        let provider = Provider::start();
        let gateway = with_breaker(&provider, failures, "1h").start();
        for round in 0..3 {
            for _ in 0..in_a_row {
                provider.next(Fault::Status(500));
                gateway.send(&Way::Chat.call("a question")).expect_status(500);
            }
            let text = format!("a question answered in round {round}");
            gateway.send(&Way::PassThrough.call(&text)).expect_status(200);
        }
        assert!(!is_open(&gateway), "{}", gateway.log());
    }
}

#[test]
fn one_call_tries_the_provider_out_and_its_answer_opens_the_way_for_all() {
    let provider = Provider::start();
    let gateway = with_breaker(&provider, 1, "2s").start();
    provider.next(Fault::Status(500));
    gateway.send(&Way::Chat.call("a question")).expect_status(500);
    is_left_alone(&gateway.send(&Way::Chat.call("a question")), Way::Chat);
    let gate = Gate::closed();
    let held = gate.clone();
    provider.script(move |call| answer(call).held_by(&held));
    std::thread::scope(|scope| {
        let probing = scope.spawn(|| {
            let let_through = deadline::poll(PATIENCE, || {
                let answer = gateway.send(&Way::Chat.call("a question"));
                (answer.status != 503).then_some(answer)
            });
            let_through.expect("a call is let through")
        });
        provider.wait_for_calls(2);
        // For as long as the first wait it is the only one.
        for way in WAYS {
            is_left_alone(&gateway.send(&way.call("another question")), way);
        }
        assert_eq!(provider.num_calls(), 2, "{}", provider.log());
        assert!(is_open(&gateway));
        gate.open();
        probing.join().expect("an answer").expect_status(200);
    });
    assert!(!is_open(&gateway), "{}", gateway.log());
    for way in WAYS {
        gateway.send(&way.call("another question")).expect_status(200);
    }
    assert!(gateway.log().contains("upstream answers again"), "{}", gateway.log());
}
