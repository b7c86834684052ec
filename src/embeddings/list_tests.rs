use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::canonical::Profile;

fn list(body: &str) -> List {
    match split(&Bytes::copy_from_slice(body.as_bytes())) {
        Split::List(list) => list,
        Split::Single => panic!("not split: {body}"),
    }
}

fn is_single(body: &str) -> bool {
    matches!(split(&Bytes::copy_from_slice(body.as_bytes())), Split::Single)
}

fn item_text(list: &List, position: usize) -> String {
    String::from_utf8(list.item_body(position).unwrap()).unwrap()
}

/// What is keyed of a body on an embeddings route.
fn keyed(body: &[u8]) -> Vec<u8> {
    let uncounted = Profile::Embeddings.uncounted_fields();
    canonicalise(&normal_form(body), uncounted).unwrap().as_bytes().to_vec()
}

#[test]
fn an_item_is_the_lists_own_body_with_one_input() {
    let list = list("{ \"model\" : \"m\", \"input\" : [ \"a\\u0301 [,]\" , \"b\" ] , \"x\":1.50 }");
    assert_eq!(list.num_items(), 2);
    assert_eq!(
        item_text(&list, 0),
        "{ \"model\" : \"m\", \"input\" : \"a\\u0301 [,]\" , \"x\":1.50 }"
    );
    assert_eq!(item_text(&list, 1), "{ \"model\" : \"m\", \"input\" : \"b\" , \"x\":1.50 }");
    assert_eq!((list.item_body(2), list.first_of(2)), (None, None));
    assert!(!format!("{list:?}").contains("a\\u0301"), "a prompt was printed");
}

