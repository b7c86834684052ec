//! The harness' view of a running gateway.

use crate::support::client::Request;
use crate::support::gateway::Gateway;
use crate::support::provider::Provider;

#[test]
fn a_gateway_is_started_watched_and_ended() {
    let provider = Provider::start();
    let mut gateway = Gateway::builder().upstream(&provider).start();
    assert_ne!(gateway.api(), gateway.operations());
    for name in ["l1", "l2", "l3", "resolver", "sentinel"] {
        assert!(gateway.actor(name)["state"].is_string(), "{name}: {}", gateway.health());
    }
    gateway.wait_for_state("l1", "running");
    assert_eq!(gateway.metric("no_such_metric", &[]), None);
    assert!(gateway.rss_bytes() > 1 << 20);
    assert!(gateway.log().contains("listening"));
    assert!(gateway.terminate().success(), "{}", gateway.log());
}

#[test]
fn a_killed_gateway_starts_again_on_its_data() {
    let mut gateway = Gateway::builder().start();
    let (id, folder) = (gateway.id(), gateway.data_dir());
    std::fs::create_dir_all(&folder).expect("a data folder");
    std::fs::write(folder.join("kept"), "").expect("a file");
    gateway.kill9();
    assert!(Request::get("/health/live").try_open(gateway.api()).is_err());
    gateway.restart();
    assert_ne!(gateway.id(), id);
    assert!(gateway.data_dir().join("kept").exists());
    gateway.send(&Request::get("/health/live")).expect_status(200);
}

#[test]
fn a_gateway_that_does_not_start_is_told_with_its_log() {
    let started = Gateway::builder().env("ANTEROOM_LISTEN", "no address").try_start();
    let failure = started.err().expect("it cannot listen there");
    assert!(failure.contains("the gateway did not start: Some("), "{failure}");
    assert!(failure.contains("ANTEROOM_LISTEN") || failure.contains("no address"), "{failure}");
}
