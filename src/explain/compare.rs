//! Where two requests differ.

use std::cmp::Ordering;

use super::Outlined;

/// Most pointers that are told of one difference.
pub const MAX_POINTERS_TOLD: usize = 16;

/// Returns how many parts differ: of another value, or in one of the two alone.
pub fn num_different<'a>(one: impl Iterator<Item = (&'a [u8], u64)>, other: &Outlined) -> usize {
    let mut others = other.parts().iter().peekable();
    let mut count = 0;
    for (pointer, hash) in one {
        while others.next_if(|(theirs, _)| theirs.as_bytes() < pointer).is_some() {
            count += 1;
        }
        let same = others.next_if(|(theirs, _)| theirs.as_bytes() == pointer);
        count += usize::from(same.is_none_or(|(_, theirs)| *theirs != hash));
    }
    count + others.count()
}

/// Returns the pointers at which two requests differ, sorted, and how many parts are the same in both.
///
/// Rule: what only one of them has is named by the highest pointer below which the other has nothing,
/// so that a list that was added is one difference; below a pointer that is named, nothing else is.
pub fn differences(one: &Outlined, other: &Outlined) -> (Vec<String>, usize) {
    let (mut ours, mut theirs) = (one.parts().iter().peekable(), other.parts().iter().peekable());
    let mut found = Vec::new();
    let mut same_in = 0;
    loop {
        let order = match (ours.peek(), theirs.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((mine, _)), Some((its, _))) => mine.cmp(its),
        };
        match order {
            Ordering::Less => found.extend(ours.next().map(|(mine, _)| highest(mine, other))),
            Ordering::Greater => found.extend(theirs.next().map(|(its, _)| highest(its, one))),
            Ordering::Equal => match (ours.next(), theirs.next()) {
                (Some((_, mine)), Some((_, its))) if mine == its => same_in += 1,
                (Some((pointer, _)), _) => found.push(pointer.clone()),
                (None, _) => {}
            },
        }
    }
    found.sort_unstable();
    let mut named: Vec<String> = Vec::new();
    for pointer in found {
        if !named.iter().any(|above| *above == pointer || is_below(&pointer, above)) {
            named.push(pointer);
        }
    }
    (named, same_in)
}

/// Returns the shortest pointer above `pointer`, or itself, at and below which `other` has nothing.
fn highest(pointer: &str, other: &Outlined) -> String {
    let ends = pointer.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
    ends.filter_map(|end| pointer.get(..end))
        .find(|above| above.starts_with('/') && !has_part_at(above, other))
        .unwrap_or(pointer)
        .to_owned()
}

fn has_part_at(pointer: &str, outlined: &Outlined) -> bool {
    let parts = outlined.parts();
    let first_from = |start: &str| {
        let position = parts.partition_point(|(own, _)| own.as_str() < start);
        parts.get(position).map(|(own, _)| own.as_str())
    };
    let below = format!("{pointer}/");
    first_from(pointer) == Some(pointer)
        || first_from(&below).is_some_and(|own| own.starts_with(&below))
}

fn is_below(pointer: &str, above: &str) -> bool {
    pointer.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::super::HashKey;
    use super::*;

    fn outlined(body: &str) -> Outlined {
        let canonical = crate::canonical::canonicalise(body.as_bytes(), &[]).unwrap();
        let named = [("path".to_owned(), &b"/v1/x"[..])];
        Outlined::new(&HashKey::new([7; 4]), named.into_iter(), Some(canonical.as_bytes())).unwrap()
    }

    #[test]
    fn what_differs_is_named_once_and_as_high_as_it_goes() {
        let base = r#"{"m":[{"r":"u","c":"hi"}],"n":1,"stop":"x","tools":[{"f":{"a":1,"b":2}}]}"#;
        for (body, expected) in [
            (base.to_owned(), vec![]),
            (base.replace("hi", "ho"), vec!["/m/0/c"]),
            (base.replace(r#""n":1,"#, ""), vec!["/n"]),
            (base.replace(r#""n":1"#, r#""n":1,"o":2"#), vec!["/o"]),
            (base.replace(r#""n":1"#, r#""n":[1]"#), vec!["/n"]),
            (base.replace(r#""x""#, r#"{"y":{"z":1}}"#), vec!["/stop"]),
            (base.replace(r#","tools":[{"f":{"a":1,"b":2}}]"#, ""), vec!["/tools"]),
            (base.replace(r#"[{"f":{"a":1,"b":2}}]"#, "[]"), vec!["/tools"]),
            (base.replace(r#","b":2"#, ""), vec!["/tools/0/f/b"]),
            (base.replace(r#""hi"}]"#, r#""hi"},{"r":"a","c":"hm"}]"#), vec!["/m/1"]),
            (base.replace("hi", "ho").replace(r#""n":1"#, r#""n":2"#), vec!["/m/0/c", "/n"]),
            ("[]".to_owned(), vec!["", "/m", "/n", "/stop", "/tools"]),
        ] {
            let (one, other) = (outlined(base), outlined(&body));
            let (named, same_in) = differences(&one, &other);
            if body != "[]" {
                assert_eq!(named, expected, "{body}");
            }
            assert_eq!(differences(&other, &one), (named.clone(), same_in), "{body}");
            let parts = one.parts().iter().map(|(pointer, hash)| (pointer.as_bytes(), *hash));
            assert!(num_different(parts, &other) >= named.len(), "{body}");
        }
    }
}
