//! Exchanges that go alike in private and in shared caches.

use super::model::{Model, Reply};
use crate::caching::{Heuristic, Sharing};

const BOTH: [Sharing; 2] = [Sharing::Private, Sharing::Shared];

fn ok(fields: &[(&str, &str)]) -> Reply {
    Reply::new(200, fields, "first")
}

fn second(fields: &[(&str, &str)]) -> Reply {
    Reply::new(200, fields, "second")
}

/// RFC 9111 §4, §4.2, §5.1: a fresh answer is reused with its age, a stale one is not.
#[test]
fn a_fresh_answer_is_reused_with_its_age_until_it_is_stale() {
    for sharing in BOTH {
        let mut cache = Model::new(sharing);
        cache.will_answer(ok(&[("cache-control", "max-age=60"), ("age", "10")]));
        let first = cache.get("/a", &[]);
        assert_eq!((first.body, first.field("age")), ("first", Some("10")));
        cache.pass_s(49);
        let again = cache.get("/a", &[]);
        assert_eq!((again.status, again.body, again.field("age")), (200, "first", Some("59")));
        assert_eq!(again.fields.iter().filter(|(name, _)| name == "age").count(), 1);
        cache.pass_s(1);
        cache.will_answer(second(&[("cache-control", "max-age=60")]));
        assert_eq!(cache.get("/a", &[]).body, "second");
        assert_eq!(cache.get("/a", &[]).body, "second");
        assert_eq!(cache.seen.len(), 2);
    }
}

/// RFC 9111 §4: another target, another answer.
#[test]
fn another_target_has_another_answer() {
    let mut cache = Model::new(Sharing::Private);
    for (target, reply) in [("/a", ok(&[])), ("/a?", second(&[])), ("/A", ok(&[]))] {
        cache.heuristic = Heuristic { longest_ms: 0, otherwise_ms: 60_000 };
        cache.will_answer(reply);
        cache.get(target, &[]);
    }
    assert_eq!(cache.seen.len(), 3);
    assert_eq!(cache.get("/a?", &[]).body, "second");
}

/// RFC 9111 §4.3.1, §4.3.3, §4.3.4: a stale answer is validated, and a 304 makes it fresh again
/// with the new fields.
#[test]
fn a_304_makes_a_stale_answer_fresh_again() {
    for sharing in BOTH {
        let mut cache = Model::new(sharing);
        let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
        let fields =
            [("cache-control", "max-age=60"), ("etag", "\"a\""), ("last-modified", modified)];
        cache.will_answer(ok(&fields));
        cache.get("/a", &[]);
        cache.pass_s(100);
        let fields = [("cache-control", "max-age=30"), ("etag", "\"a\""), ("x-new", "1")];
        cache.will_answer(Reply::new(304, &fields, ""));
        let validated = cache.get("/a", &[]);
        assert_eq!((validated.status, validated.body), (200, "first"));
        assert_eq!(validated.field("x-new"), Some("1"));
        assert_eq!(validated.field("age"), Some("0"));
        assert_eq!(cache.seen[1].field("if-none-match"), Some("\"a\""));
        assert_eq!(cache.seen[1].field("if-modified-since"), Some(modified));
        cache.pass_s(29);
        assert_eq!(cache.get("/a", &[]).field("age"), Some("29"));
        assert_eq!(cache.seen.len(), 2);
    }
}

/// RFC 9111 §4.3.3: a full answer to a validation is used and takes the stored one's place.
#[test]
fn a_full_answer_to_a_validation_takes_the_stored_ones_place() {
    let mut cache = Model::new(Sharing::Private);
    cache.will_answer(ok(&[("cache-control", "max-age=60"), ("etag", "\"a\"")]));
    cache.get("/a", &[]);
    cache.pass_s(60);
    cache.will_answer(second(&[("cache-control", "max-age=60"), ("etag", "\"b\"")]));
    assert_eq!(cache.get("/a", &[]).body, "second");
    assert_eq!(cache.get("/a", &[]).body, "second");
    assert_eq!(cache.seen.len(), 2);
}

