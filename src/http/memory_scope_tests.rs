use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use futures_util::FutureExt as _;
use futures_util::future::poll_fn;
use std::pin::Pin;

use super::*;

const KIB: usize = 1024;

struct Gateway {
    budget: MemoryBudget,
    sent: SentEntries,
}

impl Gateway {
    fn with(bytes: u64) -> Self {
        let budget = MemoryBudget::new(bytes);
        Self { sent: SentEntries::new(budget.clone()), budget }
    }

    /// A scope that does not wait.
    fn scope(&self) -> MemoryScope<'_> {
        MemoryScope::new(&self.budget, &self.sent, Duration::ZERO)
    }

    fn reserved(&self) -> u64 {
        self.budget.report().reserved_bytes
    }
}

#[actix_web::test]
async fn a_small_body_reserves_nothing_until_it_is_sent_on() {
    let gateway = Gateway::with(1 << 30);
    let scope = gateway.scope();
    scope.body(UNCOUNTED_BYTES).now_or_never().unwrap().unwrap();
    assert_eq!(gateway.reserved(), 0);
    scope.call(1_000).await.unwrap();
    assert_eq!(gateway.reserved(), CALL_BYTES + 3_000);
    // Asked for again, as by a list that has to be asked whole.
    scope.call(1_000).await.unwrap();
    assert_eq!(gateway.reserved(), CALL_BYTES + 3_000);
    drop(scope);
    assert_eq!(gateway.reserved(), 0);
}

#[actix_web::test]
async fn a_large_body_is_reserved_as_it_grows_and_counts_for_the_call() {
    let gateway = Gateway::with(1 << 30);
    let scope = gateway.scope();
    for length in [100 * KIB, 80 * KIB, 200 * KIB] {
        scope.body(length).await.unwrap();
    }
    assert_eq!(gateway.reserved(), copies(200 * KIB));
    scope.call(200 * KIB).await.unwrap();
    assert_eq!(gateway.reserved(), CALL_BYTES + copies(200 * KIB));
    scope.answer(1_000).await.unwrap();
    assert_eq!(gateway.reserved(), CALL_BYTES + copies(200 * KIB) + 1_000);
}

#[actix_web::test]
async fn who_does_not_get_its_bytes_in_time_is_shed_and_holds_what_it_had() {
    let gateway = Gateway::with(CALL_BYTES);
    let scope = gateway.scope();
    scope.call(0).await.unwrap();
    let other = gateway.scope();
    let refused = other.call(0).await.unwrap_err();
    assert_eq!((refused.label(), refused.status().as_u16()), ("shed", 503));
    assert!(refused.to_string().contains("memory.threshold"), "{refused}");
    assert!(scope.answer(1).await.is_err());
    assert_eq!(gateway.reserved(), CALL_BYTES);
}

#[actix_web::test]
async fn all_is_held_until_the_answer_has_been_sent() {
    let gateway = Gateway::with(1 << 30);
    let scope = gateway.scope();
    let kept = Bytes::from(vec![b'x'; 2 * UNCOUNTED_BYTES]);
    scope.call(0).await.unwrap();
    scope.read(&kept).unwrap();
    scope.sends(&kept);
    let all = CALL_BYTES + 2 * UNCOUNTED_BYTES as u64;
    assert_eq!(gateway.reserved(), all, "an answer counts once");
    let response = HttpResponse::with_body(StatusCode::OK, kept.clone()).map_into_boxed_body();
    let mut body = scope.until_sent(response).into_body();
    assert_eq!(body.size(), BodySize::Sized(kept.len() as u64));
    let piece = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await;
    assert_eq!(piece.unwrap().unwrap(), kept);
    assert_eq!(gateway.reserved(), all, "it is not over before its end");
    drop(body);
    assert_eq!(gateway.reserved(), 0);
}

#[test]
fn what_is_kept_in_l1_is_sent_and_what_was_read_for_it_only_where_there_is_room() {
    let gateway = Gateway::with(100 * KIB as u64);
    let (scope, kept) = (gateway.scope(), Bytes::from(vec![b'x'; 150 * KIB]));
    let _other = gateway.budget.try_reserve(1);
    assert!(scope.read(&kept).is_err());
    scope.sends(&kept);
    assert!(scope.read(&kept).is_ok(), "it is in memory already");
    let small = Bytes::from_static(b"small");
    assert!(gateway.scope().read(&small).is_ok());
}

#[test]
fn what_holds_nothing_leaves_the_answer_as_it_is() {
    let gateway = Gateway::with(1);
    let response = HttpResponse::with_body(StatusCode::OK, Bytes::from_static(b"small"));
    let response = gateway.scope().until_sent(response.map_into_boxed_body());
    assert!(response.into_body().try_into_bytes().is_ok(), "no body of another kind");
}
