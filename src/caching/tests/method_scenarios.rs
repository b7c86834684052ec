//! HEAD, parts, and methods that change something.

use super::model::{Model, Reply};
use crate::caching::Sharing;

fn ok(fields: &[(&str, &str)]) -> Reply {
    Reply::new(200, fields, "first")
}

fn second(fields: &[(&str, &str)]) -> Reply {
    Reply::new(200, fields, "second")
}

/// RFC 9110 §9.3.2, RFC 9111 §4: a HEAD is answered from a stored GET, and its own answer is never
/// taken for one.
#[test]
fn a_head_is_answered_from_a_stored_get_and_never_becomes_one() {
    let mut cache = Model::new(Sharing::Private);
    let fields = [("cache-control", "max-age=60"), ("content-length", "5")];
    cache.will_answer(Reply::new(200, &fields, ""));
    cache.ask("HEAD", "/a", &[]);
    cache.will_answer(ok(&fields));
    assert_eq!(cache.get("/a", &[]).body, "first");
    let head = cache.ask("HEAD", "/a", &[]);
    assert_eq!((head.status, head.body), (200, ""));
    assert_eq!((head.field("content-length"), head.field("age")), (Some("5"), Some("0")));
    assert_eq!(cache.seen.len(), 2);
}

/// RFC 9111 §4.3.5: the answer to a HEAD updates the stored GET or makes it stale.
#[test]
fn a_head_updates_or_ends_a_stored_get() {
    for (length, seen) in [("5", 2), ("6", 3)] {
        let mut cache = Model::new(Sharing::Private);
        cache.will_answer(ok(&[("cache-control", "max-age=60")]));
        cache.get("/a", &[]);
        cache.pass_s(60);
        let fields = [("cache-control", "max-age=90"), ("content-length", length)];
        cache.will_answer(Reply::new(200, &fields, ""));
        assert_eq!(cache.ask("HEAD", "/a", &[]).status, 200);
        cache.pass_s(80);
        cache.script.push_back(Some(second(&[])));
        cache.get("/a", &[]);
        assert_eq!(cache.seen.len(), seen, "{length}");
    }
}

/// RFC 9111 §3.3, RFC 9110 §14.2: requests for parts are passed, and parts are never kept.
#[test]
fn parts_are_passed_and_never_kept() {
    let mut cache = Model::new(Sharing::Private);
    let part = [("cache-control", "max-age=60"), ("content-range", "bytes 0-1/5")];
    cache.will_answer(Reply::new(206, &part, "fi"));
    assert_eq!(cache.get("/a", &[("range", "bytes=0-1")]).status, 206);
    cache.will_answer(ok(&[("cache-control", "max-age=60")]));
    assert_eq!(cache.get("/a", &[]).body, "first");
    cache.will_answer(Reply::new(206, &part, "fi"));
    let range = [("range", "bytes=0-1"), ("if-range", "\"a\"")];
    assert_eq!(cache.get("/a", &range).status, 206, "a stored whole does not stop the request");
    assert_eq!(cache.seen[2].field("if-range"), Some("\"a\""));
    assert_eq!(cache.get("/a", &[]).body, "first");
}

/// RFC 9111 §4.4: an unsafe method invalidates its target and what its answer names.
#[test]
fn an_unsafe_method_invalidates_what_is_stored() {
    for (status, location, calls) in [
        (200, "/other", [4, 5]),
        (303, "https://origin.example/other", [4, 5]),
        (200, "https://evil.example/other", [4, 4]),
        (400, "/other", [3, 3]),
        (500, "/other", [3, 3]),
    ] {
        let mut cache = Model::new(Sharing::Private);
        for target in ["/a", "/other"] {
            cache.will_answer(ok(&[("cache-control", "max-age=60")]));
            cache.get(target, &[]);
        }
        cache.will_answer(Reply::new(status, &[("location", location)], ""));
        assert_eq!(cache.ask("POST", "/a", &[]).status, status);
        let mut counts = [0; 2];
        for (count, target) in counts.iter_mut().zip(["/a", "/other"]) {
            cache.script.clear();
            cache.will_answer(second(&[]));
            cache.get(target, &[("cache-control", "max-stale")]);
            *count = cache.seen.len();
        }
        assert_eq!(counts, calls, "{status} {location}");
    }
}

/// RFC 9111 §4: an unsafe method is written through, even with a fresh answer in the store.
#[test]
fn an_unsafe_method_is_never_answered_from_the_store() {
    let mut cache = Model::new(Sharing::Shared);
    cache.will_answer(ok(&[("cache-control", "public, max-age=60")]));
    cache.get("/a", &[]);
    for method in ["POST", "DELETE", "FOO"] {
        cache.will_answer(Reply::new(405, &[], ""));
        let found = cache.ask(method, "/a", &[("cache-control", "only-if-cached, max-stale")]);
        assert_eq!(found.status, 405, "{method}");
    }
    assert_eq!(cache.get("/a", &[]).body, "first");
}
