//! Those who join a flight, and those who leave it..

use super::apis::{STREAMED, ask_stream};
use super::flights::wait_for_joined;
use crate::support::client::{Connection, Request};
use crate::support::gateway::{Gateway, actor, chat, prompt};
use crate::support::provider::{self, Gate, Provider};

/// A provider whose streams wait at `gate` before each event and before their end, whose objects
/// wait there as a whole.
fn event_by_event(gate: &Gate) -> Provider {
    let gate = gate.clone();
    Provider::scripted(move |call| match call.text().contains("\"stream\":true") {
        true => provider::answer(call).gated(&gate),
        false => provider::answer(call).held_by(&gate),
    })
}

/// Waits until nobody reads so many calls that go on.
fn wait_for_orphans(gateway: &Gateway, count: u64) {
    gateway.wait_until(&format!("{count} calls without readers"), |health| {
        actor(health, "fetch-0").is_some_and(|it| it["counters"]["orphans"] == count)
    });
}

/// Waits until so many requests wait for a level or the provider.
fn wait_for_waiting(gateway: &Gateway, count: f64) {
    gateway.wait_until(&format!("{count} requests waiting"), |_| {
        gateway.metric("anteroom_requests_waiting", &[]) == Some(count)
    });
}

///
#[test]
fn two_hundred_identical_streams_cost_one_call_also_where_most_join_while_it_runs() {
    let gate = Gate::closed();
    let provider = event_by_event(&gate);
    let gateway = Gateway::patient().upstream(&provider).start();
    let request = ask_stream("chat/completions", "all at once");
    let mut leader = gateway.open(&request);
    let first: Vec<_> = (0..3)
        .map(|_| {
            gate.pass_one();
            leader.next_event().expect("an event")
        })
        .collect();
    let followers = std::thread::scope(|scope| {
        let followers = scope.spawn(|| gateway.send_at_once(199, &request));
        wait_for_joined(&gateway, 199);
        gate.open();
        followers.join().expect("its panic stands above")
    });
    let rest = leader.response().expect_status(200);
    let whole = format!("{}\n\n{}", first.join("\n\n"), rest.text());
    assert!(whole.ends_with("data: [DONE]\n\n"), "{whole}");
    for follower in followers {
        assert_eq!((follower.status, follower.cache().as_str()), (200, "COALESCED"), "{follower}");
        assert_eq!(follower.text(), whole);
    }
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
    let hit = gateway.send(&request);
    assert_eq!((hit.cache().as_str(), hit.text()), ("HIT L1", whole));
}

#[test]
fn a_late_follower_first_gets_what_it_missed_and_then_goes_along() {
    let gate = Gate::closed();
    let provider = event_by_event(&gate);
    let gateway = Gateway::patient().upstream(&provider).start();
    for (number, api) in (1..).zip(STREAMED) {
        let request = ask_stream(api, "late");
        let mut leader = gateway.open(&request);
        let pass = |leader: &mut crate::support::client::Incoming| {
            gate.pass_one();
            leader.next_event().expect("an event")
        };
        let missed = [pass(&mut leader), pass(&mut leader)];
        let mut follower = gateway.open(&request);
        assert_eq!(follower.headers.get("x-cache"), Some("COALESCED"), "{:?}", follower.headers);
        let caught_up = [follower.next_event(), follower.next_event()];
        assert_eq!(caught_up, missed.map(Some), "{api}");
        let next = pass(&mut leader);
        assert_eq!(follower.next_event(), Some(next), "{api}");
        gate.open();
        assert_eq!(leader.response().text(), follower.response().text(), "{api}");
        gate.close();
        assert_eq!(provider.num_calls(), number, "{}", provider.log());
    }
}

///
#[test]
fn followers_survive_their_leaders_hanging_up_in_the_middle_of_a_stream() {
    let gate = Gate::closed();
    let provider = event_by_event(&gate);
    let gateway = Gateway::patient().upstream(&provider).start();
    let request = ask_stream("chat/completions", "the leader leaves");
    let mut leader = gateway.open(&request);
    gate.pass_one();
    let first = leader.next_event().expect("an event");
    let followers: Vec<_> = (0..3).map(|_| gateway.open(&request)).collect();
    leader.hang_up();
    wait_for_waiting(&gateway, 3.0);
    gate.open();
    for follower in followers {
        let answer = follower.response().expect_status(200);
        assert!(answer.text().starts_with(&first), "{answer}");
        assert!(answer.text().ends_with("data: [DONE]\n\n"), "{answer}");
    }
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
    assert_eq!(gateway.send(&request).cache(), "HIT L1");
}

/// Sends a request and does not wait for an answer.
fn send_only(gateway: &Gateway, body: &str) -> Connection {
    let mut connection = Connection::open(gateway.api());
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-test\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write(head.as_bytes()).expect("open");
    connection
}

