//! Memory is bounded in bytes, by a measure that counts everything. A-54, A-55, A-56,
//! A-57, A-71.

use serde_json::json;

use super::load;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, actor, chat, prompt};
use crate::support::process::variable;
use crate::support::provider::{Call, Gate, Provider, Reply};

const MIB: u64 = 1 << 20;

/// A provider whose answers are as large as `max_tokens` says, in KiB.
fn sized() -> Provider {
    Provider::scripted(|call: &Call| {
        let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let kib = body["max_tokens"].as_u64().and_then(|kib| usize::try_from(kib).ok());
        let filler = "x".repeat(kib.unwrap_or(0) * 1024);
        // As text: large values take their time in a build for tests.
        let answer = load::echo_of(call).to_string();
        Reply::new(200, &[], answer.replacen("echo of ", &format!("{filler} echo of "), 1))
    })
}

#[track_caller]
fn ask(gateway: &Gateway, said: &str, kib: u64) -> crate::support::client::Response {
    let messages = json!([{"role": "user", "content": said}]);
    let response =
        gateway.send(&chat(json!({"model": "m", "max_tokens": kib, "messages": messages})));
    load::expect_echo(&response, said);
    response
}

/// A-54, A-55, A-57: far more and larger answers than fit. The bound is in bytes, not in entries,
/// and what the process holds stays near it.
#[test]
fn large_answers_stay_within_the_bound_of_l1() {
    let provider = sized();
    let gateway = load::builder(&provider)
        .sqlite()
        .env("L1_CACHE_SIZE", 100_000)
        .env("ANTEROOM__L1__MAX_BYTES", "32MiB")
        .env("ANTEROOM__L3__QUEUE_BYTES", "16MiB")
        .start();
    for number in 0..20 {
        ask(&gateway, &format!("warm {number}"), 1024);
    }
    let before = gateway.rss_bytes();
    std::thread::scope(|scope| {
        for caller in 0..3 {
            let gateway = &gateway;
            scope.spawn(move || {
                for number in 0..60 {
                    ask(gateway, &format!("large {caller}-{number}"), 1024);
                    let bytes = load::counter(gateway, "l1", "bytes");
                    assert!(bytes <= 32 * MIB, "{bytes}");
                }
            });
        }
    });
    let l1 = gateway.actor("l1");
    let entries = l1["counters"]["entries"].as_u64().expect("a number");
    assert!((16..32).contains(&entries), "a MiB each, and a little more: {l1}");
    assert!(l1["counters"]["bytes"].as_u64() > Some(entries * MIB), "overhead counts: {l1}");
    let (rss, all) = (gateway.rss_bytes(), 200 * MIB);
    // Bound, write queue, what is under way; the answers themselves come to 200 MiB.
    assert!(rss < before + 96 * MIB, "{before} {rss} of {all}: {:#}", gateway.health());
}

/// Small entries count with their key and overhead: many of them do not slip through.
#[test]
fn small_answers_are_weighed_with_their_overhead() {
    let provider = sized();
    let gateway = load::builder(&provider)
        .env("L1_CACHE_SIZE", 100_000_000)
        .env("ANTEROOM__L1__MAX_BYTES", "1MiB")
        .env("ANTEROOM__CACHE__MAX_ENTRY", "64KiB")
        .env("ANTEROOM__L3__ENABLED", false)
        .start();
    std::thread::scope(|scope| {
        for caller in 0..4 {
            let gateway = &gateway;
            scope.spawn(move || {
                for number in 0..600 {
                    ask(gateway, &format!("small {caller}-{number}"), 0);
                }
            });
        }
    });
    let l1 = gateway.actor("l1");
    let counter = |name: &str| l1["counters"][name].as_u64().expect("a number");
    assert!(counter("bytes") <= MIB, "{l1}");
    assert!(counter("entries") < 2_400 && counter("entries") > 500, "{l1}");
    // The body alone has 280 bytes.
    assert!(counter("bytes") / counter("entries") > 400, "{l1}");
    assert!(counter("evictions") + counter("insert_refusals") > 0, "{l1}");
}

