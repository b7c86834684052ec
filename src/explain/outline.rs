//! The parts of a canonical body.

use std::collections::VecDeque;

/// Most parts of one body.
pub const MAX_PARTS: usize = 256;

/// Longest pointer, in bytes: its lengths fit a byte each.
pub(super) const MAX_POINTER: usize = u8::MAX as usize;

/// Most bytes of all pointers of one body together.
const MAX_POINTER_BYTES: usize = 16 * 1_024;

/// Deepest parts.
const MAX_DEPTH: usize = 16;

/// Returns the parts of `canonical`, a JSON value in canonical form, with their JSON pointers
/// (RFC 6901), in no order. Together they cover the whole.
///
/// What lies near the top is taken apart first. What would go over a bound stays whole: a part is then
/// an object or a list, as its canonical bytes. Bounds: 256 parts, 16 levels, 255 bytes a pointer,
/// 16 KiB of pointers.
pub fn outline(canonical: &[u8]) -> Vec<(String, &[u8])> {
    let mut parts = Vec::new();
    let mut waiting = VecDeque::from([(String::new(), canonical, 0)]);
    let mut pointer_bytes = 0_usize;
    while let Some((pointer, value, depth)) = waiting.pop_front() {
        let room = MAX_PARTS.saturating_sub(parts.len() + waiting.len());
        let children = if depth < MAX_DEPTH { children(value, room) } else { None };
        let children = children.filter(|children| {
            let longest = children.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
            let added: usize =
                children.iter().map(|(name, _)| pointer.len() + name.len() + 1).sum();
            let fits = pointer.len() + longest < MAX_POINTER
                && pointer_bytes + added <= MAX_POINTER_BYTES
                && !children.is_empty();
            pointer_bytes += if fits { added } else { 0 };
            fits
        });
        match children {
            None => parts.push((pointer, value)),
            Some(children) => waiting.extend(
                children
                    .into_iter()
                    .map(|(name, value)| (format!("{pointer}/{name}"), value, depth + 1)),
            ),
        }
    }
    parts
}

/// Returns members or items with their names as a pointer spells them; `None` where the value is no
/// container, or one of more than `most`.
fn children(value: &[u8], most: usize) -> Option<Vec<(String, &[u8])>> {
    let is_object = match value.first()? {
        b'{' => true,
        b'[' => false,
        _ => return None,
    };
    let mut found = Vec::new();
    let mut at = 1;
    while !matches!(value.get(at)?, b'}' | b']') {
        if value.get(at) == Some(&b',') {
            at += 1;
        }
        if found.len() == most {
            return None;
        }
        let name = if is_object {
            let end = string_end(value, at)?;
            let name = name_of(value.get(at..end)?);
            at = end + 1;
            name
        } else {
            found.len().to_string()
        };
        let end = value_end(value, at)?;
        found.push((name, value.get(at..end)?));
        at = end;
    }
    Some(found)
}

/// Returns a member's name as a pointer spells it. Lone surrogates stay escapes.
fn name_of(quoted: &[u8]) -> String {
    let name = serde_json::from_slice(quoted)
        .unwrap_or_else(|_| String::from_utf8_lossy(quoted).trim_matches('"').to_owned());
    if name.contains(['~', '/']) { name.replace('~', "~0").replace('/', "~1") } else { name }
}

/// Returns where the string that begins at `at` has ended.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut here = at + 1;
    loop {
        let rest = bytes.get(here..)?;
        here += rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        if bytes.get(here) == Some(&b'"') {
            return Some(here + 1);
        }
        here += 2;
    }
}

/// Returns where the value that begins at `at` has ended.
fn value_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut here = at;
    let mut depth = 0_usize;
    loop {
        match bytes.get(here)? {
            b'"' => here = string_end(bytes, here)?,
            b'{' | b'[' => {
                depth += 1;
                here += 1;
                continue;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                here += 1;
            }
            b',' | b':' => {
                here += 1;
                continue;
            }
            _ => {
                let rest = bytes.get(here..)?;
                let scalar = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']'));
                here += scalar.unwrap_or(rest.len());
            }
        }
        if depth == 0 {
            return Some(here);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::canonical::canonicalise;

    fn parts(body: &str) -> Vec<(String, String)> {
        let canonical = canonicalise(body.as_bytes(), &[]).unwrap();
        let parts = outline(canonical.as_bytes()).into_iter();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut parts: Vec<_> = parts.map(|(pointer, value)| (pointer, text(value))).collect();
        parts.sort();
        parts
    }

    fn check(body: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(one, other)| (one.to_string(), other.to_string())).collect();
        assert_eq!(parts(body), expected, "{body}");
    }

    #[test]
    fn each_leaf_has_its_pointer() {
        check("1", &[("", "1")]);
        check("{}", &[("", "{}")]);
        check(
            r#"{"b":[true,{"c":"x\"}]"}],"a":{}}"#,
            &[("/a", "{}"), ("/b/0", "true"), ("/b/1/c", r#""x\"}]""#)],
        );
        check(
            r#"{"a/b":1,"~":[[]],"":-1.5e3}"#,
            &[("/", "-1500"), ("/a~1b", "1"), ("/~0/0", "[]")],
        );
    }

    #[test]
    fn what_goes_over_a_bound_stays_whole_and_the_rest_does_not() {
        let items: Vec<String> = (0..MAX_PARTS).map(|number| number.to_string()).collect();
        let body = format!(r#"{{"few":[1,2],"many":[{}]}}"#, items.join(","));
        let parts = parts(&body);
        let pointers: Vec<&str> = parts.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, ["/few/0", "/few/1", "/many"]);
        let long = format!(r#"{{"a":{{"{}":1}}}}"#, "x".repeat(MAX_POINTER));
        assert_eq!(self::parts(&long)[0].0, "/a");
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(self::parts(&deep)[0].0, "/0".repeat(MAX_DEPTH));
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_part_is_the_value_at_its_pointer(body in json()) {
            let canonical = canonicalise(body.to_string().as_bytes(), &[]).unwrap();
            let parts = outline(canonical.as_bytes());
            prop_assert!(parts.len() <= MAX_PARTS);
            for (pointer, bytes) in parts {
                let value: Value = serde_json::from_slice(bytes).unwrap();
                prop_assert_eq!(body.pointer(&pointer), Some(&value));
            }
        }

        #[test]
        fn any_bytes_are_outlined_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            prop_assert!(outline(&bytes).len() <= MAX_PARTS);
        }
    }
}
