//! What happens when an actor dies.

use anteroom_actors::message::ActorState;
use anteroom_actors::resolver::FlightHead;

use super::scripted::{Stage, read, within};

async fn until_restarted(stage: &Stage, name: &str, restarts: u64) {
    let back = async {
        loop {
            if let Ok(health) = stage.topology.observe().await
                && health.actors.iter().any(|actor| {
                    actor.name == name
                        && actor.restarts == restarts
                        && actor.state == ActorState::Running
                })
            {
                return;
            }
            // Back-off runs on the manual clock.
            stage.clock.advance(std::time::Duration::from_millis(100));
            stage.turn().await;
        }
    };
    within(&format!("{name} to be re-created"), back).await;
}

#[actix_rt::test]
async fn every_actor_is_re_created_and_serves_again() {
    let mut stage = Stage::start(|_| {}).await;
    drop(stage.resolve(1, false).await);
    stage.next_call().await.answer("first");
    for (name, key) in [("l1", 2), ("resolver", 3), ("fetch-0", 4), ("fetch-1", 5)] {
        for restarts in 1..=3 {
            assert!(stage.topology.panic(name), "{name} takes the message");
            until_restarted(&stage, name, restarts).await;
        }
        let mut reader = stage.resolve(key, false).await;
        stage.next_call().await.answer("again");
        assert_eq!(read(&mut reader).await, ("again".to_owned(), None), "after {name}");
    }
}

#[actix_rt::test]
async fn a_flight_under_way_survives_the_resolver() {
    let mut stage = Stage::start(|_| {}).await;
    let mut leader = stage.resolve(1, false).await;
    let call = stage.next_call().await;
    assert!(stage.topology.panic("resolver"));
    until_restarted(&stage, "resolver", 1).await;
    call.answer("survived");
    assert!(matches!(within("a head", leader.head()).await, FlightHead::Open(_)));
    assert_eq!(read(&mut leader).await, ("survived".to_owned(), None));
}

#[actix_rt::test]
async fn a_flight_whose_thread_died_dangles_and_does_not_hang() {
    let mut stage = Stage::start(|flights| flights.fetch_threads = 1).await;
    let mut leader = stage.resolve(1, false).await;
    let _call = stage.next_call().await;
    assert!(stage.topology.panic("fetch-0"));
    until_restarted(&stage, "fetch-0", 1).await;
    assert!(matches!(within("a head", leader.head()).await, FlightHead::Dangling { called: true }));
    let mut again = stage.resolve(1, false).await;
    stage.next_call().await.answer("second try");
    assert_eq!(read(&mut again).await, ("second try".to_owned(), None));
}

#[actix_rt::test]
async fn draining_waits_for_flights_and_ends_at_its_deadline() {
    let mut stage = Stage::start(|_| {}).await;
    let mut leader = stage.resolve(1, false).await;
    let call = stage.next_call().await;
    let topology = stage.topology.clone();
    assert!(!topology.drain(std::time::Duration::from_millis(20)).await, "a flight is under way");
    call.answer("done");
    assert!(topology.drain(super::scripted::PATIENCE).await);
    assert_eq!(read(&mut leader).await, ("done".to_owned(), None));
}
