//! RFC 9111 §4, RFC 9110 §9.3.2: HEAD.

use super::{BOTH, FRESH, Rig, STALE, TAG};

/// §4: a kept GET answers HEAD: all its fields, its length, no content; and a HEAD's answer is the
/// GET's.
#[test]
fn a_kept_get_answers_head_and_the_reverse() {
    let rig = Rig::start();
    for base in BOTH {
        for (first, second) in [("GET", "HEAD"), ("HEAD", "GET"), ("HEAD", "HEAD")] {
            let target = format!("{base}{first}-{second}");
            rig.says(200, &[FRESH, TAG, ("X-Own", "1")], "four");
            let calls = rig.provider.num_calls();
            for (method, cache) in [(first, "MISS"), (second, "HIT L1"), (second, "HIT L1")] {
                let answer = rig.ask(method, &target, &[]).expect_status(200);
                assert_eq!(answer.cache(), cache, "{answer}");
                assert_eq!(answer.headers.all("content-length"), ["4"], "{answer}");
                assert_eq!(
                    (answer.header("x-own"), answer.header("etag")),
                    (Some("1"), Some("\"one\""))
                );
                assert_eq!(answer.text(), if method == "HEAD" { "" } else { "four" }, "{answer}");
            }
            assert_eq!(rig.provider.num_calls(), calls + 1, "{}", rig.provider.log());
            assert_eq!(rig.last().method, "GET");
        }
    }
}

/// §4.3: a HEAD has stale answers asked about, and its own conditions answered.
#[test]
fn a_head_is_validated_and_answered_with_304_like_a_get() {
    let rig = Rig::start();
    for base in BOTH {
        let target = format!("{base}stale");
        rig.keep(&target, &[&STALE[..], &[TAG]].concat());
        rig.says(304, &[FRESH, TAG], "");
        let answer = rig.ask("HEAD", &target, &[]).expect_status(200);
        assert_eq!((answer.header("content-length"), answer.text().as_str()), (Some("3"), ""));
        let asked = rig.last();
        assert_eq!(
            (asked.method.as_str(), asked.headers.get("if-none-match")),
            ("GET", Some("\"one\""))
        );
        let condition = [("If-None-Match", "\"one\"")];
        assert_eq!(rig.ask("HEAD", &target, &condition).expect_status(304).cache(), "HIT L1");
        assert!(rig.is_kept(&target, &[]), "{base}");
    }
}

/// A failure of the origin's is a HEAD's, too, without content.
#[test]
fn a_failed_head_has_no_content() {
    let rig = Rig::start();
    for base in BOTH {
        let target = format!("{base}missing");
        rig.says(404, &[], "nothing here");
        let answer = rig.ask("HEAD", &target, &[]).expect_status(404);
        assert_eq!((answer.header("content-length"), answer.text().as_str()), (Some("12"), ""));
    }
}
