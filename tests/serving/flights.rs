//! N identical requests at once cost one upstream call..

use super::apis::{ask, ask_stream, post};
use crate::support::client::Response;
use crate::support::gateway::{Gateway, actor, chat, prompt};
use crate::support::provider::{self, Fault, Gate, Provider, Reply};

/// Waits until so many requests have joined a flight.
pub fn wait_for_joined(gateway: &Gateway, count: u64) {
    gateway.wait_until(&format!("{count} joined"), |health| {
        let joined = actor(health, "resolver").and_then(|it| it["counters"]["joined"].as_u64());
        joined.is_some_and(|joined| joined >= count)
    });
}

/// Runs `during` while `count` callers send `request` at once, and returns what they got.
fn at_once(
    gateway: &Gateway,
    count: usize,
    request: &crate::support::client::Request,
    during: impl FnOnce(),
) -> Vec<Response> {
    std::thread::scope(|scope| {
        let callers = scope.spawn(|| gateway.send_at_once(count, request));
        during();
        callers.join().expect("its panic stands above")
    })
}

fn count(answers: &[Response], cache: &str) -> usize {
    answers.iter().filter(|answer| answer.cache() == cache).count()
}

#[test]
fn two_hundred_identical_requests_cost_one_call_and_get_one_answer() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| provider::answer(call).held_by(&held));
    let gateway = Gateway::patient().upstream(&provider).start();
    for api in ["chat/completions", "embeddings"] {
        let (gate, before) = (gate.clone(), provider.num_calls());
        let joined = gateway.actor("resolver")["counters"]["joined"].as_u64().unwrap_or(0);
        let answers = at_once(&gateway, 200, &ask(api, "all at once"), || {
            wait_for_joined(&gateway, joined + 199);
            gate.pass_one();
        });
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (200, &answers[0].body), "{answer}");
        }
        assert_eq!((count(&answers, "MISS"), count(&answers, "COALESCED")), (1, 199), "{api}");
        assert_eq!(provider.num_calls(), before + 1, "{}", provider.log());
        assert_eq!(gateway.send(&ask(api, "all at once")).cache(), "HIT L1");
    }
}

/// what is one caller's is never another's, also while it is on its way.
#[test]
fn different_credentials_never_join_a_flight() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| provider::answer(call).held_by(&held));
    let gateway = Gateway::patient().upstream(&provider).start();
    let ask_as = |key| gateway.send(&ask("chat/completions", "q").header("X-Api-Key", key));
    let (one, two) = std::thread::scope(|scope| {
        let (one, two) = (scope.spawn(|| ask_as("one")), scope.spawn(|| ask_as("two")));
        provider.wait_for_calls(2);
        gate.open();
        (one.join().expect("an answer"), two.join().expect("an answer"))
    });
    assert_eq!((one.cache().as_str(), two.cache().as_str()), ("MISS", "MISS"), "{one}\n{two}");
    assert_ne!(one.body, two.body);
    for (key, own) in [("one", one), ("two", two)] {
        let hit = ask_as(key);
        assert_eq!((hit.cache(), &hit.body), ("HIT L1".into(), &own.body), "{hit}");
    }
}

#[test]
fn a_stream_and_an_object_are_two_flights_where_forms_do_not_convert() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| provider::answer(call).held_by(&held));
    let gateway = Gateway::patient().upstream(&provider).start();
    let (object, stream) = std::thread::scope(|scope| {
        let object = scope.spawn(|| gateway.send(&ask("responses", "both")));
        let stream = scope.spawn(|| gateway.send(&ask_stream("responses", "both")));
        provider.wait_for_calls(2);
        gate.open();
        (object.join().expect("an answer"), stream.join().expect("an answer"))
    });
    assert_eq!(object.header("content-type"), Some("application/json"), "{object}");
    assert_eq!(object.json()["object"], "response");
    assert!(stream.text().contains("event: response.completed"), "{stream}");
    assert_eq!(provider.num_calls(), 2);
}

/// a failure before any byte is the leader's alone; the next in the queue leads, once.
#[test]
fn when_the_leaders_call_breaks_one_of_the_waiters_leads_for_all() {
    let gate = Gate::closed();
    let provider = Provider::start();
    provider.next(Reply::from(Fault::Close).held_by(&gate));
    let gateway = Gateway::patient().upstream(&provider).start();
    let answers = at_once(&gateway, 8, &chat(prompt("broken at first")), || {
        wait_for_joined(&gateway, 7);
        gate.open();
    });
    let (failed, served): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 502);
    assert_eq!((failed.len(), served.len()), (1, 7), "{}", provider.log());
    for answer in &served {
        assert_eq!((answer.status, &answer.body), (200, &served[0].body), "{answer}");
    }
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
    assert_eq!(gateway.chat(prompt("broken at first")).cache(), "HIT L1");
}

