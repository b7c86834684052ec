use proptest::prelude::*;

use super::*;
use crate::caching::fields::Field;

const T: u64 = 784_111_777_000;
const DATE: Field<'_> = ("date", b"Sun, 06 Nov 1994 08:49:37 GMT");
const OLD_DATE: Field<'_> = ("date", b"Sat, 05 Nov 1994 08:49:37 GMT");

fn validators<'a>(etag: &'a str, modified: &'a str) -> Validators<'a> {
    let fields = [("etag", etag.as_bytes()), ("last-modified", modified.as_bytes())];
    Validators::of(fields.into_iter().filter(|(_, value)| !value.is_empty()))
}

/// RFC 9111 §4.3.4: a 304 updates only what its validators identify, and a strong one nothing but
/// its equal.
#[test]
fn a_304_updates_only_what_it_identifies() {
    let (day, same_day, other_day) = (
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sat, 05 Nov 1994 08:49:37 GMT",
    );
    for (stored, not_modified, expected) in [
        // Strong.
        (("\"a\"", ""), ("\"a\"", ""), true),
        (("\"a\"", ""), ("\"b\"", ""), false),
        (("W/\"a\"", ""), ("\"a\"", ""), false),
        (("", day), ("\"a\"", day), false),
        (("\"a\"", day), ("\"b\"", day), false),
        (("\"a\"", day), ("\"a\"", other_day), true),
        (("", ""), ("\"a\"", ""), false),
        // Weak.
        (("W/\"a\"", ""), ("W/\"a\"", ""), true),
        (("\"a\"", ""), ("W/\"a\"", ""), true),
        (("W/\"a\"", ""), ("W/\"b\"", ""), false),
        (("\"a\"", day), ("", day), true),
        (("", day), ("", day), true),
        (("", day), ("", same_day), true),
        (("", day), ("", other_day), false),
        (("\"a\"", ""), ("", day), false),
        (("", day), ("W/\"a\"", day), true),
        (("", day), ("W/\"a\"", ""), false),
        (("", ""), ("W/\"a\"", ""), false),
        // None.
        (("", ""), ("", ""), true),
        (("\"a\"", day), ("", ""), true),
    ] {
        let found = is_identified(
            &validators(stored.0, stored.1),
            &validators(not_modified.0, not_modified.1),
        );
        assert_eq!(found, expected, "{stored:?} {not_modified:?}");
    }
}

fn freshened(sharing: Sharing, stored: &[Field<'_>], new: &[Field<'_>]) -> Vec<(String, String)> {
    let fields = freshened_fields(stored.iter().copied(), new.iter().copied(), sharing, T);
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    fields.into_iter().map(|(name, value)| (name.to_owned(), text(&value))).collect()
}

