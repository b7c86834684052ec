//! Exchanges that go differently in private and in shared caches.

use super::model::{Model, Reply};
use crate::caching::Sharing::{self, Private, Shared};

/// Asks twice with these fields; returns whether the second answer came from the store.
fn is_reused(
    sharing: Sharing,
    control: &str,
    more: &[(&str, &str)],
    asks: &[(&str, &str)],
) -> bool {
    let mut cache = Model::new(sharing);
    let mut fields = vec![("cache-control", control), ("etag", "\"a\"")];
    fields.extend(more);
    cache.will_answer(Reply::new(200, &fields, "first"));
    cache.get("/a", asks);
    cache.will_answer(Reply::new(200, &fields, "second"));
    cache.get("/a", asks).body == "first"
}

/// RFC 9111 §3, §5.2.2.7: private.
#[test]
fn private_answers_are_reused_in_private_only() {
    for (control, private, shared) in [
        ("private, max-age=60", true, false),
        ("private=\"x-user\", max-age=60", true, true),
        ("public, max-age=60", true, true),
        ("max-age=60", true, true),
        ("no-store, max-age=60", false, false),
    ] {
        assert_eq!(is_reused(Private, control, &[], &[]), private, "{control}");
        assert_eq!(is_reused(Shared, control, &[], &[]), shared, "{control}");
    }
}

/// RFC 9111 §3.5, §5.2.2.2, §5.2.2.9, §5.2.2.10: answers to a credential.
#[test]
fn answers_to_a_credential_are_shared_by_leave_only() {
    let bearer = [("authorization", "Bearer x")];
    for (control, shared) in [
        ("max-age=60", false),
        ("public, max-age=60", true),
        ("s-maxage=60", true),
        ("must-revalidate, max-age=60", true),
        ("private, max-age=60", false),
    ] {
        assert_eq!(is_reused(Shared, control, &[], &bearer), shared, "{control}");
    }
    assert!(is_reused(Private, "max-age=60", &[], &bearer));
}

/// RFC 9111 §4.2.1, §5.2.2.10, §5.3: s-maxage is for shared caches, in place of all else.
#[test]
fn s_maxage_is_for_shared_caches() {
    let past = [("expires", "Thu, 01 Jan 1970 00:00:00 GMT")];
    for (control, private, shared) in [
        ("s-maxage=60, max-age=0", false, true),
        ("s-maxage=0, max-age=60", true, false),
        ("s-maxage=60", false, true),
    ] {
        assert_eq!(is_reused(Private, control, &past, &[]), private, "{control}");
        assert_eq!(is_reused(Shared, control, &past, &[]), shared, "{control}");
    }
}

/// RFC 9111 §5.2.2.8, §5.2.2.10: what a shared cache may not use when stale, a private one may.
#[test]
fn proxy_revalidate_and_s_maxage_bind_a_stale_answer_in_shared_caches() {
    for control in ["max-age=60, proxy-revalidate", "max-age=60, s-maxage=60"] {
        for (sharing, body) in [(Private, "first"), (Shared, "second")] {
            let mut cache = Model::new(sharing);
            cache.will_answer(Reply::new(200, &[("cache-control", control)], "first"));
            cache.get("/a", &[]);
            cache.pass_s(61);
            cache.will_answer(Reply::new(200, &[], "second"));
            let found = cache.get("/a", &[("cache-control", "max-stale")]);
            assert_eq!(found.body, body, "{control} {sharing:?}");
        }
    }
}

/// RFC 9111 §5.2.2.7, §5.2.2.4: named fields are left out of what is reused.
#[test]
fn fields_that_directives_name_are_left_out_of_later_answers() {
    let control = "max-age=60, private=\"x-user\", no-cache=\"x-once\"";
    for (sharing, user) in [(Private, Some("1")), (Shared, None)] {
        let mut cache = Model::new(sharing);
        let fields = [("cache-control", control), ("x-user", "1"), ("x-once", "1"), ("x-all", "1")];
        cache.will_answer(Reply::new(200, &fields, "first"));
        let first = cache.get("/a", &[]);
        assert_eq!((first.field("x-user"), first.field("x-once")), (Some("1"), Some("1")));
        let again = cache.get("/a", &[]);
        assert_eq!((again.field("x-user"), again.field("x-once")), (user, None), "{sharing:?}");
        assert_eq!(again.field("x-all"), Some("1"));
    }
}

/// RFC 9111 §7.3: an answer that sets a cookie is not shared, and a private cache forgets the
/// cookie.
#[test]
fn a_cookie_reaches_only_the_one_it_was_set_for() {
    let cookie = [("set-cookie", "id=1")];
    assert!(!is_reused(Shared, "public, max-age=60", &cookie, &[]));
    let mut cache = Model::new(Private);
    let fields = [("cache-control", "max-age=60"), ("set-cookie", "id=1")];
    cache.will_answer(Reply::new(200, &fields, "first"));
    assert_eq!(cache.get("/a", &[]).field("set-cookie"), Some("id=1"));
    let again = cache.get("/a", &[]);
    assert_eq!((again.body, again.field("set-cookie")), ("first", None));
}