/// `l1.max_entries` holds, too.
#[test]
fn the_number_of_entries_is_bounded() {
    let provider = sized();
    let gateway = load::builder(&provider).env("L1_CACHE_SIZE", 10).start();
    for number in 0..100 {
        ask(&gateway, &format!("one of many {number}"), 0);
    }
    let entries = load::counter(&gateway, "l1", "entries");
    assert!((1..=10).contains(&entries), "{entries}");
}

/// An answer over `cache.max_entry` passes whole, in bounded memory, and is kept nowhere.
#[test]
fn an_answer_over_the_cap_passes_and_is_not_kept() {
    let provider = sized();
    let gateway = load::builder(&provider).env("ANTEROOM__CACHE__MAX_ENTRY", "1MiB").start();
    gateway.wait_for_state("l3", "running");
    ask(&gateway, "small", 0);
    let before = gateway.rss_bytes();
    for turn in 1..=2 {
        let response = ask(&gateway, "over the cap", 40 * 1024);
        assert_eq!(response.cache(), "MISS", "{:?}", response.headers);
        assert!(response.body.len() > 40 << 20);
        assert_eq!(provider.num_calls_with("over the cap"), turn);
    }
    let rss = gateway.rss_bytes();
    assert!(rss < before + 24 * MIB, "{before} {rss}");
    gateway.wait_for_writes();
    let counters = |name| gateway.actor(name)["counters"].clone();
    assert_eq!(counters("l1")["entries"], 1);
    assert_eq!(counters("l3")["inserts"], 1);
    // Just below the cap it is kept.
    ask(&gateway, "under the cap", 1000);
    assert_eq!(ask(&gateway, "under the cap", 1000).cache(), "HIT L1");
}

/// A-55: pictures in prompts. What a large request takes is given back.
#[test]
fn large_requests_leave_nothing_behind() {
    let seen = Reply::from(json!({"object": "chat.completion", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": "seen"}, "finish_reason": "stop"}]}));
    let provider = Provider::scripted(move |_| seen.clone());
    let gateway = load::builder(&provider).env("L1_CACHE_SIZE", 100).start();
    let ask = |number: usize| {
        let picture = format!("{number} data:image/png;base64,{}", "A".repeat(2 << 20));
        gateway.chat(format!(
            r#"{{"model": "m", "messages": [{{"role": "user", "content":
                [{{"type": "image_url", "image_url": {{"url": "{picture}"}}}}]}}]}}"#
        ))
    };
    // This provider says nothing of tokens: a tokenizer counts them, and stays.
    ask(0).expect_status(200);
    gateway.wait_until("a tokenizer", |health| {
        actor(health, "models").is_some_and(|models| models["counters"]["loaded"] == 1)
    });
    for number in 1..4 {
        ask(number).expect_status(200);
    }
    let before = gateway.rss_bytes();
    for number in 4..24 {
        let response = ask(number).expect_status(200);
        assert_eq!(response.cache(), "MISS", "each picture counts: {number}");
    }
    let rss = gateway.rss_bytes();
    assert!(rss < before + 24 * MIB, "20 requests of 2 MiB: {before} {rss}");
    assert_eq!(ask(23).cache(), "HIT L1");
}

