//! Gateways that share Redis make one call for the same request, and never fail for it. Issue
//! "Access": across replicas one flight per key, by a short lease, fail-open.
//!
//! Who waits gets what the other gateway kept: its answers are hits of L2.

use crate::support::client::{Connection, Request, Response};
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Builder, Gateway, actor, chat, prompt};
use crate::support::provider::{self, Fault, Gate, Provider, Reply};
use crate::support::redis::{self, Redis};

fn builder(provider: &Provider, redis: &Redis) -> Builder {
    Gateway::patient().upstream(provider).redis(redis)
}

fn start(provider: &Provider, redis: &Redis) -> Gateway {
    let gateway = builder(provider, redis).start();
    gateway.wait_for_state("l2", "running");
    gateway
}

fn wait_for_counter(gateway: &Gateway, of: &str, name: &str, count: u64) {
    gateway.wait_until(&format!("{count} {name}"), |health| {
        let seen = actor(health, of).and_then(|it| it["counters"][name].as_u64());
        seen.is_some_and(|seen| seen >= count)
    });
}

fn wait_for_no_flight(gateway: &Gateway) {
    gateway.wait_until("no flights", |health| {
        actor(health, "resolver").is_some_and(|it| it["counters"]["flights"] == 0)
    });
}

/// A provider whose answers wait for the gate, and the gate.
fn gated() -> (Provider, Gate) {
    let gate = Gate::closed();
    let held = gate.clone();
    (Provider::scripted(move |call| provider::answer(call).held_by(&held)), gate)
}

fn count(answers: &[Response], cache: &str) -> usize {
    answers.iter().filter(|answer| answer.cache() == cache).count()
}

/// Has `one` call first and `others` wait for it, then runs `during`; returns the answers.
fn behind_one(
    provider: &Provider,
    (one, others): (&Gateway, &[&Gateway]),
    (count, request): (usize, &Request),
    during: impl FnOnce(),
) -> (Vec<Response>, Vec<Response>) {
    std::thread::scope(|scope| {
        let first = scope.spawn(|| one.send_at_once(count, request));
        provider.wait_for_calls(1);
        let ask = |gateway| scope.spawn(move || Gateway::send_at_once(gateway, count, request));
        let waiting: Vec<_> = others.iter().copied().map(ask).collect();
        for gateway in others {
            wait_for_counter(gateway, "resolver", "claims_waited", 1);
        }
        during();
        let first = first.join().expect("its panic stands above");
        let waiting = waiting.into_iter().map(|it| it.join().expect("its panic stands above"));
        (first, waiting.flatten().collect())
    })
}

#[test]
fn a_hundred_identical_requests_to_two_gateways_cost_one_call() {
    let ((provider, gate), redis) = (gated(), Redis::start());
    let (one, other) = (start(&provider, &redis), start(&provider, &redis));
    let request = chat(prompt("everywhere at once"));
    let (led, waited) = behind_one(&provider, (&one, &[&other]), (50, &request), || {
        wait_for_counter(&one, "resolver", "joined", 49);
        wait_for_counter(&other, "resolver", "joined", 49);
        gate.open();
    });
    for answer in led.iter().chain(&waited) {
        assert_eq!((answer.status, &answer.body), (200, &led[0].body), "{answer}");
    }
    assert_eq!((count(&led, "MISS"), count(&led, "COALESCED")), (1, 49));
    assert_eq!(count(&waited, "HIT L2"), 50, "{}", waited[0]);
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
    assert_eq!(other.send(&request).cache(), "HIT L1");
    let claims = || redis.keys("anteroom:v1:flight:*");
    let gone = poll(PATIENCE, || claims().is_empty().then_some(()));
    assert!(gone.is_some(), "the claim ends with the call: {:?}", claims());
}

/// A stream goes on for longer than the lease; who waits for it gets it whole.
#[test]
fn a_claim_is_renewed_while_a_stream_goes_on_and_the_others_get_it_whole() {
    let redis = Redis::start();
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| provider::answer(call).gated(&held));
    let lease = |builder: Builder| builder.env("ANTEROOM__FLIGHTS__REPLICA_LEASE", "1s").start();
    let one = lease(builder(&provider, &redis));
    let other = lease(builder(&provider, &redis));
    for gateway in [&one, &other] {
        gateway.wait_for_state("l2", "running");
    }
    let body = serde_json::json!({"model": "m", "stream": true,
        "messages": [{"role": "user", "content": "long"}]});
    let request = chat(body);
    let (led, waited) = behind_one(&provider, (&one, &[&other]), (2, &request), || {
        let before = other.actor("l2")["counters"]["lookups"].as_u64().unwrap_or(0);
        // Looks come every quarter of a second at most: two leases long.
        wait_for_counter(&other, "l2", "lookups", before + 8);
        gate.open();
    });
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
    assert_eq!(count(&waited, "HIT L2"), 2, "{}", waited[0]);
    for answer in led.iter().chain(&waited) {
        assert!(answer.status == 200 && answer.text().contains("[DONE]"), "{answer}");
    }
}

