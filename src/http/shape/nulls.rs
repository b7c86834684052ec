//! Members that are `null`, left out of objects.

use super::events::change_data;
use super::json::{Compact, Kind, Walker};

/// Returns `body` without the members that are `null`, and without white space.
///
/// Elements of arrays stay: their place counts. An object may end up empty. Changes what a provider
/// says, so it is for routes that ask for it. `None` where no member is `null`, and where `body`
/// is not JSON.
pub fn drop_nulls(body: &[u8]) -> Option<Vec<u8>> {
    let mut walker = Walker::new(body);
    let mut out = Compact::new(body.len());
    let mut named: Option<&[u8]> = None;
    let mut is_changed = false;
    while let Some(token) = walker.step().ok()? {
        match token.kind {
            Kind::Mark => {}
            Kind::Name => named = Some(token.text),
            Kind::Close => out.close(token.text),
            Kind::Open | Kind::Text | Kind::Plain | Kind::Null => match named.take() {
                Some(_) if token.kind == Kind::Null => is_changed = true,
                Some(name) => {
                    out.name(name);
                    out.value(token.text);
                }
                None => out.value(token.text),
            },
        }
    }
    is_changed.then(|| out.into_bytes())
}

/// Does the same for the data of each server-sent event of `body`, which is whole events.
pub fn drop_nulls_in_events(body: &[u8]) -> Option<Vec<u8>> {
    change_data(body, drop_nulls)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json::trees::{Tree, spaced};
    use super::*;

    fn without(tree: &Tree) -> Tree {
        match tree {
            Tree::Array(elements) => Tree::Array(elements.iter().map(without).collect()),
            Tree::Object(members) => {
                let kept = members.iter().filter(|(_, value)| *value != Tree::Plain("null".into()));
                Tree::Object(kept.map(|(name, value)| (name.clone(), without(value))).collect())
            }
            leaf => leaf.clone(),
        }
    }

    #[test]
    fn null_members_go_and_null_elements_stay() {
        let cases = [
            (r#"{"a":null}"#, Some("{}")),
            (r#"{"a":null,"b":1.0,"c":null}"#, Some(r#"{"b":1.0}"#)),
            (
                r#"{ "b": [ null, {"c": null} ], "d": "null" }"#,
                Some(r#"{"b":[null,{}],"d":"null"}"#),
            ),
            (r#"{"a":[null]}"#, None),
            ("null", None),
            ("{\"a\":null", None),
            ("{\"a\": 1}", None),
        ];
        for (body, expected) in cases {
            let dropped = drop_nulls(body.as_bytes());
            assert_eq!(dropped.as_deref(), expected.map(str::as_bytes), "{body}");
        }
    }

    #[test]
    fn events_lose_their_nulls_one_by_one() {
        let body = b"data: {\"usage\":null,\"id\":1}\n\ndata: [DONE]\n\n";
        let expected = b"data: {\"id\":1}\n\ndata: [DONE]\n\n";
        assert_eq!(drop_nulls_in_events(body).as_deref(), Some(&expected[..]));
    }

    proptest! {
        #[test]
        fn all_else_stays_in_its_order_and_spelling((tree, body) in spaced()) {
            let expected = without(&tree);
            match drop_nulls(body.as_bytes()) {
                Some(dropped) => {
                    prop_assert_eq!(String::from_utf8(dropped).unwrap(), expected.compact());
                }
                None => prop_assert_eq!(expected, tree),
            }
        }

        #[test]
        fn any_bytes_are_read_without_harm(body in prop::collection::vec(any::<u8>(), 0..100)) {
            drop_nulls(&body);
        }
    }
}
