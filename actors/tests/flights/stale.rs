//! What becomes of answers that are no longer fresh.

use std::time::Duration;

use anteroom_actors::clock::Clock as _;
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

fn status(found: &Found) -> Option<u16> {
    found.instead_of.and_then(|origin| origin.status)
}

/// RFC 9111 §4.3, §5.2.1.4: who does not take a kept answer has the origin asked about it; called
/// right, it has a new life, for all.
#[actix_rt::test]
async fn a_kept_answer_is_asked_about_and_lives_on_where_it_is_right() {
    let mut stage = keeping("old").await;
    let reload = Wants { reload: true, ..Wants::default() };
    let mut reader = stage.validate(1, reload).await;
    stage.clock.advance(LIFETIMES.lifetime - Duration::from_secs(1));
    let call = stage.next_call().await;
    assert_eq!(call.kept.as_ref().map(|kept| &kept.body[..]), Some(b"old".as_slice()));
    call.unchanged(stage.clock.wall_ms(), true);
    let validated = found(&mut reader).await;
    assert_eq!(validated.instead_of.map(|origin| origin.was_fresh), Some(true));
    assert_eq!((status(&validated), &validated.entry.body[..]), (Some(304), b"old".as_slice()));
    stage.until("l1", "inserts", 2).await;
    stage.until("resolver", "flights", 0).await;
    stage.clock.advance(Duration::from_secs(30));
    assert_eq!(found(&mut stage.validate(1, Wants::default()).await).await.instead_of, None);
    assert_eq!(stage.num_calls(), 2);
}

/// RFC 9111 §5.2.1.5: what may not be kept on is used once; what was kept stays as it was.
#[actix_rt::test]
async fn an_answer_called_right_that_may_not_be_kept_on_is_used_once() {
    let mut stage = keeping("old").await;
    let reload = Wants { reload: true, ..Wants::default() };
    for _ in 0..2 {
        let mut reader = stage.validate(1, reload).await;
        let call = stage.next_call().await;
        call.unchanged(stage.clock.wall_ms(), false);
        assert_eq!(status(&found(&mut reader).await), Some(304));
        stage.until("resolver", "flights", 0).await;
    }
    stage.until("l1", "inserts", 1).await;
}

/// RFC 9111 §4.2.4, §5.2.1.4: an answer that is only asked about stands in for no failure.
#[actix_rt::test]
async fn an_answer_that_is_only_asked_about_stands_in_for_no_failure() {
    let mut stage = keeping("old").await;
    let reload = Wants { reload: true, ..Wants::default() };
    let mut reader = stage.validate(1, reload).await;
    let refused = OriginError::Connect { upstream: "scripted".to_owned(), reason: "test" };
    stage.next_call().await.fail(refused);
    assert!(matches!(within("a head", reader.head()).await, FlightHead::Failed(_)));
    let mut reader = stage.validate(1, reload).await;
    stage.next_call().await.answer_status(503);
    match within("a head", reader.head()).await {
        FlightHead::Open(head) => assert_eq!(head.status, 503),
        other => panic!("expected the origin's own answer, not {other:?}"),
    }
}