/// RFC 9111 §4.3.4: a 304 with another strong tag updates nothing; the origin is asked anew.
#[test]
fn a_304_for_another_answer_updates_nothing() {
    let mut cache = Model::new(Sharing::Private);
    cache.will_answer(ok(&[("cache-control", "max-age=60"), ("etag", "\"a\"")]));
    cache.get("/a", &[]);
    cache.pass_s(60);
    let fields = [("cache-control", "max-age=60"), ("etag", "\"b\"")];
    cache.will_answer(Reply::new(304, &fields, ""));
    cache.will_answer(second(&fields));
    assert_eq!(cache.get("/a", &[]).body, "second");
    assert_eq!(cache.seen[2].field("if-none-match"), None);
}

/// RFC 9111 §4.3.4, §3: a 304 that forbids keeping is used once.
#[test]
fn a_304_that_forbids_keeping_is_used_once() {
    let mut cache = Model::new(Sharing::Shared);
    cache.will_answer(ok(&[("cache-control", "max-age=60"), ("etag", "\"a\"")]));
    cache.get("/a", &[]);
    cache.pass_s(60);
    cache.will_answer(Reply::new(304, &[("cache-control", "private"), ("etag", "\"a\"")], ""));
    assert_eq!(cache.get("/a", &[]).body, "first");
    cache.will_answer(second(&[]));
    assert_eq!(cache.get("/a", &[]).body, "second");
}

/// RFC 9111 §4.3.2: a client's condition is answered from the store, not sent on.
#[test]
fn a_clients_condition_is_answered_from_the_store() {
    for sharing in BOTH {
        let mut cache = Model::new(sharing);
        let fields = [("cache-control", "max-age=60"), ("etag", "\"a\""), ("x-big", "1")];
        cache.will_answer(ok(&fields));
        // Without a stored answer the condition is not evaluated before there is one.
        let first = cache.get("/a", &[("if-none-match", "\"a\"")]);
        assert_eq!((first.status, first.body), (304, ""));
        assert_eq!(cache.seen[0].field("if-none-match"), None);
        let again = cache.get("/a", &[("if-none-match", "W/\"a\"")]);
        assert_eq!((again.status, again.field("age")), (304, Some("0")));
        assert_eq!((again.field("etag"), again.field("x-big")), (Some("\"a\""), None));
        assert_eq!(cache.get("/a", &[("if-none-match", "\"b\"")]).status, 200);
        assert_eq!(cache.seen.len(), 1);
        // After a validation, too.
        cache.pass_s(60);
        cache.will_answer(Reply::new(304, &[("etag", "\"a\"")], ""));
        let validated = cache.get("/a", &[("if-none-match", "\"other\"")]);
        assert_eq!((validated.status, validated.body), (200, "first"));
    }
}

/// RFC 9111 §4.3.2: no condition is evaluated for an answer that is not kept.
#[test]
fn no_condition_is_evaluated_without_a_stored_answer() {
    let mut cache = Model::new(Sharing::Private);
    cache.will_answer(ok(&[("cache-control", "no-store"), ("etag", "\"a\"")]));
    assert_eq!(cache.get("/a", &[("if-none-match", "\"a\"")]).status, 200);
    cache.will_answer(Reply::new(412, &[], ""));
    assert_eq!(cache.get("/a", &[("if-match", "\"b\"")]).status, 412);
    assert_eq!(cache.seen[1].field("if-match"), Some("\"b\""));
}

/// RFC 9111 §5.2.2.4: an answer with no-cache is validated at each use.
#[test]
fn an_answer_with_no_cache_is_validated_at_each_use() {
    let mut cache = Model::new(Sharing::Private);
    let fields = [("cache-control", "no-cache, max-age=60"), ("etag", "\"a\"")];
    cache.will_answer(ok(&fields));
    cache.get("/a", &[]);
    for uses in 2..4 {
        cache.will_answer(Reply::new(304, &fields, ""));
        assert_eq!(cache.get("/a", &[("cache-control", "max-stale")]).body, "first");
        assert_eq!(cache.seen.len(), uses);
    }
}

