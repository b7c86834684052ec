//! White space between the tokens of JSON, left out; all else stays as it is spelled.

use super::events::change_data;
use super::json::Walker;

/// Returns `body` without the white space between its tokens.
///
/// Numbers, order, equal names and escapes stay byte by byte. `None` where there is nothing to
/// leave out, and where `body` is not exactly one JSON value nested at most 128 deep.
/// Cost: one pass; nothing is copied before the first white space.
pub fn minify(body: &[u8]) -> Option<Vec<u8>> {
    let mut walker = Walker::new(body);
    let mut out = Vec::new();
    // What lies between these two is plain and not yet copied.
    let (mut run_start, mut run_end) = (0, 0);
    while let Some(token) = walker.step().ok()? {
        if token.start != run_end {
            if out.capacity() == 0 {
                out.reserve_exact(body.len());
            }
            out.extend_from_slice(body.get(run_start..run_end)?);
            run_start = token.start;
        }
        run_end = token.end();
    }
    if run_start == 0 && run_end == body.len() {
        return None;
    }
    out.extend_from_slice(body.get(run_start..run_end)?);
    Some(out)
}

/// Does the same for the data of each server-sent event of `body`, which is whole events.
///
/// `None` where nothing changed. Data that is not JSON stays, `[DONE]` for one.
pub fn minify_events(body: &[u8]) -> Option<Vec<u8>> {
    change_data(body, minify)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json::trees::{Tree, spaced};
    use super::*;

    fn minified(body: &str) -> Option<String> {
        minify(body.as_bytes()).map(|minified| String::from_utf8(minified).unwrap())
    }

    #[test]
    fn white_space_goes_and_nothing_else() {
        let cases = [
            (" 1 ", "1"),
            ("1\n", "1"),
            ("[ 1.0 , -0e+05 ,\t1.00000000000000000001 ]", "[1.0,-0e+05,1.00000000000000000001]"),
            ("{ \"a b\" : \" c \\\" : d \" }", "{\"a b\":\" c \\\" : d \"}"),
            ("{\"b\": 1, \"a\": 2, \"b\": 3}", "{\"b\":1,\"a\":2,\"b\":3}"),
            ("{\"a\": \"\\u00e9\\/\"}", "{\"a\":\"\\u00e9\\/\"}"),
        ];
        for (body, expected) in cases {
            assert_eq!(minified(body).as_deref(), Some(expected), "{body}");
        }
    }

    #[test]
    fn what_is_not_plainly_json_is_left_alone() {
        for body in [
            "",
            " ",
            "{}",
            "\"a b\"",
            "[DONE]",
            "a b",
            "{ \"a\": 1 } { \"b\": 2 }",
            "{ \"a\": \"b }",
            "{ 'a': 1 }",
            "[ 1, ]",
            "\u{feff}{ }",
            "{ // no\n}",
            "<p> a </p>",
            "data: { }\n\n",
        ] {
            assert_eq!(minified(body), None, "{body:?}");
        }
    }

    #[test]
    fn events_are_minified_one_by_one() {
        let body = b"event: x y\ndata: { \"a\": [ ] }\n\n: a b\n\ndata: [DONE]\n\ndata: a b\n\n";
        let expected = b"event: x y\ndata: {\"a\":[]}\n\n: a b\n\ndata: [DONE]\n\ndata: a b\n\n";
        assert_eq!(minify_events(body).as_deref(), Some(&expected[..]));
        assert_eq!(minify_events(expected), None);
    }

    proptest! {
        #[test]
        fn a_minified_body_is_the_same_value_in_its_shortest_layout((tree, body) in spaced()) {
            let minified = minify(body.as_bytes()).unwrap_or(body.clone().into_bytes());
            prop_assert_eq!(str::from_utf8(&minified).unwrap(), tree.compact());
            prop_assert_eq!(Tree::read(&minified), Tree::read(body.as_bytes()));
            prop_assert_eq!(minify(&minified), None);
        }

        #[test]
        fn any_bytes_keep_all_that_is_not_white_space(
            body in prop::collection::vec(
                prop_oneof![prop::sample::select(b"[]{}\",: \n\\01".to_vec()), any::<u8>()],
                0..60,
            ),
        ) {
            if let Some(minified) = minify(&body) {
                let plain = |bytes: &[u8]| {
                    let mut bytes = bytes.to_vec();
                    bytes.retain(|byte| !b" \n\r\t".contains(byte));
                    bytes
                };
                prop_assert_eq!(plain(&minified), plain(&body));
                prop_assert!(minified.len() < body.len());
            }
        }
    }
}