fn pairs(fields: &[Field<'_>]) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    fields.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect()
}

/// RFC 9111 §3.2, §4.3.4: every field of the 304 replaces all stored ones of its name.
#[test]
fn a_304_replaces_all_stored_fields_of_its_names() {
    let stored: [Field<'_>; 7] = [
        ("cache-control", b"max-age=1"),
        ("content-type", b"text/plain"),
        OLD_DATE,
        ("etag", b"\"a\""),
        ("link", b"<1>"),
        ("link", b"<2>"),
        ("x-old", b"1"),
    ];
    let new: [Field<'_>; 6] = [
        ("cache-control", b"max-age=60"),
        DATE,
        ("etag", b"W/\"a\""),
        ("link", b"<3>"),
        ("x-new", b"2"),
        ("content-type", b"text/html"),
    ];
    let expected: [Field<'_>; 7] =
        [("x-old", b"1"), new[0], new[1], new[2], new[3], new[4], new[5]];
    assert_eq!(freshened(Sharing::Private, &stored, &new), pairs(&expected));
}

/// RFC 9111 §3.2: what tells how to read the stored bytes is not updated.
#[test]
fn a_304_does_not_change_how_the_stored_bytes_are_read() {
    let stored: [Field<'_>; 3] =
        [("content-encoding", b"br"), ("content-length", b"10"), ("etag", b"\"a\"")];
    let new: [Field<'_>; 4] = [
        DATE,
        ("content-encoding", b"gzip"),
        ("content-length", b"0"),
        ("content-range", b"bytes 0-1/2"),
    ];
    let expected: [Field<'_>; 4] = [stored[0], stored[1], stored[2], DATE];
    assert_eq!(freshened(Sharing::Private, &stored, &new), pairs(&expected));
}

/// RFC 9111 §3.2, §3.1: what is not kept does not come in by a 304 either, and what its
/// directives name goes.
#[test]
fn a_304_brings_in_nothing_that_is_not_kept() {
    let stored: [Field<'_>; 3] = [("etag", b"\"a\""), ("x-user", b"1"), ("x-other", b"1")];
    let new: [Field<'_>; 9] = [
        DATE,
        ("connection", b"x-hop"),
        ("x-hop", b"1"),
        ("transfer-encoding", b"chunked"),
        ("proxy-authenticate", b"Basic"),
        ("set-cookie", b"id=1"),
        ("age", b"9"),
        ("x-user", b"2"),
        ("cache-control", b"private=\"x-user\", no-cache=\"x-other\""),
    ];
    let expected: [Field<'_>; 3] = [stored[0], DATE, new[8]];
    assert_eq!(freshened(Sharing::Shared, &stored, &new), pairs(&expected));
    let expected: [Field<'_>; 4] = [stored[0], DATE, new[7], new[8]];
    assert_eq!(freshened(Sharing::Private, &stored, &new), pairs(&expected));
}

/// RFC 9111 §3.2, §5.2.2.7: a 304 without directives leaves the stored ones in force, and what its
/// connection names is its own, not the stored answer's.
#[test]
fn a_304_without_directives_leaves_the_stored_ones_in_force() {
    let stored: [Field<'_>; 2] = [("cache-control", b"private=\"x-user\""), ("x-hop", b"1")];
    let new: [Field<'_>; 4] = [DATE, ("x-user", b"2"), ("connection", b"x-hop"), ("x-hop", b"2")];
    let expected: [Field<'_>; 3] = [stored[0], stored[1], DATE];
    assert_eq!(freshened(Sharing::Shared, &stored, &new), pairs(&expected));
    let expected: [Field<'_>; 4] = [stored[0], stored[1], DATE, new[1]];
    assert_eq!(freshened(Sharing::Private, &stored, &new), pairs(&expected));
}

/// RFC 9110 §6.6.1, RFC 9111 §4.2.3: a 304 without a date confirms the answer when it comes.
#[test]
fn a_304_without_a_date_counts_from_its_receipt() {
    for new in [vec![], vec![("date", b"?".as_slice())]] {
        let found = freshened(Sharing::Private, &[OLD_DATE, ("etag", b"\"a\"")], &new);
        assert_eq!(found, pairs(&[("etag", b"\"a\""), DATE]));
    }
}

/// RFC 9111 §4.3.5: a HEAD that agrees updates the stored GET, another makes it stale.
#[test]
fn the_answer_to_a_head_updates_the_stored_get_or_makes_it_stale() {
    use HeadEffect::{MarkStale, None as Nothing, Update};
    let stored: [Field<'_>; 2] =
        [("etag", b"\"a\""), ("last-modified", b"Sun, 06 Nov 1994 08:49:37 GMT")];
    let other: Field<'_> = ("last-modified", b"Sat, 05 Nov 1994 08:49:37 GMT");
    let length: Field<'_> = ("content-length", b"10");
    for (head, status, size, expected) in [
        (vec![stored[0], stored[1], length], 200, Some(10), Update),
        (vec![stored[0]], 200, Some(10), Update),
        (vec![], 200, Some(10), Update),
        (vec![length], 200, None, Update),
        (vec![length], 200, Some(11), MarkStale),
        (vec![("etag", b"\"b\"".as_slice())], 200, Some(10), MarkStale),
        (vec![("etag", b"W/\"a\"".as_slice())], 200, Some(10), MarkStale),
        (vec![stored[0], other], 200, Some(10), MarkStale),
        (vec![("etag", b"\"b\"".as_slice())], 404, Some(10), Nothing),
        (vec![], 304, Some(10), Nothing),
        (vec![], 503, Some(10), Nothing),
    ] {
        let found = HeadEffect::of(200, stored.into_iter(), size, status, head.clone().into_iter());
        assert_eq!(found, expected, "{head:?} {status} {size:?}");
    }
    let no_fields: [Field<'_>; 0] = [];
    let found = HeadEffect::of(404, no_fields.into_iter(), None, 200, no_fields.into_iter());
    assert_eq!(found, MarkStale, "a stored 404 is not what a HEAD of 200 speaks of");
    let found = HeadEffect::of(200, no_fields.into_iter(), None, 200, [stored[0]].into_iter());
    assert_eq!(found, MarkStale, "a validator that the stored answer lacks is another");
}

proptest! {
    /// RFC 9111 §3.2: after an update no name has both old and new values, and there is one date.
    #[test]
    fn no_name_has_old_and_new_values(
        old in proptest::collection::vec("[a-d]", 0..8),
        new in proptest::collection::vec("[a-d]", 0..8),
    ) {
        let old_fields: Vec<Field<'_>> = old.iter().map(|name| (&**name, b"old".as_slice())).collect();
        let new_fields: Vec<Field<'_>> = new.iter().map(|name| (&**name, b"new".as_slice())).collect();
        let found = freshened(Sharing::Shared, &old_fields, &new_fields);
        for name in ["a", "b", "c", "d"] {
            let is_new = new.iter().any(|other| other == name);
            let expected = if is_new { &new } else { &old };
            let values: Vec<_> = found.iter().filter(|(other, _)| other == name).collect();
            prop_assert_eq!(values.len(), expected.iter().filter(|other| *other == name).count());
            prop_assert!(values.iter().all(|(_, value)| (value == "new") == is_new));
        }
        prop_assert_eq!(found.iter().filter(|(name, _)| name == "date").count(), 1);
    }
}