/// and only once, so that a provider in trouble gets no storm.
#[test]
fn when_the_second_call_breaks_too_all_get_the_error_and_nobody_tries_again() {
    let (first, second) = (Gate::closed(), Gate::closed());
    let provider = Provider::start();
    provider.next(Reply::from(Fault::Reset).held_by(&first));
    provider.next(Reply::from(Fault::Close).held_by(&second));
    let gateway = Gateway::patient().upstream(&provider).start();
    let answers = at_once(&gateway, 8, &chat(prompt("broken twice")), || {
        wait_for_joined(&gateway, 7);
        first.open();
        wait_for_joined(&gateway, 7 + 6);
        second.open();
    });
    for answer in &answers {
        assert_eq!(answer.status, 502, "{answer}");
        assert_eq!(answer.json()["error"]["code"], "upstream_broke_off", "{answer}");
    }
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
    assert_eq!(gateway.chat(prompt("broken twice")).expect_status(200).cache(), "MISS");
}

/// the provider's own error is everybody's answer, and nobody's for longer.
#[test]
fn a_providers_error_is_shared_by_those_who_wait_and_not_kept() {
    let gate = Gate::closed();
    let provider = Provider::start();
    provider.next(Reply::from(Fault::RateLimited(3)).held_by(&gate));
    let gateway = Gateway::patient().upstream(&provider).start();
    let answers = at_once(&gateway, 8, &chat(prompt("limited")), || {
        wait_for_joined(&gateway, 7);
        gate.open();
    });
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (429, &answers[0].body), "{answer}");
        assert_eq!(answer.header("retry-after"), Some("3"), "{answer}");
    }
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
    assert_eq!(gateway.chat(prompt("limited")).expect_status(200).cache(), "MISS");
}

/// whoever waits for a stalled provider gets an error in time, and the key is free again.
#[test]
fn a_stalled_provider_ends_in_a_time_out_for_all_and_the_next_caller_is_served() {
    let provider = Provider::start();
    let gateway = Gateway::patient()
        .upstream(&provider)
        .env("ANTEROOM__UPSTREAMS__DEFAULT__FIRST_BYTE_TIMEOUT", "300ms")
        .start();
    provider.next(Fault::Hang);
    let answers = at_once(&gateway, 8, &chat(prompt("stalled")), || ());
    for answer in &answers {
        assert_eq!(answer.status, 504, "{answer}");
        assert_eq!(answer.json()["error"]["code"], "upstream_timed_out", "{answer}");
    }
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
    assert_eq!(gateway.chat(prompt("stalled")).expect_status(200).cache(), "MISS");
    assert_eq!(gateway.chat(prompt("stalled")).expect_status(200).cache(), "HIT L1");
    // The last one ends a moment after its answer.
    gateway.wait_until("no flight", |health| {
        let resolver = crate::support::gateway::actor(health, "resolver");
        resolver.is_some_and(|actor| actor["counters"]["flights"] == 0)
    });
}

#[test]
fn past_the_bound_on_waiting_requests_callers_are_shed_and_hits_go_on() {
    let gate = Gate::closed();
    let provider = Provider::start();
    let gateway =
        Gateway::patient().upstream(&provider).env("ANTEROOM__SERVER__MAX_IN_FLIGHT", 2).start();
    let known = gateway.chat(prompt("known")).expect_status(200);
    for _ in 0..2 {
        provider.next(Reply::json(200, &serde_json::json!({"held": true})).held_by(&gate));
    }
    std::thread::scope(|scope| {
        let held = ["a", "b"].map(|text| {
            let gateway = &gateway;
            scope.spawn(move || gateway.chat(prompt(text)))
        });
        provider.wait_for_calls(3);
        for api in ["chat/completions", "embeddings"] {
            let shed = gateway.send(&ask(api, "one too many")).expect_status(503);
            assert_eq!(shed.header("retry-after"), Some("1"), "{shed}");
            assert_eq!(shed.json()["error"]["code"], "shed", "{shed}");
        }
        let shed = gateway.send(&ask("messages", "one too many")).expect_status(503);
        assert_eq!(shed.json()["error"]["type"], "overloaded_error", "{shed}");
        let shed = gateway.send(&post("files", "{}")).expect_status(503);
        assert_eq!(shed.header("retry-after"), Some("1"), "{shed}");
        let hit = gateway.chat(prompt("known")).expect_status(200);
        assert_eq!((hit.cache(), &hit.body), ("HIT L1".into(), &known.body), "{hit}");
        gate.open();
        for held in held {
            held.join().expect("an answer").expect_status(200);
        }
    });
    assert_eq!(provider.num_calls(), 3, "{}", provider.log());
    gateway.send(&ask("messages", "one too many")).expect_status(200);
}
