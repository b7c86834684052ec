//! Chunks of all kinds, and what they add up to.

use super::provider_tests::check;
use super::tree_tests::Tree;
use super::{FormError, events_to_object};
use crate::canonical::Profile;

/// Returns chat chunks with a frame around what is said of the choices.
fn chat(choices: &[&str]) -> String {
    let mut body = String::new();
    for choices in choices {
        body += &format!("data: {{\"id\":\"c\",\"choices\":{choices}}}\n\n");
    }
    body + "data: [DONE]\n\n"
}

/// Checks what message chunks with these choices add up to.
pub(super) fn check_message(choices: &[&str], message: &str) {
    let expected = format!(
        r#"{{"id":"c","object":"chat.completion","choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}]}}"#
    );
    check(Profile::Chat, &chat(choices), &expected);
}

const STOP: &str = r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#;

#[test]
fn tool_calls_are_put_together_however_they_come() {
    let call = |id: &str, name: &str, arguments: &str| {
        format!(
            r#"{{"id":"{id}","type":"function","function":{{"name":"{name}","arguments":"{arguments}"}}}}"#
        )
    };
    let both = [call("a", "look", "{}"), call("b", "see", "[1]")].join(",");
    let message = format!(r#"{{"role":"assistant","content":null,"tool_calls":[{both}]}}"#);
    for deltas in [
        // In turns, the later call first, name and id once.
        &[
            r#"{"index":1,"id":"b","type":"function","function":{"name":"see","arguments":""}}"#,
            r#"{"index":0,"id":"a","type":"function","function":{"name":"look","arguments":""}}"#,
            r#"{"index":1,"function":{"arguments":"[1"}}"#,
            r#"{"index":0,"function":{"arguments":"{}"}}"#,
            r#"{"index":1,"function":{"arguments":"]"}}"#,
        ][..],
        // Everything again with each piece, or empty, or null.
        &[
            r#"{"index":0,"id":"a","type":"function","function":{"name":"look","arguments":"{"}}"#,
            r#"{"index":0,"id":"a","type":"function","function":{"name":"look","arguments":"}"}},{"index":1,"id":"b","type":"function","function":{"name":"see","arguments":null}}"#,
            r#"{"index":1,"id":"","type":null,"function":{"name":"","arguments":"[1]"}}"#,
            r#"{"index":1,"id":null,"type":"function","function":{"name":null,"arguments":""}}"#,
        ],
        // The name in pieces.
        &[
            r#"{"index":0,"id":"a","type":"function","function":{"name":"lo","arguments":""}}"#,
            r#"{"index":0,"function":{"name":"ok","arguments":"{}"}},{"index":1,"id":"b","type":"function","function":{"name":"see","arguments":"[1]"}}"#,
        ],
        // Without an index: by the id, or by the call before.
        &[
            r#"{"id":"a","type":"function","function":{"name":"look","arguments":"{"}}"#,
            r#"{"function":{"arguments":"}"}}"#,
            r#"{"id":"b","type":"function","function":{"name":"see","arguments":"["}}"#,
            r#"{"function":{"arguments":"1"}}"#,
            r#"{"id":"b","function":{"arguments":"]"}}"#,
        ],
        // Whole, at once.
        &[&*both],
    ] {
        let mut choices: Vec<String> = deltas
            .iter()
            .map(|calls| format!(r#"[{{"index":0,"delta":{{"content":null,"tool_calls":[{calls}]}},"finish_reason":null}}]"#))
            .collect();
        choices.push(STOP.to_owned());
        check_message(&choices.iter().map(String::as_str).collect::<Vec<_>>(), &message);
    }
}

#[test]
fn what_else_a_message_says_is_put_together() {
    let cases: [(&[&str], &str); 9] = [
        // A message has a role and content, also where no delta says so.
        (&[r#"{"tool_calls":[]}"#], r#"{"role":"assistant","content":null,"tool_calls":[]}"#),
        (
            &[r#"{"refusal":"I "}"#, r#"{"refusal":"can't","content":null}"#],
            r#"{"role":"assistant","content":null,"refusal":"I can't"}"#,
        ),
        // Both halves of a character, each in its own delta; escapes stay as they are.
        (
            &[r#"{"content":"\u00e9\ud83d"}"#, r#"{"content":"\ude00é"}"#],
            r#"{"role":"assistant","content":"é😀é"}"#,
        ),
        (&[r#"{"content":"half \ud83d"}"#], r#"{"role":"assistant","content":"half \ud83d"}"#),
        (
            &[
                r#"{"audio":{"id":"audio_1","transcript":"He"}}"#,
                r#"{"audio":{"id":"audio_1","data":"AAAA","transcript":"y"}}"#,
                r#"{"audio":{"data":"BBBB"}}"#,
                r#"{"audio":{"expires_at":1729}}"#,
            ],
            r#"{"role":"assistant","content":null,"audio":{"id":"audio_1","data":"AAAABBBB","transcript":"Hey","expires_at":1729}}"#,
        ),
        (
            &[
                r#"{"function_call":{"name":"f","arguments":""}}"#,
                r#"{"function_call":{"arguments":"{\"a\""}}"#,
                r#"{"function_call":{"arguments":":1}"}}"#,
            ],
            r#"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}}"#,
        ),
        // What nobody knows: texts and lists go on, of the rest the last one counts.
        (
            &[
                r#"{"thoughts":"a","score":1.0,"seen":[1],"x":{"y":"a","z":1}}"#,
                r#"{"thoughts":"b","score":2e0,"seen":[1],"x":{"y":"b"}}"#,
            ],
            r#"{"role":"assistant","content":null,"thoughts":"ab","score":2e0,"seen":[1,1],"x":{"y":"ab","z":1}}"#,
        ),
        // Parts that are not the same part going on stay apart.
        (
            &[
                r#"{"content":[{"type":"text","text":"a","index":0}]}"#,
                r#"{"content":[{"type":"text","text":"b","index":1}]}"#,
                r#"{"content":[{"type":"image_url","image_url":{"url":"u"}}]}"#,
                r#"{"content":[{"type":"image_url","image_url":{"url":"v"}},{"type":"text","text":"c"}]}"#,
                r#"{"content":[{"type":"text","text":"d","tone":"low"},{"type":"text","text":"e","tone":"high"}]}"#,
                r#"{"content":[{"type":"text","text":"f","tone":"low"}]}"#,
                r#"{"content":[{"type":"text","text":"g","index":2}]}"#,
                r#"{"content":[{"type":"text","text":"h"},{"type":"x","a":1}]}"#,
                r#"{"content":[{"type":"x","b":2}]}"#,
                r#"{"content":[{"type":"x","b":2}]}"#,
            ],
            r#"{"role":"assistant","content":[{"type":"text","text":"a","index":0},{"type":"text","text":"b","index":1},{"type":"image_url","image_url":{"url":"u"}},{"type":"image_url","image_url":{"url":"v"}},{"type":"text","text":"cd","tone":"low"},{"type":"text","text":"e","tone":"high"},{"type":"text","text":"f","tone":"low"},{"type":"text","text":"g","index":2},{"type":"text","text":"h"},{"type":"x","a":1},{"type":"x","b":2},{"type":"x","b":2}]}"#,
        ),
        (
            &[
                r#"{"content":"a"}"#,
                r#"{"content":[{"type":"text","text":"b"}]}"#,
                r#"{"content":"c"}"#,
            ],
            r#"{"role":"assistant","content":[{"type":"text","text":"abc"}]}"#,
        ),
    ];
    for (deltas, message) in cases {
        let mut choices: Vec<String> = deltas
            .iter()
            .map(|delta| format!(r#"[{{"index":0,"delta":{delta},"finish_reason":null}}]"#))
            .collect();
        choices.push(STOP.to_owned());
        check_message(&choices.iter().map(String::as_str).collect::<Vec<_>>(), message);
    }
}

/// A-27: choices come in turns, in any order, and are told apart by their index.
#[test]
fn several_choices_come_in_turns() {
    let events = chat(&[
        r#"[{"index":1,"delta":{"role":"assistant","content":"B"},"finish_reason":null},{"index":0,"delta":{"role":"assistant","content":"A"},"finish_reason":null}]"#,
        r#"[{"index":10,"delta":{"role":"assistant","content":"K"},"finish_reason":"stop"}]"#,
        r#"[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]"#,
        r#"[{"index":2,"delta":{"role":"assistant","content":"C"},"finish_reason":"length"}]"#,
        r#"[{"index":1,"delta":null,"finish_reason":"stop"}]"#,
    ]);
    let object = events_to_object(Profile::Chat, events.as_bytes()).unwrap();
    let texts = Tree::read(&object)
        .get("choices")
        .unwrap()
        .elements()
        .iter()
        .map(|choice| {
            choice.get("message").unwrap().get("content").unwrap().as_text().unwrap().to_owned()
        })
        .collect::<Vec<_>>();
    assert_eq!(texts, ["Aa", "B", "C", "K"]);
}

/// The data of an event may have several lines.
#[test]
fn an_event_of_several_lines_is_one_chunk() {
    let events = "data: {\"id\":\"c\",\ndata: \"choices\":[{\"index\":0,\ndata:\"delta\":{\"content\":\"A\"},\"finish_reason\":\"stop\"}]\ndata\ndata: }\n\ndata: [DONE]\n\n";
    let expected = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"A"},"finish_reason":"stop"}]}"#;
    check(Profile::Chat, events, expected);
}

#[test]
fn a_stream_that_is_not_whole_or_no_chat_is_no_answer() {
    let whole = chat(&[r#"[{"index":0,"delta":{"content":"A"},"finish_reason":"stop"}]"#]);
    assert!(events_to_object(Profile::Chat, whole.as_bytes()).is_ok());
    let event =
        |data: &str| whole.replace("data: [DONE]", &format!("data: {data}\n\ndata: [DONE]"));
    let cases = [
        (String::new(), FormError::Incomplete),
        ("data: [DONE]\n\n".to_owned(), FormError::NotOfApi),
        (whole.replace("data: [DONE]\n\n", ""), FormError::Incomplete),
        (whole.trim_end().to_owned(), FormError::Incomplete),
        (whole.clone() + "data: {}\n\n", FormError::Incomplete),
        (whole.clone() + "data: {", FormError::Incomplete),
        (whole.replace("\"stop\"", "null"), FormError::Incomplete),
        (whole.replace("\"stop\"", "\"\""), FormError::Incomplete),
        (event(r#"{"choices":[{"index":1,"delta":{"content":"B"}}]}"#), FormError::Incomplete),
        (event(r#"{"error":{"message":"overloaded"}}"#), FormError::HoldsError),
        (event(r#"{"type":"error"}"#), FormError::HoldsError),
        (
            whole.replace("data: [DONE]", "event: error\ndata: {}\n\ndata: [DONE]"),
            FormError::HoldsError,
        ),
        (event("{"), FormError::NotJson),
        (event("[1]"), FormError::NotJson),
        (event("hello"), FormError::NotJson),
        (whole.replace("delta", "text"), FormError::NotOfApi),
        (whole.replace("delta", "message"), FormError::NotOfApi),
        (
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".to_owned(),
            FormError::NotOfApi,
        ),
    ];
    for (body, error) in cases {
        assert_eq!(events_to_object(Profile::Chat, body.as_bytes()), Err(error), "{body}");
    }
    assert_eq!(events_to_object(Profile::Completions, whole.as_bytes()), Err(FormError::NotOfApi));
    assert_eq!(
        events_to_object(Profile::Chat, b"data: {\"a\":\"\xff\"}\n\n"),
        Err(FormError::NotJson)
    );
}
