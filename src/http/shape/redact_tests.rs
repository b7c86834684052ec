use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::json::trees::{Tree, spaced};
use super::*;

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Compiled once: that takes longer than any test.
static REDACTOR: LazyLock<Redactor> =
    LazyLock::new(|| Redactor::new(&owned(&DEFAULT_NAMES), &owned(&DEFAULT_PATTERNS)).unwrap());

fn redacted(body: &str) -> Option<String> {
    REDACTOR.apply(body.as_bytes()).map(|body| String::from_utf8(body).unwrap())
}

#[test]
fn members_that_hold_secrets_lose_their_values_and_keep_their_place() {
    let cases = [
        (r#"{"api_key": "x", "b": 1.0}"#, r#"{"api_key": "[redacted]", "b": 1.0}"#),
        (r#"{"a":[{"PassWord":{"x":[1]}}]}"#, r#"{"a":[{"PassWord":"[redacted]"}]}"#),
        (r#"{"token":17,"secret":true}"#, r#"{"token":"[redacted]","secret":"[redacted]"}"#),
        (r#"{"Authorization":["a","b"],"c":[2]}"#, r#"{"Authorization":"[redacted]","c":[2]}"#),
        (r#"{"\u0074oken":"x"}"#, r#"{"\u0074oken":"[redacted]"}"#),
        (r#"{"token":"","apikey":null}"#, r#"{"token":"[redacted]","apikey":null}"#),
    ];
    for (body, expected) in cases {
        assert_eq!(redacted(body).as_deref(), Some(expected), "{body}");
        assert_eq!(redacted(expected), None, "{expected}");
    }
}

#[test]
fn keys_of_providers_are_found_in_strings_and_names() {
    let keys = [
        "sk-abcdEFGH12345678",
        "sk-proj-abc_def-0123456789",
        "sk-ant-api03-AbC_dEf-0123456789AA",
        "sk-abcd****************wxyz",
        "sk-abcdefghijklmnopqrstuvwx",
        "sk-1234",
        "AIzaSyA-0123456789_abcdefghijklmnopqrs",
        "xai-0123456789abcdef",
        "gsk_0123456789abcdef",
        "hf_abcdefghijklmnop",
    ];
    for key in keys {
        let told = |key: &str| {
            [
                format!(r#"{{"error":{{"message":"Incorrect key: {key}. See \u00e9","code":1}}}}"#),
                format!(r#"["{key}","a\n{key}\t","\u000a{key}","({key})"]"#),
                format!(r#"{{"{key}":1}}"#),
                format!("<p>{key}</p>"),
                format!("data \\n{key}\\u0022"),
                key.to_owned(),
            ]
        };
        for (body, expected) in told(key).iter().zip(told("[redacted]")) {
            let redacted = redacted(body).unwrap_or_else(|| panic!("{body} kept its key"));
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
            assert_eq!(value(&redacted), value(&expected), "{body}");
            if value(&expected).is_none() {
                assert_eq!(redacted, expected);
            }
        }
    }
}

#[test]
fn what_follows_bearer_goes_and_plain_words_stay() {
    let cases = [
        ("Authorization: Bearer abc1", "Authorization: Bearer [redacted]"),
        ("got 'bearer  eyJ0.eyJz.a-b_c=='.", "got 'bearer  [redacted]'."),
        ("BEARER abcdefghijklmnopqrstuvwxyz", "BEARER [redacted]"),
    ];
    for (body, expected) in cases {
        assert_eq!(redacted(body).as_deref(), Some(expected), "{body}");
    }
    for body in [
        "Missing bearer or basic authentication in header",
        "risk-management-consulting and task-oriented-dialogue",
        "the bearer authentication scheme",
        "sk-learn, sk-learn-contrib and hf_hub_download, xai-org",
        r#"{"total_tokens":3,"tokens":["a"],"message":"the token is bad"}"#,
        r#"{"error":{"message":"api_key is missing","type":"auth"}}"#,
    ] {
        assert_eq!(redacted(body), None, "{body}");
    }
}

#[test]
fn named_members_are_found_in_what_is_not_json_too() {
    let cases = [
        (r#"{"error":1,"api_key":"abc"#, r#"{"error":1,"api_key":"[redacted]"#),
        ("{'password': 'a b\\n', 'x': 'y'}", "{'password': '[redacted]', 'x': 'y'}"),
        (
            r#"{"raw":"{\"token\": \"abc\", \"x\": 1}"}"#,
            r#"{"raw":"{\"token\": \"[redacted]\", \"x\": 1}"}"#,
        ),
        (r#"oops {\"token\":\"abc\"}"#, r#"oops {\"token\":\"[redacted]\"}"#),
        (
            r#"{"a":"{\"b\":\"{\\\"secret\\\":\\\"s\\\"}\"}"}"#,
            r#"{"a":"{\"b\":\"{\\\"secret\\\":\\\"[redacted]\\\"}\"}"}"#,
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(redacted(body).as_deref(), Some(expected), "{body}");
        assert_eq!(redacted(expected), None, "{expected}");
    }
}

#[test]
fn json_too_deep_to_walk_is_searched_as_text() {
    let body = format!("{}\"sk-0123456789\"{}", "[".repeat(200), "]".repeat(200));
    assert!(redacted(&body).unwrap().contains("[\"[redacted]\"]"));
}

#[test]
fn bytes_that_are_no_utf_8_hide_nothing() {
    let redacted = REDACTOR.apply(b"\xff\xfe sk-0123456789 \xff").unwrap();
    assert_eq!(redacted, b"\xff\xfe [redacted] \xff");
    assert_eq!(REDACTOR.apply(b"\xffsk-0123456789\xff").unwrap(), b"\xff[redacted]\xff");
    let redacted = REDACTOR.apply(b"{\"token\": \"\xff\xfea\"").unwrap();
    assert_eq!(redacted, b"{\"token\": \"[redacted]\"");
    let redacted = REDACTOR.apply(b"[\"\xff\\ud800 sk-0123456789\"]").unwrap();
    assert_eq!(redacted, b"[\"\xff\\ud800 [redacted]\"]");
}

#[test]
fn events_are_redacted_one_by_one_and_over_lines() {
    let body =
        b": sk\ndata: {\"token\":\"x\"}\n\ndata: {\"token\":\ndata: \"x\"}\n\ndata: [DONE]\n\n";
    let expected = b": sk\ndata: {\"token\":\"[redacted]\"}\n\n\
        data: {\"token\":\ndata: \"[redacted]\"}\n\ndata: [DONE]\n\n";
    assert_eq!(REDACTOR.apply_events(body).as_deref(), Some(&expected[..]));
}

#[test]
fn patterns_of_the_deployer_are_used_where_they_meet() {
    let redactor = Redactor::new(&[], &owned(&["b+c", "ab+", "x*", r"id=(?<secret>\d+)"])).unwrap();
    let redacted = redactor.apply(b"abbc xx id=12 [redacted]").unwrap();
    assert_eq!(redacted, b"[redacted] [redacted] id=[redacted] [redacted]");
    let mut names = vec!["é".to_owned(), "naïve".repeat(21)];
    names.resize(64, "n".repeat(128));
    let named = Redactor::new(&names, &[]).unwrap();
    let redacted = named.apply("{\"é\":1,'é'='a'".as_bytes()).unwrap();
    assert_eq!(redacted, "{\"é\":1,'é'='[redacted]'".as_bytes());
    assert_eq!(format!("{redactor:?}"), "Redactor { num_names: 0, num_patterns: 4 }");
}

#[test]
fn bad_rules_are_named_by_their_place() {
    let new = |names: &[&str], patterns: &[&str]| {
        Redactor::new(&owned(names), &owned(patterns)).map(|_| ()).unwrap_err()
    };
    let length = |what, number, most| RedactError::Length { what, number, most };
    assert_eq!(new(&["a", ""], &[]), length("name", 2, 128));
    assert_eq!(new(&[&"a".repeat(129)], &[]), length("name", 1, 128));
    assert_eq!(new(&[], &[&"a".repeat(1_025)]), length("pattern", 1, 1_024));
    assert_eq!(new(&["a"; 65], &[]), RedactError::TooMany { what: "names" });
    assert_eq!(new(&[], &["a"; 65]), RedactError::TooMany { what: "patterns" });
    for bad in ["(", "a{1000}{1000}", r"(?=a)"] {
        let error = new(&[], &["a", bad]);
        assert!(matches!(error, RedactError::Pattern { number: 2, .. }), "{bad}: {error}");
        assert_eq!(error.label(), "bad_pattern");
    }
}

/// What is left of a tree when the members named `token` are replaced.
fn without(tree: &Tree) -> Tree {
    match tree {
        Tree::Array(elements) => Tree::Array(elements.iter().map(without).collect()),
        Tree::Object(members) => {
            let replaced = members.iter().map(|(name, value)| {
                let is_secret = name == "\"token\"" && *value != Tree::Plain("null".into());
                let removed = || Tree::Text("\"[redacted]\"".into());
                (name.clone(), if is_secret { removed() } else { without(value) })
            });
            Tree::Object(replaced.collect())
        }
        leaf => leaf.clone(),
    }
}

proptest! {
    #[test]
    fn all_that_no_rule_names_stays((tree, body) in spaced()) {
        let redacted = REDACTOR.apply(body.as_bytes()).unwrap_or(body.clone().into_bytes());
        let redacted = str::from_utf8(&redacted).unwrap();
        let expected = without(&tree).compact();
        prop_assert_eq!(Tree::read(redacted.as_bytes()), Tree::read(expected.as_bytes()));
    }

    #[test]
    fn any_bytes_are_redacted_without_harm_and_once(
        body in prop::collection::vec(
            prop_oneof![
                prop::sample::select(b"[]{}\"',:\\ ".to_vec()).prop_map(|byte| vec![byte]),
                prop::sample::select(vec!["\"token\"", "sk-0123456789", "bearer ", "\\u00e9"])
                    .prop_map(|text| text.as_bytes().to_vec()),
                any::<u8>().prop_map(|byte| vec![byte]),
            ],
            0..30,
        ),
    ) {
        let body = body.concat();
        if let Some(once) = REDACTOR.apply(&body) {
            prop_assert!(once != body);
        }
    }
}
