//! Requests for parts. They are passed to the origin: nothing partial is kept, so nothing partial
//! is ever served or combined (RFC 9111 §3.3, §3.4).

use super::fields::{Fields, has};

/// Tells whether a request asks for a part of the answer.
///
/// Rule: RFC 9110 §14.2, Range counts for GET only; §13.1.5, `If-Range` without it says nothing.
pub fn asks_for_part<'a>(method: &str, fields: impl Fields<'a>) -> bool {
    method == "GET" && has(fields, "range")
}

/// Tells whether an answer is, or says that it is, only a part.
///
/// Rule: RFC 9110 §14.4, `Content-Range` means something in 206 and 416 only; an answer of
/// another status that has one is not trusted to be whole.
pub fn is_partial<'a>(status: u16, fields: impl Fields<'a>) -> bool {
    status == 206 || has(fields, "content-range")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caching::Field;

    /// RFC 9110 §14.2, §13.1.5: Range counts in GET; If-Range alone does not.
    #[test]
    fn only_a_get_with_range_asks_for_a_part() {
        let range: Field<'_> = ("range", b"bytes=0-9");
        let if_range: Field<'_> = ("if-range", b"\"a\"");
        for (method, fields, asks) in [
            ("GET", vec![range], true),
            ("GET", vec![if_range, range], true),
            ("GET", vec![if_range], false),
            ("HEAD", vec![range], false),
            ("GET", vec![], false),
        ] {
            assert_eq!(asks_for_part(method, fields.into_iter()), asks, "{method}");
        }
    }

    /// RFC 9111 §3.3: an answer that says it is a part is one, whatever its status.
    #[test]
    fn a_content_range_makes_any_answer_partial() {
        let range: Field<'_> = ("content-range", b"bytes 0-9/10");
        assert!(is_partial(206, [].into_iter()));
        assert!(is_partial(200, [range].into_iter()));
        assert!(is_partial(416, [("content-range", b"bytes */10".as_slice())].into_iter()));
        assert!(!is_partial(200, [("content-type", b"text/plain".as_slice())].into_iter()));
    }
}
