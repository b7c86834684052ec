use proptest::prelude::*;

use super::super::json::trees::{Tree, spaced};
use super::*;

fn mask(text: &str) -> FieldMask {
    FieldMask::parse(text).unwrap()
}

fn kept(fields: &str, body: &str) -> Option<String> {
    mask(fields).apply(body.as_bytes()).map(|kept| String::from_utf8(kept).unwrap())
}

const CHAT: &str = r#"{
    "id": "a", "created": 1.0, "usage": {"total_tokens": 3, "details": {"cached": 1}},
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "x, \u00e9", "tools": [1, 2]}},
        {"index": 1, "message": {"role": "assistant", "content": null}},
        {"index": 2, "message": "none"},
        7
    ]
}"#;

#[test]
fn only_the_fields_asked_for_are_kept() {
    let cases = [
        ("id", r#"{"id":"a"}"#),
        (" usage ,, id ", r#"{"id":"a","usage":{"total_tokens":3,"details":{"cached":1}}}"#),
        (
            "choices.message.content",
            r#"{"choices":[{"message":{"content":"x, \u00e9"}},{"message":{"content":null}},{}]}"#,
        ),
        (
            "choices.index,created",
            r#"{"created":1.0,"choices":[{"index":0},{"index":1},{"index":2}]}"#,
        ),
        ("choices.message.tools", r#"{"choices":[{"message":{"tools":[1,2]}},{"message":{}},{}]}"#),
        ("*.total_tokens", r#"{"usage":{"total_tokens":3},"choices":[{},{},{}]}"#),
        (
            "usage.*.cached,usage.total_tokens",
            r#"{"usage":{"total_tokens":3,"details":{"cached":1}}}"#,
        ),
        ("usage.details,usage.*.cached", r#"{"usage":{"details":{"cached":1}}}"#),
        ("nothing", "{}"),
        ("id.deeper", "{}"),
    ];
    for (fields, expected) in cases {
        assert_eq!(kept(fields, CHAT).as_deref(), Some(expected), "{fields}");
    }
}

#[test]
fn names_are_compared_by_what_they_mean() {
    assert_eq!(kept("id", r#"{"\u0069d":1,"x":2}"#).as_deref(), Some(r#"{"\u0069d":1}"#));
    assert_eq!(kept("é", "{\"\\u00e9\":1,\"x\":2}").as_deref(), Some("{\"\\u00e9\":1}"));
}

#[test]
fn a_list_at_the_top_is_walked_through() {
    assert_eq!(kept("a", r#"[{"a":1,"b":2},[{"b":3}],4]"#).as_deref(), Some(r#"[{"a":1},[{}]]"#));
}

#[test]
fn what_needs_no_change_or_is_not_json_stays() {
    for (fields, body) in
        [("*", CHAT), ("a,b.c", r#"{"a":1,"b":{"c":[]}}"#), ("a", "{}"), ("a", "[]"), ("a", "7")]
    {
        assert_eq!(kept(fields, body), None, "{body}");
    }
    for body in ["", "[DONE]", "{\"b\":1", "null", "\"text\"", "<html>"] {
        assert_eq!(kept("a", body), None, "{body}");
    }
}

#[test]
fn each_event_is_filtered_by_itself() {
    let body = "event: x\ndata: {\"id\": 1, \"choices\": [{\"delta\": {\"content\": \"a\"}}]}\n\n\
                data: {\"id\": 1, \"usage\": null}\n\ndata: [DONE]\n\n";
    let expected = "event: x\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n\
                    data: {}\n\ndata: [DONE]\n\n";
    let kept = mask("choices.delta").apply_events(body.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(kept).unwrap(), expected);
}

#[test]
fn a_bad_part_of_the_text_is_named() {
    let empty_part = |path: &str| FieldError::EmptyPart { path: path.to_owned() };
    let deep = vec!["a"; 17].join(".");
    let cases = [
        ("".to_owned(), FieldError::Empty),
        (" , ".to_owned(), FieldError::Empty),
        ("a,b..c,d".to_owned(), empty_part("b..c")),
        (".a".to_owned(), empty_part(".a")),
        ("a.".to_owned(), empty_part("a.")),
        (".".to_owned(), empty_part(".")),
        (format!("a,{deep}"), FieldError::TooDeep { path: deep.clone() }),
        (format!("{}last", "a,".repeat(64)), FieldError::TooMany { path: "last".to_owned() }),
        ("a".repeat(1_025), FieldError::TooLong { length: 1_025 }),
    ];
    for (text, error) in cases {
        assert_eq!(FieldMask::parse(&text), Err(error), "{text}");
    }
    assert_eq!(empty_part("b..c").to_string(), "the field \"b..c\" has an empty part");
    mask(&vec!["a"; 16].join("."));
    mask(&"a,".repeat(64));
    mask(&"a".repeat(1_024));
}

/// What a mask keeps, said over trees.
fn filtered(tree: &Tree, paths: &[&[&str]]) -> Option<Tree> {
    match tree {
        Tree::Array(elements) => Some(Tree::Array(
            elements.iter().filter_map(|element| filtered(element, paths)).collect(),
        )),
        Tree::Object(members) => {
            let kept = members.iter().filter_map(|(name, value)| {
                let meant: String = serde_json::from_str(name).unwrap();
                let goes_on = paths.iter().filter(|path| path[0] == "*" || path[0] == meant);
                let rests: Vec<&[&str]> = goes_on.map(|path| &path[1..]).collect();
                let value = if rests.is_empty() {
                    None
                } else if rests.iter().any(|rest| rest.is_empty()) {
                    Some(value.clone())
                } else {
                    filtered(value, &rests)
                };
                Some((name.clone(), value?))
            });
            Some(Tree::Object(kept.collect()))
        }
        Tree::Plain(_) | Tree::Text(_) => None,
    }
}

proptest! {
    #[test]
    fn a_mask_keeps_what_its_paths_lead_to_in_order_and_spelling(
        (tree, body) in spaced(),
        paths in prop::collection::vec(
            prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "token", "*"]), 1..4),
            1..5,
        ),
    ) {
        let text: Vec<String> = paths.iter().map(|path| path.join(".")).collect();
        let mask = mask(&text.join(","));
        let paths: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
        let expected = filtered(&tree, &paths);
        match mask.apply(body.as_bytes()) {
            Some(kept) => {
                prop_assert_eq!(str::from_utf8(&kept).unwrap(), expected.unwrap().compact());
                prop_assert_eq!(mask.apply(&kept), None);
            }
            None => prop_assert!(expected.is_none_or(|expected| expected == tree)),
        }
    }

    #[test]
    fn any_mask_and_any_bytes_are_read_without_harm(
        text in "[a.*, é]{0,20}",
        body in prop::collection::vec(
            prop_oneof![prop::sample::select(b"[]{}\",:a1".to_vec()), any::<u8>()],
            0..60,
        ),
    ) {
        if let Ok(mask) = FieldMask::parse(&text) {
            mask.apply(&body);
            mask.apply_events(&body);
        }
    }
}
