//! RFC 9111 §4.3: is a kept answer still right?

use super::{BOTH, FRESH, OWN, Rig, SHARED, STALE, TAG, date, status_of};
use crate::support::client::Response;

fn kept_at(rig: &Rig, target: &str, more: &[(&str, &str)]) {
    rig.keep(target, &[&STALE[..], more].concat());
}

/// §4.3.1, §4.3.4, §3.2: a stale answer is asked about by its validators; a 304 makes it fresh, with
/// the fields it brings.
#[test]
fn a_stale_answer_is_asked_about_and_a_304_makes_it_fresh() {
    let rig = Rig::start();
    let changed = date(-86_400);
    for base in BOTH {
        let target = format!("{base}304");
        let modified = ("Last-Modified", changed.as_str());
        kept_at(&rig, &target, &[TAG, modified, ("X-Old", "1"), ("X-Both", "old")]);
        rig.says(304, &[TAG, FRESH, ("X-Both", "new"), ("X-New", "2")], "");
        let validated = rig.get(&target).expect_status(200);
        let asked = rig.last();
        assert_eq!(asked.headers.get("if-none-match"), Some("\"one\""));
        assert_eq!(asked.headers.get("if-modified-since"), Some(changed.as_str()));
        assert!(status_of(&validated).contains("fwd=stale; fwd-status=304"), "{validated}");
        let calls = rig.provider.num_calls();
        for answer in [validated, rig.get(&target).expect_status(200)] {
            assert_eq!(answer.text(), "one", "{answer}");
            let value = |name| answer.header(name);
            assert_eq!(
                (value("x-old"), value("x-both"), value("x-new")),
                (Some("1"), Some("new"), Some("2")),
                "{answer}"
            );
            assert_eq!(answer.headers.all("cache-control"), ["max-age=600"], "{answer}");
            assert!(value("age").and_then(|age| age.parse().ok()) < Some(60), "{answer}");
        }
        assert_eq!(rig.provider.num_calls(), calls, "{base}");
    }
}

/// §4.3.3: a full answer to a validation is the caller's and takes the kept one's place.
#[test]
fn a_full_answer_takes_the_kept_ones_place() {
    let rig = Rig::start();
    for base in BOTH {
        let target = format!("{base}full");
        kept_at(&rig, &target, &[TAG]);
        rig.says(200, &[FRESH, ("ETag", "\"two\"")], "changed");
        for how in ["anteroom; fwd=stale; stored", "anteroom; hit"] {
            let answer = rig.get(&target).expect_status(200);
            assert_eq!(
                (answer.text().as_str(), answer.header("etag")),
                ("changed", Some("\"two\""))
            );
            assert!(status_of(&answer).starts_with(how), "{answer}");
        }
    }
}

/// §4.3.4: a 304 that speaks of another answer updates nothing: the origin is asked again, plainly.
#[test]
fn a_304_for_another_answer_is_not_believed() {
    let rig = Rig::start();
    for base in BOTH {
        let target = format!("{base}other");
        kept_at(&rig, &target, &[TAG]);
        rig.says(304, &[FRESH, ("ETag", "\"another\"")], "").says(200, &[FRESH], "asked again");
        let answer = rig.get(&target).expect_status(200);
        assert_eq!(answer.text(), "asked again", "{answer}");
        assert_eq!(rig.last().headers.get("if-none-match"), None);
    }
}

/// §5.2.2.4, §4.3: an answer with no-cache is kept and asked about at each use.
#[test]
fn an_answer_with_no_cache_is_asked_about_at_each_use() {
    let rig = Rig::with("stale_while_revalidate: 1h, stale_if_error: 1h");
    let control = ("Cache-Control", "no-cache, max-age=600");
    for base in BOTH {
        let target = format!("{base}no-cache");
        rig.keep(&target, &[TAG, control]);
        for _ in 0..3 {
            rig.says(304, &[TAG, control], "");
            let answer =
                rig.get_with(&target, &[("Cache-Control", "max-stale")]).expect_status(200);
            assert_eq!(answer.text(), "one", "{answer}");
            assert_eq!(rig.last().headers.get("if-none-match"), Some("\"one\""));
        }
    }
}

