//! What lies in our place and is not ours, or is not whole.

use super::level::{TestLevel, entry, eventually, name, settings};
use super::server::Server;

async fn is_gone(server: &Server, key: &str) {
    eventually("the removal", async || {
        let there: i64 = server.say(&["EXISTS", key]).await;
        if there == 0 { Ok(()) } else { Err(format!("{key} is there")) }
    })
    .await;
}

#[actix::test]
async fn a_record_with_altered_bytes_is_a_miss_and_is_removed() {
    let server = Server::started().await;
    let level = TestLevel::connected(settings(server.url())).await;
    let kept = entry(1);
    level.insert(&kept).await.unwrap();
    server.say::<i64>(&["SETRANGE", &name(kept.key), "120", "#"]).await;
    assert_eq!(level.lookup(kept.key).await, Ok(None));
    is_gone(&server, &name(kept.key)).await;
    assert_eq!(level.counter("damaged").await, 1);
    level.insert(&kept).await.unwrap();
    assert_eq!(*level.lookup(kept.key).await.unwrap().expect("a hit"), kept);
}

#[actix::test]
async fn the_record_of_another_key_is_never_an_answer() {
    let server = Server::started().await;
    let level = TestLevel::connected(settings(server.url())).await;
    let (mine, other) = (entry(1), entry(2));
    level.insert(&other).await.unwrap();
    server.say::<i64>(&["COPY", &name(other.key), &name(mine.key)]).await;
    assert_eq!(level.lookup(mine.key).await, Ok(None));
    assert_eq!(*level.lookup(other.key).await.unwrap().expect("a hit"), other);
}

#[actix::test]
async fn a_value_of_another_type_is_a_miss_and_the_next_insert_takes_its_place() {
    let server = Server::started().await;
    let level = TestLevel::connected(settings(server.url())).await;
    let kept = entry(1);
    server.say::<i64>(&["LPUSH", &name(kept.key), "x"]).await;
    assert_eq!(level.lookup(kept.key).await, Ok(None));
    is_gone(&server, &name(kept.key)).await;
    server.say::<i64>(&["LPUSH", &name(kept.key), "x"]).await;
    level.insert(&kept).await.unwrap();
    assert_eq!(*level.lookup(kept.key).await.unwrap().expect("a hit"), kept);
    assert_eq!(level.counter("breaker_opened").await, 0);
}

#[actix::test]
async fn a_huge_value_is_a_miss_of_which_little_is_read() {
    let server = Server::started().await;
    let level = TestLevel::connected(settings(server.url())).await;
    let kept = entry(1);
    server.say::<i64>(&["SETRANGE", &name(kept.key), "8388608", "x"]).await;
    let before = output_bytes(&server).await;
    assert_eq!(level.lookup(kept.key).await, Ok(None));
    let sent = output_bytes(&server).await - before;
    assert!(sent < 1024 * 1024, "{sent} bytes were sent");
    assert_eq!(level.counter("errors").await, 0);
}

async fn output_bytes(server: &Server) -> u64 {
    let info: String = server.say(&["INFO", "stats"]).await;
    let line = info.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:"));
    line.and_then(|bytes| bytes.trim().parse().ok()).expect("a number of bytes")
}

// CASES: only our prefix is touched, and no command walks over all keys.
#[actix::test]
async fn foreign_keys_stay_and_no_command_sweeps() {
    let server = Server::started().await;
    server.say::<()>(&["SET", "theirs", "1"]).await;
    server.say::<()>(&["SET", "anteroom:v0:theirs", "2"]).await;
    let level = TestLevel::connected(settings(server.url())).await;
    let kept = entry(1);
    level.insert(&kept).await.unwrap();
    server.say::<i64>(&["SETRANGE", &name(kept.key), "0", "damage"]).await;
    assert_eq!(level.lookup(kept.key).await, Ok(None));
    is_gone(&server, &name(kept.key)).await;
    level.flush().await;
    assert_eq!(server.say::<String>(&["GET", "theirs"]).await, "1");
    assert_eq!(server.say::<String>(&["GET", "anteroom:v0:theirs"]).await, "2");
    let stats: String = server.say(&["INFO", "commandstats"]).await;
    for command in ["keys", "scan", "flushall", "flushdb", "randomkey", "mget"] {
        assert!(!stats.contains(&format!("cmdstat_{command}:")), "{command} in {stats}");
    }
}
