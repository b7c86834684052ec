//! Answers that are kept in parts.

use anteroom_actors::model::{CacheKey, Entry, Form, Label, LabelKind, Labels, Level, Wants};
use anteroom_actors::origin::{Apart, OriginCall};
use anteroom_actors::resolver::lookup::Found;
use bytes::Bytes;

use super::scripted::{Stage, call, read};

fn tag() -> Label {
    Label::new(LabelKind::Tag, b"t")
}

/// A call whose answer is kept in one part for each of its bytes; the byte is the key.
fn in_bytes(stage: &Stage) -> OriginCall {
    let generation = stage.topology.purges.generation();
    let apart = Apart::new(1 << 20, |whole: &Entry| {
        let part = |byte: &u8| Entry {
            key: CacheKey::new([*byte; 32]),
            body: Bytes::copy_from_slice(&[*byte]),
            ..whole.clone()
        };
        whole.body.iter().filter(|byte| byte.is_ascii_digit()).map(part).collect()
    });
    let labels = Labels { generation, names: vec![tag()].into() };
    OriginCall { apart: Some(apart), labels, ..call(200) }
}

async fn found(stage: &Stage, bytes: &[u8]) -> String {
    let keys: Vec<_> = bytes.iter().map(|byte| CacheKey::new([*byte; 32])).collect();
    let wants = Wants::default();
    let found = stage.topology.levels.find_many(&keys, Form::Object, &wants).await;
    assert_eq!(found.len(), keys.len());
    let sign = |found: &Found| match &found.entry {
        Some((entry, Level::L1)) => String::from_utf8_lossy(&entry.body).into_owned(),
        Some(_) => "?".to_owned(),
        None => "-".to_owned(),
    };
    found.iter().map(sign).collect()
}

/// Asks, answers with `body`, and returns what the reader read.
async fn answered(stage: &mut Stage, asked: OriginCall, body: &'static str) -> String {
    let mut reader = stage.resolve_call(asked, false, Wants::default()).await;
    stage.next_call().await.answer(body);
    let (read, _whole) = read(&mut reader).await;
    stage.until("resolver", "flights", 0).await;
    read
}

#[actix_rt::test]
async fn an_answer_kept_in_parts_is_found_by_part_and_purged_by_its_labels() {
    let mut stage = Stage::start(|_| {}).await;
    let asked = in_bytes(&stage);
    assert_eq!(answered(&mut stage, asked, "123").await, "123");
    assert_eq!(found(&stage, b"32419").await, "32-1-");
    assert_eq!(found(&stage, &[200]).await, "-", "the whole is not kept");
    // A call that began before the purge brings nothing that is kept.
    let before = in_bytes(&stage);
    stage.topology.purges.purge(tag(), 1);
    assert_eq!(found(&stage, b"123").await, "---");
    assert_eq!(answered(&mut stage, before, "45").await, "45");
    assert_eq!(found(&stage, b"45").await, "--");
    let since = in_bytes(&stage);
    assert_eq!(answered(&mut stage, since, "45").await, "45");
    assert_eq!(found(&stage, b"45").await, "45");
}

#[actix_rt::test]
async fn the_whole_may_be_larger_than_each_part() {
    let mut stage = Stage::start(|flights| flights.max_entry_bytes = 2).await;
    let asked = in_bytes(&stage);
    assert_eq!(answered(&mut stage, asked, "12345").await, "12345");
    assert_eq!(found(&stage, b"51").await, "51");
}

#[actix_rt::test]
async fn what_has_no_parts_is_not_kept() {
    let mut stage = Stage::start(|_| {}).await;
    for calls in 1..=2 {
        let asked = in_bytes(&stage);
        assert_eq!(answered(&mut stage, asked, "none").await, "none");
        assert_eq!(stage.num_calls(), calls);
    }
}