/// L1 may hold more than the process may have: it gives back what passes the threshold, and the system
/// has it.
#[test]
fn under_pressure_l1_gives_memory_back_and_goes_on_serving() {
    let provider = sized();
    let mut gateway = load::builder(&provider)
        .env("L1_CACHE_SIZE", 1_000)
        .env("ANTEROOM__L1__MAX_BYTES", "256MiB")
        .env("ANTEROOM__L3__ENABLED", false)
        .start();
    ask(&gateway, "before", 1024);
    // The build for tests has a size of its own.
    let limit = gateway.rss_bytes() + 96 * MIB;
    gateway.set_env("MEMORY_THRESHOLD_MB", limit / MIB);
    gateway.restart();
    for number in 0..160 {
        ask(&gateway, &format!("large {number}"), 1024);
    }
    let health = gateway.wait_until("memory given back", |health| {
        let memory = &actor(health, "memory").expect("a watchdog")["counters"];
        memory["freed_bytes"].as_u64() > Some(0) && memory["pressure"] == 0
    });
    let memory = &actor(&health, "memory").expect("a watchdog")["counters"];
    assert!(memory["returned_bytes"].as_u64() > Some(0), "{memory}");
    assert!(memory["pressure_changes"].as_u64() >= Some(2), "{memory}");
    assert!(gateway.rss_bytes() < limit, "{memory}");
    let held = load::counter(&gateway, "l1", "bytes");
    assert!(held > 16 * MIB && held < 96 * MIB, "as much as had to go, and no more: {held}");
    ask(&gateway, "after", 1024);
    assert_eq!(ask(&gateway, "after", 1024).cache(), "HIT L1");
}

/// What a request holds is reserved before it is read: one for which there is no memory waits, then is
/// shed, in the form of its API, and asks nobody.
#[test]
fn a_request_without_memory_waits_then_is_shed_and_small_ones_and_hits_go_on() {
    let gate = Gate::closed();
    let provider = load::echo();
    let gateway = load::builder(&provider)
        .env("L1_CACHE_SIZE", 100)
        // An eighth is for requests, whatever the process itself takes.
        .env("MEMORY_THRESHOLD_MB", 64)
        .env("ANTEROOM__MEMORY__WAIT", "100ms")
        .start();
    let said = |name: &str| format!("{name} {}", "x".repeat(2 << 20));
    let known = || gateway.chat(prompt("known")).expect_status(200);
    known();
    provider.next(Reply::json(200, &json!({"held": true})).held_by(&gate));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| gateway.chat(prompt(&said("first"))));
        provider.wait_for_calls(2);
        let shed = gateway.chat(prompt(&said("second"))).expect_status(503);
        assert_eq!(shed.header("retry-after"), Some("1"), "{shed}");
        assert_eq!(shed.json()["error"]["code"], "shed", "{shed}");
        let message = Request::post(
            "/v1/messages",
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": said("third")}]}),
        );
        let shed = gateway.send(&message).expect_status(503);
        assert_eq!(shed.json()["error"]["type"], "overloaded_error", "{shed}");
        let past = Request::post("/v1/chat/completions", prompt(&said("fourth")))
            .header("Cache-Control", "no-store");
        assert_eq!(gateway.send(&past).expect_status(503).header("retry-after"), Some("1"));
        // L1 has let go of it: the process alone takes more than it may.
        assert!(known().cache().starts_with("HIT"));
        gateway.chat(prompt("small")).expect_status(200);
        let memory = gateway.actor("memory")["counters"].clone();
        assert!(memory["reserved_bytes"].as_u64() > Some(6 << 20), "{memory}");
        assert!(memory["reservations_refused"].as_u64() >= Some(3), "{memory}");
        gate.open();
        first.join().expect("an answer").expect_status(200);
    });
    assert_eq!(provider.num_calls(), 3, "{}", provider.log());
    gateway.chat(prompt(&said("second"))).expect_status(200);
    gateway.wait_until("all of it given back", |health| {
        actor(health, "memory").is_some_and(|memory| memory["counters"]["reserved_bytes"] == 0)
    });
}

