use proptest::prelude::*;

use super::*;
use crate::caching::fields::Field;

fn vary(lines: &[&str]) -> Vary {
    Vary::of(lines.iter().map(|line| ("vary", line.as_bytes())))
}

fn names(names: &[&str]) -> Vary {
    Vary::Names(names.iter().map(|name| (*name).into()).collect())
}

/// RFC 9110 §12.5.5, RFC 9111 §4.1: names in any case and order, on any number of lines.
#[test]
fn the_names_of_vary_are_read_into_one_order() {
    for (lines, expected) in [
        (vec![], Vary::Nothing),
        (vec![""], Vary::Nothing),
        (vec![" , "], Vary::Nothing),
        (vec!["Accept"], names(&["accept"])),
        (vec!["b, A,,a "], names(&["a", "b"])),
        (vec!["b", "a", "B"], names(&["a", "b"])),
        (vec!["*"], Vary::Any),
        (vec!["accept, *"], Vary::Any),
        (vec!["accept", "*"], Vary::Any),
        (vec!["a b"], Vary::Any),
        (vec!["\"a\""], Vary::Any),
    ] {
        assert_eq!(vary(&lines), expected, "{lines:?}");
    }
    let many = |count: usize| vec!["x"; count].join(",");
    assert_eq!(vary(&[&many(MOST_NAMES + 1)]), Vary::Any);
    assert_eq!(vary(&[&many(MOST_NAMES)]), names(&["x"]));
}

/// RFC 9111 §4.1: an answer whose Vary has a `*` matches no request, not even its own.
#[test]
fn a_star_never_matches() {
    let request: [Field<'_>; 1] = [("accept", b"a")];
    assert_eq!(vary(&["*"]).selection(request.into_iter()), None);
    assert!(!vary(&["*"]).matches(request.into_iter(), request.into_iter()));
    assert!(!vary(&["accept, *"]).matches(request.into_iter(), request.into_iter()));
}

/// RFC 9111 §4.1: all nominated fields must match, and others do not matter.
#[test]
fn all_nominated_fields_must_match() {
    let original: [Field<'_>; 3] = [("x-a", b"1"), ("x-b", b"2"), ("x-c", b"3")];
    for (lines, presented, expected) in [
        (vec!["x-a"], vec![("x-a", "1")], true),
        (vec!["x-a"], vec![("x-a", "2")], false),
        (vec!["x-a"], vec![], false),
        (vec!["x-a, x-b"], vec![("x-b", "2"), ("x-a", "1")], true),
        (vec!["x-a, x-b"], vec![("x-a", "1")], false),
        (vec!["x-a, x-b"], vec![("x-a", "1"), ("x-b", "9")], false),
        (vec!["x-d"], vec![], true),
        (vec!["x-d"], vec![("x-d", "")], false),
        (vec![], vec![("x-a", "9")], true),
    ] {
        let fields = presented.iter().map(|(name, value)| (*name, value.as_bytes()));
        let found = vary(&lines).matches(original.into_iter(), fields);
        assert_eq!(found, expected, "{lines:?} {presented:?}");
    }
}

/// RFC 9111 §4.1: whitespace, combined lines, and what is known to mean the same.
#[test]
fn fields_match_after_the_allowed_transformations_only() {
    for (name, one, other, expected) in [
        // Whitespace around any value.
        ("x-a", vec!["1"], vec![" 1\t"], true),
        // Lines combined.
        ("x-a", vec!["1", "2"], vec!["1, 2"], true),
        ("x-a", vec!["1", "2"], vec!["2", "1"], false),
        // Of an unknown field nothing more is known.
        ("x-a", vec!["1,2"], vec!["1, 2"], false),
        ("x-a", vec!["a"], vec!["A"], false),
        // Known lists.
        ("accept", vec!["a/b;q=1,c/d"], vec!["a/b ; q=1 , c/d"], true),
        ("accept", vec!["a/b", "c/d"], vec!["a/b, c/d"], true),
        ("accept", vec!["a/b, c/d"], vec!["c/d, a/b"], false),
        ("accept", vec!["a/b;x=\"P,Q\""], vec!["a/b;x=\"P, Q\""], false),
        ("accept-language", vec!["de, EN"], vec!["DE,en"], true),
        ("accept-language", vec!["de, en"], vec!["en, de"], false),
        ("accept-encoding", vec!["gzip, br"], vec!["BR,gzip"], true),
        ("accept-encoding", vec!["gzip;q=0.5"], vec!["gzip; q=0.5"], true),
        ("accept-encoding", vec!["gzip"], vec!["gzip;q=0"], false),
    ] {
        fn lines<'a>(name: &'a str, values: &'a [&'a str]) -> impl Fields<'a> {
            values.iter().map(move |value| (name, value.as_bytes()))
        }
        let found = vary(&[name]).matches(lines(name, &one), lines(name, &other));
        assert_eq!(found, expected, "{name}: {one:?} {other:?}");
    }
}

