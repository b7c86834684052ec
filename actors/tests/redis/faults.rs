//! The server fails in each way it can; the level fails open and comes back by itself.

use std::net::TcpListener;
use std::time::Duration;

use anteroom_actors::error::LevelError;
use anteroom_actors::message::{ActorState, InsertOutcome};
use anteroom_actors::settings::L2Settings;
use bytes::Bytes;
use futures_util::future::{join, join_all};

use super::level::{TestLevel, counter, entry, eventually, settings};
use super::server::Server;

/// Asks until the level answers with the entry.
async fn finds_again(level: &TestLevel, number: u8) {
    let kept = entry(number);
    eventually("a hit", async || match level.lookup(kept.key).await {
        Ok(Some(found)) if found.body == kept.body => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

// CASES A-51.
#[actix::test]
async fn it_starts_without_its_server_and_comes_up_by_itself() {
    let mut server = Server::prepared();
    let level = TestLevel::started(settings(server.url()));
    let report = level.wait_for("opened", |report| counter(report, "breaker_opened") == 1).await;
    assert_eq!(report.state, ActorState::Degraded);
    assert!(report.last_error.is_some());
    let answer = level.lookup(entry(1).key).await;
    assert!(matches!(answer, Err(LevelError::Skipped(_))), "{answer:?}");
    let answer = level.insert(&entry(1)).await;
    assert!(matches!(answer, Err(LevelError::Skipped(_))), "{answer:?}");
    server.start().await;
    level.wait_until_running().await;
    assert_eq!(level.insert(&entry(1)).await, Ok(InsertOutcome::Stored));
    finds_again(&level, 1).await;
}

#[actix::test]
async fn a_killed_server_is_noticed_without_requests_and_used_again_after_its_restart() {
    let mut server = Server::started().await;
    let level = TestLevel::connected(settings(server.url())).await;
    server.kill();
    level.wait_until_degraded().await;
    let answer = level.lookup(entry(1).key).await;
    assert!(matches!(answer, Err(LevelError::Skipped(_))), "{answer:?}");
    server.start().await;
    level.wait_until_running().await;
    assert_eq!(level.insert(&entry(1)).await, Ok(InsertOutcome::Stored));
    finds_again(&level, 1).await;
}

// CASES: a server that says nothing, not even no.
#[actix::test]
async fn a_stopped_server_costs_a_few_time_outs_and_then_nothing_until_it_goes_on() {
    let server = Server::started().await;
    let level = TestLevel::connected(settings(server.url())).await;
    level.insert(&entry(1)).await.unwrap();
    server.stop();
    let key = entry(1).key;
    let answers = join_all((0..8).map(|_| level.lookup(key))).await;
    for answer in answers {
        assert!(
            matches!(answer, Err(LevelError::TimedOut { .. } | LevelError::Skipped(_))),
            "{answer:?}"
        );
    }
    let report = level.wait_for("opened", |report| counter(report, "breaker_opened") == 1).await;
    assert_eq!(report.state, ActorState::Degraded);
    let errors = counter(&report, "errors");
    for _ in 0..50 {
        let answer = level.lookup(key).await;
        assert!(matches!(answer, Err(LevelError::Skipped(_))), "{answer:?}");
    }
    assert_eq!(level.counter("errors").await, errors, "a skipped lookup asks nobody");
    server.resume();
    level.wait_until_running().await;
    finds_again(&level, 1).await;
}

#[actix::test]
async fn one_time_out_too_many_opens_the_breaker_at_once() {
    let server = Server::started().await;
    let mut strict = settings(server.url());
    strict.breaker.failures = 1;
    let level = TestLevel::connected(strict).await;
    server.stop();
    assert!(level.lookup(entry(1).key).await.is_err());
    assert_eq!(level.counter("breaker_opened").await, 1);
}

#[actix::test]
async fn a_connection_that_timed_out_is_not_used_again() {
    let server = Server::started().await;
    let mut single = settings(server.url());
    single.connections = 1;
    single.breaker.failures = 1_000_000;
    let level = TestLevel::connected(single).await;
    server.stop();
    assert!(level.lookup(entry(1).key).await.is_err());
    let answer = level.lookup(entry(1).key).await;
    assert!(matches!(answer, Err(LevelError::Skipped(_))), "{answer:?}");
    server.resume();
    level.wait_until_running().await;
}

// CASES A-49, FAULTS "Redis stopped": a late reply must not answer a later command.
#[actix::test]
async fn late_replies_never_answer_later_lookups() {
    let server = Server::started().await;
    // A breaker that hardly opens, so that the lookups go on through it all.
    let mut patient = settings(server.url());
    patient.timeout = Duration::from_millis(60);
    patient.breaker.failures = 1_000_000;
    let level = TestLevel::connected(patient).await;
    for number in 0..64 {
        eventually("a write", async || {
            level.insert(&entry(number)).await.map_err(|error| error.to_string())
        })
        .await;
    }
    for round in 0..3 {
        server.stop();
        let late = join_all((0..32).map(|number| level.lookup(entry(number).key))).await;
        assert!(late.iter().all(Result::is_err), "round {round}: {late:?}");
        server.resume();
        for number in 32..64 {
            let wanted = entry(number);
            if let Ok(Some(found)) = level.lookup(wanted.key).await {
                assert_eq!(found.body, wanted.body, "round {round}");
            }
        }
        finds_again(&level, 40).await;
    }
    // Another key's record would have been found out by its key, and counted.
    assert_eq!(level.counter("damaged").await, 0);
}

#[actix::test]
async fn a_server_without_memory_drops_writes_and_answers_reads() {
    let server = Server::started().await;
    let level = TestLevel::connected(settings(server.url())).await;
    level.insert(&entry(1)).await.unwrap();
    server.say::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    server.say::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    refuses_writes_and_answers_reads(&level, "OOM").await;
}

#[actix::test]
async fn a_read_only_replica_drops_writes_and_answers_reads() {
    let server = Server::started().await;
    let level = TestLevel::connected(settings(server.url())).await;
    level.insert(&entry(1)).await.unwrap();
    server.say::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await;
    refuses_writes_and_answers_reads(&level, "READONLY").await;
}

async fn refuses_writes_and_answers_reads(level: &TestLevel, code: &str) {
    for number in 2..12 {
        let answer = level.insert(&entry(number)).await;
        let Err(LevelError::Refused { reason, .. }) = answer else { panic!("{answer:?}") };
        assert_eq!(reason, code);
    }
    finds_again(level, 1).await;
    let report = level.report().await;
    assert_eq!(report.state, ActorState::Running);
    assert_eq!(counter(&report, "insert_drops"), 10);
    assert_eq!(counter(&report, "breaker_opened"), 0);
}

#[actix::test]
async fn a_password_set_while_it_runs_degrades_the_level_and_is_in_no_text() {
    let mut server = Server::started().await;
    let mut secretive = settings(server.url());
    secretive.url.push_str("?pass=hunter2");
    server.lock("other").await;
    let level = TestLevel::started(secretive);
    let knows_none = TestLevel::started(settings(server.url()));
    for level in [level, knows_none] {
        let report =
            level.wait_for("opened", |report| counter(report, "breaker_opened") == 1).await;
        assert_eq!(report.state, ActorState::Degraded);
        assert!(!format!("{report:?}").contains("hunter2"), "{report:?}");
    }
}

#[actix::test]
async fn a_gateway_that_is_locked_out_skips_the_level_until_it_is_let_in() {
    let mut server = Server::started().await;
    let level = TestLevel::connected(settings(server.url())).await;
    server.lock("other").await;
    level.wait_until_degraded().await;
    server.say::<()>(&["CONFIG", "SET", "requirepass", ""]).await;
    level.wait_until_running().await;
}

#[actix::test]
async fn writes_past_the_bound_are_dropped_and_counted_and_a_flush_waits_for_the_others() {
    let server = Server::started().await;
    let narrow = L2Settings { max_writes_in_flight: 2, ..settings(server.url()) };
    let level = TestLevel::connected(narrow).await;
    let mut large = entry(1);
    large.body = Bytes::from(vec![b'x'; 32 * 1024]);
    server.stop();
    let others = async {
        level.wait_for("drops", |report| counter(report, "insert_drops") == 4).await;
        assert_eq!(level.report().await.pending, 2);
        server.resume();
        level.flush().await;
        assert_eq!(level.report().await.pending, 0);
    };
    let (answers, ()) = join(join_all((0..6).map(|_| level.insert(&large))), others).await;
    let dropped =
        answers.iter().filter(|answer| matches!(answer, Err(LevelError::Overloaded(_)))).count();
    assert_eq!(dropped, 4, "{answers:?}");
}

#[actix::test]
async fn a_url_that_is_none_degrades_the_level_and_stays_out_of_its_texts() {
    let level = TestLevel::started(settings("http://user:hunter2@example".to_owned()));
    let report = level.wait_for("opened", |report| counter(report, "breaker_opened") == 1).await;
    assert_eq!(report.state, ActorState::Degraded);
    assert!(!format!("{report:?}").contains("hunter2"), "{report:?}");
}

// Without a TLS provider in the process the library panics: to open, the breaker must have
// heard of each one.
#[actix::test]
async fn tls_that_cannot_be_set_up_degrades_the_level_and_does_not_end_its_care() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("its address");
    let level = TestLevel::started(settings(format!("rediss://{address}")));
    let report = level.wait_for("opened", |report| counter(report, "breaker_opened") == 1).await;
    assert_eq!(report.state, ActorState::Degraded);
    let answer = level.lookup(entry(1).key).await;
    assert!(matches!(answer, Err(LevelError::Skipped(_))), "{answer:?}");
}
