//! What is remembered, for whom, and how much of it.

use proptest::prelude::*;

use super::*;
use crate::canonical::{ScopeSecret, canonicalise};

const KEY: HashKey = HashKey::new([1, 2, 3, 4]);

fn outlined(body: &str) -> Outlined {
    let canonical = canonicalise(body.as_bytes(), &[]).unwrap();
    Outlined::new(&KEY, std::iter::empty(), Some(canonical.as_bytes())).unwrap()
}

fn place(credential: &[u8], namespace: &[u8]) -> Place {
    let secret = ScopeSecret::new([1; 32]);
    let scope = secret.scope([("authorization", credential)].into_iter());
    Place { scope, namespace: KEY.hash(namespace) }
}

fn key(number: u8) -> CacheKey {
    CacheKey::new([number; 32])
}

fn record(sketches: &Sketches, number: u8, place: Place, body: &str) {
    sketches.record(0, key(number), || Some(Sketch::new(key(number), place, &outlined(body))));
}

/// A-78: the one that differs in the fewest pointers.
#[test]
fn the_nearest_of_the_same_place_comes_first() {
    let sketches = Sketches::new(KEY, 2, 9);
    let mine = place(b"me", b"");
    record(&sketches, 1, mine, r#"{"a":1,"b":2,"c":3}"#);
    record(&sketches, 2, mine, r#"{"a":1,"b":2,"c":4}"#);
    record(&sketches, 3, mine, r#"{"a":1,"b":9,"c":9}"#);
    let near = sketches.nearest(0, &key(9), &mine, &outlined(r#"{"a":1,"b":2,"c":5}"#));
    let keys: Vec<_> = near.iter().map(|near| near.key).collect();
    assert_eq!(keys, [key(2), key(1), key(3)], "the newer of equals first");
    assert_eq!((&near[0].differs_at[..], near[0].same_in), (&["/c".to_owned()][..], 2));
    assert_eq!(near[2].differs_at, ["/b", "/c"]);
    let near = sketches.nearest(0, &key(1), &mine, &outlined(r#"{"a":1,"b":2,"c":3}"#));
    assert!(near.iter().all(|near| near.key != key(1)), "itself is not near");
    assert!(sketches.nearest(1, &key(9), &mine, &outlined("1")).is_empty(), "another route");
}

/// Nobody hears of a request in another scope or namespace.
#[test]
fn scopes_and_namespaces_see_only_their_own() {
    let sketches = Sketches::new(KEY, 1, 9);
    record(&sketches, 1, place(b"me", b""), "[1]");
    for other in [place(b"you", b""), place(b"me", b"team"), place(b"", b"")] {
        assert!(sketches.nearest(0, &key(9), &other, &outlined("[2]")).is_empty());
    }
    assert_eq!(sketches.nearest(0, &key(9), &place(b"me", b""), &outlined("[2]")).len(), 1);
}

#[test]
fn the_oldest_leaves_what_is_known_is_not_made_again_and_zero_is_off() {
    let sketches = Sketches::new(KEY, 1, 2);
    let mine = place(b"me", b"");
    for number in [1, 2, 3] {
        record(&sketches, number, mine, &format!("[{number}]"));
    }
    sketches.record(0, key(3), || panic!("known"));
    let near = sketches.nearest(0, &key(9), &mine, &outlined("[9]"));
    let mut keys: Vec<_> = near.iter().map(|near| near.key).collect();
    keys.sort_unstable();
    assert_eq!(keys, [key(2), key(3)]);
    let off = Sketches::new(KEY, 1, 0);
    off.record(0, key(1), || panic!("off"));
    off.record(7, key(1), || panic!("no such route"));
}

proptest! {
    /// A-4: no value of a body is in a sketch, and all pointers are.
    #[test]
    fn a_sketch_holds_the_pointers_and_no_value(
        members in prop::collection::btree_map("[a-z/~]{1,9}", "[A-Z]{8}", 0..40),
    ) {
        let body = serde_json::to_string(&members).unwrap();
        let outlined = outlined(&body);
        let sketch = Sketch::new(key(1), place(b"me", b""), &outlined);
        prop_assert_eq!(sketch.outlined(), outlined);
        prop_assert!(!sketch.pointers.iter().any(u8::is_ascii_uppercase));
    }
}
