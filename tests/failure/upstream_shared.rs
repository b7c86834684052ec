//! The provider fails a call that many wait for.

use super::upstream_outcome::{Way, is_at_rest, is_our_error};
use crate::support::client::Response;
use crate::support::gateway::{Gateway, actor};
use crate::support::provider::{Fault, Gate, Provider, Reply};

const CALLERS: usize = 8;

/// Sends one request by many at once, and lets `reply` come once all wait for it.
fn ask_together(gateway: &Gateway, provider: &Provider, reply: Reply, text: &str) -> Vec<Response> {
    let gate = Gate::closed();
    provider.next(reply.held_by(&gate));
    let joined = |health: &serde_json::Value| {
        let resolver = actor(health, "resolver").expect("a resolver");
        resolver["counters"]["joined"].as_u64().expect("a count")
    };
    let before = joined(&gateway.health());
    std::thread::scope(|scope| {
        let callers: Vec<_> =
            (0..CALLERS).map(|_| scope.spawn(|| gateway.send(&Way::Chat.call(text)))).collect();
        gateway.wait_until("all wait for one call", |health| {
            joined(health) == before + u64::try_from(CALLERS).expect("a few") - 1
        });
        gate.open();
        let answers = callers.into_iter().map(|caller| caller.join());
        answers.map(|answer| answer.expect("its panic stands above")).collect()
    })
}

#[test]
fn an_error_of_the_provider_goes_to_all_who_wait_and_costs_one_call() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    for (number, fault) in [Fault::RateLimited(3), Fault::Status(500)].into_iter().enumerate() {
        let text = format!("a question for {fault:?}");
        let answers = ask_together(&gateway, &provider, fault.into(), &text);
        let first = &answers[0];
        assert!(first.status >= 400, "{first}");
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (first.status, &first.body), "{answer}");
            assert_eq!(answer.header("retry-after"), first.header("retry-after"), "{answer}");
        }
        let led = answers.iter().filter(|answer| answer.cache() == "MISS").count();
        assert_eq!(led, 1, "the others joined");
        assert_eq!(provider.num_calls_with(&text), 1, "{number}: {}", provider.log());
    }
    is_at_rest(&gateway);
}

#[test]
fn a_call_that_broke_off_is_tried_once_more_by_one_of_those_who_wait() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    for fault in [Fault::Close, Fault::Reset, Fault::Garbage] {
        let text = format!("a question for {fault:?}");
        let answers = ask_together(&gateway, &provider, fault.into(), &text);
        let (well, failed): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.status == 200);
        assert_eq!((well.len(), failed.len()), (CALLERS - 1, 1), "{fault:?}: {:?}", failed.first());
        is_our_error(failed[0], Way::Chat, 502, "upstream_broke_off", "the leader's");
        assert!(well.iter().all(|answer| answer.body == well[0].body), "one answer for all");
        assert_eq!(provider.num_calls_with(&text), 2, "{fault:?}: {}", provider.log());
    }
}

#[test]
fn a_provider_that_only_breaks_off_gets_no_storm_of_retries() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    provider.script(|_| Fault::Close.into());
    let answers = ask_together(&gateway, &provider, Fault::Close.into(), "a question");
    for answer in answers {
        is_our_error(&answer, Way::Chat, 502, "upstream_broke_off", "everyone's");
    }
    // The leader's call and, at most, one for each who waited and led once; in practice two.
    assert!(provider.num_calls() <= 3, "{}", provider.log());
    is_at_rest(&gateway);
}

#[test]
fn a_time_out_reaches_all_who_waited_and_nobody_tries_again() {
    let provider = Provider::start();
    let gateway = Gateway::builder()
        .upstream(&provider)
        .env("ANTEROOM__UPSTREAMS__DEFAULT__FIRST_BYTE_TIMEOUT", "1s")
        .start();
    let answers = ask_together(&gateway, &provider, Fault::Hang.into(), "a question");
    for answer in answers {
        is_our_error(&answer, Way::Chat, 504, "upstream_timed_out", "everyone's");
    }
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
    is_at_rest(&gateway);
    gateway.send(&Way::Chat.call("a question")).expect_status(200);
}
