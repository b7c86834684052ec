//! Callers with keys of this gateway: whose answers they get, and whose never.

use serde_json::json;

use super::apis::body;
use super::flights::wait_for_joined;
use crate::support::client::{Request, Response};
use crate::support::client_keys::{config, key};
use crate::support::gateway::{Gateway, prompt};
use crate::support::provider::{self, Gate, Provider};

/// Two on their own, two together.
const KEYS: [(&str, &str); 4] =
    [("alone", ""), ("other", ""), ("one", "scope: team"), ("two", "scope: team")];

fn start(provider: &Provider) -> Gateway {
    Gateway::patient().config(&config(provider, &KEYS)).start()
}

fn whose(api: &str) -> Request {
    Request::post(&format!("/v1/{api}"), body(api, "whose?"))
}

fn ask_as(gateway: &Gateway, name: &str, api: &str) -> Response {
    gateway.send(&whose(api).bearer(&key(name)))
}

/// isolation, and the controls that do hit, from every level.
#[test]
fn keys_never_see_each_others_answers_unless_they_name_one_scope() {
    let provider = Provider::start();
    let mut gateway = start(&provider);
    for api in ["chat/completions", "embeddings", "messages"] {
        let before = provider.num_calls();
        let alone = ask_as(&gateway, "alone", api).expect_status(200);
        let other = ask_as(&gateway, "other", api).expect_status(200);
        let one = ask_as(&gateway, "one", api).expect_status(200);
        let caches = [&alone, &other, &one].map(Response::cache);
        assert_eq!(caches, ["MISS", "MISS", "MISS"], "{api}");
        assert_eq!(provider.num_calls(), before + 3, "{}", provider.log());
        for (name, own) in [("alone", &alone), ("other", &other), ("one", &one), ("two", &one)] {
            let hit = ask_as(&gateway, name, api).expect_status(200);
            assert_eq!((hit.cache(), &hit.body), ("HIT L1".into(), &own.body), "{name}: {hit}");
        }
        assert_eq!(provider.num_calls(), before + 3, "{}", provider.log());
    }
    gateway.wait_for_writes();
    gateway.restart();
    let bodies = ["alone", "other", "one", "two"].map(|name| {
        let hit = ask_as(&gateway, name, "embeddings").expect_status(200);
        (name, hit.cache(), hit.body)
    });
    for (name, cache, _) in &bodies {
        // What one of the two took to L1, the other finds there.
        assert_eq!(cache, if *name == "two" { "HIT L1" } else { "HIT L3" }, "{name}");
    }
    assert!(bodies[0].2 != bodies[1].2 && bodies[1].2 != bodies[2].2);
    assert_eq!(bodies[2].2, bodies[3].2);
}

/// the same while the answers are on their way.
#[test]
fn keys_join_a_call_under_way_only_within_their_scope() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| provider::answer(call).held_by(&held));
    let gateway = start(&provider);
    std::thread::scope(|scope| {
        let gateway = &gateway;
        let callers = KEYS.map(|(name, _)| {
            scope.spawn(move || ask_as(gateway, name, "chat/completions").expect_status(200))
        });
        provider.wait_for_calls(3);
        wait_for_joined(gateway, 1);
        gate.open();
        let [alone, other, one, two] =
            callers.map(|caller| caller.join().expect("its panic stands above"));
        assert_eq!([alone.cache(), other.cache()], ["MISS", "MISS"], "{alone}\n{other}");
        assert_ne!(alone.body, other.body);
        let mut together = [one.cache(), two.cache()];
        together.sort();
        assert_eq!(together, ["COALESCED", "MISS"], "{one}\n{two}");
        assert_eq!(one.body, two.body);
    });
    assert_eq!(provider.num_calls(), 3, "{}", provider.log());
}

