//! Who may use what. Each rule has an example that breaks it, so that it is known to bite.

use super::sources::{self, Source};

struct Rule {
    law: &'static str,
    words: &'static [&'static str],
    is_allowed: fn(&Source) -> bool,
    /// A path and a line that break the rule.
    broken_by: (&'static str, &'static str),
    /// A path where the same line is right.
    kept_by: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        law: "in the actors package, actix is for actors, their messages and their wiring",
        words: &["actix::", "use actix;"],
        is_allowed: |source| {
            let own = ["actors/src/message/", "actors/src/wiring/", "src/"];
            source.file_name().ends_with("actor.rs") || starts_with_any(source, &own)
        },
        broken_by: ("actors/src/cache/breaker.rs", "use actix::Context;"),
        kept_by: "actors/src/cache/l1_actor.rs",
    },
    Rule {
        law: "in the gateway, actix is for actors and for what starts them",
        words: &["actix::", "use actix;"],
        is_allowed: |source| {
            let starters = ["src/main.rs", "src/http/server.rs", "actors/"];
            source.file_name().ends_with("actor.rs") || starts_with_any(source, &starters)
        },
        broken_by: ("src/canonical/key.rs", "let address: actix::Addr<Actor>;"),
        kept_by: "src/main.rs",
    },
    Rule {
        law: "status codes and header names belong to src/http and src/upstream",
        words: &["StatusCode", "HeaderName", "HeaderMap", "http::header"],
        is_allowed: |source| starts_with_any(source, &["src/http/", "src/upstream/"]),
        broken_by: ("src/settings/load.rs", "use actix_web::http::StatusCode;"),
        kept_by: "src/upstream/verdict.rs",
    },
    Rule {
        law: "the environment is read in settings/load.rs",
        words: &["std::env", "env::var", "env::vars", "env::var_os"],
        is_allowed: |source| source.path == "src/settings/load.rs",
        broken_by: ("src/upstream/client.rs", "let proxy = std::env::var(\"HTTPS_PROXY\");"),
        kept_by: "src/settings/load.rs",
    },
    Rule {
        law: "time comes from clock",
        words: &["Instant::now", "SystemTime::now"],
        is_allowed: |source| source.path == "actors/src/clock.rs",
        broken_by: ("actors/src/resolver/flight.rs", "let begun = Instant::now();"),
        kept_by: "actors/src/clock.rs",
    },
    Rule {
        law: "SQL belongs to store/database",
        words: &["diesel::", "diesel_migrations::", "\"SELECT ", "\"INSERT ", "\"DELETE FROM "],
        is_allowed: |source| source.path.starts_with("actors/src/store/database"),
        broken_by: ("actors/src/cache/l3_actor.rs", "use diesel::prelude::*;"),
        kept_by: "actors/src/store/database/reader.rs",
    },
];

fn starts_with_any(source: &Source, starts: &[&str]) -> bool {
    starts.iter().any(|start| source.path.starts_with(start))
}

fn violations(rule: &Rule, source: &Source) -> Vec<String> {
    if (rule.is_allowed)(source) {
        return Vec::new();
    }
    rule.words.iter().flat_map(|word| source.lines_with(word)).collect()
}

#[test]
fn every_source_uses_only_what_is_its_own() {
    let sources = sources::all();
    let found = RULES.iter().flat_map(|rule| {
        let lines = sources.iter().flat_map(move |source| violations(rule, source));
        lines.map(|line| format!("{line}\n    {}", rule.law))
    });
    let found: Vec<_> = found.collect();
    assert!(found.is_empty(), "forbidden uses:\n{}", found.join("\n"));
}

#[test]
fn every_import_rule_bites() {
    for rule in RULES {
        let (path, line) = rule.broken_by;
        let broken = violations(rule, &Source::new(path, line));
        assert!(!broken.is_empty(), "{}: {path} may hold {line}", rule.law);
        let kept = violations(rule, &Source::new(rule.kept_by, line));
        assert!(kept.is_empty(), "{}: {kept:?}", rule.law);
    }
}

#[test]
fn actix_web_is_not_actix() {
    let rule = &RULES[1];
    let source = Source::new("src/upstream/client.rs", "use actix_rt::time::sleep;");
    assert!(violations(rule, &source).is_empty());
}
