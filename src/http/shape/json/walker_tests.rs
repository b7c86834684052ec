use proptest::prelude::*;

use super::super::trees::spaced;
use super::*;

fn is_json(body: &[u8]) -> bool {
    let mut walker = Walker::new(body);
    loop {
        match walker.step() {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(NotJson) => return false,
        }
    }
}

#[test]
fn tokens_come_as_they_stand() {
    let mut walker = Walker::new(b" { \"a\\\"\" : [ -1.0e+2 ,null,\"\" ] } ");
    let mut tokens = Vec::new();
    while let Some(token) = walker.step().unwrap() {
        tokens.push((token.kind, token.start, str::from_utf8(token.text).unwrap()));
    }
    let expected = [
        (Kind::Open, 1, "{"),
        (Kind::Name, 3, "\"a\\\"\""),
        (Kind::Mark, 9, ":"),
        (Kind::Open, 11, "["),
        (Kind::Plain, 13, "-1.0e+2"),
        (Kind::Mark, 21, ","),
        (Kind::Null, 22, "null"),
        (Kind::Mark, 26, ","),
        (Kind::Text, 27, "\"\""),
        (Kind::Close, 30, "]"),
        (Kind::Close, 32, "}"),
    ];
    assert_eq!(tokens, expected);
}

#[test]
fn what_the_standard_does_not_allow_is_refused() {
    let refused = [
        "",
        " ",
        "{",
        "[",
        "]",
        "}",
        "[1",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,}",
        "[1,]",
        "[,1]",
        "{,}",
        "{1:2}",
        "{\"a\" 1}",
        "{\"a\":}",
        "[1 2]",
        "[1}",
        "{\"a\":1]",
        "1 2",
        "01",
        "-",
        "-a",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "0x1",
        "NaN",
        "tru",
        "truex",
        "nul",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "'a'",
        "\u{feff}1",
        "[1]]",
        "{}{}",
        "//\n1",
        "[DONE]",
        "\0",
    ];
    for body in refused {
        assert!(!is_json(body.as_bytes()), "{body:?} was taken");
    }
    for body in ["1", "-0", "0.10", "1E-07", "\"\"", "[]", "{}", "[[],{}]", "{\"\":{}}\n"] {
        assert!(is_json(body.as_bytes()), "{body:?} was refused");
    }
}

#[test]
fn nesting_is_read_to_a_depth_of_128_and_no_further() {
    for (depth, is_read) in [(127, true), (128, true), (129, false), (100_000, false)] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let body = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(is_json(body.as_bytes()), is_read, "{depth}");
        }
    }
}

#[test]
fn a_container_is_skipped_to_its_own_end() {
    let mut walker = Walker::new(b"[{\"a\":[{}]},2]");
    walker.step().unwrap();
    assert_eq!(walker.step().unwrap().unwrap().text, b"{");
    assert_eq!(walker.skip_to_close().unwrap().end(), 11);
    assert_eq!(walker.step().unwrap().unwrap().text, b",");
}

proptest! {
    #[test]
    fn what_is_taken_is_what_serde_json_takes(
        (_, body) in spaced(),
        changes in prop::collection::vec(
            (
                any::<prop::sample::Index>(),
                0_usize..3,
                prop::sample::select(b"[]{}\",:\\ \n\ttrunfals0123459-+.eE\x00\x1f\x7f".to_vec()),
            ),
            0..3,
        ),
    ) {
        let mut body = body.into_bytes();
        for (place, change, byte) in changes {
            let place = place.index(body.len() + 1);
            match change {
                0 => body.insert(place, byte),
                1 if place < body.len() => body[place] = byte,
                _ => body.truncate(place),
            }
        }
        if let Ok(body) = str::from_utf8(&body) {
            let expected = serde_json::from_str::<&serde_json::value::RawValue>(body).is_ok();
            prop_assert_eq!(is_json(body.as_bytes()), expected, "{}", body);
        }
    }

    #[test]
    fn any_bytes_are_walked_without_harm(body in prop::collection::vec(any::<u8>(), 0..200)) {
        is_json(&body);
    }
}
