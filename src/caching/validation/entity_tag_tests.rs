use proptest::prelude::*;

use super::*;

/// RFC 9110 §8.8.3: a tag is quoted, perhaps weak, and may hold anything but quotes and
/// controls.
#[test]
fn an_entity_tag_is_read_as_written() {
    for (value, expected) in [
        ("\"a\"", Some((false, "a"))),
        ("W/\"a\"", Some((true, "a"))),
        (" \"a\" ", Some((false, "a"))),
        ("\"\"", Some((false, ""))),
        ("\"a,b\"", Some((false, "a,b"))),
        ("\"a\\\"", Some((false, "a\\"))),
        ("\"\u{e9}\"", Some((false, "\u{e9}"))),
        ("a", None),
        ("w/\"a\"", None),
        ("W/a", None),
        ("W/ \"a\"", None),
        ("\"a", None),
        ("a\"", None),
        ("\"a b\"", None),
        ("\"a\"b", None),
        ("\"a\", \"b\"", None),
        ("*", None),
        ("", None),
    ] {
        let found = EntityTag::parse(value.as_bytes());
        let expected = expected.map(|(is_weak, opaque)| (is_weak, opaque.as_bytes()));
        assert_eq!(found.map(|tag| (tag.is_weak, tag.opaque)), expected, "{value}");
        assert!(found.is_none_or(|tag| tag.as_bytes() == value.trim().as_bytes()), "{value}");
    }
}

/// RFC 9110 §8.8.3.2: the table of the two comparisons.
#[test]
fn tags_are_compared_strongly_and_weakly() {
    for (one, other, strongly, weakly) in [
        ("W/\"1\"", "W/\"1\"", false, true),
        ("W/\"1\"", "W/\"2\"", false, false),
        ("W/\"1\"", "\"1\"", false, true),
        ("\"1\"", "\"1\"", true, true),
        ("\"1\"", "\"2\"", false, false),
        ("\"a\"", "\"A\"", false, false),
    ] {
        let one = EntityTag::parse(one.as_bytes()).unwrap();
        let other = EntityTag::parse(other.as_bytes()).unwrap();
        assert_eq!(one.equals_strongly(&other), strongly);
        assert_eq!(one.equals_weakly(&other), weakly);
        assert_eq!(other.equals_strongly(&one), strongly);
        assert_eq!(other.equals_weakly(&one), weakly);
    }
}

/// RFC 9110 §13.1.2, §8.8.3: commas in tags end no member; what is no tag is skipped.
#[test]
fn a_list_of_tags_is_read_member_by_member() {
    for (list, expected) in [
        ("\"a\"", vec!["\"a\""]),
        ("\"a\", W/\"b\" ,\"c,d\"", vec!["\"a\"", "W/\"b\"", "\"c,d\""]),
        (",, \"a\",", vec!["\"a\""]),
        ("a, \"b\"", vec!["\"b\""]),
        ("\"a\" \"b\", \"c\"", vec!["\"c\""]),
        ("\"a\\\", \"b\"", vec!["\"a\\\"", "\"b\""]),
        ("\"a", vec![]),
        ("", vec![]),
    ] {
        let found: Vec<_> = Tags(list.as_bytes()).map(|tag| tag.as_bytes()).collect();
        let expected: Vec<_> = expected.iter().map(|tag| tag.as_bytes()).collect();
        assert_eq!(found, expected, "{list}");
    }
}

/// RFC 9110 §8.8: what is no tag and no date validates nothing.
#[test]
fn malformed_validators_are_as_absent() {
    let date = b"Sun, 06 Nov 1994 08:49:37 GMT".as_slice();
    let fields = [("etag", b"\"a\"".as_slice()), ("etag", b"\"b\""), ("last-modified", date)];
    let found = Validators::of(fields.into_iter());
    assert_eq!(found.etag.map(|tag| tag.opaque), Some(b"a".as_slice()));
    assert_eq!(found.last_modified, Some(date));
    let fields = [("etag", b"a".as_slice()), ("last-modified", b"yesterday")];
    assert!(Validators::of(fields.into_iter()).is_empty());
}

proptest! {
    /// RFC 9110 §8.8.3: no bytes make the parsers panic or run for ever.
    #[test]
    fn any_bytes_are_tags_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = EntityTag::parse(&bytes);
        prop_assert!(Tags(&bytes).count() <= bytes.len());
    }

    /// RFC 9110 §8.8.3: a list of tags is read back whole.
    #[test]
    fn a_list_of_tags_is_read_back(tags in proptest::collection::vec("(W/)?\"[!#-~]{0,5}\"", 0..6)) {
        let list = tags.join(" , ");
        let found: Vec<_> = Tags(list.as_bytes()).map(|tag| tag.as_bytes().to_vec()).collect();
        let tags: Vec<_> = tags.into_iter().map(String::into_bytes).collect();
        prop_assert_eq!(found, tags);
    }
}
