//! RFC 9111 §4.2: how long is an answer fresh?

use super::{BOTH, OWN, Rig, SHARED, date};

/// §4.2.1, §5.2.2.1, §5.2.2.10, §5.3: who says how long, in which order, in which kind of cache.
#[test]
fn the_lifetime_is_what_the_origin_says_first() {
    let rig = Rig::start();
    let (now, soon, past) = (date(0), date(600), date(-600));
    let control = |value| ("Cache-Control", value);
    for (number, (headers, own, shared)) in [
        (vec![control("max-age=600")], true, true),
        (vec![control("max-age=600"), ("Age", "600")], false, false),
        (vec![control("max-age=600"), ("Age", "590")], true, true),
        (vec![control("max-age=\"600\"")], true, true),
        (vec![control("s-maxage=600, max-age=0")], false, true),
        (vec![control("s-maxage=0, max-age=600")], true, false),
        (vec![("Expires", soon.as_str()), ("Date", now.as_str())], true, true),
        (vec![("Expires", past.as_str()), ("Date", now.as_str())], false, false),
        (vec![("Expires", "0")], false, false),
        (vec![("Expires", past.as_str()), control("max-age=600")], true, true),
        (vec![("Expires", soon.as_str()), control("max-age=0")], false, false),
        (vec![control("max-age=600"), control("max-age=0")], false, false),
        (vec![control("max-age=x")], false, false),
    ]
    .into_iter()
    .enumerate()
    {
        for (base, expected) in [(OWN, own), (SHARED, shared)] {
            let target = format!("{base}lifetime/{number}");
            rig.keep(&target, &headers);
            assert_eq!(rig.is_kept(&target, &[]), expected, "{base} {headers:?}");
        }
    }
}

/// §4.2.2: of an answer that says nothing the time since its last change tells, or the route; nothing
/// is guessed where a lifetime is given.
#[test]
fn a_lifetime_is_guessed_where_none_is_given() {
    let rig = Rig::start();
    let long_ago = date(-10 * 86_400);
    let changed = ("Last-Modified", long_ago.as_str());
    for (number, (status, headers, expected)) in [
        (200, vec![], true),
        // The route's hour is over.
        (200, vec![("Age", "3600")], false),
        // A tenth of ten days.
        (200, vec![changed, ("Age", "80000")], true),
        (200, vec![changed, ("Age", "90000")], false),
        (200, vec![changed, ("Cache-Control", "max-age=0")], false),
    ]
    .into_iter()
    .enumerate()
    {
        for base in BOTH {
            let target = format!("{base}guessed/{number}");
            rig.says(status, &headers, "one");
            assert_eq!(rig.get(&target).status, status);
            assert_eq!(rig.is_kept(&target, &[]), expected, "{base} {status} {headers:?}");
        }
    }
}

/// §4.2.4: nothing stale without leave; a prohibition of the origin's outweighs every leave.
#[test]
fn nothing_stale_is_served_without_leave_or_against_a_prohibition() {
    let strict = Rig::start();
    let lax = Rig::with("stale_while_revalidate: 1h, stale_if_error: 1h");
    let age = ("Age", "600");
    for (number, (control, served)) in [
        ("max-age=300", true),
        ("max-age=300, must-revalidate", false),
        ("max-age=300, no-cache", false),
        ("max-age=300, stale-while-revalidate=1", false),
        ("max-age=300, stale-while-revalidate=900", true),
    ]
    .into_iter()
    .enumerate()
    {
        let headers = [("Cache-Control", control), age, ("ETag", "\"one\"")];
        for base in BOTH {
            let target = format!("{base}leave/{number}");
            lax.keep(&target, &headers);
            assert_eq!(lax.is_kept(&target, &[]), served, "{base} {control}");
            strict.keep(&target, &headers);
            let says_so = control.ends_with("=900");
            assert_eq!(strict.is_kept(&target, &[]), says_so, "{base} {control}");
        }
    }
}

/// §5.2.2.8, §5.2.2.10: two prohibitions that bind shared caches only.
#[test]
fn some_prohibitions_bind_shared_caches_only() {
    let rig = Rig::with("stale_while_revalidate: 1h, stale_if_error: 1h");
    for (number, control) in
        ["max-age=300, proxy-revalidate", "max-age=300, s-maxage=300"].into_iter().enumerate()
    {
        for (base, served) in [(OWN, true), (SHARED, false)] {
            let target = format!("{base}bound/{number}");
            rig.keep(&target, &[("Cache-Control", control), ("Age", "600")]);
            assert_eq!(rig.is_kept(&target, &[]), served, "{base} {control}");
        }
    }
}
