use super::*;

fn canonical(body: &str) -> String {
    let canonical = canonicalise(body.as_bytes(), &[]).unwrap_or_else(|error| {
        panic!("{body} was refused: {error}");
    });
    String::from_utf8(canonical.as_bytes().to_vec()).unwrap()
}

/// A-5: map order, white space, escapes and the spelling of numbers make no difference.
#[test]
fn each_value_has_one_spelling() {
    for (body, expected) in [
        (" { \"b\" : [ 1 , 2 ] ,\n\t\"a\" : { } }\r", r#"{"a":{},"b":[1,2]}"#),
        (
            r#"{"b":{"d":1,"c":{"z":1,"y":[{"b":1,"a":2}]}},"a":0}"#,
            r#"{"a":0,"b":{"c":{"y":[{"a":2,"b":1}],"z":1},"d":1}}"#,
        ),
        (r#"[{"b":1,"a":[{"d":1,"c":2}]},{"a":1}]"#, r#"[{"a":[{"c":2,"d":1}],"b":1},{"a":1}]"#),
        ("[ ]", "[]"),
        (" null ", "null"),
        (r#""\u0041\/\u00e9\ud83d\uDE00\u000A\u0022\u005C\u007f""#, "\"A/é😀\\n\\\"\\\\\u{7f}\""),
        (r#""\u0008\u0009\u000c\u000d\u0000\u001F\b\t\f\r""#, r#""\b\t\f\r\u0000\u001f\b\t\f\r""#),
        (
            r#""\uD800\udc00x\uDBFFx\uDC00\ud800\ud800\udc00""#,
            "\"\u{10000}x\\udbffx\\udc00\\ud800\u{10000}\"",
        ),
        // The order of RFC 8785 §3.2.3: by UTF-16 code units, so that an emoji precedes U+FB33.
        (
            r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#,
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}",
        ),
        (r#"{"\\":1,"a":2,"\"":3,"Z":4,"":5}"#, r#"{"":5,"\"":3,"Z":4,"\\":1,"a":2}"#),
    ] {
        assert_eq!(canonical(body), expected, "{body}");
        assert_eq!(canonical(expected), expected);
    }
}

/// A-15: nothing is lower-cased, trimmed or normalised.
#[test]
fn texts_that_only_look_alike_stay_apart() {
    for (one, other) in [
        (r#""Polish""#, r#""polish""#),
        (r#"" a""#, r#""a""#),
        (r#""a  b""#, r#""a b""#),
        (r#""\u00e9""#, r#""e\u0301""#),
        (r#""\ud800""#, r#""\ud801""#),
        (r#""\ud800""#, r#""\\ud800""#),
        (r#""\ud800""#, r#""\ufffd""#),
        (r#""1""#, "1"),
        (r#""null""#, "null"),
        ("[[1],2]", "[1,[2]]"),
        ("{}", "[]"),
        (r#"{"a":null}"#, "{}"),
        ("[1,2]", "[2,1]"),
    ] {
        assert_ne!(canonical(one), canonical(other));
    }
}

#[test]
fn numbers_are_equal_when_they_are_the_same_value_exactly() {
    for (same, expected) in [
        (&["1", "1.0", "1e0", "10e-1", "0.1E+1", "1.000", "0.00001e5"][..], "1"),
        (&["0", "0.0", "0e7", "0.000e-99999999999999999999"], "0"),
        (&["-0", "-0.0", "-0e1"], "-0"),
        (&["100", "1e2", "1.0e+002", "1000e-1"], "100"),
        (&["0.7", "7e-1", "70e-2"], "0.7"),
        (&["-12.5", "-125e-1", "-1.25E1"], "-12.5"),
        (&["0.000001", "1e-6"], "0.000001"),
        (&["1e-7", "0.0000001", "10e-8"], "1e-7"),
        (&["123456789012345678901", "1.23456789012345678901e20"], "123456789012345678901"),
        (&["1e21", "1000000000000000000000"], "1e+21"),
        (&["1e400", "10e399"], "1e+400"),
        (&["1e999999999999", "10e999999999998", "0.1e1000000000000"], "1e+999999999999"),
        (&["15e-999999999999"], "1.5e-999999999998"),
        (&["9007199254740993", "9007199254740993.0"], "9007199254740993"),
        (&["0.10000000000000000555"], "0.10000000000000000555"),
    ] {
        for spelling in same {
            assert_eq!(canonical(spelling), expected, "{spelling}");
        }
        assert_eq!(canonical(expected), expected);
    }
    for (one, other) in [
        ("9007199254740992", "9007199254740993"),
        ("18446744073709551616", "18446744073709551617"),
        ("0.1", "0.10000000000000000555"),
        ("100000000000000000000000000000001", "100000000000000000000000000000002"),
        ("0", "-0"),
        ("1e400", "1e401"),
        ("1e-400", "0"),
    ] {
        assert_ne!(canonical(one), canonical(other));
    }
}

#[test]
fn what_is_not_one_plain_json_value_is_refused_where_it_goes_wrong() {
    let long_exponent = format!("1e{}", "9".repeat(400));
    for (body, offset, reason) in [
        (&b""[..], 0, "the body ends where a value is expected"),
        (b"  ", 2, "the body ends where a value is expected"),
        (b"\xef\xbb\xbf{}", 0, "a byte order mark"),
        (b"{\"a\":\"\xff\"}", 6, "invalid UTF-8"),
        (b"\"\xed\xa0\x80\"", 1, "invalid UTF-8"),
        (b"{\"a\":1,\"b\":2,\"a\":1}", 13, "two members of one name"),
        (b"[{\"x\":{\"\\u0061\":1,\"a\":2}}]", 18, "two members of one name"),
        (b"{\"\":1,\"\":1}", 6, "two members of one name"),
        (b"[NaN]", 1, "expected a value"),
        (b"[Infinity]", 1, "expected a value"),
        (b"[-Infinity]", 2, "a minus without a number"),
        (b"[1,]", 3, "expected a value"),
        (b"{\"a\":1,}", 7, "expected a member name"),
        (b"{a:1}", 1, "expected a member name"),
        (b"{\"a\" 1}", 5, "expected a colon"),
        (b"[1 2]", 3, "expected a comma or the end of the array"),
        (b"{\"a\":1 \"b\":2}", 7, "expected a comma or the end of the object"),
        (b"[01]", 2, "expected a comma or the end of the array"),
        (b"[1.]", 2, "a decimal point without digits"),
        (b"[.5]", 1, "expected a value"),
        (b"[+1]", 1, "expected a value"),
        (b"[1e]", 2, "an exponent without digits"),
        (b"[1e+]", 2, "an exponent without digits"),
        (b"[0x10]", 2, "expected a comma or the end of the array"),
        (long_exponent.as_bytes(), 0, "a number whose exponent has more than 18 digits"),
        (b"\"a\nb\"", 2, "a raw control character in a string"),
        (b"\"12345678901\x00\"", 12, "a raw control character in a string"),
        (b"\"abc", 4, "the body ends in a string"),
        (b"\"abc\\", 4, "an unknown escape"),
        (b"\"\\x41\"", 1, "an unknown escape"),
        (b"\"\\u12\"", 1, "a \\u escape without four hexadecimal digits"),
        (b"\"\\u+123\"", 1, "a \\u escape without four hexadecimal digits"),
        (b"{} {}", 3, "more after the end of the value"),
        (b"{}\x00", 2, "more after the end of the value"),
        (b"tru", 0, "expected a value"),
        (b"'a'", 0, "expected a value"),
        (b"[\xc2\xa01]", 1, "expected a value"),
        (b"// x\n1", 0, "expected a value"),
    ] {
        let expected = JsonError { offset, reason };
        let found = canonicalise(body, &[]).unwrap_err();
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn nesting_is_read_to_128_and_refused_beyond_without_harm() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| open.repeat(depth) + "1" + &close.repeat(depth);
        assert_eq!(canonical(&nested(128)), nested(128));
        for depth in [129, 100_000] {
            let error = canonicalise(nested(depth).as_bytes(), &[]).unwrap_err();
            assert_eq!(
                error,
                JsonError { offset: open.len() * 128, reason: "nested deeper than 128" }
            );
            let error = canonicalise(open.repeat(depth).as_bytes(), &[]).unwrap_err();
            assert_eq!(error.reason, "nested deeper than 128");
        }
    }
    // Out of order on every level, so that the second pass is as deep.
    let nested = "{\"b\":0,\"a\":".repeat(128) + "1" + &"}".repeat(128);
    assert_eq!(canonical(&nested), "{\"a\":".repeat(128) + "1" + &",\"b\":0}".repeat(128));
}

#[test]
fn uncounted_members_are_left_out_at_the_top_only_and_can_still_be_asked_for() {
    let body = br#"{"user":"u","stream":false,"store":true,"a":{"user":1},"model":"m\u0021"}"#;
    let rules =
        [Uncounted::Always("user"), Uncounted::WhenFalse("stream"), Uncounted::WhenFalse("store")];
    let canonical = canonicalise(body, &rules).unwrap();
    assert_eq!(canonical.as_bytes(), br#"{"a":{"user":1},"model":"m!","store":true}"#);
    assert_eq!(canonical.member("user"), Some(&b"\"u\""[..]));
    assert_eq!(canonical.member("a"), Some(&b"{\"user\":1}"[..]));
    assert_eq!((canonical.flag("stream"), canonical.flag("store")), (Some(false), Some(true)));
    assert_eq!((canonical.flag("model"), canonical.flag("absent")), (None, None));
    assert_eq!(canonical.model().as_deref(), Some("m!"));

    let all = canonicalise(br#"{"user":1}"#, &rules).unwrap();
    assert_eq!((all.as_bytes(), all.member("user")), (&b"{}"[..], Some(&b"1"[..])));
    let array = canonicalise(br#"[{"user":1}]"#, &rules).unwrap();
    assert_eq!((array.as_bytes(), array.member("user")), (&br#"[{"user":1}]"#[..], None));
    assert!(!format!("{canonical:?}").contains("m!"), "a prompt was printed");
}

#[test]
fn a_model_name_is_bounded_and_text() {
    let model = |value: &str| {
        canonicalise(format!("{{\"model\":{value}}}").as_bytes(), &[]).unwrap().model()
    };
    assert_eq!(model(&format!("\"{}\"", "m".repeat(128))), Some("m".repeat(128)));
    assert_eq!(model(&format!("\"{}\"", "\\u0001".repeat(128))), Some("\u{1}".repeat(128)));
    for value in
        [format!("\"{}\"", "m".repeat(129)), "7".into(), "null".into(), r#""\ud800""#.into()]
    {
        assert_eq!(model(&value), None);
    }
}
