//! Asking the provider for a stream's `usage`, whoever calls.

use super::json::Raw;

const MEMBER: &str = "\"include_usage\":true";

/// Returns the body of a streamed request with `stream_options.include_usage` set, every other
/// byte as it was.
///
/// Nothing where there is nothing to change: no stream is asked for, usage is asked for already,
/// `stream_options` is something else than an object, or the body is no JSON object.
pub fn ask_for_usage(body: &[u8]) -> Option<Vec<u8>> {
    let request = Raw::read(body).ok()?;
    let stream = request.member("stream").filter(|stream| stream.as_str() == "true")?;
    let Some(options) = request.member("stream_options") else {
        let options = format!(",\"stream_options\":{{{MEMBER}}}");
        return splice(body, stream.end(), stream.end(), &options);
    };
    if options.is_null() {
        return splice(body, options.start(), options.end(), &format!("{{{MEMBER}}}"));
    }
    if !options.is_object() {
        return None;
    }
    if let Some(asked) = options.member("include_usage") {
        let is_asked = asked.as_str() == "true";
        return if is_asked { None } else { splice(body, asked.start(), asked.end(), "true") };
    }
    let comma = if options.members().next().is_some() { "," } else { "" };
    let at = options.start() + 1;
    splice(body, at, at, &format!("{MEMBER}{comma}"))
}

/// Tells whether the caller asked for `usage` in a stream: `stream_options.include_usage` is
/// `true`.
pub fn wants_usage(body: &[u8]) -> bool {
    let options = Raw::read(body).ok().and_then(|request| request.member("stream_options"));
    let asked = options.and_then(|options| options.member("include_usage"));
    asked.is_some_and(|asked| asked.as_str() == "true")
}

/// Puts `text` where the bytes from `from` to `to` were.
fn splice(body: &[u8], from: usize, to: usize, text: &str) -> Option<Vec<u8>> {
    Some([body.get(..from)?, text.as_bytes(), body.get(to..)?].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// usage is asked for, whatever the caller said of it.
    #[test]
    fn usage_is_asked_for_and_no_other_byte_is_touched() {
        for (body, expected) in [
            (
                " { \"model\" : \"m\",\n\"stream\" : true , \"n\":1.0}\n",
                " { \"model\" : \"m\",\n\"stream\" : true,\"stream_options\":{\"include_usage\":true} , \"n\":1.0}\n",
            ),
            (
                "{\"stream_options\":{ \"include_obfuscation\" : false},\"stream\":true}",
                "{\"stream_options\":{\"include_usage\":true, \"include_obfuscation\" : false},\"stream\":true}",
            ),
            (
                "{\"stream\":true,\"stream_options\":{ }}",
                "{\"stream\":true,\"stream_options\":{\"include_usage\":true }}",
            ),
            (
                "{\"stream\":true,\"stream_options\":null}",
                "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
            ),
            (
                "{\"stream\":true,\"stream_options\":{\"x\":1,\"include_usage\": false }}",
                "{\"stream\":true,\"stream_options\":{\"x\":1,\"include_usage\": true }}",
            ),
            (
                "{\"\\u0073tream\":true,\"messages\":[{\"content\":\"\\\"stream\\\":false é\"}]}",
                "{\"\\u0073tream\":true,\"stream_options\":{\"include_usage\":true},\"messages\":[{\"content\":\"\\\"stream\\\":false é\"}]}",
            ),
        ] {
            let asked = ask_for_usage(body.as_bytes()).expect(body);
            assert_eq!(String::from_utf8(asked.clone()).unwrap(), expected);
            assert!(wants_usage(&asked) && !wants_usage(body.as_bytes()), "{body}");
            assert_eq!(ask_for_usage(&asked), None, "{body}");
        }
    }

    #[test]
    fn nothing_changes_where_there_is_nothing_to_ask() {
        for body in [
            "{}",
            "{\"stream\":false}",
            "{\"stream\":\"true\"}",
            "{\"stream\":false,\"stream_options\":{}}",
            "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
            "{\"stream\":true,\"stream_options\":5}",
            "{\"messages\":[{\"stream\":true}]}",
            "[{\"stream\":true}]",
            "{\"stream\":true",
            "",
        ] {
            assert_eq!(ask_for_usage(body.as_bytes()), None, "{body}");
        }
        assert!(!wants_usage(b"{\"include_usage\":true}") && !wants_usage(b"\xff"));
    }

    proptest! {
        #[test]
        fn any_body_is_read_without_harm(body in "[{}\\[\\]\":, a]{0,30}|\\{\"stream\":true(,\"[a\\\\\"]{0,4}\":[1 \\[\\]]{0,3}){0,3}\\}") {
            let _ = wants_usage(body.as_bytes());
            if let Some(asked) = ask_for_usage(body.as_bytes()) {
                prop_assert!(wants_usage(&asked), "{}", body);
            }
        }
    }
}