/// Sends requests that never come again, three thousand a round, and returns the process's size before
/// and after each. A tenth are turns of conversations, where there are databases.
#[expect(clippy::print_stdout, reason = "the numbers of a soak")]
fn sizes_of_a_long_run(databases: bool) -> (u64, Vec<u64>) {
    let provider = load::echo();
    let gateway = load::builder(&provider)
        .sqlite()
        .env("L1_CACHE_SIZE", 300)
        .env("ANTEROOM__L3__ENABLED", databases)
        .env("ANTEROOM__L3__MAX_BYTES", "16MiB")
        // So small that they are full before the first round; what warming learns has a test of its own.
        .env("ANTEROOM__CACHE__RECALL_ENTRIES", 100)
        .env("ANTEROOM__EXPLAIN__SKETCHES", 100)
        .env("ANTEROOM__CONVERSATION__MEMORY_COUNT", 50)
        .env("CACHE_WARMING_ENABLED", false)
        .start();
    let run = |round: usize, times: usize| {
        std::thread::scope(|scope| {
            for caller in 0..3 {
                let gateway = &gateway;
                scope.spawn(move || {
                    for number in 0..times {
                        let said = format!("unique {round}-{caller}-{number};");
                        let mut request = chat(prompt(&said));
                        if databases && number % 10 == 0 {
                            let name = format!("{round}-{number}-{caller}");
                            request = request.header("X-Conversation-Id", &name);
                        }
                        load::expect_echo(&gateway.send(&request), &said);
                    }
                });
            }
        });
        gateway.rss_bytes()
    };
    let first = run(0, 500);
    let num_rounds =
        variable("ANTEROOM_SOAK_ROUNDS").map_or(3, |text| text.parse::<usize>().expect("a number"));
    let rounds: Vec<u64> = (1..=num_rounds).map(|round| run(round, 1_000)).collect();
    println!("databases {databases}: {first} bytes, then {rounds:?}");
    (first, rounds)
}

/// A-56: what a request that never comes again leaves behind is given back. `scripts/soak growth` runs it
/// long.
#[test]
fn a_long_run_of_unique_keys_leaves_the_process_as_large_as_it_was() {
    let (first, rounds) = sizes_of_a_long_run(false);
    assert!(rounds.iter().all(|size| *size < first + 3 * MIB), "{first} then {rounds:?}");
}

/// A-56: the same with both databases, each of whose connections keeps some pages of its file.
#[test]
fn a_long_run_of_unique_keys_fills_the_databases_pages_and_no_more() {
    let (first, rounds) = sizes_of_a_long_run(true);
    assert!(rounds.iter().all(|size| *size < first + 24 * MIB), "{first} then {rounds:?}");
}

/// A-71: far more answers than L1 has room for, and then what it says it holds is what it answers.
#[test]
fn what_l1_holds_after_many_evictions_is_what_it_answers() {
    let provider = load::echo();
    let gateway = load::builder(&provider)
        .env("L1_CACHE_SIZE", 50)
        .env("ANTEROOM__L3__ENABLED", false)
        .env("ANTEROOM__CACHE__RECALL_LEASE", "0s")
        .start();
    for number in 0..500 {
        gateway.send(&load::new(&number.to_string())).expect_status(200);
        // One that is asked for all the time is not swept out with the others.
        gateway.send(&load::new("hot")).expect_status(200);
    }
    let l1 = gateway.actor("l1");
    let counter = |name: &str| l1["counters"][name].as_u64().expect("a number");
    assert!(counter("evictions") + counter("insert_refusals") >= 450, "{l1}");
    let calls = provider.num_calls_with("hot");
    assert_eq!(calls, 1, "the hot one was asked for once");
    // Asked without being answered anew: a miss would bring another one in.
    let kept = (0..500).map(|number| load::new(&number.to_string())).chain([load::new("hot")]);
    let hits = kept
        .filter(|request| {
            let only_kept = request.clone().header("Cache-Control", "only-if-cached");
            gateway.send(&only_kept).status == 200
        })
        .count();
    assert_eq!(u64::try_from(hits).expect("few"), counter("entries"), "{l1}");
}
