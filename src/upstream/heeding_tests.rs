//! What the origin's word makes of an answer.

use super::super::tests::{call, header};
use super::*;

const NOW: u64 = 1_781_524_800_000;
const DAY: Duration = Duration::from_secs(86_400);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn get() -> OriginCall {
    let lifetimes = Lifetimes {
        lifetime: secs(300),
        stale_while_revalidate: secs(60),
        stale_if_error: secs(600),
        ..Lifetimes::default()
    };
    OriginCall { lifetimes, ..call("GET", "/v1/x", "") }
}

fn asking(call: &OriginCall, shared: bool) -> Asking<'_> {
    let exchange = Exchange { requested_ms: NOW, received_ms: NOW };
    Asking { call, shared, passes_credential: true, exchange }
}

fn headers(pairs: &[(&str, &str)]) -> Vec<Header> {
    pairs.iter().map(|(name, value)| header(name, value)).collect()
}

fn kept(ruling: Ruling) -> Keeping {
    match ruling {
        Ruling::Kept(keeping) => keeping,
        Ruling::Forbidden(reason) => panic!("not kept: {reason}"),
    }
}

/// RFC 9111 §4.2.1, §5.2.2, RFC 5861: the answer's word counts, and the route's where it says
/// nothing; a word against stale use ends all windows.
#[test]
fn an_answers_word_counts_before_the_routes() {
    let (own, tag) = (("cache-control", "max-age=10"), ("etag", "\"a\""));
    let windows = "max-age=10, stale-while-revalidate=1, stale-if-error=2";
    for (fields, lifetime, revalidate, if_error, validate, never) in [
        (vec![], 300, 60, 600, Duration::ZERO, false),
        (vec![own], 10, 60, 600, Duration::ZERO, false),
        (vec![own, tag], 10, 60, 600, DAY, false),
        (vec![("cache-control", windows)], 10, 1, 2, Duration::ZERO, false),
        (vec![("cache-control", "no-cache"), tag], 0, 0, 0, DAY, true),
        (vec![("cache-control", "max-age=10, must-revalidate")], 10, 0, 0, Duration::ZERO, true),
    ] {
        let (call, fields) = (get(), headers(&fields));
        let Keeping { lifetimes, .. } = kept(asking(&call, false).rule(200, &fields));
        let expected = Lifetimes {
            lifetime: secs(lifetime),
            stale_while_revalidate: secs(revalidate),
            stale_if_error: secs(if_error),
            keep_to_validate: validate,
            never_stale: never,
        };
        assert_eq!(lifetimes, expected, "{fields:?}");
    }
}

/// RFC 9111 §3, §3.5, §5.2.2.7: what is not kept, and by whom.
#[test]
fn what_the_origin_forbids_is_not_kept() {
    let control = |value| headers(&[("cache-control", value)]);
    for (status, fields, private, shared) in [
        (200, control("no-store"), Some("no-store"), Some("no-store")),
        (200, control("private"), None, Some("private")),
        (200, headers(&[("vary", "*")]), Some("vary"), Some("vary")),
        (200, headers(&[("set-cookie", "a=b")]), None, Some("set-cookie")),
        (200, control("max-age=0, must-revalidate"), Some("stale"), Some("stale")),
        (200, control("no-cache"), Some("no-validator"), Some("no-validator")),
        (200, headers(&[("content-encoding", "gzip")]), Some("encoding"), Some("encoding")),
        (206, control("max-age=60"), Some("partial"), Some("partial")),
        (404, control("max-age=60"), None, None),
        (404, headers(&[]), Some("stale"), Some("stale")),
        (401, control("max-age=60"), Some("status"), Some("status")),
        (500, control("max-age=60"), Some("status"), Some("status")),
        (301, headers(&[]), None, None),
    ] {
        for (is_shared, expected) in [(false, private), (true, shared)] {
            let call = get();
            let reason = match asking(&call, is_shared).rule(status, &fields) {
                Ruling::Forbidden(reason) => Some(reason),
                Ruling::Kept(_) => None,
            };
            assert_eq!(reason, expected, "{status} {fields:?} shared: {is_shared}");
        }
    }
}

/// RFC 9111 §3.5: answers to a credential are shared by the origin's leave only.
#[test]
fn answers_to_a_credential_need_leave_to_be_shared() {
    let call = OriginCall { headers: vec![header("authorization", "Bearer a")], ..get() };
    let forbidden = |asking: Asking<'_>, control: &str| {
        let fields = headers(&[("cache-control", control)]);
        matches!(asking.rule(200, &fields), Ruling::Forbidden("authorization"))
    };
    assert!(forbidden(asking(&call, true), "max-age=60"));
    assert!(!forbidden(asking(&call, true), "public, max-age=60"));
    assert!(!forbidden(asking(&call, false), "max-age=60"));
    let own_credential = Asking { passes_credential: false, ..asking(&call, true) };
    assert!(!forbidden(own_credential, "max-age=60"));
}

/// RFC 9111 §3.2, §4.3.4: a 304 gives what it identifies a new life and new fields.
#[test]
fn a_304_frees_what_it_identifies_and_nothing_else() {
    let call = get();
    let stored = headers(&[("cache-control", "max-age=10"), ("etag", "\"a\""), ("x-a", "1")]);
    let entry = Entry { status: 200, headers: stored.into(), ..Entry::default() };
    let fresh = headers(&[("etag", "\"a\""), ("cache-control", "max-age=20"), ("age", "5")]);
    let (new, keep) = asking(&call, false).freshened(&entry, &fresh).unwrap();
    assert!(keep);
    assert_eq!((new.freshness.lifetime.get(), new.freshness.age_ms(NOW)), (secs(20), 5_000));
    let value = |name: &str| headers::text_of(&new.headers, name).map(str::to_owned);
    assert_eq!(value("cache-control").as_deref(), Some("max-age=20"));
    assert_eq!((value("x-a").as_deref(), value("age")), (Some("1"), None));
    let other = headers(&[("etag", "\"b\"")]);
    assert!(asking(&call, false).freshened(&entry, &other).is_none());
    let ended = headers(&[("etag", "\"a\""), ("cache-control", "no-store")]);
    let (_, keep) = asking(&call, false).freshened(&entry, &ended).unwrap();
    assert!(!keep);
}

/// RFC 9111 §4.1: what Vary nominates selects; the coding, which the gateway chooses itself, does
/// not.
#[test]
fn nominated_fields_select() {
    let select = |vary: &str, presented: &[(&str, &str)]| {
        let (vary, presented) = (headers(&[("vary", vary)]), headers(presented));
        selection(&Vary::of(fields(&vary)), fields(&presented))
    };
    let one = select("x-a", &[("x-a", "1")]);
    assert_eq!(one, select("X-A", &[("x-a", "1"), ("x-b", "2")]));
    assert_ne!(one, select("x-a", &[("x-a", "2")]));
    assert_ne!(one, select("x-a", &[]));
    assert_eq!(select("*", &[]), None);
    let coding = select("accept-encoding", &[("accept-encoding", "gzip")]);
    assert_eq!(coding, select("accept-encoding", &[]));
    assert_eq!(selection(&Vary::Nothing, fields(&[])), Some([0; 16]));
}
