//! L2 over TLS, as a user of Redis who may do no more than README asks for. Issue "Access".

use tempfile::TempDir;

use crate::support::client::Request;
use crate::support::gateway::{Builder, Gateway, actor, chat, prompt};
use crate::support::provider::{self, Gate, Provider};
use crate::support::redis::Redis;
use crate::support::redis_sentinel::{NAME, Sentinel};
use crate::support::tls::Certificate;

const README: &str = include_str!("../../README.md");

/// The commands that README says a user needs.
const COMMANDS: [&str; 16] = [
    "GET",
    "SET",
    "GETRANGE",
    "DEL",
    "EXISTS",
    "EVAL",
    "PEXPIRE",
    "MULTI",
    "EXEC",
    "ZADD",
    "ZRANGEBYSCORE",
    "ZREVRANGE",
    "ZREMRANGEBYSCORE",
    "INCR",
    "PUBLISH",
    "SUBSCRIBE",
];

/// A Redis that speaks TLS alone, with the user `gateway`, and its certificate's folder.
fn secured() -> (Redis, TempDir) {
    let files = tempfile::tempdir().expect("a folder for the certificate");
    Certificate::make().write(files.path());
    let allowed = COMMANDS.map(|name| format!("+{}", name.to_lowercase())).join(" ");
    let user =
        format!("user gateway on >open-sesame ~anteroom:v1:* &anteroom:v1:* -@all {allowed}");
    (Redis::start_secured(files.path(), &user), files)
}

fn builder(provider: &Provider, files: &TempDir) -> Builder {
    let trusted = files.path().join("cert.pem");
    Gateway::patient()
        .upstream(provider)
        .env("SSL_CERT_FILE", trusted.display())
        .env("ANTEROOM__L2__CONNECT_TIMEOUT", "5s")
}

#[track_caller]
fn expect_no_refusal(gateway: &Gateway) {
    let l2 = gateway.actor("l2");
    assert!(l2["state"] == "running" && l2["last_error"].is_null(), "{l2:#}\n{}", gateway.log());
}

#[test]
fn readme_names_the_commands_a_user_needs() {
    for command in COMMANDS {
        assert!(README.contains(&format!("`{command}`")), "{command}");
    }
}

/// Answers, one call for all, purges: everything L2 does.
#[test]
fn gateways_share_over_tls_as_a_user_who_may_do_little_else() {
    let (redis, files) = secured();
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| provider::answer(call).held_by(&held));
    let [one, other] = [(); 2].map(|()| {
        let url = redis.secured_url("gateway", "open-sesame");
        let gateway = builder(&provider, &files)
            .env("REDIS_URL", url)
            // So that a renewal is among the commands, which a busy machine may delay.
            .env("ANTEROOM__FLIGHTS__REPLICA_LEASE", "1s")
            .start();
        gateway.wait_for_state("l2", "running");
        gateway
    });
    let request = chat(prompt("over TLS")).header("X-Cache-Tags", "secured");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| one.send(&request));
        provider.wait_for_calls(1);
        let second = scope.spawn(|| other.send(&request));
        other.wait_until("two leases waited", |health| {
            let lookups = actor(health, "l2").and_then(|l2| l2["counters"]["lookups"].as_u64());
            lookups.is_some_and(|lookups| lookups > 8)
        });
        gate.open();
        let miss = first.join().expect("its panic stands above").expect_status(200);
        let hit = second.join().expect("its panic stands above").expect_status(200);
        assert_eq!((miss.cache().as_str(), hit.cache().as_str()), ("MISS", "HIT L2"), "{hit}");
        assert_eq!(miss.body, hit.body);
    });
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
    let purge = Request::post("/api/v1/cache/purge", r#"{"tag": "secured"}"#);
    let purged = one.operate(&purge).expect_status(200).json();
    assert_eq!(purged["status"], "complete", "{purged:#}");
    other.wait_until("the purge heard", |health| {
        actor(health, "purging").is_some_and(|it| it["counters"]["heard"].as_u64() >= Some(1))
    });
    assert_eq!(other.send(&request).expect_status(200).cache(), "MISS");
    expect_no_refusal(&one);
    expect_no_refusal(&other);
}

/// The sentinel speaks TLS too, and names the server by what its certificate is for.
#[test]
fn a_server_is_found_by_a_sentinel_over_tls() {
    let (redis, files) = secured();
    let sentinel = Sentinel::start_secured(files.path(), &redis);
    let provider = Provider::start();
    let url = format!("rediss+sentinel://gateway:open-sesame@localhost:{}/{NAME}", sentinel.port());
    let [one, other] = [(); 2].map(|()| {
        let gateway = builder(&provider, &files).env("REDIS_URL", &url).start();
        gateway.wait_for_state("l2", "running");
        gateway
    });
    one.chat(prompt("by name")).expect_status(200);
    one.wait_until("the answer in L2", |health| {
        actor(health, "l2").is_some_and(|l2| l2["counters"]["inserts"].as_u64() >= Some(1))
    });
    assert_eq!(other.chat(prompt("by name")).expect_status(200).cache(), "HIT L2");
    expect_no_refusal(&one);
    expect_no_refusal(&other);
}

/// A wrong password, and a certificate of an unknown authority: no L2, and answers all the same; the
/// password is in no text.
#[test]
fn a_redis_that_cannot_be_trusted_or_does_not_trust_costs_no_request() {
    let (redis, files) = secured();
    let provider = Provider::start();
    let stranger = tempfile::tempdir().expect("a folder for another certificate");
    Certificate::make().write(stranger.path());
    for (password, trusted) in [("hunter2", &files), ("open-sesame", &stranger)] {
        let gateway = builder(&provider, trusted)
            .env("REDIS_URL", redis.secured_url("gateway", password))
            .start();
        gateway.chat(prompt("all the same")).expect_status(200);
        let health = gateway.wait_until("l2 degraded with a reason", |health| {
            actor(health, "l2")
                .is_some_and(|l2| l2["state"] == "degraded" && !l2["last_error"].is_null())
        });
        let texts = format!("{health}\n{}", gateway.whole_log());
        assert!(!texts.contains(password), "{texts}");
    }
}
