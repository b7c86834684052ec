use proptest::prelude::*;

use super::Answer::{NotModified, Stored};
use super::*;
use crate::caching::date::format_http_date;
use crate::caching::fields::Field;

const T: u64 = 784_111_777_000;
const AT_T: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn answer(stored: &[(&str, &str)], request: &[(&str, &str)]) -> Answer {
    let stored = stored.iter().map(|(name, value)| (*name, value.as_bytes()));
    let request = request.iter().map(|(name, value)| (*name, value.as_bytes()));
    answer_to("GET", request, &Chosen::of(200, stored, T), T)
}

/// RFC 9110 §13.1.2, RFC 9111 §4.3.2: If-None-Match by weak comparison, `*`, lists, many lines.
#[test]
fn a_client_that_lists_the_tag_has_the_answer() {
    for (etag, list, expected) in [
        ("\"a\"", "\"a\"", NotModified),
        ("\"a\"", "W/\"a\"", NotModified),
        ("W/\"a\"", "\"a\"", NotModified),
        ("W/\"a\"", "W/\"a\"", NotModified),
        ("\"a\"", "\"b\"", Stored),
        ("\"a\"", "\"b\", \"a\"", NotModified),
        ("\"a\"", "\"b\",W/\"a\" , \"c\"", NotModified),
        ("\"a,b\"", "\"a,b\"", NotModified),
        ("\"a\"", "\"a,b\"", Stored),
        ("\"a\"", "*", NotModified),
        ("\"a\"", "a", Stored),
        ("a", "\"a\"", Stored),
        ("a", "a", Stored),
        ("\"a\"", "", Stored),
        ("\"*\"", "\"*\"", NotModified),
        ("\"a\"", "\"*\"", Stored),
    ] {
        let found = answer(&[("etag", etag)], &[("if-none-match", list)]);
        assert_eq!(found, expected, "{etag} {list}");
    }
    let lines = [("if-none-match", "\"b\""), ("if-none-match", "\"a\"")];
    assert_eq!(answer(&[("etag", "\"a\"")], &lines), NotModified);
    assert_eq!(answer(&[], &[("if-none-match", "*")]), NotModified);
    assert_eq!(answer(&[], &[("if-none-match", "\"a\"")]), Stored);
}

/// RFC 9110 §13.1.3, RFC 9111 §4.3.2: If-Modified-Since against Last-Modified, Date, receipt.
#[test]
fn a_client_whose_copy_is_no_older_has_the_answer() {
    let later = ("date", AFTER);
    for (stored, since, expected) in [
        (vec![("last-modified", AT_T), later], AT_T, NotModified),
        (vec![("last-modified", AT_T), later], AFTER, NotModified),
        (vec![("last-modified", AT_T), later], BEFORE, Stored),
        (vec![("last-modified", AT_T)], "Sunday, 06-Nov-94 08:49:37 GMT", NotModified),
        (vec![later], AFTER, NotModified),
        (vec![later], AT_T, Stored),
        (vec![("last-modified", "?"), later], AT_T, Stored),
        (vec![], AT_T, NotModified),
        (vec![], BEFORE, Stored),
        (vec![("last-modified", BEFORE)], "0", Stored),
        (vec![("last-modified", BEFORE)], "Sun, 06 Nov 1994 08:49:37 UTC", Stored),
    ] {
        let found = answer(&stored, &[("if-modified-since", since)]);
        assert_eq!(found, expected, "{stored:?} {since}");
    }
    let twice = [("if-modified-since", AT_T), ("if-modified-since", AT_T)];
    assert_eq!(answer(&[("last-modified", AT_T)], &twice), Stored);
}

/// RFC 9110 §13.2.2, RFC 9111 §4.3.2: with If-None-Match the date does not count.
#[test]
fn if_none_match_takes_precedence() {
    let stored = [("etag", "\"a\""), ("last-modified", AT_T)];
    for (list, since, expected) in [
        ("\"b\"", AFTER, Stored),
        ("\"a\"", BEFORE, NotModified),
        ("?", AFTER, Stored),
        ("", AFTER, Stored),
    ] {
        let request = [("if-modified-since", since), ("if-none-match", list)];
        assert_eq!(answer(&stored, &request), expected, "{list} {since}");
    }
    let request = [("if-modified-since", AFTER), ("if-none-match", "\"a\"")];
    assert_eq!(answer(&[("last-modified", AT_T)], &request), Stored);
}