/// RFC 9111 §5.2.1.4, §5.2.1.5, §5.4: a request may ask past the store, and keep out of it.
#[test]
fn a_request_may_ask_past_the_store_and_keep_out_of_it() {
    let fresh = [("cache-control", "max-age=60")];
    for field in [("cache-control", "no-cache"), ("pragma", "no-cache")] {
        let mut cache = Model::new(Sharing::Private);
        cache.will_answer(ok(&fresh));
        cache.get("/a", &[]);
        cache.will_answer(second(&fresh));
        assert_eq!(cache.get("/a", &[field]).body, "second");
        assert_eq!(cache.get("/a", &[]).body, "second", "what came is kept");
    }
    let mut cache = Model::new(Sharing::Private);
    let no_store = [("cache-control", "no-store")];
    cache.will_answer(ok(&fresh));
    cache.get("/a", &no_store);
    cache.will_answer(second(&fresh));
    assert_eq!(cache.get("/a", &[]).body, "second", "the first one was not kept");
    assert_eq!(cache.get("/a", &no_store).body, "second", "what is kept may be used");
}

/// RFC 9111 §5.2.1.5: a 304 to a request with no-store is used, and changes nothing of what is
/// stored.
#[test]
fn a_request_with_no_store_changes_nothing_of_what_is_stored() {
    let mut cache = Model::new(Sharing::Private);
    let fields = [("cache-control", "max-age=60"), ("etag", "\"a\"")];
    cache.will_answer(ok(&fields));
    cache.get("/a", &[]);
    cache.pass_s(60);
    let new = [("cache-control", "max-age=60"), ("etag", "\"a\""), ("x-new", "1")];
    cache.will_answer(Reply::new(304, &new, ""));
    let found = cache.get("/a", &[("cache-control", "no-store")]);
    assert_eq!((found.body, found.field("x-new")), ("first", Some("1")));
    cache.will_answer(Reply::new(304, &fields, ""));
    let found = cache.get("/a", &[]);
    assert_eq!((found.body, found.field("x-new")), ("first", None));
    assert_eq!(cache.seen[2].field("if-none-match"), Some("\"a\""));
}

/// RFC 9111 §5.2.1.7: with only-if-cached the origin is never asked.
#[test]
fn only_if_cached_is_answered_from_the_store_or_by_504() {
    let only = [("cache-control", "only-if-cached")];
    let mut cache = Model::new(Sharing::Private);
    assert_eq!(cache.get("/a", &only).status, 504);
    cache.will_answer(ok(&[("cache-control", "max-age=60")]));
    cache.get("/a", &[]);
    assert_eq!(cache.get("/a", &only).status, 200);
    cache.pass_s(60);
    assert_eq!(cache.get("/a", &only).status, 504);
    assert_eq!(cache.get("/a", &[("cache-control", "only-if-cached, max-stale")]).status, 200);
    assert_eq!(cache.seen.len(), 1);
}

/// RFC 9111 §4.1: answers are selected by what their Vary names.
#[test]
fn answers_are_selected_by_what_their_vary_names() {
    for sharing in BOTH {
        let mut cache = Model::new(sharing);
        let fields = [("cache-control", "max-age=60"), ("vary", "Accept-Language")];
        let (german, english) = ([("accept-language", "de")], [("accept-language", "en")]);
        cache.will_answer(ok(&fields));
        assert_eq!(cache.get("/a", &german).body, "first");
        cache.will_answer(second(&fields));
        assert_eq!(cache.get("/a", &english).body, "second");
        assert_eq!(cache.get("/a", &[("accept-language", " DE ")]).body, "first");
        assert_eq!(cache.get("/a", &english).body, "second");
        cache.will_answer(Reply::new(200, &fields, "third"));
        assert_eq!(cache.get("/a", &[]).body, "third");
        assert_eq!(cache.seen.len(), 3);
    }
}
