//! Records in Redis that are not what was written: never an answer, never a panic. FAULTS "wrong
//! type", "corrupt payload", "huge entry"; A-69.

use super::load;
use crate::support::deadline::{self, PATIENCE};
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::support::gateway::Gateway;
use crate::support::redis::{Redis, Reply};

/// What a key of ours may hold that is no record of that key.
const DAMAGES: [(&str, &[&[u8]]); 7] = [
    ("a list", &[b"DEL", b"KEY", b";", b"LPUSH", b"KEY", b"x"]),
    ("nothing", &[b"SET", b"KEY", b""]),
    ("two other bytes", &[b"SETRANGE", b"KEY", b"40", b"zz"]),
    ("noise", &[b"SET", b"KEY", b"\xff\x00\xfe noise"]),
    ("half of it", &[b"HALF", b"KEY"]),
    ("another key's record", &[b"COPY", b"OTHER", b"KEY", b"REPLACE"]),
    ("100 MB", &[b"SETRANGE", b"KEY", b"100000000", b"x"]),
];

/// Damaged bytes are a miss, never an answer; what is not ours is never touched.
#[test]
fn what_is_no_record_of_its_key_is_a_miss() {
    let redis = Redis::start();
    assert_eq!(redis.command(&["SET", "foreign", "value"]), Reply::Line("+OK".into()));
    let provider = load::echo();
    let writer = load::builder(&provider).redis(&redis).start();
    let reader = load::builder(&provider).redis(&redis).env("ANTEROOM__L3__ENABLED", false).start();
    for gateway in [&writer, &reader] {
        gateway.wait_for_state("l2", "running");
    }
    let other = record_of(&writer, &redis, "other");
    for (what, commands) in DAMAGES {
        let key = record_of(&writer, &redis, what);
        damage(&redis, commands, &key, &other);
        let calls = provider.num_calls();
        let response = reader.send(&load::new(what));
        load::expect_echo(&response, &format!("new {what};"));
        assert_eq!(response.cache(), "MISS", "{what}: {response}");
        assert_eq!(provider.num_calls(), calls + 1, "{what}");
    }
    assert!(load::counter(&reader, "l2", "damaged") >= 4);
    reader.wait_for_state("l2", "running");
    // What stands under a right key is still found.
    let response = reader.send(&load::new("other"));
    assert_eq!(response.cache(), "HIT L2", "{response}");
    assert_eq!(redis.command(&["GET", "foreign"]), Reply::Bytes(Some(b"value".to_vec())));
    assert_eq!(redis.keys("*").iter().filter(|key| !key.starts_with("anteroom:")).count(), 1);
}

/// Replies damaged on their way: the checksum tells.
#[test]
fn a_damaged_reply_is_a_miss() {
    let redis = Redis::start();
    let mut proxy = FaultProxy::to(&redis.address());
    let provider = load::echo();
    let writer = load::builder(&provider).redis(&redis).start();
    let reader = load::builder(&provider)
        .env("REDIS_URL", format!("redis://{}", proxy.address()))
        .env("ANTEROOM__L3__ENABLED", false)
        .start();
    reader.wait_for_state("l2", "running");
    for place in [40, 90, 200] {
        let said = format!("damaged at {place}");
        record_of(&writer, &redis, &said);
        proxy.set(Mode::Corrupt(place));
        let response = reader.send(&load::new(&said));
        proxy.set(Mode::Pass);
        load::expect_echo(&response, &format!("new {said};"));
        assert_eq!(response.cache(), "MISS", "{response}");
    }
    assert!(load::counter(&reader, "l2", "damaged") >= 1, "{}", reader.health());
}

/// Has the answer to a new request written to Redis; returns its key.
#[track_caller]
fn record_of(gateway: &Gateway, redis: &Redis, said: &str) -> String {
    let echo = format!("echo of new {said};").into_bytes();
    load::expect_echo(&gateway.send(&load::new(said)), &format!("new {said};"));
    let holds_it = |key: &String| match redis.command(&["GETRANGE", key, "0", "10000"]) {
        Reply::Bytes(Some(record)) => record.windows(echo.len()).any(|part| part == echo),
        _ => false,
    };
    let written =
        deadline::poll(PATIENCE, || redis.keys("anteroom:v1:*").into_iter().find(holds_it));
    written.unwrap_or_else(|| panic!("no record of {said:?}\n{}", gateway.log()))
}

/// Plays commands, parted by `;`, on `key`.
fn damage(redis: &Redis, commands: &[&[u8]], key: &str, other: &str) {
    for command in commands.split(|word| *word == b";") {
        let words: Vec<&[u8]> = command
            .iter()
            .map(|word| match *word {
                b"KEY" => key.as_bytes(),
                b"OTHER" => other.as_bytes(),
                word => word,
            })
            .collect();
        let reply = if words[0] == b"HALF" {
            let Reply::Bytes(Some(record)) = redis.command(&["GET", key]) else {
                panic!("no {key}")
            };
            redis.command_bytes(&[b"SET", key.as_bytes(), &record[..record.len() / 2]])
        } else {
            redis.command_bytes(&words)
        };
        assert!(!matches!(&reply, Reply::Line(line) if line.starts_with('-')), "{reply:?}");
    }
}
