//! What becomes of answers that are no longer fresh.

use std::time::Duration;

use anteroom_actors::error::OriginError;
use anteroom_actors::model::{Label, Wants};
use anteroom_actors::resolver::{FlightHead, Found, Reader};

use super::scripted::{LIFETIMES, Stage, read, within};

async fn found(reader: &mut Reader) -> Found {
    match within("a head", reader.head()).await {
        FlightHead::Found(found) => found,
        other => panic!("expected a kept answer, not {other:?}"),
    }
}

/// Starts the actors and has them keep `body` for key 1; L1 keeps it longer than it is fresh.
async fn keeping(body: &'static str) -> Stage {
    let mut stage = Stage::start(|_| {}).await;
    let mut reader = stage.resolve(1, false).await;
    stage.next_call().await.answer(body);
    assert_eq!(read(&mut reader).await, (body.to_owned(), None));
    stage.until("l1", "entries", 1).await;
    stage.until("resolver", "flights", 0).await;
    stage
}

/// RFC 5861 §3: the stale answer at once, one call behind, however many ask.
#[actix_rt::test]
async fn a_stale_answer_is_served_while_one_call_fetches_a_new_one() {
    let mut stage = keeping("old").await;
    stage.clock.advance(LIFETIMES.lifetime);
    for _ in 0..20 {
        let mut reader = stage.resolve(1, false).await;
        let stale = found(&mut reader).await;
        assert_eq!((&stale.entry.body[..], stale.instead_of), (&b"old"[..], None));
    }
    let call = stage.next_call().await;
    stage.until("resolver", "refreshes", 1).await;
    call.answer("new");
    stage.until("l1", "inserts", 2).await;
    stage.until("resolver", "flights", 0).await;
    let mut reader = stage.resolve(1, false).await;
    assert_eq!(found(&mut reader).await.entry.body, "new");
    assert_eq!(stage.num_calls(), 2);
}

/// RFC 5861 §4: where the origin fails, the last good answer; never in place of a refusal.
#[actix_rt::test]
async fn a_stale_answer_stands_in_where_the_origin_fails() {
    let mut stage = keeping("old").await;
    stage.clock.advance(LIFETIMES.lifetime + LIFETIMES.stale_while_revalidate);
    let mut reader = stage.resolve(1, false).await;
    let refused = OriginError::Connect { upstream: "scripted".to_owned(), reason: "test" };
    stage.next_call().await.fail(refused);
    let stale = found(&mut reader).await;
    let instead_of = stale.instead_of.expect("the failure");
    assert_eq!((&stale.entry.body[..], instead_of.label), (&b"old"[..], "connect"));

    stage.until("resolver", "flights", 0).await;
    let mut reader = stage.resolve(1, false).await;
    stage.next_call().await.answer_status(503);
    assert_eq!(found(&mut reader).await.instead_of.and_then(|origin| origin.status), Some(503));

    for status in [401, 403, 400, 404] {
        stage.until("resolver", "flights", 0).await;
        let mut reader = stage.resolve(1, false).await;
        stage.next_call().await.answer_status(status);
        match within("a head", reader.head()).await {
            FlightHead::Open(head) => assert_eq!(head.status, status),
            other => panic!("expected the origin's own answer, not {other:?}"),
        }
    }
}

#[actix_rt::test]
async fn past_its_windows_a_stale_answer_is_of_no_use() {
    let mut stage = keeping("old").await;
    stage.clock.advance(LIFETIMES.lifetime + LIFETIMES.stale_if_error);
    let mut reader = stage.resolve(1, false).await;
    let refused = OriginError::Connect { upstream: "scripted".to_owned(), reason: "test" };
    stage.next_call().await.fail(refused);
    assert!(matches!(within("a head", reader.head()).await, FlightHead::Failed(_)));
}

/// RFC 9111 §5.2.1.4, §5.2.1.7, and A-41: a request may want a new answer, which replaces the kept
/// one, or nothing but a kept one.
#[actix_rt::test]
async fn a_request_may_want_a_new_answer_or_only_a_kept_one() {
    let mut stage = keeping("old").await;
    let reload = Wants { reload: true, ..Wants::default() };
    let mut reader = stage.resolve_as(1, false, reload).await;
    stage.clock.advance(Duration::from_millis(1));
    stage.next_call().await.answer("new");
    assert_eq!(read(&mut reader).await, ("new".to_owned(), None));
    stage.until("l1", "inserts", 2).await;
    let only_kept = Wants { only_kept: true, ..Wants::default() };
    let mut reader = stage.resolve_as(1, false, only_kept).await;
    assert_eq!(found(&mut reader).await.entry.body, "new");
    let mut reader = stage.resolve_as(2, false, only_kept).await;
    assert!(matches!(within("a head", reader.head()).await, FlightHead::NotKept));
    assert_eq!(stage.num_calls(), 2);
}

/// a purge reaches stale copies and fills under way.
#[actix_rt::test]
async fn a_fill_that_began_before_a_purge_is_not_kept() {
    let mut stage = keeping("old").await;
    stage.clock.advance(LIFETIMES.lifetime);
    let wall_ms = anteroom_actors::clock::Clock::wall_ms(&*stage.clock);
    stage.topology.purges.purge(Label::ALL, wall_ms);
    let mut before = stage.resolve(1, false).await;
    let call = stage.next_call().await;
    stage.topology.purges.purge(Label::ALL, wall_ms);
    call.answer("from before");
    assert_eq!(read(&mut before).await, ("from before".to_owned(), None));
    stage.until("resolver", "flights", 0).await;
    let mut after = stage.resolve(1, false).await;
    stage.next_call().await.answer("since");
    assert_eq!(read(&mut after).await, ("since".to_owned(), None));
}