/// RFC 9111 §4.3.2: conditions for an origin only, and those on parts, are not evaluated.
#[test]
fn conditions_for_an_origin_are_not_evaluated() {
    let stored = [("etag", "\"a\""), ("last-modified", AT_T)];
    for field in [
        ("if-match", "\"b\""),
        ("if-match", "*"),
        ("if-unmodified-since", BEFORE),
        ("if-range", "\"a\""),
        ("accept", "*"),
    ] {
        assert_eq!(answer(&stored, &[field]), Stored, "{field:?}");
    }
}

/// RFC 9111 §4.3.2, RFC 9110 §13.2.1: only a stored 200 and only GET and HEAD are compared.
#[test]
fn only_a_stored_200_is_compared() {
    let tag: Field<'_> = ("etag", b"\"a\"");
    let request: Field<'_> = ("if-none-match", b"\"a\"");
    for (method, status, expected) in [
        ("GET", 200, NotModified),
        ("HEAD", 200, NotModified),
        ("POST", 200, Stored),
        ("GET", 203, Stored),
        ("GET", 301, Stored),
        ("GET", 404, Stored),
        ("HEAD", 410, Stored),
    ] {
        let chosen = Chosen::of(status, [tag].into_iter(), T);
        let found = answer_to(method, [request].into_iter(), &chosen, T);
        assert_eq!(found, expected, "{method} {status}");
    }
}

/// RFC 9111 §4.3.2: after a 304 of the origin the client's condition is compared with the stored
/// answer, so that a client with another tag gets the whole of it.
#[test]
fn after_a_304_a_client_with_another_tag_gets_the_whole_answer() {
    let stored = [("etag", "\"ours\""), ("date", AT_T)];
    assert_eq!(answer(&stored, &[("if-none-match", "\"theirs\"")]), Stored);
    assert_eq!(answer(&stored, &[("if-none-match", "\"theirs\", \"ours\"")]), NotModified);
    assert_eq!(answer(&stored, &[]), Stored);
}

/// RFC 9110 §8.8.3.3: an answer sent in another coding has a tag of its own.
#[test]
fn the_tag_of_the_form_that_is_sent_counts() {
    let etag = EntityTag::parse(b"\"a-br\"");
    let chosen = Chosen { etag, ..Chosen::of(200, [("etag", b"\"a\"".as_slice())].into_iter(), T) };
    for (list, expected) in [("\"a-br\"", NotModified), ("\"a\"", Stored)] {
        let request = [("if-none-match", list.as_bytes())];
        assert_eq!(answer_to("GET", request.into_iter(), &chosen, T), expected, "{list}");
    }
}

/// RFC 9110 §15.4.5: what a 304 has of the stored answer's fields, and what it has not.
#[test]
fn a_304_has_the_fields_it_must_have() {
    let all: [Field<'_>; 10] = [
        ("cache-control", b"max-age=60"),
        ("content-encoding", b"br"),
        ("content-length", b"3"),
        ("content-location", b"/a"),
        ("content-type", b"text/plain"),
        ("date", b"x"),
        ("expires", b"0"),
        ("last-modified", b"y"),
        ("vary", b"accept"),
        ("x-other", b"1"),
    ];
    let names = |fields: Vec<Field<'static>>| {
        let kept: Vec<_> = fields_of_304(fields.into_iter()).map(|(name, _)| name).collect();
        kept
    };
    let without_tag =
        ["cache-control", "content-location", "date", "expires", "last-modified", "vary"];
    assert_eq!(names(all.to_vec()), without_tag);
    let mut with_tag = all.to_vec();
    with_tag.push(("etag", b"\"a\""));
    let expected = ["cache-control", "content-location", "date", "expires", "vary", "etag"];
    assert_eq!(names(with_tag), expected);
}

proptest! {
    /// RFC 9110 §13.1: no condition makes the comparison panic, and none that cannot be read says
    /// that a client has the answer.
    #[test]
    fn any_condition_is_compared(
        list in proptest::collection::vec(any::<u8>(), 0..40),
        since in any::<u32>(),
        modified in any::<u32>(),
    ) {
        let chosen = Chosen { status: 200, etag: None, modified_ms: u64::from(modified) * 1_000 };
        let request = [("if-none-match", list.as_slice())];
        let found = answer_to("GET", request.into_iter(), &chosen, T);
        prop_assert_eq!(found == NotModified, list.trim_ascii() == b"*");
        let date = format_http_date(u64::from(since) * 1_000);
        let request = [("if-modified-since", date.as_bytes())];
        let found = answer_to("GET", request.into_iter(), &chosen, T);
        prop_assert_eq!(found == NotModified, modified <= since);
    }
}
