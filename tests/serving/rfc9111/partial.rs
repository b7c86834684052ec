//! RFC 9111 §3.3, §3.4, RFC 9110 §14: parts. And requests that have content, which no GET should.

use super::{BOTH, FRESH, Rig, TAG};
use crate::support::client::Request;

/// §3.3: requests for parts are passed, with their conditions; no part is kept or becomes the whole.
#[test]
fn parts_are_passed_on_and_never_become_the_whole() {
    let rig = Rig::start();
    for base in BOTH {
        let target = format!("{base}part");
        let range = [("Range", "bytes=0-1"), ("If-Range", "\"one\"")];
        let part = [FRESH, TAG, ("Content-Range", "bytes 0-1/3")];
        for _ in 0..2 {
            rig.says(206, &part, "on");
            let answer = rig.get_with(&target, &range).expect_status(206);
            assert_eq!((answer.text().as_str(), answer.cache().as_str()), ("on", "BYPASS"));
            assert_eq!(answer.header("content-range"), Some("bytes 0-1/3"), "{answer}");
            assert_eq!(rig.last().headers.get("range"), Some("bytes=0-1"));
            assert_eq!(rig.last().headers.get("if-range"), Some("\"one\""));
        }
        // The whole is fetched, and a part of it asked of the origin again.
        rig.keep(&target, &[FRESH, TAG]);
        rig.says(206, &part, "on");
        rig.get_with(&target, &range).expect_status(206);
        assert!(rig.is_kept(&target, &[]), "{base}");
    }
}

/// §3.3: an origin that sends a part, or a 304, unasked poisons nothing.
#[test]
fn a_part_or_a_304_that_nobody_asked_for_is_not_kept() {
    let rig = Rig::start();
    for base in BOTH {
        for (number, (status, headers)) in [
            (206, vec![FRESH, ("Content-Range", "bytes 0-1/3")]),
            (206, vec![FRESH]),
            (304, vec![FRESH, TAG]),
        ]
        .into_iter()
        .enumerate()
        {
            let target = format!("{base}unasked/{number}");
            rig.says(status, &headers, if status == 206 { "on" } else { "" });
            assert_eq!(rig.get(&target).status, status);
            assert!(!rig.is_kept(&target, &[]), "{base} {status}");
        }
    }
}

/// RFC 9110 §9.3.1: a GET with content is passed, and answers nobody else.
#[test]
fn a_get_with_content_is_passed_on_and_never_kept() {
    let rig = Rig::start();
    for base in BOTH {
        let target = format!("{base}fat");
        let fat = Request::get(&target).body("{\"as\": \"admin\"}");
        rig.says(200, &[FRESH], "poison");
        let answer = rig.gateway.send(&fat).expect_status(200);
        assert_eq!((answer.text().as_str(), answer.cache().as_str()), ("poison", "BYPASS"));
        rig.keep(&target, &[FRESH]);
        assert!(rig.is_kept(&target, &[]), "{base}");
    }
}
