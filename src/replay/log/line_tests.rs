use proptest::prelude::*;

use super::*;

fn read(line: &str) -> Result<LoggedCall<'_>, Fault> {
    LoggedCall::read(line.as_bytes())
}

#[test]
fn all_fields_are_read_and_others_count_for_nothing() {
    let line = r#"{"timestamp": "2025-11-26T17:24:00.25+01:00", "timestamp_ms": null, "user": "ann",
        "method": "GET", "path": "/v1/messages?a=1", "request": {"n": 1.0}, "status": 201,
        "response": {"a": 1}, "size_bytes": 70, "latency_ms": 1250.5, "model": "m\"1",
        "usage": {"prompt_tokens": 9, "completion_tokens": 12, "details": {}}, "prompt": ["x"]}"#;
    assert_eq!(
        read(line),
        Ok(LoggedCall {
            at_ms: 1_764_174_240_250,
            user: Some("ann".into()),
            method: "GET".into(),
            path: "/v1/messages?a=1".into(),
            question: Question::Request(r#"{"n": 1.0}"#.into()),
            status: Some(201),
            size_bytes: Some(70),
            response: Some(Response::Object(r#"{"a": 1}"#)),
            latency: Some(Duration::from_micros(1_250_500)),
            model: Some("m\"1".into()),
            usage: Some(Usage { input_tokens: 9, output_tokens: 12 }),
        })
    );
    let least = read(r#"{"timestamp_ms":5.9,"key":"k"}"#).unwrap();
    assert_eq!((least.at_ms, least.question), (5, Question::Key("k".into())));
    assert_eq!((&*least.method, &*least.path), ("POST", "/v1/chat/completions"));
    assert_eq!((least.status, least.response, least.usage), (None, None, None));
}

#[test]
fn a_field_may_be_spelled_in_the_ways_that_loggers_have() {
    let of = |fields: &str| format!(r#"{{"timestamp_ms":1,"request":{{}},{fields}}}"#);
    for (usage, expected) in [
        (r#"{"input_tokens":3,"output_tokens":4}"#, Some((3, 4))),
        (r#"{"prompt_tokens":1,"input_tokens":3,"completion_tokens":null}"#, Some((1, 0))),
        (r#"{"total_tokens":3}"#, None),
        ("{}", None),
        ("null", None),
    ] {
        let line = of(&format!(r#""usage":{usage}"#));
        let usage = read(&line).unwrap().usage;
        assert_eq!(usage.map(|it| (it.input_tokens, it.output_tokens)), expected, "{line}");
    }
    for (response, expected) in [
        (r#""sp\u0061ce""#, Some(Response::Text(5))),
        ("[1, 2]", Some(Response::Text(6))),
        ("null", None),
    ] {
        let line = of(&format!(r#""response":{response}"#));
        assert_eq!(read(&line).unwrap().response, expected, "{line}");
    }
    let body = r#"{"timestamp_ms":1,"request":"{\"n\": 1}"}"#;
    assert_eq!(read(body).unwrap().question, Question::Request(r#"{"n": 1}"#.into()));
    let numbered = read(r#"{"timestamp_ms":1,"user":-7,"key":5}"#).unwrap();
    assert_eq!(
        (numbered.user.as_deref(), numbered.question),
        (Some("-7"), Question::Key("5".into()))
    );
    let get = r#"{"timestamp_ms":1,"method":"GET","path":"/v1/models"}"#;
    assert_eq!(read(get).unwrap().question, Question::Request("".into()));
}

#[test]
fn what_is_wrong_is_told_by_the_fields_name_and_nothing_else() {
    for (line, expected) in [
        ("secret", "it is no JSON object with each field once"),
        (r#"["secret"]"#, "it is no JSON object with each field once"),
        (r#"{"key":"secret","key":"secret"}"#, "it is no JSON object with each field once"),
        (r#"{"key":"secret"}"#, "timestamp_ms and timestamp are missing"),
        (r#"{"timestamp_ms":1}"#, "request and key are missing"),
        (r#"{"timestamp_ms":1,"key":""}"#, "key must not be empty"),
        (r#"{"timestamp_ms":1,"key":["secret"]}"#, "key must be a text or a number"),
        (r#"{"timestamp_ms":1,"key":"secret","request":{}}"#, "key must not stand beside request"),
        (
            r#"{"timestamp_ms":"secret","key":"k"}"#,
            "timestamp_ms must be milliseconds since 1970 as a number",
        ),
        (
            r#"{"timestamp_ms":-1,"key":"k"}"#,
            "timestamp_ms must be milliseconds since 1970 as a number",
        ),
        (
            r#"{"timestamp":"2025-11-26T17:24:00","key":"k"}"#,
            "timestamp must be a time with its offset (RFC 3339), such as 2026-11-26T16:24:00Z",
        ),
        (
            r#"{"timestamp":1764174240,"key":"k"}"#,
            "timestamp must be a time with its offset (RFC 3339), such as 2026-11-26T16:24:00Z",
        ),
        (
            r#"{"timestamp_ms":1,"key":"k","user":{"id":"secret"}}"#,
            "user must be a text or a number",
        ),
        (
            r#"{"timestamp_ms":1,"key":"k","path":"secret"}"#,
            "path must be a path, such as /v1/messages",
        ),
        (
            r#"{"timestamp_ms":1,"key":"k","status":70000}"#,
            "status must be a status code, such as 200",
        ),
        (r#"{"timestamp_ms":1,"key":"k","size_bytes":1.5}"#, "size_bytes must be a whole number"),
        (
            r#"{"timestamp_ms":1,"key":"k","latency_ms":1e300}"#,
            "latency_ms must be milliseconds as a number, a year's at most",
        ),
        (
            r#"{"timestamp_ms":1,"key":"k","usage":{"prompt_tokens":"secret"}}"#,
            "usage must be an object with prompt_tokens and completion_tokens as whole numbers",
        ),
    ] {
        let fault = read(line).unwrap_err();
        assert_eq!(fault.to_string(), expected, "{line}");
        assert_eq!(serde_json::to_value(fault).unwrap(), expected);
    }
    assert_eq!(LoggedCall::read(b"{\"key\":\"\xff\"}"), Err(Fault::Json));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        (at_ms, size_bytes, input_tokens) in (0..9_000_000_000_000_000_u64, any::<u64>(), any::<u64>()),
        (key, user) in (".{1,20}", proptest::option::of(".{0,20}")),
    ) {
        let line = serde_json::json!({
            "timestamp_ms": at_ms, "key": key, "user": user, "size_bytes": size_bytes,
            "usage": {"input_tokens": input_tokens},
        });
        let line = line.to_string();
        let call = read(&line).unwrap();
        prop_assert_eq!((call.at_ms, call.size_bytes), (at_ms, Some(size_bytes)));
        prop_assert_eq!(call.user.as_deref(), user.as_deref());
        prop_assert_eq!(call.question, Question::Key(key.into()));
        prop_assert_eq!(call.usage, Some(Usage { input_tokens, output_tokens: 0 }));
    }

    /// Whatever a line holds, what is told of it holds none of it.
    #[test]
    fn any_line_is_a_call_or_a_fault(
        name in "timestamp(_ms)?|user|path|key|request|response|status|size_bytes|latency_ms|model|usage",
        value in r#"[-0-9eE.]{1,6}|"zebra[a-z\\"]{0,6}"|\[{0,3}zebra\]{0,3}|\{"zebra":1\}|null"#,
    ) {
        let line = format!(r#"{{"timestamp_ms":1,"method":"GET","{name}":{value}}}"#);
        if let Err(fault) = read(&line) {
            prop_assert!(!fault.to_string().contains("zebra"), "{}", fault);
        }
    }
}
