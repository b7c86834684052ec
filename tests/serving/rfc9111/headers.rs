//! RFC 9111 §3.1, §3.2, RFC 9110 §7.6.1: which fields are kept and sent.

use super::{BOTH, FRESH, OWN, Rig, SHARED, STALE, TAG, status_of};

/// §3.1: all fields are kept, unknown ones too; not those of the connection, of a proxy, of a session.
#[test]
fn fields_are_kept_but_for_those_of_one_hop_or_one_session() {
    let rig = Rig::start();
    for base in BOTH {
        let target = format!("{base}fields");
        let named = if base == OWN { ("X-Any", "1") } else { ("Link", "<a>; rel=b") };
        rig.keep(
            &target,
            &[
                FRESH,
                named,
                ("X-Unknown", "one"),
                ("X-Unknown", "two"),
                ("Date", "Mon, 01 Jan 2024 00:00:00 GMT"),
                ("Expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
                ("Connection", "X-Hop"),
                ("X-Hop", "1"),
                ("Keep-Alive", "timeout=5"),
                ("Proxy-Authenticate", "Basic"),
            ],
        );
        // Old by its Date: asked about by nobody, so it is simply gone.
        assert!(!rig.is_kept(&target, &[]), "{base}");
        let date = super::date(-5);
        let target = format!("{base}fields-fresh");
        let lines = [FRESH, named, ("X-Unknown", "one"), ("X-Unknown", "two"), ("Date", &date)];
        let hops = [
            ("Connection", "X-Hop"),
            ("X-Hop", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Authenticate", "Basic"),
        ];
        rig.keep(&target, &[&lines[..], &hops[..]].concat());
        let hit = rig.get(&target).expect_status(200);
        assert_eq!(hit.cache(), "HIT L1", "{hit}");
        assert_eq!(hit.headers.all("x-unknown"), ["one", "two"], "{hit}");
        assert_eq!(hit.headers.all("date"), [date.as_str()], "{hit}");
        assert_eq!(hit.header(named.0), Some(named.1), "{hit}");
        for name in ["x-hop", "keep-alive", "proxy-authenticate"] {
            assert_eq!(hit.header(name), None, "{name}\n{hit}");
        }
    }
}

/// §3.1, §7.3: a cookie is the first asker's: a private cache keeps the answer without it, a shared one
/// keeps nothing.
#[test]
fn a_cookie_is_never_kept() {
    let rig = Rig::start();
    let cookie = ("Set-Cookie", "session=1");
    for (base, is_kept) in [(OWN, true), (SHARED, false)] {
        let target = format!("{base}cookie");
        rig.keep(&target, &[FRESH, cookie]);
        assert_eq!(rig.is_kept(&target, &[]), is_kept, "{base}");
        assert_eq!(rig.get(&target).header("set-cookie"), None);
    }
}

/// §5.2.2.4, §3.1: fields that no-cache names are not kept.
#[test]
fn fields_that_no_cache_names_are_not_kept() {
    let rig = Rig::start();
    let target = format!("{OWN}named");
    let control = ("Cache-Control", "max-age=600, no-cache=\"X-Secret\"");
    rig.keep(&target, &[control, ("X-Secret", "1"), ("X-Open", "2")]);
    let hit = rig.get(&target).expect_status(200);
    assert_eq!((hit.cache().as_str(), hit.text().as_str()), ("HIT L1", "one"), "{hit}");
    assert_eq!((hit.header("x-secret"), hit.header("x-open")), (None, Some("2")), "{hit}");
}

/// §5.2: what an answer says of caching is passed on, on hits too. RFC 9211: hits say so.
#[test]
fn directives_are_passed_on() {
    let rig = Rig::start();
    for base in BOTH {
        let target = format!("{base}passed");
        let control = "max-age=600, public, community=\"UCI\"";
        rig.keep(&target, &[("Cache-Control", control), TAG, ("Vary", "accept")]);
        let hit = rig.get(&target).expect_status(200);
        assert_eq!(hit.headers.all("cache-control"), [control], "{hit}");
        assert_eq!((hit.header("vary"), hit.header("etag")), (Some("accept"), Some("\"one\"")));
        assert!(status_of(&hit).starts_with("anteroom; hit; ttl="), "{hit}");
    }
}

/// §3.2: a 304 does not change how the kept bytes are read.
#[test]
fn a_304_does_not_change_how_kept_bytes_are_read() {
    let rig = Rig::start();
    for base in BOTH {
        let target = format!("{base}bytes");
        rig.keep(&target, &[&STALE[..], &[TAG]].concat());
        rig.says(304, &[FRESH, TAG, ("Content-Encoding", "gzip"), ("Set-Cookie", "a=b")], "");
        for _ in 0..2 {
            let answer = rig.get(&target).expect_status(200);
            assert_eq!(answer.text(), "one", "{answer}");
            assert_eq!(answer.headers.all("content-length"), ["3"], "{answer}");
            assert_eq!(
                (answer.header("content-encoding"), answer.header("set-cookie")),
                (None, None)
            );
        }
    }
}
