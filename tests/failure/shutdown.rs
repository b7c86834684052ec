//! The gateway ends: asked to, asked twice, or killed. FAULTS "Process"; nothing that was begun is
//! lost, nothing that hangs holds it up.

use std::time::Duration;

use super::load;
use crate::support::client::{Connection, Request};
use crate::support::deadline::{self, PATIENCE};
use crate::support::gateway::Gateway;
use crate::support::provider::{Call, Fault, Gate, Provider, Reply};

/// Longest time of an end that nothing holds up. Generous; the server itself waits for a second.
const SOON: Duration = Duration::from_secs(10);

/// A provider whose answers all wait at `gate`.
fn gated(gate: &Gate) -> Provider {
    let gate = gate.clone();
    Provider::scripted(move |call: &Call| match call.text().contains("\"stream\"") {
        true => Reply::events(load::EVENTS).gated(&gate),
        false => Reply::from(load::echo_of(call)).held_by(&gate),
    })
}

/// Waits until the gateway says that it is stopping; its operations listener is open to the last.
#[track_caller]
fn wait_until_stopping(gateway: &Gateway) {
    let stopping = deadline::poll(PATIENCE, || {
        let ready = gateway.operate(&Request::get("/health/ready"));
        (ready.status == 503).then_some(ready)
    });
    assert!(stopping.is_some_and(|ready| ready.text().contains("stopping")), "{}", gateway.log());
}

/// Requests and a stream under way end as they would have, new connections are
/// refused, what is queued for L3 is on disk.
#[test]
fn what_runs_is_finished_and_what_is_queued_is_written() {
    let gate = Gate::closed();
    let provider = gated(&gate);
    // Else they would be back in memory before they are asked for.
    let cold = load::builder(&provider).env("ANTEROOM__WARMING__START_ENTRIES", 0);
    let mut gateway = cold.start();
    let api = gateway.api().to_owned();
    let (running, mut streaming) = std::thread::scope(|scope| {
        let ask = |number: usize| {
            let api = &api;
            scope.spawn(move || {
                let said = format!("running {number}");
                let response = load::new(&said).send(api);
                load::expect_echo(&response, &format!("new {said};"));
            })
        };
        let running: Vec<_> = (0..20).map(ask).collect();
        provider.wait_for_calls(20);
        let opening = scope.spawn(|| load::stream().open(&api));
        provider.wait_for_calls(21);
        gateway.signal(libc::SIGTERM);
        wait_until_stopping(&gateway);
        let refused =
            deadline::poll(PATIENCE, || std::net::TcpStream::connect(&api).is_err().then_some(()));
        assert!(refused.is_some(), "new connections are made\n{}", gateway.log());
        gate.open();
        let streaming = opening.join().expect("its panic stands above");
        (running.into_iter().map(|caller| caller.join()).collect::<Vec<_>>(), streaming)
    });
    assert!(running.iter().all(Result::is_ok), "{}", gateway.log());
    let mut events = Vec::new();
    while let Some(event) = streaming.next_event() {
        events.push(event);
    }
    assert_eq!(events, load::EVENTS);
    assert_eq!(gateway.wait_for_end().code(), Some(0), "{}", gateway.log());
    gateway.restart();
    gateway.wait_for_state("l3", "running");
    for number in 0..20 {
        let said = format!("running {number}");
        let response = gateway.send(&load::new(&said));
        load::expect_echo(&response, &format!("new {said};"));
        assert_eq!(response.cache(), "HIT L3", "{response}\n{}", gateway.log());
    }
    assert_eq!(gateway.send(&load::stream()).cache(), "HIT L3");
}

/// The answers of a load are all kept, though it ends in the midst of them.
#[test]
fn a_signal_under_load_cuts_nothing() {
    let provider = load::echo();
    let mut gateway = load::builder(&provider).start();
    let api = gateway.api().to_owned();
    let answered = std::thread::scope(|scope| {
        let ask = |caller: usize| {
            let api = &api;
            scope.spawn(move || {
                let mut answered = Vec::new();
                // Until a connection is refused.
                for number in 0.. {
                    let said = format!("{caller}-{number}");
                    // A connection that was never accepted may be reset without an answer.
                    let Ok(incoming) = load::new(&said).try_open(api) else { break };
                    load::expect_echo(&incoming.response(), &format!("new {said};"));
                    answered.push(said);
                }
                answered
            })
        };
        let callers: Vec<_> = (0..4).map(ask).collect();
        provider.wait_for_calls(100);
        gateway.signal(libc::SIGTERM);
        let answered = callers.into_iter().map(|caller| caller.join());
        answered.flat_map(|answered| answered.expect("its panic stands above")).collect::<Vec<_>>()
    });
    assert_eq!(gateway.wait_for_end().code(), Some(0), "{}", gateway.log());
    gateway.restart();
    gateway.wait_for_state("l3", "running");
    let calls = provider.num_calls();
    for said in &answered {
        let response = gateway.send(&load::new(said));
        load::expect_echo(&response, &format!("new {said};"));
        assert!(response.cache().starts_with("HIT"), "{response}");
    }
    assert_eq!(provider.num_calls(), calls, "nothing was paid twice");
}

