use super::super::load_tests::load_text;
use super::*;

fn keys(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| change.key.as_str()).collect()
}

/// What becomes of `after` where `before` was loaded: what changes now, and what waits.
fn became(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let owned = |changes: &[Change]| keys(changes).into_iter().map(str::to_owned).collect();
    let in_force = load_text(before, &[]).unwrap().settings;
    match adopt(&in_force, &load_text(after, &[]).unwrap()) {
        Adoption::Unchanged { needs_restart } => (Vec::new(), owned(&needs_restart)),
        Adoption::Adopted { settings, changed, needs_restart } => {
            assert_eq!(difference(&in_force, &settings), changed);
            (owned(&changed), owned(&needs_restart))
        }
        Adoption::Apart { problems, .. } => panic!("{problems}"),
    }
}

const ONE_ROUTE: &str =
    "routes: [{name: chat, methods: [POST], path: /v1/chat/completions, cache: true, lifetime: ";

#[test]
fn what_a_running_gateway_can_take_on_changes_and_the_rest_waits() {
    let key = "auth: {keys: [{name: a, digest: \"blake3:\
               0000000000000000000000000000000000000000000000000000000000000001\"";
    let more = format!("{key}, requests_per_minute: 5}}]}}");
    let key = format!("{key}}}]}}");
    for (before, after, changed, waits) in [
        ("", "", &[][..], &[][..]),
        ("", "log: {level: debug}", &["log.level"], &[]),
        ("", "log: {format: json}", &[], &["log.format"]),
        ("", "server: {listen: 127.0.0.1:1}", &[], &["server.listen"]),
        (
            "",
            "{server: {max_body: 1MiB, workers: 3}, l2: {timeout: 10ms}}",
            &["server.max_body"],
            &["l2.timeout", "server.workers"],
        ),
        ("", key.as_str(), &["auth.keys"], &[]),
        (key.as_str(), "", &["auth.keys"], &[]),
        (key.as_str(), more.as_str(), &["auth.keys[a].requests_per_minute"], &[]),
        ("", "admin: {token: hunter2}", &["admin.token"], &[]),
        ("", "cache: {secret: hunter2}", &[], &["cache.secret"]),
        ("", "response: {redact: {names: [a]}}", &["response.redact.names"], &[]),
    ] {
        assert_eq!(became(before, after), (owned(changed), owned(waits)), "{before} → {after}");
    }
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn routes_change_where_they_are_the_same_ones_in_the_same_order() {
    let before = format!("{ONE_ROUTE}1h}}]");
    let after = format!("{ONE_ROUTE}2h, scope: shared}}]");
    let changed = ["routes[chat].lifetime", "routes[chat].scope"];
    assert_eq!(became(&before, &after), (owned(&changed), Vec::new()));
    let two = format!("{ONE_ROUTE}2h}}, {{name: b, methods: [GET], path: /b}}]");
    let waits = ["routes[b]", "routes[chat].lifetime"];
    assert_eq!(became(&before, &two), (Vec::new(), owned(&waits)));
}

#[test]
fn what_does_not_fit_what_cannot_change_is_not_put_in_force_at_all() {
    let in_force = load_text(&format!("{ONE_ROUTE}1h}}]"), &[]).unwrap().settings;
    let wanted = format!(
        "{{upstreams: {{new: {{kind: builtin}}}}, log: {{level: debug}}, {ONE_ROUTE}2h, \
         upstream: new}}]}}"
    );
    let wanted = load_text(&wanted, &[]).unwrap();
    let Adoption::Apart { needs_restart, problems } = adopt(&in_force, &wanted) else {
        panic!("it was put in force");
    };
    assert!(problems.to_string().contains("routes[0].upstream"), "{problems}");
    assert_eq!(
        keys(&needs_restart),
        ["log.level", "routes[chat].lifetime", "routes[chat].upstream", "upstreams.new"]
    );
}
