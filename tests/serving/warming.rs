//! Answers that are ready before they are asked for.

use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::{Gate, Provider, answer};
use crate::support::redis::Redis;

fn state(gateway: &Gateway) -> Value {
    gateway.operate(&Request::get("/api/v1/warming")).expect_status(200).json()
}

/// Waits until `is_met` holds for the state of warming.
#[track_caller]
fn wait_until(gateway: &Gateway, what: &str, is_met: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let met = poll(PATIENCE, || {
        last = state(gateway);
        is_met(&last).then(|| last.clone())
    });
    met.unwrap_or_else(|| panic!("never {what}: {last:#}\n{}", gateway.log()))
}

fn warm(gateway: &Gateway, requests: &[Value]) -> Value {
    let request = Request::post("/api/v1/warming", json!({"requests": requests}));
    gateway.operate(&request).expect_status(202).json()
}

#[track_caller]
fn wait_for_errand(gateway: &Gateway, number: u64) -> Value {
    let find = |state: &Value| {
        let errands = state["errands"].as_array().cloned().unwrap_or_default();
        errands.into_iter().find(|errand| errand["errand"] == number)
    };
    let is_done = |state: &Value| find(state).is_some_and(|errand| errand["state"] == "done");
    find(&wait_until(gateway, "done", is_done)).unwrap()
}

/// A chat of a caller without a credential.
fn open_chat(text: &str) -> Request {
    Request::post("/v1/chat/completions", prompt(text))
}

fn described(text: &str) -> Value {
    json!({"path": "/v1/chat/completions", "body": prompt(text)})
}

#[test]
fn what_an_operator_has_warmed_is_a_hit_for_those_it_was_warmed_for() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let mut others = described("with a credential");
    others["headers"] = json!({"Authorization": "Bearer sk-test"});
    let progress = warm(&gateway, &[described("one"), described("two"), others.clone()]);
    assert_eq!((&progress["errand"], &progress["total"]), (&json!(1), &json!(3)));
    let done = wait_for_errand(&gateway, 1);
    assert_eq!(
        (&done["ready"], &done["called"], &done["failed"]),
        (&json!(3), &json!(3), &json!(0))
    );
    assert_eq!(provider.num_calls(), 3);
    for request in [open_chat("one"), open_chat("two"), chat(prompt("with a credential"))] {
        assert_eq!(gateway.send(&request).expect_status(200).cache(), "HIT L1");
    }
    // Each scope has its own.
    assert_eq!(gateway.send(&chat(prompt("one"))).expect_status(200).cache(), "MISS");
    // What is ready costs no call.
    warm(&gateway, &[described("one"), others]);
    let done = wait_for_errand(&gateway, 2);
    assert_eq!((&done["ready"], &done["called"]), (&json!(2), &json!(0)));
    assert_eq!(provider.num_calls(), 4);
}

#[test]
fn a_request_that_cannot_be_warmed_is_named_and_none_is_warmed() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let post = |body: Value| gateway.operate(&Request::post("/api/v1/warming", body));
    let mut not_kept = described("b");
    not_kept["headers"] = json!({"Cache-Control": "no-store"});
    for (body, words) in [
        (json!({}), "requests"),
        (json!({"requests": []}), "1 to 1000"),
        (json!({"requests": [described("a"), {"path": "/v1/files"}]}), "requests[1].path"),
        (json!({"requests": [{"path": "/nothing"}]}), "requests[0].path"),
        (json!({"requests": [{"path": "/v1/chat/completions", "bdy": {}}]}), "requests[0].bdy"),
        (json!({"requests": [described("a"), not_kept]}), "requests[1].headers"),
        (
            json!({"requests": [{"path": "/v1/embeddings", "body": {"model": "m", "input": ["a", "b"]}}]}),
            "one at a time",
        ),
    ] {
        let refused = post(body.clone()).expect_status(400);
        assert!(refused.text().contains(words), "{body}: {refused}");
    }
    let no_json = Request::new("POST", "/api/v1/warming").header("Content-Type", "text/plain");
    gateway.operate(&no_json).expect_status(415);
    let put = gateway.operate(&Request::new("HEAD", "/api/v1/warming"));
    assert_eq!(put.header("allow"), Some("GET, POST"), "{put}");
    assert_eq!(provider.num_calls(), 0);
    let off = Gateway::patient().env("CACHE_WARMING_ENABLED", "false").start();
    assert_eq!(state(&off), json!({"enabled": false}));
    let body = json!({"requests": [described("a")]});
    off.operate(&Request::post("/api/v1/warming", body)).expect_status(409);
    assert_eq!(off.actor("warming")["state"], "disabled");
}

