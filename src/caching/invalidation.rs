//! What an unsafe request makes invalid (RFC 9111 §4.4).

mod target;

use self::target::{Origin, resolve};
use super::fields::{Fields, first};
use super::presented::is_unsafe;
use super::status::is_non_error;

/// Returns the targets, path and query, of which every stored answer is to be invalidated: the
/// request's own first, then those that the answer names; none where nothing is.
///
/// `origin` is that of the upstream (`https://api.example.com:8443`; a path after it does not
/// count), `target` path and query as they were sent there.
///
/// Rule: RFC 9111 §4.4; after an answer of 2xx or 3xx to an unsafe method the target, and what
/// Location and Content-Location name, unless that is of another origin. A reference that cannot be
/// read names nothing.
pub fn invalidated<'a>(
    method: &str,
    status: u16,
    origin: &str,
    target: &str,
    fields: impl Fields<'a>,
) -> Vec<String> {
    if !is_unsafe(method) || !is_non_error(status) {
        return Vec::new();
    }
    let mut targets = vec![target.to_owned()];
    let Some(own) = Origin::parse(origin) else { return targets };
    for name in ["location", "content-location"] {
        let reference = first(fields.clone(), name).and_then(|value| str::from_utf8(value).ok());
        let named = reference.and_then(|reference| resolve(&own, target, reference));
        targets.extend(named.filter(|named| !targets.contains(named)));
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://api.example.com/v1";

    fn of(method: &str, status: u16, fields: &[(&str, &str)]) -> Vec<String> {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
        invalidated(method, status, ORIGIN, "/v1/things?a=1", fields)
    }

    /// RFC 9111 §4.4: a non-error answer to an unsafe method, known or not, invalidates the target.
    #[test]
    fn a_non_error_answer_to_an_unsafe_method_invalidates_the_target() {
        for (method, status, expected) in [
            ("POST", 200, true),
            ("PUT", 204, true),
            ("DELETE", 202, true),
            ("PATCH", 303, true),
            ("FOO", 200, true),
            ("POST", 399, true),
            ("POST", 400, false),
            ("POST", 404, false),
            ("DELETE", 500, false),
            ("POST", 102, false),
            ("GET", 200, false),
            ("HEAD", 200, false),
            ("OPTIONS", 200, false),
            ("TRACE", 200, false),
        ] {
            let expected: &[&str] = if expected { &["/v1/things?a=1"] } else { &[] };
            assert_eq!(of(method, status, &[]), expected, "{method} {status}");
        }
    }

    /// RFC 9111 §4.4: so are the targets that Location and Content-Location name.
    #[test]
    fn location_and_content_location_are_invalidated_too() {
        let found = of("POST", 201, &[("location", "things/7"), ("content-location", "/v1/all")]);
        assert_eq!(found, ["/v1/things?a=1", "/v1/things/7", "/v1/all"]);
        let found = of("POST", 201, &[("location", "/a"), ("content-location", "/a#x")]);
        assert_eq!(found, ["/v1/things?a=1", "/a"]);
        assert_eq!(of("POST", 500, &[("location", "/a")]), Vec::<String>::new());
        assert_eq!(of("GET", 301, &[("location", "/a")]), Vec::<String>::new());
    }

    /// RFC 9111 §4.4: nothing of another origin is invalidated.
    #[test]
    fn nothing_of_another_origin_is_invalidated() {
        for (location, named) in [
            ("https://api.example.com/x", Some("/x")),
            ("HTTPS://API.EXAMPLE.COM:443/x", Some("/x")),
            ("https://api.example.com", Some("/")),
            ("//api.example.com/x", Some("/x")),
            ("http://api.example.com/x", None),
            ("https://api.example.com:8443/x", None),
            ("https://api.example.com.evil.com/x", None),
            ("https://evil.com/x", None),
            ("https://api.example.com@evil.com/x", None),
            ("https://user@api.example.com/x", None),
            ("//evil.com/x", None),
            ("mailto:x@example.com", None),
            ("https:/x", None),
            ("/\u{e9}", None),
            ("/a b", None),
        ] {
            let found = of("POST", 201, &[("location", location)]);
            let mut expected = vec!["/v1/things?a=1"];
            expected.extend(named);
            assert_eq!(found, expected, "{location}");
        }
    }

    /// RFC 9111 §4.4: without an origin to compare with only the target is invalidated.
    #[test]
    fn without_a_known_origin_only_the_target_is_invalidated() {
        let fields = [("location", b"/a".as_slice())];
        assert_eq!(invalidated("POST", 200, "builtin", "/v1/x", fields.into_iter()), ["/v1/x"]);
    }
}