#[test]
fn when_the_gateway_that_calls_is_killed_another_takes_over_within_the_lease() {
    let ((provider, gate), redis) = (gated(), Redis::start());
    let lease = |builder: Builder| builder.env("ANTEROOM__FLIGHTS__REPLICA_LEASE", "1s").start();
    let mut one = lease(builder(&provider, &redis));
    let other = lease(builder(&provider, &redis));
    for gateway in [&one, &other] {
        gateway.wait_for_state("l2", "running");
    }
    let request = chat(prompt("whose gateway dies"));
    let answers = std::thread::scope(|scope| {
        let (address, first) = (one.api().to_owned(), request.clone());
        let lost = scope.spawn(move || first.try_open(&address).is_err());
        provider.wait_for_calls(1);
        let waiting = scope.spawn(|| other.send_at_once(5, &request));
        wait_for_counter(&other, "resolver", "claims_waited", 1);
        one.kill9();
        assert!(lost.join().expect("an end"), "the killed gateway answers nobody");
        provider.wait_for_calls(2);
        gate.open();
        waiting.join().expect("its panic stands above")
    });
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &answers[0].body), "{answer}");
    }
    assert_eq!((count(&answers, "MISS"), count(&answers, "COALESCED")), (1, 4));
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
    wait_for_counter(&other, "resolver", "claims_taken_over", 1);
}

#[test]
fn when_redis_stops_meanwhile_each_gateway_calls_for_itself_and_no_request_fails() {
    let ((provider, gate), mut redis) = (gated(), Redis::start());
    let (one, other) = (start(&provider, &redis), start(&provider, &redis));
    let request = chat(prompt("whose Redis stops"));
    let (led, waited) = behind_one(&provider, (&one, &[&other]), (5, &request), || {
        redis.stop();
        provider.wait_for_calls(2);
        gate.open();
    });
    for answer in led.iter().chain(&waited) {
        assert_eq!(answer.status, 200, "{answer}");
    }
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
    redis.resume();
}

/// What the first call brought is nobody else's: the others' calls run side by side.
#[test]
fn answers_that_are_not_kept_do_not_put_gateways_in_a_row() {
    let (gate, rest) = (Gate::closed(), Gate::closed());
    let (provider, redis) = (Provider::start(), Redis::start());
    provider.next(Reply::from(Fault::RateLimited(1)).held_by(&gate));
    for _ in 0..2 {
        provider.next(Reply::from(Fault::RateLimited(1)).held_by(&rest));
    }
    let [one, two, three] = [(); 3].map(|()| start(&provider, &redis));
    let request = chat(prompt("limited everywhere"));
    let (led, waited) = behind_one(&provider, (&one, &[&two, &three]), (1, &request), || {
        gate.open();
        // Both at once: neither is answered before the other has called.
        provider.wait_for_calls(3);
        rest.open();
    });
    for answer in led.iter().chain(&waited) {
        assert_eq!(answer.status, 429, "{answer}");
    }
    assert_eq!(provider.num_calls(), 3, "{}", provider.log());
}

#[test]
fn who_wants_a_new_or_a_young_answer_or_shares_none_waits_for_nobody() {
    let ((provider, gate), redis) = (gated(), Redis::start());
    let [one, two, three] = [(); 3].map(|()| start(&provider, &redis));
    let request = chat(prompt("apart"));
    std::thread::scope(|scope| {
        let mut calls = vec![scope.spawn(|| one.send(&request))];
        provider.wait_for_calls(1);
        let apart = [(&two, "no-cache"), (&two, "no-store"), (&three, "max-age=0")];
        for (gateway, directive) in apart {
            let request = request.clone().header("Cache-Control", directive);
            calls.push(scope.spawn(move || gateway.send(&request)));
            provider.wait_for_calls(calls.len());
        }
        gate.open();
        for call in calls {
            call.join().expect("its panic stands above").expect_status(200);
        }
    });
    for gateway in [&two, &three] {
        assert_eq!(gateway.actor("resolver")["counters"]["claims_waited"], 0);
    }
}