/// One call serves the operator's errand and the users who come meanwhile.
#[test]
fn users_join_the_call_of_a_warming() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| answer(call).held_by(&held));
    let gateway = Gateway::patient().upstream(&provider).start();
    warm(&gateway, &[described("shared")]);
    provider.wait_for_calls(1);
    std::thread::scope(|scope| {
        let user = scope.spawn(|| gateway.send(&open_chat("shared")).expect_status(200));
        gateway.wait_until("joined", |health| {
            let actors = health["actors"].as_array().unwrap();
            actors.iter().any(|actor| actor["counters"]["joined"] == 1)
        });
        gate.open();
        user.join().unwrap();
    });
    wait_for_errand(&gateway, 1);
    assert_eq!(provider.num_calls(), 1);
}

/// The other waits for the answer of the one that calls, and has it from their Redis.
#[test]
fn two_gateways_that_warm_the_same_make_one_call() {
    let (provider, redis, gate) = (Provider::start(), Redis::start(), Gate::closed());
    let held = gate.clone();
    provider.script(move |call| answer(call).held_by(&held));
    let start = || {
        let gateway = Gateway::patient().env("ANTEROOM_SECRET", "shared").sqlite();
        gateway.upstream(&provider).redis(&redis).start()
    };
    let gateways = [start(), start()];
    warm(&gateways[0], &[described("both")]);
    provider.wait_for_calls(1);
    warm(&gateways[1], &[described("both")]);
    gateways[1].wait_until("waiting for the other's call", |health| {
        let actors = health["actors"].as_array().unwrap();
        actors.iter().any(|actor| actor["counters"]["claims_waited"] == 1)
    });
    gate.open();
    for (gateway, called) in gateways.iter().zip([1, 0]) {
        let done = wait_for_errand(gateway, 1);
        assert_eq!((&done["ready"], &done["called"]), (&json!(1), &json!(called)), "{done}");
        assert_eq!(gateway.send(&open_chat("both")).expect_status(200).cache(), "HIT L1");
    }
    assert_eq!(provider.num_calls(), 1);
}

#[test]
fn what_is_critical_is_there_before_the_first_request() {
    let provider = Provider::start();
    let config = "prices: {models: [{model: \"test-*\", output_per_million: \"10\"}]}\n\
                  warming: {critical: [{path: /v1/chat/completions, body: {model: test-model, \
                  messages: [{role: user, content: good morning}]}}, {method: GET, path: \
                  /v1/models}]}\n";
    let gateway = Gateway::patient().upstream(&provider).config(config).start();
    let is_ready = |state: &Value| {
        let critical = state["critical"].as_array().unwrap();
        critical.len() == 2 && critical.iter().all(|critical| critical["ready"] == true)
    };
    let state = wait_until(&gateway, "ready", is_ready);
    assert_eq!(provider.num_calls(), 2);
    for request in [open_chat("good morning"), Request::get("/v1/models")] {
        assert_eq!(gateway.send(&request).expect_status(200).cache(), "HIT L1");
    }
    assert_eq!(provider.num_calls(), 2);
    // Twelve tokens of an answer.
    let budget = &state["budget"];
    assert_eq!(budget["money_per_day"]["spent"], "0.000120", "{budget}");
    assert_eq!(budget["calls_per_day"]["spent"], 2, "{budget}");
    assert_eq!(state["critical"][0]["path"], "/v1/chat/completions");
    let text = format!("{state}{}", gateway.whole_log());
    assert!(!text.contains("good morning"), "a prompt is shown: {text}");
}

