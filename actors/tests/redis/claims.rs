//! Two gateways on one server claim the same keys.

use std::time::Duration;

use anteroom_actors::error::LevelError;
use anteroom_actors::message::{Claim, ClaimToken, Claimed};

use super::level::{TestLevel, entry, eventually, settings};
use super::server::Server;

/// Longer than any test here.
const LONG: Duration = Duration::from_secs(60);

/// A claim of `resolver` on key `number`.
fn claim(resolver: u64, number: u8, lease: Duration) -> Claim {
    let token = ClaimToken { resolver, flight: 1 };
    Claim { key: entry(number).key, token, lease }
}

const GRANTED: Result<Claimed, LevelError> = Ok(Claimed::Granted { kept: false });
const HELD: Result<Claimed, LevelError> = Ok(Claimed::Held);
const ALONE: Result<Claimed, LevelError> = Ok(Claimed::Alone);

async fn two_levels() -> (Server, TestLevel, TestLevel) {
    let server = Server::started().await;
    let one = TestLevel::connected(settings(server.url())).await;
    let other = TestLevel::connected(settings(server.url())).await;
    (server, one, other)
}

#[actix::test]
async fn a_key_is_claimed_once_until_its_holder_releases_it() {
    let (server, one, other) = two_levels().await;
    let (first, second) = (claim(1, 1, LONG), claim(2, 1, LONG));
    assert_eq!(one.claim(first).await, GRANTED);
    assert_eq!(other.claim(second).await, HELD);
    assert_eq!(other.claim(claim(2, 2, LONG)).await, GRANTED, "another key");
    other.release(second, true).await;
    other.release(second, false).await;
    assert_eq!(other.claim(second).await, HELD, "only its holder ends a claim");
    one.release(first, true).await;
    assert_eq!(other.claim(second).await, GRANTED);
    let name = format!("anteroom:v1:flight:{}", first.key.to_hex());
    let left: i64 = server.say(&["PTTL", &name]).await;
    assert!(left > 0 && left <= 60_000, "{left}");
}

#[actix::test]
async fn after_an_answer_that_is_not_kept_everyone_goes_alone_for_a_while() {
    let (server, one, other) = two_levels().await;
    let (first, second) = (claim(1, 1, LONG), claim(2, 1, LONG));
    assert_eq!(one.claim(first).await, GRANTED);
    one.release(first, false).await;
    for level in [&one, &other, &other] {
        assert_eq!(level.claim(second).await, ALONE);
    }
    let name = format!("anteroom:v1:flight:{}", first.key.to_hex());
    let left: i64 = server.say(&["PTTL", &name]).await;
    assert!(left > 0 && left <= 2_000, "{left}");
}

#[actix::test]
async fn a_claim_ends_with_its_lease_and_its_late_holder_leaves_the_next_one_alone() {
    let (_server, one, other) = two_levels().await;
    let short = Duration::from_millis(50);
    let (first, second) = (claim(1, 1, short), claim(2, 1, LONG));
    assert_eq!(one.claim(first).await, GRANTED);
    eventually("the lease to end", async || match other.claim(second).await {
        Ok(Claimed::Granted { .. }) => Ok(()),
        answer => Err(format!("{answer:?}")),
    })
    .await;
    one.renew(first).await;
    one.release(first, false).await;
    assert_eq!(one.claim(first).await, HELD);
}

#[actix::test]
async fn a_renewal_lengthens_a_claim() {
    let (server, one, _other) = two_levels().await;
    let first = claim(1, 1, Duration::from_secs(5));
    assert_eq!(one.claim(first).await, GRANTED);
    one.renew(Claim { lease: LONG, ..first }).await;
    let name = format!("anteroom:v1:flight:{}", first.key.to_hex());
    let left: i64 = server.say(&["PTTL", &name]).await;
    assert!(left > 5_000, "{left}");
}

#[actix::test]
async fn a_claim_says_whether_something_is_kept() {
    let (_server, one, other) = two_levels().await;
    one.insert(&entry(1)).await.expect("a write");
    let granted = other.claim(claim(2, 1, LONG)).await;
    assert_eq!(granted, Ok(Claimed::Granted { kept: true }));
}

#[actix::test]
async fn nothing_is_claimed_where_the_server_is_away_and_nobody_waits_for_it() {
    let (mut server, one, _other) = two_levels().await;
    let first = claim(1, 1, LONG);
    assert_eq!(one.claim(first).await, GRANTED);
    server.kill();
    one.wait_until_degraded().await;
    assert!(matches!(one.claim(first).await, Err(LevelError::Skipped(_))));
    one.renew(first).await;
    one.release(first, true).await;
    one.flush().await;
    server.start().await;
    one.wait_until_running().await;
    assert_eq!(one.claim(first).await, GRANTED, "the server forgot it");
}

/// A shared Redis: what another program put there is left as it is, and costs no request.
#[actix::test]
async fn a_foreign_value_in_the_place_of_a_claim_is_left_alone() {
    let (server, one, _other) = two_levels().await;
    let first = claim(1, 1, LONG);
    let name = format!("anteroom:v1:flight:{}", first.key.to_hex());
    server.say::<()>(&["LPUSH", &name, "foreign"]).await;
    assert!(matches!(one.claim(first).await, Err(LevelError::Refused { .. })));
    one.renew(first).await;
    one.release(first, false).await;
    assert_eq!(server.say::<i64>(&["LLEN", &name]).await, 1);
}