#[test]
fn without_a_lease_and_past_the_wait_each_gateway_calls_for_itself() {
    for (name, value) in [("REPLICA_LEASE", "0s"), ("REPLICA_WAIT", "0s")] {
        let ((provider, gate), redis) = (gated(), Redis::start());
        let name = format!("ANTEROOM__FLIGHTS__{name}");
        let [one, other] = [(); 2].map(|()| {
            let gateway = builder(&provider, &redis).env(&name, value).start();
            gateway.wait_for_state("l2", "running");
            gateway
        });
        let request = chat(prompt("each for itself"));
        std::thread::scope(|scope| {
            let first = scope.spawn(|| one.send(&request));
            provider.wait_for_calls(1);
            let second = scope.spawn(|| other.send(&request));
            provider.wait_for_calls(2);
            gate.open();
            for call in [first, second] {
                call.join().expect("its panic stands above").expect_status(200);
            }
        });
    }
}

/// RFC 5861 §3: one refresh for all gateways; the stale answer is served meanwhile.
#[test]
fn gateways_that_serve_the_same_stale_answer_refresh_it_once() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let config = "routes:\n  - {name: chat, methods: [POST], path: /v1/chat/completions, profile: chat, \
                  cache: true, lifetime: 1s, stale_while_revalidate: 1h}\n";
    let [one, other] = [(); 2].map(|()| {
        let gateway = builder(&provider, &redis).config(config).start();
        gateway.wait_for_state("l2", "running");
        gateway
    });
    let request = chat(prompt("grows stale"));
    one.send(&request).expect_status(200);
    wait_for_counter(&one, "l2", "inserts", 1);
    let gate = Gate::closed();
    let held = gate.clone();
    provider.script(move |call| provider::answer(call).held_by(&held));
    for gateway in [&one, &other] {
        let stale = poll(PATIENCE, || {
            let answer = gateway.send(&request).expect_status(200);
            answer.cache().starts_with("STALE").then_some(())
        });
        assert!(stale.is_some(), "never stale\n{}", gateway.log());
        provider.wait_for_calls(2);
    }
    wait_for_counter(&other, "resolver", "refreshes", 1);
    // Its refresh has ended by now, without a call.
    wait_for_no_flight(&other);
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
    gate.open();
}

/// The longest wait is the asker's: who leaves ends it.
#[test]
fn a_flight_that_nobody_reads_waits_no_longer() {
    let ((provider, gate), redis) = (gated(), Redis::start());
    let (one, other) = (start(&provider, &redis), start(&provider, &redis));
    let request = Request::post("/v1/chat/completions", prompt("left alone"));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| one.send(&request));
        provider.wait_for_calls(1);
        let mut leaving = Connection::open(other.api());
        let head = format!("POST {} HTTP/1.1\r\nHost: h\r\n", request.target);
        let length = format!("Content-Length: {}\r\n\r\n", request.body.len());
        let bytes = [head.as_bytes(), length.as_bytes(), &request.body].concat();
        leaving.write(&bytes).expect("an open connection");
        wait_for_counter(&other, "resolver", "claims_waited", 1);
        drop(leaving);
        wait_for_no_flight(&other);
        gate.open();
        first.join().expect("its panic stands above").expect_status(200);
    });
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
}

/// A claim whose answer is lost was granted all the same: whoever made it gives it back, or the next
/// request for the same would wait for a lease that nobody holds.
#[test]
fn a_claim_whose_answer_was_lost_is_given_back() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let builder = builder(&provider, &redis).env("ANTEROOM__FLIGHTS__REPLICA_LEASE", "1m");
    let gateway = builder.start();
    gateway.wait_for_state("l2", "running");
    // Lookups are answered; claims are held up for longer than they are waited for.
    redis.command(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    gateway.send(&chat(prompt("answered late"))).expect_status(200);
    redis.command(&["CLIENT", "UNPAUSE"]);
    let text = |words: &[&str]| match redis.command(words) {
        redis::Reply::Bytes(bytes) => String::from_utf8(bytes.unwrap_or_default()).expect("text"),
        other => panic!("{other:?}"),
    };
    let free = poll(PATIENCE, || {
        let scripts = text(&["INFO", "commandstats"]);
        let both = scripts.contains("cmdstat_eval:") && !scripts.contains("cmdstat_eval:calls=1,");
        let is_held = |flight: &String| !matches!(&*text(&["GET", flight]), "" | "-");
        let held = redis.keys("anteroom:v1:flight:*").iter().any(is_held);
        (both && !held).then_some(())
    });
    assert!(free.is_some(), "{:?}", redis.keys("anteroom:v1:flight:*"));
}
