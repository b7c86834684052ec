use proptest::prelude::*;

use super::*;
use crate::caching::cache_control::Restriction;
use crate::caching::fields::Field;

const EXCHANGE: Exchange = Exchange { requested_ms: 1_000_000, received_ms: 1_000_000 };

/// A GET without a credential, answered by 200 with these fields.
fn candidate<'a>(
    sharing: Sharing,
    request: &'a RequestDirectives,
    fields: &'a [Field<'a>],
) -> Candidate<'a, std::iter::Copied<std::slice::Iter<'a, Field<'a>>>> {
    Candidate {
        sharing,
        method: "GET",
        request,
        is_authorized: false,
        status: 200,
        fields: fields.iter().copied(),
        exchange: EXCHANGE,
        heuristic: Heuristic::NONE,
    }
}

/// Returns why an answer to a plain GET is not kept, by private and by shared caches.
fn refusals(status: u16, control: &str, more: &[Field<'_>]) -> [Option<&'static str>; 2] {
    let request = RequestDirectives::default();
    let mut fields = vec![("cache-control", control.as_bytes())];
    fields.extend(more);
    [Sharing::Private, Sharing::Shared].map(|sharing| {
        let candidate = Candidate { status, ..candidate(sharing, &request, &fields) };
        refusal(&candidate)
    })
}

fn refusal<'a, F: Fields<'a>>(candidate: &Candidate<'_, F>) -> Option<&'static str> {
    match Storing::decide(candidate) {
        Storing::Yes { .. } => None,
        Storing::No(reason) => Some(reason),
    }
}

/// RFC 9111 §3: only methods that are understood; HEAD has no content to keep.
#[test]
fn only_answers_to_get_are_kept() {
    let request = RequestDirectives::default();
    let fields = [("cache-control", b"public, max-age=60".as_slice())];
    for (method, expected) in [
        ("GET", None),
        ("HEAD", Some("head")),
        ("POST", Some("method")),
        ("PUT", Some("method")),
        ("OPTIONS", Some("method")),
        ("get", Some("method")),
        ("FOO", Some("method")),
    ] {
        let candidate = Candidate { method, ..candidate(Sharing::Shared, &request, &fields) };
        assert_eq!(refusal(&candidate), expected, "{method}");
    }
}

/// RFC 9111 §3: only final statuses, and 206 and 304 never.
#[test]
fn only_final_and_whole_answers_are_kept() {
    for (status, expected) in [
        (100, Some("interim")),
        (103, Some("interim")),
        (200, None),
        (206, Some("partial")),
        (304, Some("not-modified")),
        (404, None),
        (599, None),
    ] {
        let found = refusals(status, "max-age=60", &[]);
        assert_eq!(found, [expected; 2], "{status}");
    }
    let range: Field<'_> = ("content-range", b"bytes 0-9/10");
    assert_eq!(refusals(200, "max-age=60", &[range]), [Some("partial"); 2]);
}

/// RFC 9111 §3, §5.2.2.3: must-understand keeps what is understood, in spite of no-store, and
/// nothing else.
#[test]
fn must_understand_decides_by_the_status() {
    for (status, control, expected) in [
        (200, "max-age=60, must-understand", None),
        (200, "max-age=60, must-understand, no-store", None),
        (302, "max-age=60, must-understand, no-store", None),
        (599, "max-age=60, must-understand", Some("not-understood")),
        (599, "max-age=60, must-understand, no-store", Some("not-understood")),
        (599, "max-age=60", None),
        (200, "max-age=60, no-store", Some("no-store")),
        (200, "max-age=60, must-understand=1, no-store", Some("no-store")),
    ] {
        assert_eq!(refusals(status, control, &[]), [expected; 2], "{status} {control}");
    }
}

/// RFC 9111 §3, §5.2.2.5: an answer with no-store is not kept, whatever else it says.
#[test]
fn an_answer_with_no_store_is_not_kept() {
    for control in ["no-store", "public, max-age=60, no-store", "NO-STORE=1", "x=\", no-store"] {
        assert_eq!(refusals(200, control, &[]), [Some("no-store"); 2], "{control}");
    }
}

/// RFC 9111 §5.2.1.5: the answer to a request with no-store is not kept.
#[test]
fn the_answer_to_a_request_with_no_store_is_not_kept() {
    let request = RequestDirectives { no_store: true, ..RequestDirectives::default() };
    for control in ["public, max-age=60", "max-age=60, must-understand, no-store"] {
        let fields = [("cache-control", control.as_bytes())];
        for sharing in [Sharing::Private, Sharing::Shared] {
            let found = refusal(&candidate(sharing, &request, &fields));
            assert_eq!(found, Some("request-no-store"));
        }
    }
}

/// RFC 9111 §3, §5.2.2.7: private answers are for private caches; the qualified form is for both.
#[test]
fn a_private_answer_is_kept_by_a_private_cache_only() {
    for (control, private, shared) in [
        ("private", None, Some("private")),
        ("private, max-age=60", None, Some("private")),
        ("public, private, s-maxage=60", None, Some("private")),
        ("private=\"x-user\", max-age=60", None, None),
        ("private=\"\", max-age=60", None, Some("private")),
        ("max-age=60", None, None),
    ] {
        assert_eq!(refusals(200, control, &[]), [private, shared], "{control}");
    }
}

/// RFC 9111 §3, §3.5: what a credential was shown for is shared by the origin's leave only.
#[test]
fn an_answer_to_a_credential_is_shared_by_leave_only() {
    let request = RequestDirectives::default();
    for (control, shared) in [
        ("max-age=60", Some("authorization")),
        ("proxy-revalidate, max-age=60", Some("authorization")),
        ("", Some("authorization")),
        ("public", None),
        ("s-maxage=60", None),
        ("must-revalidate, max-age=60", None),
        ("public, private", Some("private")),
        ("public=1, max-age=60", Some("authorization")),
    ] {
        let fields = [("cache-control", control.as_bytes())];
        let authorized =
            |sharing| Candidate { is_authorized: true, ..candidate(sharing, &request, &fields) };
        assert_eq!(refusal(&authorized(Sharing::Shared)), shared, "{control}");
        assert_eq!(refusal(&authorized(Sharing::Private)), None, "{control}");
    }
}

/// RFC 9111 §3: something must allow it: public, private, Expires, max-age, s-maxage, the status.
#[test]
fn something_must_allow_an_answer_to_be_kept() {
    let expires: Field<'_> = ("expires", b"0");
    let no = Some("status");
    for (status, control, more, expected) in [
        (200, "", vec![], [None, None]),
        (301, "", vec![], [None, None]),
        (404, "", vec![], [None, None]),
        (302, "", vec![], [no, no]),
        (403, "", vec![], [no, no]),
        (500, "", vec![], [no, no]),
        (302, "public", vec![], [None, None]),
        (302, "private", vec![], [None, Some("private")]),
        (302, "private=\"x\"", vec![], [no, no]),
        (302, "max-age=60", vec![], [None, None]),
        (302, "s-maxage=60", vec![], [no, None]),
        (302, "", vec![expires], [None, None]),
        (302, "must-revalidate, foo", vec![], [no, no]),
    ] {
        assert_eq!(refusals(status, control, &more), expected, "{status} {control}");
    }
}

/// RFC 9111 §4.1: an answer that never matches is not kept.
#[test]
fn an_answer_that_varies_by_anything_is_not_kept() {
    let star: Field<'_> = ("vary", b"accept, *");
    assert_eq!(refusals(200, "max-age=60", &[star]), [Some("vary"); 2]);
    let named: Field<'_> = ("vary", b"Accept");
    assert_eq!(refusals(200, "max-age=60", &[named]), [None; 2]);
}

/// RFC 9111 §7.3: nothing forbids it, but a shared cache keeps no answer that sets a cookie,
/// unless the origin names that field.
#[test]
fn an_answer_that_sets_a_cookie_is_not_shared() {
    let cookie: Field<'_> = ("set-cookie", b"id=1");
    let old: Field<'_> = ("set-cookie2", b"id=1");
    for (control, more, shared) in [
        ("max-age=60", cookie, Some("set-cookie")),
        ("public, max-age=60", cookie, Some("set-cookie")),
        ("max-age=60", old, Some("set-cookie")),
        ("max-age=60, no-cache=\"Set-Cookie\"", cookie, None),
        ("max-age=60, private=\"set-cookie\"", cookie, None),
        ("max-age=60, private=\"x\"", cookie, Some("set-cookie")),
    ] {
        assert_eq!(refusals(200, control, &[more]), [None, shared], "{control}");
    }
}

/// RFC 9111 §5.2.2.4: what must be validated before each use is kept only with a validator.
#[test]
fn an_answer_that_can_never_be_used_is_not_kept() {
    let etag: Field<'_> = ("etag", b"\"a\"");
    let bad: Field<'_> = ("etag", b"a");
    let modified: Field<'_> = ("last-modified", b"Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(refusals(200, "no-cache", &[]), [Some("no-validator"); 2]);
    assert_eq!(refusals(200, "no-cache", &[bad]), [Some("no-validator"); 2]);
    assert_eq!(refusals(200, "no-cache", &[etag]), [None; 2]);
    assert_eq!(refusals(200, "no-cache", &[modified]), [None; 2]);
}

/// RFC 9111 §3, §4.2: what is remembered of a kept answer.
#[test]
fn a_kept_answer_is_remembered_with_its_life_and_what_selects_it() {
    let request = RequestDirectives::default();
    let fields = [
        ("cache-control", b"max-age=60, s-maxage=30, private=\"x\"".as_slice()),
        ("age", b"5"),
        ("vary", b"Accept"),
    ];
    let found = Storing::decide(&candidate(Sharing::Shared, &request, &fields));
    let Storing::Yes { life, vary, directives } = found else { panic!("{found:?}") };
    assert_eq!((life.lifetime_ms, life.initial_age_ms), (30_000, 5_000));
    assert!(life.rules.never_stale);
    assert_eq!(vary, Vary::Names(vec!["accept".into()]));
    assert_eq!(directives.private, Restriction::Fields(vec!["x".into()]));
}

/// RFC 9111 §5.2.3: directives nobody knows neither allow nor forbid.
#[test]
fn unknown_directives_neither_allow_nor_forbid_keeping() {
    assert_eq!(refusals(200, "max-age=60, foo, bar=\"no-store\"", &[]), [None; 2]);
    assert_eq!(refusals(302, "cache-me", &[]), [Some("status"); 2]);
}

proptest! {
    /// RFC 9111 §3: no fields make the decision panic, and what is kept of them is no more than
    /// they and a date.
    #[test]
    fn any_answer_is_kept_or_not(
        fields in proptest::collection::vec(
            (
                prop_oneof![
                    Just("cache-control"), Just("vary"), Just("date"), Just("expires"), Just("age"),
                    Just("etag"), Just("last-modified"), Just("connection"), Just("set-cookie"),
                ],
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..20),
                    "(private|no-cache|max-age|public)(=\"?[a-z0-9]{1,3}\"?)?".prop_map(Vec::from),
                ],
            ),
            0..8,
        ),
        status in 100..600_u16,
        is_authorized in any::<bool>(),
        is_shared in any::<bool>(),
    ) {
        let fields: Vec<Field<'_>> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
        let request = RequestDirectives::default();
        let sharing = if is_shared { Sharing::Shared } else { Sharing::Private };
        let candidate = candidate(sharing, &request, &fields);
        let candidate = Candidate { status, is_authorized, ..candidate };
        if let Storing::Yes { directives, .. } = Storing::decide(&candidate) {
            prop_assert!(!directives.no_store || directives.must_understand);
            prop_assert!(!is_shared || !directives.private.is_whole());
            prop_assert!(!is_shared || !is_authorized || directives.allows_sharing_of_authorized());
            let kept = kept_fields(fields.iter().copied(), &directives, sharing, 0);
            prop_assert!(kept.len() <= fields.len() + 1);
            prop_assert!(kept.iter().all(|(name, _)| *name != "set-cookie" && *name != "connection"));
            prop_assert!(kept.iter().any(|(name, _)| *name == "date"));
        }
    }
}
