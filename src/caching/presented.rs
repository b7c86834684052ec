//! The way of a request, before anything is looked up (RFC 9111 §4, §4.4).

use super::cache_control::RequestDirectives;
use super::fields::{Fields, has};
use super::range::asks_for_part;

/// Where a request goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the store: GET, or HEAD, which a stored GET answers (RFC 9110 §9.3.2).
    Lookup,
    /// To the origin with all its end-to-end fields; nothing is looked up or kept. The reason is a
    /// token.
    Pass(&'static str),
    /// To the origin, and its answer may invalidate what is stored.
    WriteThrough,
    /// Nowhere: it wants a stored answer or none, and cannot have one. 504.
    GatewayTimeout,
}

/// Tells whether the origin's state may change by a request of this method: all but those known to
/// be safe (RFC 9110 §9.2.1, RFC 9111 §4.4).
pub fn is_unsafe(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

impl Way {
    /// Decides by method, directives, fields and whether the request has content.
    ///
    /// Rule: unsafe methods are written through, whatever the request says (§4). Conditions that
    /// only an origin may evaluate (`If-Match`, `If-Unmodified-Since`, §4.3.2), requests for parts
    /// and a GET with content, whose meaning nobody defines (RFC 9110 §9.3.1), are passed.
    pub fn of<'a>(
        method: &str,
        directives: &RequestDirectives,
        has_content: bool,
        fields: impl Fields<'a>,
    ) -> Self {
        if is_unsafe(method) {
            return Self::WriteThrough;
        }
        let reason = if !matches!(method, "GET" | "HEAD") {
            "method"
        } else if has_content {
            "content"
        } else if asks_for_part(method, fields.clone()) {
            "range"
        } else if has(fields.clone(), "if-match") || has(fields, "if-unmodified-since") {
            "precondition"
        } else {
            return Self::Lookup;
        };
        if directives.only_if_cached { Self::GatewayTimeout } else { Self::Pass(reason) }
    }
}

#[cfg(test)]
mod tests {
    use super::Way::{GatewayTimeout, Lookup, Pass, WriteThrough};
    use super::*;

    fn way(method: &str, field: &str, has_content: bool, control: &str) -> Way {
        let control = [("cache-control", control.as_bytes())];
        let directives = RequestDirectives::parse(control.into_iter());
        let fields = [(field, b"x".as_slice())];
        Way::of(method, &directives, has_content, fields.into_iter())
    }

    /// RFC 9111 §4, §3.3, §4.3.2: what is looked up, passed, and written through.
    #[test]
    fn only_a_plain_get_or_head_is_looked_up() {
        for (method, field, has_content, expected) in [
            ("GET", "accept", false, Lookup),
            ("HEAD", "accept", false, Lookup),
            ("GET", "if-none-match", false, Lookup),
            ("GET", "if-modified-since", false, Lookup),
            ("GET", "if-range", false, Lookup),
            ("HEAD", "range", false, Lookup),
            ("GET", "range", false, Pass("range")),
            ("GET", "if-match", false, Pass("precondition")),
            ("HEAD", "if-unmodified-since", false, Pass("precondition")),
            ("GET", "accept", true, Pass("content")),
            ("OPTIONS", "accept", false, Pass("method")),
            ("TRACE", "accept", false, Pass("method")),
        ] {
            assert_eq!(way(method, field, has_content, ""), expected, "{method} {field}");
        }
    }

    /// RFC 9111 §4: unsafe methods, and those whose safety is unknown, go to the origin first.
    #[test]
    fn unsafe_methods_are_written_through() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "CONNECT", "FOO", "get", ""] {
            for control in ["", "only-if-cached", "max-stale"] {
                assert_eq!(way(method, "range", true, control), WriteThrough, "{method}");
            }
            assert!(is_unsafe(method), "{method}");
        }
    }

    /// RFC 9111 §5.2.1.7: what would have to be passed and may not be is 504.
    #[test]
    fn only_if_cached_is_never_passed() {
        assert_eq!(way("GET", "range", false, "only-if-cached"), GatewayTimeout);
        assert_eq!(way("OPTIONS", "accept", false, "only-if-cached"), GatewayTimeout);
        assert_eq!(way("GET", "accept", false, "only-if-cached"), Lookup);
    }
}
