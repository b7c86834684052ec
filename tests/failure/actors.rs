//! Actors of ours die by a panic: the sentinel makes them anew, and no request hangs or fails.

use std::time::Duration;

use super::load;
use crate::support::deadline;
use crate::support::gateway::{Gateway, actor};
use crate::support::provider::{Gate, Provider, Reply};
use crate::support::redis::Redis;

/// Longest wait until a dead actor is back; the sentinel looks every half second, and waits longer
/// before one that died again at once.
const BACK_WITHIN: Duration = Duration::from_secs(10);

#[track_caller]
fn panic_and_wait(gateway: &Gateway, name: &str, restarts: u64) {
    let since = deadline::now();
    gateway.make_panic(name);
    gateway.wait_until(&format!("{name} back"), |health| {
        let found = actor(health, name);
        found.is_some_and(|actor| actor["state"] == "running" && actor["restarts"] == restarts)
    });
    assert!(since.elapsed() < BACK_WITHIN, "{name}: {:?}\n{}", since.elapsed(), gateway.log());
}

/// Requests go on while an actor dies three times.
fn outlives(name: &str, used_again: &str) {
    let redis = Redis::start();
    let provider = load::echo();
    let gateway = load::builder(&provider).redis(&redis).start();
    gateway.wait_for_state("l2", "running");
    load::seed(&gateway);
    load::under_load(&gateway, |load| {
        load.wait_for("HIT L2");
        for restarts in 1..=3 {
            panic_and_wait(&gateway, name, restarts);
            load.wait_for_more(20);
            load.wait_for("MISS");
        }
        if used_again == "HIT L3" {
            redis.command(&["FLUSHALL"]);
        }
        load.wait_for(used_again);
        load.wait_for("HIT L1");
    });
    // Nothing else died with it.
    for actor in gateway.health()["actors"].as_array().expect("a list") {
        let expected = if actor["name"] == name { 3 } else { 0 };
        assert_eq!(actor["restarts"], expected, "{actor}\n{}", gateway.log());
    }
}

#[test]
fn requests_outlive_the_death_of_l1() {
    outlives("l1", "HIT L1");
}

#[test]
fn requests_outlive_the_death_of_l2() {
    outlives("l2", "HIT L2");
}

#[test]
fn requests_outlive_the_death_of_l3() {
    outlives("l3", "HIT L3");
}

#[test]
fn requests_outlive_the_death_of_the_resolver() {
    outlives("resolver", "MISS");
}

#[test]
fn requests_outlive_the_death_of_a_fetching_thread() {
    outlives("fetch-0", "MISS");
}

#[test]
fn requests_outlive_the_death_of_the_recorder() {
    outlives("recorder", "MISS");
}

#[test]
fn requests_outlive_the_death_of_the_watchdog_over_memory() {
    outlives("memory", "MISS");
}

#[test]
fn samples_are_counted_again_after_the_death_of_the_recorder() {
    let provider = load::echo();
    let gateway = load::builder(&provider).start();
    panic_and_wait(&gateway, "recorder", 1);
    let count = || gateway.metric("anteroom_requests_total", &[("outcome", "miss")]);
    let before = count();
    gateway.send(&load::new("counted")).expect_status(200);
    let counted = deadline::poll(BACK_WITHIN, || (count() > before).then_some(()));
    assert!(counted.is_some(), "{before:?}");
}

/// A call is under way while its fetching thread dies: it dangles and is asked again, once, for
/// all who wait.
#[test]
fn a_call_whose_fetching_thread_dies_is_made_again_once() {
    let gate = Gate::closed();
    let provider = load::echo();
    provider.next(Reply::raw("").held_by(&gate));
    let gateway = load::builder(&provider).start();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| gateway.send_at_once(10, &load::new("under way")));
        gate.wait_for_someone();
        panic_and_wait(&gateway, "fetch-0", 1);
        for response in asking.join().expect("its panic stands above") {
            load::expect_echo(&response, "new under way;");
        }
    });
    gate.open();
    assert_eq!(provider.num_calls_with("under way"), 2, "{}", provider.log());
}

/// Half an answer cannot be taken back: a stream ends visibly, and the next one is whole.
#[test]
fn a_stream_whose_fetching_thread_dies_is_cut_visibly() {
    let gate = Gate::closed();
    let provider = Provider::start();
    let events = ["data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", "data: [DONE]"];
    provider.next(Reply::events(events).gated(&gate));
    let gateway = load::builder(&provider).start();
    let request = crate::support::gateway::chat(
        serde_json::json!({"model": "m", "stream": true, "messages": []}),
    );
    let mut stream = std::thread::scope(|scope| {
        let opening = scope.spawn(|| gateway.open(&request));
        gate.wait_for_someone();
        gate.pass_one();
        opening.join().expect("its panic stands above")
    });
    assert!(stream.next_event().is_some());
    gateway.make_panic("fetch-0");
    let rest = stream.response();
    assert!(rest.cut.is_some() || rest.text().contains("error"), "{rest}");
    gate.open();
    let again = gateway.send(&request).expect_status(200);
    assert!(again.text().ends_with("data: [DONE]\n\n"), "{again}");
    assert_eq!(again.cache(), "MISS");
}

/// A flight on its way is not lost with the resolver that began it.
#[test]
fn a_call_under_way_outlives_the_resolver() {
    let gate = Gate::closed();
    let provider = load::echo();
    provider.script({
        let gate = gate.clone();
        move |call| Reply::from(load::echo_of(call)).held_by(&gate)
    });
    let gateway = load::builder(&provider).start();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| gateway.send_at_once(5, &load::new("under way")));
        gate.wait_for_someone();
        panic_and_wait(&gateway, "resolver", 1);
        gate.open();
        for response in asking.join().expect("its panic stands above") {
            load::expect_echo(&response, "new under way;");
        }
    });
    assert_eq!(provider.num_calls_with("under way"), 1, "{}", provider.log());
    let again = gateway.send(&load::new("under way"));
    assert!(again.cache().starts_with("HIT"), "{again}");
}