/// §4.3.3, §4.2.4, §5.2.2.2, RFC 5861 §4: where the origin fails a kept answer stands in, unless it
/// forbids that: then the failure is the answer.
#[test]
fn a_kept_answer_stands_in_for_a_failure_where_it_may() {
    let mut rig = Rig::with("stale_while_revalidate: 0s, stale_if_error: 1h");
    let age = ("Age", "600");
    for (base, name, control, stands_in) in [
        (OWN, "may", "max-age=300", true),
        (OWN, "own-window", "max-age=300, stale-if-error=1", false),
        (OWN, "must", "max-age=300, must-revalidate", false),
        (OWN, "no-cache", "max-age=900, no-cache", false),
        (OWN, "proxy", "max-age=300, proxy-revalidate", true),
        (SHARED, "may", "max-age=300", true),
        (SHARED, "proxy", "max-age=300, proxy-revalidate", false),
        (SHARED, "s-maxage", "s-maxage=300", false),
    ] {
        let target = format!("{base}fails/{name}");
        rig.keep(&target, &[("Cache-Control", control), age, TAG]);
        let check = |answer: Response, failure: u16| {
            let expected = if stands_in { 200 } else { failure };
            assert_eq!(answer.status, expected, "{base} {control}\n{answer}");
            assert_eq!(answer.cache().starts_with("STALE"), stands_in, "{answer}");
        };
        rig.says(503, &[], "sorry");
        check(rig.get(&target), 503);
        rig.provider.stop();
        check(rig.get(&target), 502);
        rig.provider.resume();
    }
}

/// §4.3.2, RFC 9110 §13.1, §15.4.5: a caller that has the answer gets 304, whatever way it comes.
#[test]
fn a_caller_that_has_the_answer_gets_304() {
    let rig = Rig::start();
    let changed = date(-86_400);
    let modified = ("Last-Modified", changed.as_str());
    let later = date(-3_600);
    for base in BOTH {
        let target = format!("{base}has");
        rig.says(200, &[FRESH, TAG, modified, ("X-Own", "1")], "one");
        // Through a miss that is kept.
        let missed = rig.get_with(&target, &[("If-None-Match", "\"one\"")]).expect_status(304);
        assert_eq!(missed.cache(), "MISS", "{missed}");
        assert_eq!(rig.last().headers.get("if-none-match"), None, "an origin answers in full");
        let has_it = [
            ("If-None-Match", "\"one\""),
            ("If-None-Match", "W/\"one\""),
            ("If-None-Match", "\"zero\", \"one\""),
            ("If-None-Match", "*"),
            ("If-Modified-Since", changed.as_str()),
            ("If-Modified-Since", later.as_str()),
        ];
        // Again and again, so that leases answer too.
        for condition in has_it.into_iter().chain(has_it) {
            let answer = rig.get_with(&target, &[condition]).expect_status(304);
            assert_eq!(
                (answer.body.as_slice(), answer.header("etag")),
                (&b""[..], Some("\"one\""))
            );
            assert_eq!(answer.cache(), "HIT L1", "{answer}");
            assert!(answer.header("age").is_some() && answer.header("date").is_some(), "{answer}");
            assert_eq!((answer.header("x-own"), answer.header("content-type")), (None, None));
            assert_eq!(answer.headers.all("cache-control"), ["max-age=600"], "{answer}");
        }
        let earlier = date(-2 * 86_400);
        for condition in [
            ("If-None-Match", "\"two\""),
            ("If-Modified-Since", earlier.as_str()),
            ("If-Modified-Since", "yesterday"),
        ] {
            let answer = rig.get_with(&target, &[condition]).expect_status(200);
            assert_eq!(answer.text(), "one", "{answer}");
        }
        // If-None-Match alone counts where both are there.
        let both = [("If-None-Match", "\"two\""), ("If-Modified-Since", changed.as_str())];
        rig.get_with(&target, &both).expect_status(200);
    }
    assert_eq!(rig.provider.num_calls(), 2, "{}", rig.provider.log());
}

/// §4.3.2: what the origin has confirmed is compared with the caller's copy, not with what was kept.
#[test]
fn after_a_validation_the_callers_condition_is_answered_from_what_is_right_now() {
    let rig = Rig::start();
    for base in BOTH {
        let target = format!("{base}then");
        kept_at(&rig, &target, &[TAG]);
        rig.says(304, &[TAG], "");
        let condition = [("If-None-Match", "\"one\"")];
        let answer = rig.get_with(&target, &condition).expect_status(304);
        assert!(status_of(&answer).contains("fwd-status=304"), "{answer}");
        let target = format!("{base}changed");
        kept_at(&rig, &target, &[TAG]);
        rig.says(200, &[FRESH, ("ETag", "\"two\"")], "changed");
        let answer = rig.get_with(&target, &condition).expect_status(200);
        assert_eq!(answer.text(), "changed", "{answer}");
    }
}

/// §4.3.2, RFC 9110 §13.1.1, §13.1.4: conditions for an origin are for the origin.
#[test]
fn conditions_for_an_origin_are_passed_on() {
    let rig = Rig::start();
    let past = date(-86_400);
    for base in BOTH {
        let target = format!("{base}origin");
        rig.keep(&target, &[FRESH, TAG]);
        for (name, value) in [("If-Match", "\"two\""), ("If-Unmodified-Since", past.as_str())] {
            rig.says(412, &[FRESH], "failed");
            let answer = rig.get_with(&target, &[(name, value)]).expect_status(412);
            assert_eq!(answer.cache(), "BYPASS", "{answer}");
            assert_eq!(rig.last().headers.get(name), Some(value));
        }
        assert!(rig.is_kept(&target, &[]), "{base}");
    }
}
