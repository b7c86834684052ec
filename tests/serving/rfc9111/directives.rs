//! RFC 9111 §5.2.1, §5.4: what a request takes of what is kept.

use super::{BOTH, FRESH, OWN, Rig, STALE, TAG, status_of};

/// §5.2.1.1 to §5.2.1.3: how old, how fresh, how stale an answer may be.
#[test]
fn a_request_says_how_old_and_how_stale_an_answer_it_takes() {
    let rig = Rig::start();
    let of_age = |age| [FRESH, ("Age", age), TAG];
    for (number, (age, control, served)) in [
        ("60", "max-age=120", true),
        ("60", "max-age=30", false),
        ("60", "max-age=0", false),
        ("60", "min-fresh=500", true),
        ("60", "min-fresh=560", false),
        ("660", "max-stale", true),
        ("660", "max-stale=120", true),
        ("660", "max-stale=30", false),
        ("660", "max-age=900, max-stale", true),
        ("660", "max-age=900", false),
        ("60", "unknown=1", true),
    ]
    .into_iter()
    .enumerate()
    {
        for base in BOTH {
            let target = format!("{base}takes/{number}");
            rig.keep(&target, &of_age(age));
            let request = [("Cache-Control", control)];
            assert_eq!(rig.is_kept(&target, &request), served, "{base} {age} {control}");
        }
    }
}

/// §5.2.1.4, §5.4: no-cache, and Pragma without Cache-Control, ask the origin, by the validators of
/// what is kept.
#[test]
fn a_request_with_no_cache_asks_the_origin() {
    let rig = Rig::start();
    for base in BOTH {
        for (number, headers) in [
            vec![("Cache-Control", "no-cache")],
            vec![("Pragma", "no-cache")],
            vec![("Cache-Control", "max-age=0")],
        ]
        .into_iter()
        .enumerate()
        {
            let target = format!("{base}no-cache/{number}");
            rig.keep(&target, &[FRESH, TAG]);
            rig.says(304, &[TAG, FRESH], "");
            let answer = rig.get_with(&target, &headers).expect_status(200);
            assert_eq!(answer.text(), "one", "{answer}");
            assert!(status_of(&answer).contains("fwd=request; fwd-status=304"), "{answer}");
            assert_eq!(rig.last().headers.get("if-none-match"), Some("\"one\""));
            assert!(rig.is_kept(&target, &[]), "{base} {headers:?}");
        }
        let target = format!("{base}no-cache/both");
        rig.keep(&target, &[FRESH]);
        let both = [("Cache-Control", "max-age=60"), ("Pragma", "no-cache")];
        assert!(rig.is_kept(&target, &both), "{base}");
    }
}

/// §5.2.1.7: nothing but a kept answer, else 504; what would be passed is 504, too.
#[test]
fn a_request_may_want_nothing_but_a_kept_answer() {
    let rig = Rig::start();
    let only = ("Cache-Control", "only-if-cached");
    for base in BOTH {
        let target = format!("{base}only");
        rig.get_with(&target, &[only]).expect_status(504);
        rig.keep(&target, &[FRESH]);
        assert!(rig.is_kept(&target, &[only]), "{base}");
        rig.get_with(&target, &[only, ("Range", "bytes=0-1")]).expect_status(504);
        let stale = format!("{base}only-stale");
        rig.keep(&stale, &[&STALE[..], &[TAG]].concat());
        let calls = rig.provider.num_calls();
        rig.get_with(&stale, &[only]).expect_status(504);
        assert_eq!(rig.provider.num_calls(), calls);
    }
}

/// §5.2.1.5: nothing of a request with no-store, nor of its answer, is kept; what is kept stays.
#[test]
fn an_answer_to_a_request_with_no_store_is_not_kept() {
    let rig = Rig::start();
    let control = ("Cache-Control", "no-store");
    for base in BOTH {
        let target = format!("{base}no-store");
        rig.says(200, &[FRESH], "one");
        rig.get_with(&target, &[control]).expect_status(200);
        assert!(!rig.is_kept(&target, &[]), "{base}");
        // A 304 for it is used once.
        let target = format!("{base}no-store-304");
        rig.keep(&target, &[&STALE[..], &[TAG]].concat());
        for _ in 0..2 {
            rig.says(304, &[FRESH, TAG], "");
            let answer = rig.get_with(&target, &[control]).expect_status(200);
            assert_eq!(answer.text(), "one", "{answer}");
            assert_eq!(rig.last().headers.get("if-none-match"), Some("\"one\""));
        }
    }
}

/// §5.2: a route may leave the caller's directives out of account.
#[test]
fn a_route_may_ignore_the_callers_directives() {
    let rig = Rig::with("ignore_client_cache_control: true");
    let target = format!("{OWN}ignored");
    rig.keep(&target, &[FRESH]);
    assert!(rig.is_kept(&target, &[("Cache-Control", "no-cache")]));
    rig.says(206, &[FRESH], "part");
    let part = [("Cache-Control", "only-if-cached"), ("Range", "bytes=0-3")];
    rig.get_with(&target, &part).expect_status(206);
}

/// `X-Cache-TTL` is in the place of the route's lifetime: it counts where the origin says nothing.
#[test]
fn a_callers_lifetime_counts_where_the_origin_says_nothing() {
    let rig = Rig::start();
    for base in BOTH {
        for (name, headers, is_kept) in
            [("says-nothing", vec![("Age", "5")], false), ("says", vec![FRESH, ("Age", "5")], true)]
        {
            let target = format!("{base}ttl/{name}");
            rig.says(200, &headers, "one");
            rig.get_with(&target, &[("X-Cache-TTL", "2")]).expect_status(200);
            assert_eq!(rig.is_kept(&target, &[]), is_kept, "{base} {name}");
        }
    }
}

/// A route may leave the origin's headers out of account: then its lifetime holds.
#[test]
fn a_route_may_leave_the_origins_headers_out_of_account() {
    let rig = Rig::with("heed_origin: false");
    for (number, (control, is_kept)) in
        [("no-cache", true), ("max-age=0", true), ("no-store", false)].into_iter().enumerate()
    {
        let target = format!("{OWN}unheeded/{number}");
        rig.keep(&target, &[("Cache-Control", control)]);
        assert_eq!(rig.is_kept(&target, &[]), is_kept, "{control}");
    }
}