/// A call that nobody's patience outlives is cut at `server.drain_timeout`.
#[test]
fn what_hangs_is_cut_at_the_drain_timeout() {
    let provider = Provider::start();
    provider.next(Fault::StallStream).next(Fault::Hang);
    let mut gateway =
        load::builder(&provider).env("ANTEROOM__SERVER__DRAIN_TIMEOUT", "200ms").start();
    let mut streaming = gateway.open(&load::stream());
    assert!(streaming.next_event().is_some());
    let api = gateway.api().to_owned();
    let hanging = std::thread::spawn(move || load::new("hangs").try_open(&api).map(|_| ()));
    provider.wait_for_calls(2);
    let since = deadline::now();
    let status = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{}", gateway.log());
    assert!(since.elapsed() < SOON, "{:?}\n{}", since.elapsed(), gateway.log());
    assert!(streaming.response().cut.is_some(), "a cut stream does not look whole");
    hanging.join().expect("no panic").expect_err("a request that was cut has no answer");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let provider = Provider::start();
        provider.next(Fault::StallStream);
        let mut gateway =
            load::builder(&provider).env("ANTEROOM__SERVER__DRAIN_TIMEOUT", "1h").start();
        let mut streaming = gateway.open(&load::stream());
        assert!(streaming.next_event().is_some());
        gateway.signal(libc::SIGTERM);
        wait_until_stopping(&gateway);
        let since = deadline::now();
        gateway.signal(signal);
        gateway.wait_for_end();
        assert!(since.elapsed() < SOON, "{:?}\n{}", since.elapsed(), gateway.log());
        assert!(streaming.response().cut.is_some());
    }
}

/// Who asks on a kept connection a moment after the signal gets an answer, and is told to close it.
#[test]
fn a_connection_in_use_is_answered_once_more_at_the_end() {
    let provider = load::echo();
    let mut gateway = load::builder(&provider).start();
    let mut kept = Connection::open(gateway.api());
    load::expect_echo(&kept.send(&load::new("before")), "new before;");
    gateway.signal(libc::SIGTERM);
    wait_until_stopping(&gateway);
    // Were it closed as soon as nothing runs, it would be by now.
    deadline::pause(Duration::from_millis(100));
    let answer = kept.send(&load::new("after"));
    load::expect_echo(&answer, "new after;");
    assert_eq!(answer.header("connection"), Some("close"), "{answer}");
    assert_eq!(gateway.wait_for_end().code(), Some(0), "{}", gateway.log());
}

/// Nobody waits long for connections on which nothing runs.
#[test]
fn idle_connections_do_not_hold_the_end_up() {
    let provider = load::echo();
    let mut gateway = load::builder(&provider).env("ANTEROOM__SERVER__DRAIN_TIMEOUT", "1h").start();
    let mut idle: Vec<_> = (0..20).map(|_| Connection::open(gateway.api())).collect();
    for connection in idle.iter_mut().take(10) {
        load::expect_echo(&connection.send(&load::new("kept alive")), "new kept alive;");
    }
    let since = deadline::now();
    assert_eq!(gateway.terminate().code(), Some(0), "{}", gateway.log());
    assert!(since.elapsed() < SOON, "{:?}\n{}", since.elapsed(), gateway.log());
}

/// `kill -9` while answers are written, again and again: the next start is healthy, and each
/// answer belongs to its request, whatever came to be on disk.
#[test]
fn a_kill_in_the_midst_of_writes_leaves_whole_answers() {
    let provider = load::echo();
    let mut gateway = load::builder(&provider).start();
    for round in 0..5 {
        let api = gateway.api().to_owned();
        let calls = provider.num_calls();
        std::thread::scope(|scope| {
            for caller in 0..3 {
                let api = &api;
                scope.spawn(move || {
                    for number in 0..10_000 {
                        let said = format!("{round}-{caller}-{number}");
                        let Ok(incoming) = load::new(&said).try_open(api) else { return };
                        let response = incoming.response();
                        // Cut by the kill; nothing else may be wrong with it.
                        if response.cut.is_none() {
                            load::expect_echo(&response, &format!("new {said};"));
                        }
                    }
                });
            }
            provider.wait_for_calls(calls + 100);
            gateway.kill9();
        });
        gateway.restart();
        gateway.wait_for_state("l3", "running");
    }
    let mut hits = 0;
    for round in 0..5 {
        for (caller, number) in (0..60).map(|index| (index % 3, index / 3)) {
            let said = format!("{round}-{caller}-{number}");
            let response = gateway.send(&load::new(&said));
            load::expect_echo(&response, &format!("new {said};"));
            hits += usize::from(response.cache() == "HIT L3");
        }
    }
    assert!(hits > 0, "nothing was on disk\n{}", gateway.log());
    let l3 = gateway.actor("l3");
    assert_eq!(l3["counters"]["damaged"], 0, "{l3}");
}
