//! How flights begin and end.

use anteroom_actors::error::OriginError;
use anteroom_actors::model::{Level, Verdict};
use anteroom_actors::resolver::{FlightHead, Found, Kept, Role};

use super::scripted::{Stage, error, keep, read, within};

#[actix_rt::test]
async fn many_askers_cost_one_call_and_the_next_one_none() {
    //
    let mut stage = Stage::start(|_| {}).await;
    let mut readers = Vec::new();
    for _ in 0..50 {
        readers.push(stage.resolve(1, false).await);
    }
    stage.next_call().await.answer("the answer");
    for (number, reader) in readers.iter_mut().enumerate() {
        assert_eq!(reader.role() == Role::Leads, number == 0);
        assert!(matches!(within("a head", reader.head()).await, FlightHead::Open(_)));
        assert_eq!(read(reader).await, ("the answer".to_owned(), None));
        assert!(matches!(reader.kept(), Some(Kept::For(_))));
    }
    stage.until("resolver", "flights", 0).await;
    let mut next = stage.resolve(1, false).await;
    match within("a head", next.head()).await {
        FlightHead::Found(Found { entry, level: Level::L1, .. }) => {
            assert_eq!(entry.body, "the answer");
        }
        other => panic!("expected a hit of L1, not {other:?}"),
    }
    assert_eq!(stage.num_calls(), 1);
}

#[actix_rt::test]
async fn what_may_not_be_kept_is_asked_for_again() {
    let mut stage = Stage::start(|_| {}).await;
    for _ in 0..2 {
        let mut reader = stage.resolve(1, false).await;
        stage.next_call().await.open(true, Verdict::Discard("test")).send("bad");
        assert_eq!(read(&mut reader).await, ("bad".to_owned(), None));
        assert_eq!(reader.kept(), Some(Kept::Not("test")));
        stage.until("resolver", "flights", 0).await;
    }
    assert_eq!(stage.num_calls(), 2);
}

#[actix_rt::test]
async fn a_cut_answer_is_cut_for_everyone_and_not_kept() {
    //
    let mut stage = Stage::start(|_| {}).await;
    let mut leader = stage.resolve(1, false).await;
    let mut follower = stage.resolve(1, false).await;
    let body = stage.next_call().await.open(true, keep());
    body.send("half");
    body.cut();
    for reader in [&mut leader, &mut follower] {
        assert_eq!(read(reader).await, ("half".to_owned(), Some(error())));
    }
    stage.until("resolver", "flights", 0).await;
    let _again = stage.resolve(1, false).await;
    stage.next_call().await;
}

#[actix_rt::test]
async fn a_call_that_everybody_left_is_finished_and_kept() {
    //
    let mut stage = Stage::start(|_| {}).await;
    let leader = stage.resolve(1, false).await;
    let call = stage.next_call().await;
    drop(leader);
    stage.until("fetch-0", "orphans", 1).await;
    call.answer("paid");
    stage.until("l1", "entries", 1).await;
    // A moment later nobody joins the flight any more.
    stage.until("resolver", "flights", 0).await;
    let mut next = stage.resolve(1, false).await;
    assert!(matches!(within("a head", next.head()).await, FlightHead::Found(..)));
    assert_eq!(stage.num_calls(), 1);
}

#[actix_rt::test]
async fn past_the_bound_on_orphans_a_left_call_is_given_up() {
    let mut stage = Stage::start(|flights| flights.max_orphans = 0).await;
    let leader = stage.resolve(1, false).await;
    let _call = stage.next_call().await;
    drop(leader);
    stage.until("fetch-0", "failures", 1).await;
    stage.until("resolver", "flights", 0).await;
}

#[actix_rt::test]
async fn followers_of_what_cannot_be_shared_go_alone_and_the_key_is_remembered() {
    //
    let mut stage = Stage::start(|_| {}).await;
    let mut leader = stage.resolve(1, false).await;
    let mut follower = stage.resolve(1, false).await;
    let body = stage.next_call().await.open(false, keep());
    body.send("mine");
    assert!(matches!(within("a head", follower.head()).await, FlightHead::GoAlone));
    drop(body);
    assert_eq!(read(&mut leader).await, ("mine".to_owned(), None));
    assert_eq!(leader.kept(), Some(Kept::Not("not-shareable")));
    stage.until("resolver", "flights", 0).await;

    let _one = stage.resolve(1, false).await;
    let _two = stage.resolve(1, false).await;
    stage.next_call().await;
    stage.next_call().await;
    stage.until("resolver", "alone", 2).await;
}

#[actix_rt::test]
async fn after_a_failed_flight_the_next_asker_leads() {
    //
    let mut stage = Stage::start(|_| {}).await;
    let mut leader = stage.resolve(1, false).await;
    let mut follower = stage.resolve(1, false).await;
    let refused = OriginError::Connect { upstream: "scripted".to_owned(), reason: "test" };
    stage.next_call().await.fail(refused.clone());
    for reader in [&mut leader, &mut follower] {
        match within("a head", reader.head()).await {
            FlightHead::Failed(error) => assert_eq!(error, refused),
            other => panic!("expected the failure, not {other:?}"),
        }
    }
    let mut next = stage.resolve(1, false).await;
    assert_eq!(next.role(), Role::Leads);
    stage.next_call().await.answer("well");
    assert_eq!(read(&mut next).await, ("well".to_owned(), None));
}