#[test]
fn a_critical_request_that_is_never_kept_ends_the_start() {
    for (critical, words) in [
        ("{path: /v1/files}", "warming.critical[0].path"),
        ("{path: /v1/chat/completions, body: 'no json'}", "warming.critical[0].body"),
        ("{path: /v1/models, method: GET, client: x}", "warming.critical[0].client"),
        ("{path: v1/models}", "warming.critical[0].path"),
    ] {
        let config = format!("warming: {{critical: [{critical}]}}\n");
        let failure = Gateway::patient().config(&config).try_start().err().unwrap();
        assert!(failure.contains(words), "{critical}: {failure}");
    }
}

/// DESIGN 8: the gateway repeats a request only where that needs no caller's credential.
#[test]
fn only_requests_that_need_no_callers_credential_are_remembered() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    gateway.send(&chat(prompt("mine"))).expect_status(200);
    wait_until(&gateway, "learned", |state| state["patterns"]["learned"] == 1);
    assert_eq!(state(&gateway)["requests"]["known"], 0);
    gateway.send(&open_chat("anybody's")).expect_status(200);
    wait_until(&gateway, "known", |state| state["requests"]["known"] == 1);

    let config = format!(
        "upstreams: {{default: {{kind: http, url: '{}', pass_credential: false}}}}\n",
        provider.url()
    );
    let gateway = Gateway::patient().config(&config).start();
    gateway.send(&chat(prompt("mine"))).expect_status(200);
    let state = wait_until(&gateway, "known", |state| state["requests"]["known"] == 1);
    assert!(!state.to_string().contains("sk-test"), "{state}");
}

#[test]
fn the_hottest_answers_are_back_in_memory_after_a_restart() {
    let provider = Provider::start();
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let requests: Vec<Request> = (0..5).map(|n| chat(prompt(&format!("hot {n}")))).collect();
    for request in &requests {
        gateway.send(request).expect_status(200);
    }
    gateway.wait_for_writes();
    wait_until(&gateway, "learned", |state| state["patterns"]["learned"] == 5);
    assert!(gateway.terminate().success());
    assert!(gateway.data_dir().join("hot.keys").exists());
    gateway.restart();
    for request in &requests {
        assert_eq!(gateway.send(request).expect_status(200).cache(), "HIT L1");
    }
    assert_eq!(provider.num_calls(), 5);
    assert!(gateway.terminate().success());
    gateway.set_env("ANTEROOM__WARMING__START_ENTRIES", 0);
    gateway.restart();
    assert_eq!(gateway.send(&requests[0]).expect_status(200).cache(), "HIT L3");
}

#[test]
fn warming_is_re_created_and_shows_its_numbers() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    gateway.send(&open_chat("a")).expect_status(200);
    wait_until(&gateway, "learned", |state| state["patterns"]["learned"] == 1);
    let labels = [("actor", "warming"), ("event", "learned")];
    let learned = gateway.metric("anteroom_actor_events_total", &labels);
    assert_eq!(learned, Some(1.0), "{}", gateway.operate(&Request::get("/metrics")).text());
    gateway.make_panic("warming");
    wait_until_again(&gateway);
    gateway.send(&open_chat("b")).expect_status(200);
    wait_until(&gateway, "learned again", |state| state["patterns"]["learned"] == 1);
}

/// Waits until a successor answers, who has learned nothing yet.
fn wait_until_again(gateway: &Gateway) {
    let again = poll(PATIENCE, || {
        let response = gateway.operate(&Request::get("/api/v1/warming"));
        (response.status == 200 && response.json()["patterns"]["learned"] == 0).then_some(())
    });
    assert!(again.is_some(), "{}", gateway.log());
}
