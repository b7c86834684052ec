//! Far more at once than the gateway lets in, while a level answers nobody.

use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::support::gateway::prompt;
use crate::support::provider::{Gate, Reply};
use crate::support::redis::Redis;

use super::load;

/// How many ask at once, and how many of them are let in.
const AT_ONCE: usize = 2_000;
const LET_IN: usize = 100;

/// FAULTS "mailbox full": the mailboxes themselves have no bound (DESIGN A3), so what goes into them has
/// one. Whoever is past it is told so at once.
#[test]
fn of_thousands_at_once_those_past_the_bound_are_shed_and_hits_go_on() {
    let redis = Redis::start();
    let mut proxy = FaultProxy::to(&redis.address());
    let gate = Gate::closed();
    let provider = load::echo();
    let gateway = load::builder(&provider)
        .env("REDIS_URL", format!("redis://{}", proxy.address()))
        .env("ANTEROOM__SERVER__MAX_IN_FLIGHT", LET_IN)
        .start();
    let known = || gateway.chat(prompt("known")).expect_status(200);
    known();
    let held = gate.clone();
    provider.script(move |call| Reply::from(load::echo_of(call)).held_by(&held));
    proxy.set(Mode::NoReply);
    let before = gateway.rss_bytes();

    let asked: Vec<_> = (0..AT_ONCE).map(|number| load::new(&number.to_string())).collect();
    let mut waiting = gateway.ask_all(&asked);
    provider.wait_for_calls(1 + LET_IN);
    assert_eq!(known().cache(), "HIT L1", "whatever waits elsewhere");
    let grown = gateway.rss_bytes().saturating_sub(before);
    gate.open();
    let answers: Vec<_> = waiting
        .iter_mut()
        .zip(&asked)
        .map(|(connection, request)| connection.answer(request).expect("an answer"))
        .collect();
    let mut whole = 0;
    for (number, answer) in answers.iter().enumerate() {
        if answer.status == 200 {
            whole += 1;
            load::expect_echo(answer, &format!("new {number};"));
        } else {
            assert_eq!(answer.status, 503, "{answer}");
            assert_eq!(answer.header("retry-after"), Some("1"), "{answer}");
            assert_eq!(answer.json()["error"]["code"], "shed", "{answer}");
        }
    }
    // Some may have come so late that the gate was open.
    assert!((LET_IN..AT_ONCE / 2).contains(&whole), "{whole}");
    assert_eq!(provider.num_calls(), 1 + whole, "{}", provider.log());
    assert!(grown < 96 << 20, "{grown} bytes for {AT_ONCE} connections");
    proxy.set(Mode::Pass);
    gateway.wait_until("nothing under way", |health| {
        crate::support::gateway::actor(health, "resolver")
            .is_some_and(|resolver| resolver["counters"]["flights"] == 0)
    });
    gateway.chat(prompt("afterwards")).expect_status(200);
}
