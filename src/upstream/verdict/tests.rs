//! Good and bad answers, by table. A-26 (odd but whole streams), A-30 (cut streams),
//! A-33 (no choices), A-34 (length, filter), A-35 (tool arguments), A-37 (status, error in 200).
//! A-36 cannot occur here: an answer is judged once, when it comes from the origin.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

mod objects;
mod streams;

const LIFETIMES: Lifetimes = Lifetimes {
    lifetime: Duration::from_secs(60),
    stale_while_revalidate: Duration::ZERO,
    stale_if_error: Duration::ZERO,
    keep_to_validate: Duration::ZERO,
    never_stale: false,
};

fn judge_as(profile: Profile, content_type: &str, body: &str) -> Verdict {
    verdict(&Judged {
        profile,
        streamed: content_type.starts_with("text/event-stream"),
        status: 200,
        content_type: Some(content_type),
        content_encoding: None,
        body: body.as_bytes(),
        lifetimes: LIFETIMES,
        policy: None,
    })
}

fn object(profile: Profile, body: &Value) -> Verdict {
    judge_as(profile, "application/json", &body.to_string())
}

fn stream(profile: Profile, body: &str) -> Verdict {
    judge_as(profile, "text/event-stream; charset=utf-8", body)
}

fn keep(usage: Option<(u64, u64)>) -> Verdict {
    let usage = usage.map(|(input_tokens, output_tokens)| Usage { input_tokens, output_tokens });
    Verdict::Keep { lifetimes: LIFETIMES, usage, age: Duration::ZERO }
}

/// Writes events with `data` only, or with the name that `type` gives.
fn events(all: &[Value]) -> String {
    let write = |data: &Value| match data.get("type").and_then(Value::as_str) {
        Some(name) => format!("event: {name}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    };
    all.iter().map(write).collect()
}

#[test]
fn every_reason_is_a_token_of_its_own() {
    let mut labels: Vec<&str> = Reason::ALL.iter().map(|reason| reason.label()).collect();
    for label in &labels {
        assert!(label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')));
    }
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), Reason::ALL.len());
}