#[test]
fn only_the_missing_inputs_are_asked_in_order_and_once() {
    let body = r#"{"input":["a", "b","a" ,"\u0061","c"],"model":"m"}"#;
    let list = list(body);
    assert_eq!(list.distinct().collect::<Vec<_>>(), [0, 1, 4]);
    assert_eq!((0..5).filter_map(|at| list.first_of(at)).collect::<Vec<_>>(), [0, 1, 0, 0, 4]);
    let request = |missing: &[usize]| String::from_utf8(list.request_for(missing)).unwrap();
    assert_eq!(request(&[4]), r#"{"input":["c"],"model":"m"}"#);
    assert_eq!(request(&[4, 3, 1, 2, 99]), r#"{"input":["a","b","c"],"model":"m"}"#);
    assert_eq!(request(&[]), r#"{"input":[],"model":"m"}"#);

    let plain = r#"{"input": [ "a", "b" ]}"#;
    assert_eq!(super::tests::list(plain).request_for(&[0, 1]), plain.as_bytes());
}

#[test]
fn what_is_not_a_list_of_like_inputs_is_handled_whole() {
    for input in [
        r#""x""#,
        r#"["x"]"#,
        "[1,2,3]",
        "[[1,2]]",
        "[]",
        r#"["a",[1]]"#,
        r#"["a",1]"#,
        "[[1],[]]",
        "[[1],[2.5]]",
        "[[1],[-2]]",
        r#"[[1],["x"]]"#,
        "[[1],[[2]]]",
        "[null,null]",
        "{}",
        "7",
        r#"[{"text":"a"},{"text":"b"}]"#,
        r#"["a","\x"]"#,
        "null",
    ] {
        assert!(is_single(&format!(r#"{{"input":{input},"model":"m"}}"#)), "{input}");
    }
    for body in [
        "",
        "[]",
        "{}",
        r#"["a","b"]"#,
        r#"{"Input":["a","b"]}"#,
        r#"{"input":["a","b"]"#,
        r#"{"input":["a","b"],"input":["a","b"]}"#,
        r#"{"input":["a","b"],"\u0069nput":"c"}"#,
        r#"{"a":{"input":["a","b"]}}"#,
    ] {
        assert!(is_single(body), "{body}");
    }
}

#[test]
fn a_list_whose_items_depend_on_each_other_or_on_their_place_is_handled_whole() {
    for (member, is_split) in [
        (r#""late_chunking":true"#, false),
        (r#""late_chunking":false"#, true),
        (r#""stream":true"#, false),
        (r#""titles":["one","two"]"#, false),
        (r#""extra":{"titles":[1]}"#, true),
        (r#""truncate":"END""#, true),
    ] {
        assert_eq!(!is_single(&format!(r#"{{"input":["a","b"],{member}}}"#)), is_split, "{member}");
    }
}

#[test]
fn the_number_of_items_and_what_stands_beside_them_are_bounded() {
    let of = |num_items: usize, rest: usize| {
        json!({"input": (0..num_items).collect::<Vec<_>>().iter().map(usize::to_string)
            .collect::<Vec<_>>(), "model": "m".repeat(rest)})
        .to_string()
    };
    assert_eq!(list(&of(MAX_ITEMS, 10)).num_items(), MAX_ITEMS);
    assert!(is_single(&of(MAX_ITEMS + 1, 10)));
    assert_eq!(list(&of(2, 4_000)).num_items(), 2);
    assert!(is_single(&of(2, 4_100)));
}

#[test]
fn a_list_of_one_is_keyed_as_its_item() {
    for (body, expected) in [
        (r#"{"input":["x"]}"#, r#"{"input":"x"}"#),
        (r#"{ "input": [ "x" ], "n":1 }"#, r#"{ "input": "x", "n":1 }"#),
        (r#"{"input":[[1, 2]]}"#, r#"{"input":[1, 2]}"#),
        (r#"{"input":[1]}"#, r#"{"input":[1]}"#),
        (r#"{"input":[]}"#, r#"{"input":[]}"#),
        (r#"{"input":[[]]}"#, r#"{"input":[[]]}"#),
        (r#"{"input":[["x"]]}"#, r#"{"input":[["x"]]}"#),
        (r#"{"input":["a","b"]}"#, r#"{"input":["a","b"]}"#),
        (r#"{"input":[{"text":"x"}]}"#, r#"{"input":[{"text":"x"}]}"#),
        ("no JSON", "no JSON"),
    ] {
        assert_eq!(normal_form(body.as_bytes()), expected.as_bytes(), "{body}");
    }
}

/// A-44: `dimensions` and `encoding_format` are in each item's body, and so in its key.
#[test]
fn items_asked_in_another_form_have_another_key() {
    let key_of = |options: &str| {
        let list = list(&format!(r#"{{"input":["a","b"],"model":"m"{options}}}"#));
        let alone = format!(r#"{{"model":"m"{options},"input":"a"}}"#);
        let key = keyed(&list.item_body(0).unwrap());
        assert_eq!(key, keyed(alone.as_bytes()), "{options}");
        assert_ne!(key, keyed(&list.item_body(1).unwrap()));
        key
    };
    let mut keys: Vec<_> = [
        "",
        r#","dimensions":256"#,
        r#","dimensions":512"#,
        r#","encoding_format":"float""#,
        r#","encoding_format":"base64""#,
        r#","dimensions":256,"encoding_format":"base64""#,
    ]
    .map(key_of)
    .into();
    keys.sort_unstable();
    assert!(keys.is_sorted_by(|one, other| one < other), "two forms share a key");
    assert_eq!(key_of(r#","user":"u""#), key_of(""));
}

fn inputs() -> impl Strategy<Value = Vec<Value>> {
    let text = prop_oneof![any::<String>(), "[a\"\\\\é😀\n,\\[\\]]{0,6}"].prop_map(Value::from);
    let tokens = prop::collection::vec(any::<u32>(), 1..6).prop_map(Value::from);
    prop_oneof![prop::collection::vec(text, 1..9), prop::collection::vec(tokens, 1..9)]
}

/// The same value with every character of its texts escaped, and space between its tokens.
fn respelled(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
            format!("\"{}\"", units.collect::<String>())
        }
        Value::Array(elements) => {
            format!("[ {} ]", elements.iter().map(respelled).collect::<Vec<_>>().join("\t,\n"))
        }
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn an_item_shares_its_key_with_the_same_input_asked_alone(inputs in inputs()) {
        let body = format!(r#"{{"user":"u","input":{},"model":"m"}}"#, respelled(&json!(inputs)));
        let bodies: Vec<Vec<u8>> = match split(&Bytes::from(body.clone())) {
            Split::Single => vec![normal_form(body.as_bytes()).into_owned()],
            Split::List(list) => {
                (0..list.num_items()).filter_map(|position| list.item_body(position)).collect()
            }
        };
        prop_assert_eq!(bodies.len(), inputs.len());
        for (body, input) in bodies.iter().zip(&inputs) {
            for alone in [json!(input), json!([input])] {
                let alone = json!({"model": "m", "input": alone}).to_string();
                prop_assert_eq!(keyed(body), keyed(alone.as_bytes()));
            }
        }
    }

    #[test]
    fn what_is_asked_is_what_is_missing(inputs in inputs(), hits in any::<u16>()) {
        let body = json!({"a": {"input": 1}, "input": inputs, "z": 0});
        if let Split::List(list) = split(&Bytes::from(body.to_string())) {
            let missing: Vec<usize> =
                list.distinct().filter(|position| hits >> position & 1 == 0).collect();
            let asked: Value = serde_json::from_slice(&list.request_for(&missing)).unwrap();
            let expected: Vec<_> = missing.iter().map(|position| &inputs[*position]).collect();
            prop_assert_eq!(&asked["input"], &json!(expected));
            prop_assert_eq!((&asked["a"], &asked["z"]), (&body["a"], &body["z"]));
            for (position, input) in inputs.iter().enumerate() {
                let first = inputs.iter().position(|other| other == input);
                prop_assert_eq!(list.first_of(position), first);
            }
        } else {
            prop_assert_eq!(inputs.len(), 1);
        }
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let body = Bytes::from(bytes);
        prop_assert!(matches!(split(&body), Split::Single));
        prop_assert_eq!(normal_form(&body), &body[..]);
    }

    #[test]
    fn damaged_requests_are_read_without_harm(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let body = br#"{"input":["a\u0041","b"],"model":"m","n":-1.5e3,"x":{"y":[1]}}"#;
        prop_assert!(matches!(split(&Bytes::from_static(body)), Split::List(_)));
        let mut body = body.to_vec();
        let at = at.index(body.len());
        body[at] = byte;
        for end in [body.len(), cut.index(body.len())] {
            let damaged = Bytes::copy_from_slice(&body[..end]);
            normal_form(&damaged);
            if let Split::List(list) = split(&damaged) {
                list.request_for(&[0]);
            }
        }
    }
}
