//! Two levels that record purges, one of which may have missed some.

use anteroom_actors::message::Place;

use super::stage::Start;
use crate::redis::level::{counter, eventually};
use crate::redis::server::Server;

/// what was purged while the gateway did not run is known before its own file is read.
#[actix::test]
async fn a_file_holds_its_purges_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Start { folder: Some(folder.path()), ..Start::default() };
    let one = start().start().await;
    let old = one.made_now(1, "a");
    one.keep(&one.l3, &old).await;
    let purged = one.purge("a").await;
    assert_eq!((&purged.l2, &purged.l3), (&Place::Off, &Place::Seen));
    drop(one);
    let next = start().start().await;
    assert_eq!(next.purges.generation(), purged.generation);
    assert!(!next.has(&next.l3, 1).await);
}

/// a purge that only Redis knew reaches the file of another gateway, and one that only the
/// file knew reaches Redis.
#[actix::test]
async fn what_one_place_knows_the_other_learns() {
    let server = Server::started().await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let start = |place: usize| Start {
        redis: Some(&server),
        folder: Some(folders[place].path()),
        ..Start::default()
    };
    let alone = Start { folder: Some(folders[0].path()), ..Start::default() }.start().await;
    let in_the_file = alone.purge("file").await;
    drop(alone);
    let (one, other) = (start(0).start().await, start(1).start().await);
    other.hears_of("file", in_the_file.generation).await;
    let in_redis = other.purge("redis").await;
    one.hears_of("redis", in_redis.generation).await;
    for gateway in [&one, &other] {
        gateway.has_nothing_waiting().await;
    }
    assert!(counter(&one.report().await, "heard") >= 2);
    drop((one, other));
    for folder in &folders {
        let later = Start { folder: Some(folder.path()), ..Start::default() }.start().await;
        eventually("both purges", async || {
            let known = later.purges.since(0);
            if known.len() == 2 { Ok(()) } else { Err(format!("{known:?}")) }
        })
        .await;
    }
}