/// RFC 9111 §4.1: a field that is absent matches only where it is absent.
#[test]
fn an_absent_field_matches_an_absent_one_only() {
    let vary = vary(&["accept-encoding"]);
    let selected = |lines: &[Field<'_>]| vary.selection(lines.iter().copied()).unwrap();
    assert_eq!(selected(&[]), selected(&[("accept", b"x")]));
    assert_ne!(selected(&[]), selected(&[("accept-encoding", b"")]));
    assert_ne!(selected(&[]), selected(&[("accept-encoding", b"identity")]));
}

/// RFC 9111 §4.1: an answer that leaves Vary out does not undo that of the others.
#[test]
fn the_most_recent_vary_that_is_there_counts() {
    let (accept, origin) = (names(&["accept"]), names(&["origin"]));
    for (before, newer, expected) in [
        (Vary::Nothing, Vary::Nothing, Vary::Nothing),
        (Vary::Nothing, accept.clone(), accept.clone()),
        (accept.clone(), Vary::Nothing, accept.clone()),
        (accept, origin.clone(), origin),
    ] {
        assert_eq!(before.followed_by(newer), expected);
    }
}

/// RFC 9111 §4.1: a field that was absent by one Vary is not one that was absent by another.
#[test]
fn selections_by_different_names_differ() {
    let request: [Field<'_>; 1] = [("x-a", b"1")];
    let select = |list: &str| vary(&[list]).selection(request.into_iter()).unwrap();
    for (one, other) in [("x-b", "x-c"), ("x-b", ""), ("x-a", "x-a, x-b"), ("x-a", "x-b")] {
        assert_ne!(select(one), select(other), "{one} {other}");
        assert_ne!(select(one).to_bytes(), select(other).to_bytes(), "{one} {other}");
    }
    assert!(select("").to_bytes().is_empty());
}

/// RFC 9111 §7: what selected an answer may be a credential: it is shown nowhere.
#[test]
fn a_selection_shows_no_value() {
    let request: [Field<'_>; 1] = [("authorization", b"Bearer secret")];
    let selection = vary(&["authorization"]).selection(request.into_iter()).unwrap();
    assert_eq!(format!("{selection:?}"), "{\"authorization\"}");
}

proptest! {
    /// RFC 9111 §4.1: a request matches itself, in any order of its lines' names, and no bytes
    /// make the normalisation panic.
    #[test]
    fn a_request_matches_itself(
        list in proptest::collection::vec(any::<u8>(), 0..30),
        one in proptest::collection::vec(any::<u8>(), 0..30),
        other in proptest::collection::vec(any::<u8>(), 0..30),
    ) {
        let read = Vary::of([("vary", list.as_slice())].into_iter());
        let vary = if read == Vary::Any { vary(&["accept, accept-encoding, x"]) } else { read };
        let names = ["accept", "accept-encoding", "accept-language", "x"];
        let lines: Vec<Field<'_>> =
            names.iter().flat_map(|name| [(*name, one.as_slice()), (*name, &other)]).collect();
        let mut turned: Vec<Field<'_>> = lines.clone();
        turned.sort_by_key(|(name, _)| std::cmp::Reverse(*name));
        prop_assert!(vary.matches(lines.iter().copied(), turned.iter().copied()));
    }

    /// RFC 9111 §4.1: values that differ by more than whitespace at their ends are told apart.
    #[test]
    fn different_values_of_an_unknown_field_are_told_apart(
        one in "[ab,; ]{0,5}",
        other in "[ab,; ]{0,5}",
    ) {
        let found = vary(&["x"]).matches(
            [("x", one.as_bytes())].into_iter(),
            [("x", other.as_bytes())].into_iter(),
        );
        prop_assert_eq!(found, one.trim_matches(' ') == other.trim_matches(' '));
    }

    /// RFC 9111 §4.1: the bytes to be keyed are equal where the selections are, and only there.
    #[test]
    fn bytes_are_equal_where_selections_are(
        names in proptest::collection::vec("[ab]{1,2}", 0..3),
        others in proptest::collection::vec("[ab]{1,2}", 0..3),
        fields in proptest::collection::vec(("[ab]{1,2}", "[ab=]{0,2}"), 0..3),
        other_fields in proptest::collection::vec(("[ab]{1,2}", "[ab=]{0,2}"), 0..3),
    ) {
        let select = |names: &[String], fields: &[(String, String)]| {
            let fields = fields.iter().map(|(name, value)| (&**name, value.as_bytes()));
            vary(&[&names.join(",")]).selection(fields).unwrap()
        };
        let (one, other) = (select(&names, &fields), select(&others, &other_fields));
        prop_assert_eq!(one == other, one.to_bytes() == other.to_bytes());
    }
}
