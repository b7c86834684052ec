use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::super::options::{LogFile, ReplayOptions, Switch, Warming};
use super::super::progress::Progress;
use super::super::replay_to;
use super::savings::{LogReport, Spared};
use super::*;
use crate::settings::{ModelPrice, Scope};

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.prices.models = vec![ModelPrice {
        model: "m*".to_owned(),
        input_per_million: "1000.00".to_owned(),
        output_per_million: "2000.00".to_owned(),
    }];
    settings
}

fn read_lines(lines: &[&str]) -> Result<Log, LogError> {
    read(lines.join("\n").as_bytes(), &settings())
}

/// Returns the numbers of what was asked, in the order of the log's times.
fn keys(lines: &[String], settings: &Settings) -> Vec<u32> {
    let log = read(lines.join("\n").as_bytes(), settings).unwrap();
    assert_eq!(log.skipped, Skipped::default());
    log.trace.requests().iter().map(|request| request.key).collect()
}

fn asks(requests: &[&str]) -> Vec<String> {
    let line = |request: &&str| format!(r#"{{"timestamp_ms":1,{request}}}"#);
    requests.iter().map(line).collect()
}

#[test]
fn questions_are_the_same_where_the_gateway_holds_them_to_be() {
    let lines = asks(&[
        r#""request":{"model":"m","messages":[],"temperature":0}"#,
        r#""request":{"temperature":0.0, "messages":[ ],"model":"m","stream":true,"user":"u7"}"#,
        r#""request":"{\"model\":\"m\",\"messages\":[],\"temperature\":0}""#,
        r#""request":{"model":"m","messages":[],"temperature":0.1}"#,
        r#""request":{"model":"m","messages":[],"temperature":0},"path":"/v1/messages""#,
        r#""request":{"model":"m","messages":[],"temperature":0},"user":"ann""#,
        r#""request":{"model":"m","messages":[],"temperature":0},"user":"bob""#,
        r#""key":"k","user":"ann""#,
        r#""key":"k","user":"ann","path":"/v1/messages""#,
        r#""key":"k","user":"ann""#,
        r#""method":"GET","path":"/v1/models?b=1&a=2""#,
        r#""method":"GET","path":"/v1/models?a=2&b=1""#,
        r#""request":{"input":["a"]},"path":"/v1/embeddings""#,
        r#""request":{"input":"a"},"path":"/v1/embeddings""#,
    ]);
    assert_eq!(keys(&lines, &settings()), [0, 0, 0, 1, 2, 3, 4, 5, 6, 5, 7, 7, 8, 8]);
    let mut shared = settings();
    shared.routes.iter_mut().for_each(|route| route.scope = Scope::Shared);
    assert_eq!(keys(&lines, &shared), [0, 0, 0, 1, 2, 0, 0, 3, 4, 3, 5, 5, 6, 6]);
}

#[test]
fn what_the_gateway_would_not_keep_is_left_out_with_its_reason() {
    let mut settings = settings();
    settings.routes.iter_mut().for_each(|route| route.max_temperature = Some(0.5));
    let filtered = r#"{"choices":[{"finish_reason":"content_filter","message":{"content":"x"}}]}"#;
    let whole = r#"{"choices":[{"finish_reason":"stop","message":{"content":"x"}}],"usage":{"prompt_tokens":2,"completion_tokens":3}}"#;
    let cool = r#""request":{"model":"m","temperature":0}"#;
    let lines = asks(&[
        r#""request":{"model":"m","temperature":0.9}"#,
        r#""request":{},"path":"/v2/else""#,
        r#""request":{},"path":"/v1/files","usage":{"prompt_tokens":1},"model":"m""#,
        r#""request":{"background":true},"path":"/v1/responses""#,
        &format!(r#"{cool},"status":429"#),
        &format!(r#"{cool},"response":{filtered}"#),
        &format!(r#"{cool},"response":{{"error":{{}}}}"#),
        &format!(r#"{cool},"response":"only the text""#),
        &format!(r#"{cool},"response":{whole}"#),
    ]);
    let log = read(lines.join("\n").as_bytes(), &settings).unwrap();
    let expected = [
        ("background", 1),
        ("error-in-200", 1),
        ("filtered", 1),
        ("no-route", 1),
        ("route-not-cached", 1),
        ("status", 1),
        ("temperature", 1),
    ];
    assert_eq!(log.left_out.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(log.spent.total().spent.micros(), 1_000);
    let sizes: Vec<u64> = log.trace.requests().iter().map(|request| request.size_bytes).collect();
    assert_eq!(sizes, [13, whole.len() as u64]);
    // Of the answer's own usage, at the price of the request's model.
    assert_eq!(log.calls[1].cost.micros(), 2 * 1_000 + 3 * 2_000);
}

#[test]
fn a_line_that_is_no_call_is_skipped_and_told_by_its_number() {
    let long = format!(r#"{{"key":"{}"}}"#, "k".repeat(65 << 20));
    let lines = [
        "\u{20}",
        r#"{"timestamp_ms":1,"key":"a"}"#,
        "started",
        &long,
        r#"{"timestamp_ms":1,"request":{"a":1,"a":2}}"#,
        r#"{"timestamp_ms":2,"key":"a"}"#,
        r#"{"timestamp_ms":2,"key":"b"}"#,
    ];
    let log = read_lines(&lines).unwrap();
    let told: Vec<String> = log.skipped.first.iter().map(ToString::to_string).collect();
    assert_eq!(
        told[..2],
        ["3: it is no JSON object with each field once", "4: it is longer than 64 MiB"]
    );
    assert!(told[2].starts_with("5: request: "), "{told:?}");
    assert_eq!((log.skipped.lines, log.trace.requests().len(), log.trace.keys()), (3, 3, 2));

    let few = read_lines(&["x", r#"{"timestamp_ms":1,"key":"a"}"#, "y"]).unwrap_err();
    assert_eq!(
        few.to_string(),
        "2 of 3 lines of the log are no calls; the first is line 1: it is no JSON object with each \
         field once"
    );
    assert!(matches!(read_lines(&[]), Err(LogError::Empty)));
    assert!(matches!(read_lines(&["", " "]), Err(LogError::Empty)));
    let many: Vec<String> =
        (0..20).map(|at| format!(r#"{{"timestamp_ms":{at},"key":"a"}}"#)).collect();
    let mixed: Vec<&str> = many.iter().flat_map(|line| [line.as_str(), "x"]).collect();
    let skipped = read_lines(&mixed).unwrap().skipped;
    assert_eq!((skipped.lines, skipped.first.len()), (20, MOST_TOLD));
}

#[test]
fn a_gzipped_log_is_read_and_a_cut_one_is_an_error() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(b"{\"timestamp_ms\":1,\"key\":\"a\"}\n").unwrap();
    let gzip = gzip.finish().unwrap();
    assert_eq!(read(&gzip[..], &settings()).unwrap().trace.keys(), 1);
    let cut = read(&gzip[..gzip.len() - 10], &settings());
    assert!(matches!(cut, Err(LogError::Source(SourceError::Read { .. }))), "{cut:?}");
}

fn report(log: &Log) -> LogReport {
    let options = ReplayOptions {
        log: LogFile::default(),
        l1_entries: Some(100),
        l1_share: None,
        no_lifetimes: true,
        ttl: None,
        warming: Warming::Off,
        scaler: Switch::Off,
        curve: Switch::Off,
        seed: 1,
        json: false,
    };
    let mut spared = Spared::of(log);
    replay_to(&options, &log.trace, &Progress::none(), |position, found| {
        spared.count(position, found);
    });
    spared.report()
}

#[test]
fn what_hits_would_have_cost_and_taken_is_saved() {
    let usage = r#""model":"m1","usage":{"prompt_tokens":10,"completion_tokens":5}"#;
    let log = read_lines(&[
        &format!(r#"{{"timestamp_ms":2,"key":"a","latency_ms":700,{usage}}}"#),
        // Written first, asked later.
        &format!(r#"{{"timestamp_ms":1,"key":"a","latency_ms":900,{usage}}}"#),
        r#"{"timestamp_ms":3,"key":"b","latency_ms":5,"model":"other","usage":{"prompt_tokens":7}}"#,
        r#"{"timestamp_ms":4,"key":"b","latency_ms":50,"model":"other","usage":{"prompt_tokens":7}}"#,
        &format!(r#"{{"timestamp_ms":5,"key":"c","status":500,{usage}}}"#),
    ]);
    let report = report(&log.unwrap());
    assert_eq!(
        serde_json::to_value(&report).unwrap(),
        serde_json::json!({
            "saved": {
                "calls": 2, "tokens": 22, "seconds": 0.75, "money": "0.020000", "currency": "USD",
            },
            "left_out": {"status": 1},
            "skipped": {"lines": 0, "first": []},
        })
    );
    let lines: Vec<String> = report
        .lines()
        .into_iter()
        .map(|(name, value, note)| format!("{name}|{value}|{note}"))
        .collect();
    assert_eq!(
        lines,
        [
            "saved calls|2|40.00 % of 5",
            "  tokens|22|",
            "  seconds|0.750|",
            "  money|0.020000|USD, of 0.060000",
            "left out|1|not cached: status 1",
        ]
    );
}

proptest! {
    /// Each line is blank, a call, or skipped; whatever it holds, none is lost and none ends the reading.
    #[test]
    fn each_line_is_counted_once(
        lines in proptest::collection::vec(
            r#"\{"timestamp_ms":[0-9]{1,4},"key":"[ab]"(,"status":(2|5)00)?\}|[{}\[\]":,a0 \r]{0,12}"#,
            0..20,
        ),
    ) {
        let text = lines.join("\n");
        let full = lines.iter().filter(|line| !line.trim().is_empty()).count() as u64;
        match read(text.as_bytes(), &settings()) {
            Ok(log) => {
                let asked = log.trace.requests().len() as u64;
                let calls = asked + log.left_out.values().sum::<u64>();
                prop_assert_eq!(calls + log.skipped.lines, full);
                prop_assert!(log.skipped.lines <= calls);
                prop_assert_eq!(log.calls.len() as u64, asked);
            }
            Err(LogError::NoLog { skipped, lines, .. }) => {
                prop_assert!(lines == full && skipped > lines - skipped);
            }
            Err(error) => prop_assert!(matches!(error, LogError::Empty) && full == 0, "{}", error),
        }
    }

    /// The order of a log's lines is no part of what it tells, where no two bear one time; nothing is lost.
    #[test]
    fn any_order_of_the_lines_is_the_same_log(
        calls in proptest::collection::btree_map(0_u64..1_000, (0_u8..4, 0_u32..100), 1..40),
        seed in any::<u64>(),
    ) {
        let lines: Vec<String> = calls.iter().map(|(at_ms, (key, tokens))| format!(
            r#"{{"timestamp_ms":{at_ms},"key":"{key}","model":"m","usage":{{"prompt_tokens":{tokens}}}}}"#,
        )).collect();
        let mut mixed = lines.clone();
        mixed.sort_by_key(|line| blake3::keyed_hash(&[seed as u8; 32], line.as_bytes()).to_hex().to_string());
        let (log, mixed) = (
            read(lines.join("\n").as_bytes(), &settings()).unwrap(),
            read(mixed.join("\n").as_bytes(), &settings()).unwrap(),
        );
        let times = |log: &Log| log.trace.requests().iter().map(|it| it.at_ms).collect::<Vec<_>>();
        prop_assert_eq!(times(&log), times(&mixed));
        prop_assert_eq!(&log.calls, &mixed.calls);
        let report = report(&log);
        prop_assert_eq!(&report, &super::tests::report(&mixed));
        prop_assert_eq!(report.total.calls + report.total.spent_calls, calls.len() as u64);
        // All that was asked twice is saved.
        let mut asked = std::collections::BTreeSet::new();
        let again = calls.values().filter(|(key, _)| !asked.insert(*key)).map(|(_, tokens)| u64::from(*tokens));
        prop_assert_eq!(report.saved.tokens, again.sum::<u64>());
    }
}