/// A-61, for an answer that is no stream.
#[test]
fn followers_survive_their_leaders_hanging_up_before_the_answer() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| provider::answer(call).held_by(&held));
    let gateway = Gateway::patient().upstream(&provider).start();
    let body = prompt("the leader leaves");
    let leader = send_only(&gateway, &body.to_string());
    provider.wait_for_calls(1);
    let answers = std::thread::scope(|scope| {
        let followers = scope.spawn(|| gateway.send_at_once(5, &chat(&body)));
        wait_for_joined(&gateway, 5);
        drop(leader);
        wait_for_waiting(&gateway, 5.0);
        gate.open();
        followers.join().expect("its panic stands above")
    });
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &answers[0].body), "{answer}");
    }
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
    assert_eq!(gateway.chat(&body).cache(), "HIT L1");
}

/// what was paid for is finished and kept; the retry is served from it.
#[test]
fn when_everybody_has_left_the_call_is_finished_and_its_answer_kept() {
    let gate = Gate::closed();
    let provider = event_by_event(&gate);
    let gateway = Gateway::patient().upstream(&provider).start();
    let stream = ask_stream("messages", "nobody waits");
    let mut leader = gateway.open(&stream);
    gate.pass_one();
    leader.next_event().expect("an event");
    leader.hang_up();
    let asker = send_only(&gateway, &prompt("nobody waits").to_string());
    provider.wait_for_calls(2);
    drop(asker);
    wait_for_orphans(&gateway, 2);
    gate.open();
    gateway.wait_until("both kept", |health| {
        actor(health, "fetch-0").is_some_and(|it| it["counters"]["kept"] == 2)
    });
    wait_for_orphans(&gateway, 0);
    let hit = gateway.send(&stream).expect_status(200);
    assert_eq!(hit.cache(), "HIT L1", "{hit}");
    assert!(hit.text().contains("message_stop"), "{hit}");
    assert_eq!(gateway.chat(prompt("nobody waits")).cache(), "HIT L1");
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
}

#[test]
fn a_retry_joins_the_call_that_its_first_try_left_behind() {
    let gate = Gate::closed();
    let provider = event_by_event(&gate);
    let gateway = Gateway::patient().upstream(&provider).start();
    let request = ask_stream("chat/completions", "timed out at the client");
    let mut first = gateway.open(&request);
    gate.pass_one();
    let event = first.next_event();
    first.hang_up();
    wait_for_orphans(&gateway, 1);
    let mut retry = gateway.open(&request);
    assert_eq!(retry.headers.get("x-cache"), Some("COALESCED"));
    assert_eq!(retry.next_event(), event);
    gate.open();
    assert!(retry.response().text().ends_with("data: [DONE]\n\n"));
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
}

/// The bounds on calls without readers: their time, and their number.
#[test]
fn a_call_that_nobody_waits_for_is_given_up_in_the_end() {
    let gate = Gate::closed();
    let provider = event_by_event(&gate);
    for (name, value) in [
        ("ANTEROOM__FLIGHTS__FINISH_AFTER_DISCONNECT", "100ms"),
        ("ANTEROOM__FLIGHTS__MAX_ORPHANS", "0"),
    ] {
        let calls = provider.num_calls();
        let gateway = Gateway::patient().upstream(&provider).env(name, value).start();
        let request = ask_stream("chat/completions", name);
        let mut leader = gateway.open(&request);
        gate.pass_one();
        leader.next_event().expect("an event");
        leader.hang_up();
        gateway.wait_until("given up", |health| {
            actor(health, "fetch-0").is_some_and(|it| it["counters"]["failures"] == 1)
        });
        wait_for_orphans(&gateway, 0);
        gate.open();
        let again = gateway.send(&request).expect_status(200);
        assert_eq!(again.cache(), "MISS", "{again}");
        assert_eq!(provider.num_calls(), calls + 2, "{}", provider.log());
        gate.close();
    }
}

/// A slow caller holds nobody up: the others get the whole answer while it has read nothing.
#[test]
fn a_follower_that_does_not_read_holds_up_neither_the_leader_nor_the_others() {
    let body = "x".repeat(4 << 20);
    let provider = Provider::scripted(move |_| {
        let whole = serde_json::json!({"choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": body}}]});
        provider::Reply::json(200, &whole)
    });
    let gateway = Gateway::patient().upstream(&provider).start();
    let idle = send_only(&gateway, &prompt("large").to_string());
    provider.wait_for_calls(1);
    let answers = gateway.send_at_once(4, &chat(prompt("large")));
    for answer in answers {
        assert!(answer.status == 200 && answer.body.len() > 4 << 20, "{:?}", answer.headers);
    }
    assert_eq!(provider.num_calls(), 1);
    let late = idle.incoming(&Request::new("POST", "/")).expect("its answer still comes");
    assert!(late.response().expect_status(200).body.len() > 4 << 20);
}