/// on an answer that is as hot as can be.
#[test]
fn without_a_key_or_with_a_wrong_one_nothing_is_found_and_nothing_is_asked() {
    let provider = Provider::start();
    let gateway = start(&provider);
    let request = Request::post("/v1/chat/completions", prompt("hot"));
    let right = request.clone().bearer(&key("alone"));
    gateway.send(&right).expect_status(200);
    assert_eq!(gateway.send(&right).cache(), "HIT L1");
    let (whole, upper) = (key("alone"), key("alone").to_uppercase());
    let shorter = &whole[..whole.len() - 1];
    for (name, value) in [
        ("X-Other", whole.as_str()),
        ("Authorization", ""),
        ("Authorization", &whole),
        ("Authorization", &format!("Basic {whole}")),
        ("Authorization", &format!("Bearer {shorter}")),
        ("Authorization", &format!("Bearer {whole}0")),
        ("Authorization", &format!("Bearer {upper}")),
        ("Authorization", "Bearer sk-of-the-gateway"),
        ("X-Api-Key", shorter),
        ("Api-Key", "alone"),
    ] {
        let refused = gateway.send(&request.clone().header(name, value)).expect_status(401);
        assert!(!refused.text().contains(&whole), "{refused}");
        assert_eq!(refused.cache(), "BYPASS", "{refused}");
    }
    gateway.send(&request).expect_status(401);
    assert_eq!(gateway.send(&right).cache(), "HIT L1");
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
}

/// Each way that SDKs send a key, and each way that a request goes upstream.
#[test]
fn a_key_is_taken_from_any_of_its_headers_and_never_goes_upstream() {
    let provider = Provider::start();
    let gateway = start(&provider);
    let key = key("alone");
    let background = json!({"model": "m", "input": "x", "background": true});
    for (name, value) in [
        ("Authorization", format!("Bearer {key}")),
        ("authorization", format!("bearer {key}")),
        ("X-Api-Key", key.clone()),
        ("Api-Key", key.clone()),
    ] {
        for request in [
            Request::post("/v1/chat/completions", prompt(&value)),
            Request::post("/v1/responses", &background),
            Request::post("/v1/files", "{}"),
            Request::get("/v1/files"),
        ] {
            let request = request.header(name, &value).header("OpenAI-Project", "theirs");
            gateway.send(&request).expect_status(200);
            let call = provider.calls().pop().expect("a call");
            let whole = format!("{:?}", call.headers);
            assert!(!whole.contains(&key), "{whole}");
            assert_eq!(call.headers.all("authorization"), ["Bearer sk-of-the-gateway"], "{whole}");
            assert_eq!(call.headers.all("openai-project"), ["theirs"], "{whole}");
        }
    }
}

/// A provider's credential beside the key goes upstream, and is no way into another's answers.
#[test]
fn callers_of_one_scope_with_credentials_of_their_own_share_nothing_of_each_other() {
    let provider = Provider::start();
    let yaml = config(&provider, &KEYS).replace("set_headers", "# ");
    let gateway = Gateway::patient().config(&yaml).start();
    let ask = |name: &str, credential: &str| {
        let request =
            Request::post("/v1/chat/completions", prompt("q")).header("X-Api-Key", &key(name));
        gateway.send(&request.bearer(credential)).expect_status(200)
    };
    let first = ask("one", "sk-first");
    assert_eq!(first.cache(), "MISS");
    let call = provider.calls().pop().expect("a call");
    assert_eq!(call.headers.all("authorization"), ["Bearer sk-first"]);
    assert_eq!(call.headers.get("x-api-key"), None);
    assert_eq!(ask("two", "sk-second").cache(), "MISS");
    let hit = ask("two", "sk-first");
    assert_eq!((hit.cache(), &hit.body), ("HIT L1".into(), &first.body), "{hit}");
}

#[test]
fn a_shared_route_is_shared_by_all_keys_and_by_nobody_without() {
    let provider = Provider::start();
    let yaml = config(&provider, &KEYS)
        + "routes:\n  - {name: chat, methods: [POST], path: /v1/chat/completions, profile: chat, \
           cache: true, scope: shared}\n";
    let gateway = Gateway::patient().config(&yaml).start();
    assert_eq!(ask_as(&gateway, "alone", "chat/completions").cache(), "MISS");
    assert_eq!(ask_as(&gateway, "other", "chat/completions").cache(), "HIT L1");
    gateway.send(&whose("chat/completions")).expect_status(401);
}
