//! Settings that are wrong, and what is said of them: the key, the value, where it came from and
//! what is allowed; never a secret, never a panic.

use proptest::prelude::*;

use super::load_tests::load_text;
use super::{Problem, SettingsError};

/// A file, and what its error must say.
type BadFile = (&'static str, &'static [&'static str]);

fn error_of(text: &str, variables: &[(&str, &str)]) -> SettingsError {
    match load_text(text, variables) {
        Ok(_) => panic!("accepted: {text} {variables:?}"),
        Err(error) => error,
    }
}

fn check(text: &str, variables: &[(&str, &str)], words: &[&str]) {
    let error = error_of(text, variables);
    let said = error.to_string();
    for word in words {
        assert!(said.contains(word), "`{word}` in `{said}` for `{text}` {variables:?}");
    }
    assert!(!said.contains("hunter2") && !format!("{error:?}").contains("hunter2"), "{said}");
}

const SYNTAX: &[BadFile] = &[
    ("server: [1, 2\n", &["test.yaml", "line "]),
    ("server:\n  workers: 1\n  workers: 2\n", &["line 3", "workers"]),
    ("server: {}\nserver: {}\n", &["line 2", "duplicate", "server"]),
    ("server:\n\tworkers: 1\n", &["test.yaml", "line 2"]),
    ("a: *b\n", &["test.yaml", "line 1"]),
    ("a: 1\n---\nb: 2\n", &["test.yaml", "line "]),
    ("\"unterminated\n", &["test.yaml", "line "]),
    ("%\u{1}", &["test.yaml", "line "]),
];

const UNKNOWN_AND_TYPES: &[BadFile] = &[
    ("just words", &["the file", "not a map"]),
    ("[1, 2]", &["the file", "not a map"]),
    ("servers: {}", &["servers", "no such setting", "allowed:", "server"]),
    ("l1: { max_entires: 5 }", &["l1.max_entires", "max_entries"]),
    ("l2: { breaker: { fails: 1 } }", &["l2.breaker.fails", "failures"]),
    ("upstreams: { default: { uri: x } }", &["upstreams.default.uri", "url"]),
    ("routes: [{ nam: a }]", &["routes[0].nam", "name"]),
    ("l1: [5, 1MiB, 1s]", &["l1", "not a map"]),
    ("l1: 5", &["l1", "not a map"]),
    ("l2: 'redis://:hunter2@h'", &["l2", "not a map"]),
    ("routes: chat", &["routes", "not a list"]),
    ("l1: { max_entries: many }", &["l1.max_entries = \"many\"", "1–100000000", "test.yaml"]),
    ("l1: { max_entries: 1.5 }", &["l1.max_entries = 1.5", "1–100000000"]),
    ("l1: { max_entries: -1 }", &["l1.max_entries = -1", "1–100000000"]),
    ("l1: { max_entries: 99999999999999999999 }", &["l1.max_entries", "1–100000000"]),
    ("l1: { max_entries: [] }", &["l1.max_entries", "1–100000000"]),
    ("l3: { enabled: maybe }", &["l3.enabled = \"maybe\"", "true or false"]),
    ("log: { level: loud }", &["log.level = \"loud\"", "error, warn, info, debug, trace"]),
    ("l2: { timeout: 20 }", &["l2.timeout = 20", "no unit", "1ms–1s"]),
    ("l2: { timeout: -20ms }", &["l2.timeout = \"-20ms\"", "1ms–1s"]),
    ("l2: { timeout: 5parsecs }", &["l2.timeout = \"5parsecs\"", "unknown unit", "1ms–1s"]),
    ("l1: { max_bytes: 64MB }", &["l1.max_bytes = \"64MB\"", "MiB", "1MiB–1TiB"]),
    ("l1: { max_bytes: 64 }", &["l1.max_bytes = 64", "no unit", "1MiB–1TiB"]),
    ("l1: { max_bytes: 99999PiB }", &["l1.max_bytes", "too large", "1MiB–1TiB"]),
    ("server: { listen: '127.0.0.1:70000' }", &["server.listen = \"127.0.0.1:70000\"", "0–65535"]),
    ("server: { listen: localhost }", &["server.listen = \"localhost\"", "0–65535"]),
    ("server: { listen: 8080 }", &["server.listen = 8080", "0–65535"]),
    ("auth: { keys: [hunter2] }", &["auth.keys[0]", "not a map"]),
    ("auth: { keys: [{key: hunter2}] }", &["auth.keys[0].key", "digest"]),
    ("admin: { token: 0123 }", &["admin.token", "text", "quotes"]),
    ("admin: { token: [hunter2] }", &["admin.token", "text"]),
    ("upstreams: { a: hunter2 }", &["upstreams.a", "not a map"]),
    ("upstreams: { a: { set_headers: hunter2 } }", &["upstreams.a.set_headers", "not a map"]),
];

const RANGES_AND_RELATIONS: &[BadFile] = &[
    ("l1: { max_entries: 0 }", &["l1.max_entries = 0", "out of range", "1–100000000"]),
    ("server: { workers: 1025 }", &["server.workers = 1025", "0–1024"]),
    ("l3: { residence: 0s }", &["l3.residence = \"0s\"", "1s–365d"]),
    ("cache: { recall_lease: 2m }", &["cache.recall_lease = \"2m\"", "0s–1m"]),
    (
        "routes: [{name: a, methods: [GET], path: /a, lifetime: 0s}]",
        &["routes[0].lifetime", "1s–365d"],
    ),
    ("routes: [{negative: {401: 5s}}]", &["routes[0].negative.401", "300–599"]),
    ("routes: [{negative: {200: 5s}}]", &["routes[0].negative.200", "300–599"]),
    ("routes: [{negative: {404: 0s}}]", &["routes[0].negative.404 = \"0s\"", "1s–1d"]),
    ("routes: [{min_uses: 0}]", &["routes[0].min_uses = 0", "1–100"]),
    ("routes: [{max_entry: 9MiB}]", &["routes[0].max_entry = \"9MiB\"", "cache.max_entry"]),
    ("routes: [{reject: [{pattern: '('}]}]", &["routes[0].reject[0].pattern", "regular"]),
    ("routes: [{reject: [{pointer: a, pattern: b}]}]", &["routes[0].reject[0].pointer = \"a\""]),
    ("routes: [{reject: [{}]}]", &["routes[0].reject[0].pattern", "1–1024"]),
    ("l2: { timeout: 50ms }", &["l2.timeout = \"50ms\"", "cache.level_budget", "45ms"]),
    ("l3: { timeout: 50ms }", &["l3.timeout = \"50ms\"", "cache.level_budget", "45ms"]),
    ("l1: { max_bytes: 1MiB }", &["cache.max_entry = \"8MiB\"", "l1.max_bytes", "1MiB"]),
    ("l3: { queue_bytes: 1MiB }", &["cache.max_entry", "l3.queue_bytes", "1MiB"]),
    ("sentinel: { interval: 3s }", &["sentinel.interval = \"3s\"", "late_after", "2s"]),
    (
        "l3: { breaker: { probe_after: 3s } }",
        &["l3.breaker.probe_after", "l3.breaker.probe_at_most"],
    ),
    (
        "upstreams: { a: { breaker: { open_for: 31s } } }",
        &["upstreams.a.breaker.open_for = \"31s\"", "upstreams.a.breaker.open_at_most", "30s"],
    ),
    (
        "upstreams: { a: { retry: { base: 3s } } }",
        &["upstreams.a.retry.base = \"3s\"", "upstreams.a.retry.at_most", "2s"],
    ),
    (
        "upstreams: { a: { limit: { least: 9, most: 8 } } }",
        &["upstreams.a.limit.least = \"9\"", "at most 8 (upstreams.a.limit.most)"],
    ),
    ("upstreams: { a: { limit: { most: 0 } } }", &["upstreams.a.limit.most", "1–100000"]),
    ("upstreams: { a: { retry: { attempts: 11 } } }", &["upstreams.a.retry.attempts", "0–10"]),
    ("data_dir: [a]", &["data_dir", "not a path"]),
    ("data_dir: ''", &["data_dir", "empty"]),
    ("admin: { listen: '127.0.0.1:8080' }", &["admin.listen", "server.listen", "127.0.0.1:8080"]),
    ("admin: { listen: '0.0.0.0:9901' }", &["admin.listen = \"0.0.0.0:9901\"", "admin.token"]),
    ("auth: { keys: [{}] }", &["auth.keys[0].name", "auth.keys[0].digest", "sha256:"]),
    ("auth: { keys: [{name: a, digest: hunter2}] }", &["auth.keys[0].digest", "digest-key"]),
    ("auth: { keys: [{name: 'A b', digest: 'md5:hunter2'}] }", &["auth.keys[0].name = \"A b\""]),
    ("auth: { keys: [{name: a, scope: 'A b'}] }", &["auth.keys[0].scope = \"A b\"", "a–z"]),
    (
        "auth: { keys: [{name: a, requests_per_minute: 1000000001}] }",
        &["auth.keys[0].requests_per_minute", "0–1000000000"],
    ),
    ("server: { tls: { cert_file: /no/such.pem } }", &["/no/such.pem", "server.tls.key_file"]),
    ("server: { tls: { key_file: Cargo.toml } }", &["server.tls.cert_file", "missing"]),
    ("server: { cors: { origins: [a.example] } }", &["server.cors.origins[0] = \"a.example\""]),
    ("server: { cors: { origins: ['*', 'https://a'] } }", &["server.cors.origins[0] = \"*\""]),
    ("server: { cors: { origins: ['https://a/'] } }", &["server.cors.origins[0]", "://host"]),
    ("server: { cors: { headers: ['x y'] } }", &["server.cors.headers[0] = \"x y\""]),
    ("server: { cors: { methods: [get] } }", &["server.cors.methods[0] = \"get\"", "upper"]),
    ("server: { cors: { max_age: 2d } }", &["server.cors.max_age", "0s–1d"]),
    ("admin: { token: ' hunter2' }", &["admin.token", "white space"]),
    ("l2: { url: 'http://:hunter2@h' }", &["l2.url = \"http://***@h\"", "redis://"]),
    ("l2: { url: hunter2 }", &["l2.url = \"***\"", "redis://"]),
    (
        "l2: { url: 'redis+sentinel://u:hunter2@a,b:1?sentinel_password=hunter2' }",
        &["l2.url = \"redis+sentinel://u:***@a,b:1?sentinel_password=***\"", "/NAME"],
    ),
    (
        "l2: { url: 'rediss+sentinel://:hunter2@a,b:/main' }",
        &["l2.url = \"rediss+sentinel://***@a,b:/main\"", "rediss+sentinel://"],
    ),
    ("l2: { url: 'redis://a,b/main' }", &["l2.url = \"redis://a,b/main\"", "redis+sentinel://"]),
    ("l3: { url: 'mysql://u:hunter2@h/d' }", &["l3.url = \"mysql://u:***@h/d\"", "postgres://"]),
    ("l3: { url: 'sqlite::memory:' }", &["l3.url", "sqlite:PATH"]),
    ("upstreams: { a: { kind: http } }", &["upstreams.a.url", "missing", "https://"]),
    (
        "upstreams: { a: { kind: http, url: 'ftp://h' } }",
        &["upstreams.a.url = \"ftp://h\"", "http://"],
    ),
    (
        "upstreams: { a: { kind: http, url: 'https://u:hunter2@h' } }",
        &["upstreams.a.url", "no user"],
    ),
    ("upstreams: { a: { proxy: 'socks5://u:hunter2@h:1' } }", &["upstreams.a.proxy", "http://"]),
    (
        "upstreams: { a: { ca_file: /no/such.pem } }",
        &["upstreams.a.ca_file", "/no/such.pem", "PEM"],
    ),
    ("upstreams: { a: { set_headers: { host: hunter2 } } }", &["upstreams.a.set_headers.host"]),
    ("upstreams: { a: { set_headers: { 'x y': hunter2 } } }", &["set_headers.x y", "header"]),
    ("upstreams: { a: { set_headers: { x: \"hunter2\\n\" } } }", &["set_headers.x", "control"]),
    ("upstreams: { a: { set_headers: { X: '1', x: '2' } } }", &["set_headers.x", "twice"]),
    ("upstreams: { 'A b': {} }", &["upstreams.A b", "a–z"]),
    ("routes: [{}]", &["routes[0].name", "routes[0].path", "routes[0].methods"]),
    (
        "routes: [{name: a, methods: [get], path: /a}]",
        &["routes[0].methods[0] = \"get\"", "upper case"],
    ),
    ("routes: [{name: a, methods: ['*', GET], path: /a}]", &["routes[0].methods"]),
    ("routes: [{name: a, methods: [PUT], path: /a, cache: true}]", &["\"PUT\"", "GET and POST"]),
    ("routes: [{name: a, methods: ['*'], path: /a, cache: true}]", &["\"*\"", "GET and POST"]),
    ("routes: [{name: a, methods: [GET], path: a}]", &["routes[0].path = \"a\"", "begins with /"]),
    ("routes: [{name: a, methods: [GET], path: '/a*'}]", &["routes[0].path = \"/a*\"", "/*"]),
    ("routes: [{name: a, methods: [GET], path: /a, upstream: b}]", &["\"b\"", "default"]),
    (
        "routes: [{name: a, methods: [GET], path: /a}, {name: b, methods: [POST, GET], path: /a}]",
        &["routes[1].path = \"/a\"", "GET", "twice"],
    ),
    (
        "routes: [{name: a, methods: [GET], path: /a}, {name: a, methods: [GET], path: /b}]",
        &["routes[1].name = \"a\"", "twice"],
    ),
    (
        "routes: [{name: a, methods: [GET], path: /a, forward_headers: [Authorization]}]",
        &["routes[0].forward_headers[0] = \"authorization\"", "no credential"],
    ),
];

#[test]
fn every_bad_file_is_told_by_key_value_and_range() {
    for (text, words) in [SYNTAX, UNKNOWN_AND_TYPES, RANGES_AND_RELATIONS].concat() {
        check(text, &[], words);
    }
}

#[test]
fn every_bad_variable_is_told_by_name_value_and_range() {
    for (variable, value, words) in [
        ("L1_CACHE_SIZE", "0", &["L1_CACHE_SIZE", "l1.max_entries = 0", "1–100000000"][..]),
        ("L1_CACHE_SIZE", "many", &["L1_CACHE_SIZE", "\"many\"", "1–100000000"]),
        ("L1_CACHE_SIZE", "-3", &["L1_CACHE_SIZE", "\"-3\"", "1–100000000"]),
        ("L1_CACHE_TTL", "5m", &["L1_CACHE_TTL", "\"5m\"", "whole number of seconds", "1s–30d"]),
        ("L2_CACHE_TTL", "0", &["L2_CACHE_TTL", "\"0s\"", "1s–30d"]),
        ("L3_CACHE_TTL", "1.5", &["L3_CACHE_TTL", "\"1.5\"", "1s–365d"]),
        ("L3_CACHE_TTL", "99999999999999999999", &["L3_CACHE_TTL", "too large", "1s–365d"]),
        ("MEMORY_THRESHOLD_MB", "8", &["MEMORY_THRESHOLD_MB", "8MiB", "16MiB–1TiB"]),
        ("MEMORY_THRESHOLD_MB", "512MB", &["MEMORY_THRESHOLD_MB", "512MB", "16MiB–1TiB"]),
        ("CACHE_WARMING_ENABLED", "maybe", &["CACHE_WARMING_ENABLED", "maybe", "true or false"]),
        ("MODEL_CACHE_SIZE", "0", &["MODEL_CACHE_SIZE", "models.max_loaded = 0", "1–1000"]),
        ("MAX_CONVERSATION_HISTORY", "10001", &["MAX_CONVERSATION_HISTORY", "1–10000"]),
        ("ANTEROOM_LISTEN", "127.0.0.1:70000", &["ANTEROOM_LISTEN", "127.0.0.1:70000", "0–65535"]),
        ("ANTEROOM_UPSTREAM_URL", "host:80", &["ANTEROOM_UPSTREAM_URL", "host:80", "http://"]),
        ("REDIS_URL", "http://:hunter2@h", &["REDIS_URL", "l2.url", "redis://"]),
        ("DATABASE_URL", "u:hunter2@h", &["DATABASE_URL", "l3.url", "postgres://"]),
        ("ANTEROOM__L1__MAX_ENTRIES", "0", &["ANTEROOM__L1__MAX_ENTRIES", "1–100000000"]),
        ("ANTEROOM__L1__MAX_ENTIRES", "5", &["ANTEROOM__L1__MAX_ENTIRES", "max_entries"]),
        ("ANTEROOM__L9__URL", "hunter2", &["ANTEROOM__L9__URL", "known:", "l2"]),
        ("ANTEROOM__", "5", &["ANTEROOM__", "no setting"]),
        ("ANTEROOM__ROUTES__0__PATH", "/x", &["ANTEROOM__ROUTES__0__PATH", "set it whole"]),
        ("ANTEROOM__ROUTES", "[{", &["ANTEROOM__ROUTES", "not a YAML list or map"]),
        ("ANTEROOM__ROUTES", "5", &["ANTEROOM__ROUTES", "not a list"]),
        ("ANTEROOM__L2", "hunter2", &["ANTEROOM__L2", "not a map"]),
    ] {
        check("", &[(variable, value)], words);
    }
    let twice = [("ANTEROOM__L1__MAX_ENTRIES", "5"), ("anteroom__l1__max_entries", "6")];
    check("", &twice, &["anteroom__l1__max_entries", "twice", "ANTEROOM__L1__MAX_ENTRIES"]);
}

#[test]
fn a_missing_variable_is_told_once_with_the_key_that_wants_it() {
    let error = error_of("server: { workers: '${N}' }", &[]);
    assert!(matches!(&error, SettingsError::Invalid(problems) if problems.len() == 1), "{error}");
    let file = "admin: { token: '${ADMIN_TOKEN}' }\nroutes: [{ path: '${P' }]\n";
    check(file, &[], &["admin.token", "ADMIN_TOKEN is not set", "routes[0].path", "`}`"]);
}

#[test]
fn a_wrong_variable_in_a_value_does_not_show_what_it_holds() {
    let file = "l1: { max_entries: '${A}' }\nlog: { level: '${A}' }\nserver: { listen: '${A}' }\n\
                upstreams: { a: { kind: '${A}' } }\n";
    check(file, &[("A", "hunter2")], &["l1.max_entries (from test.yaml, ${A})", "1–100000000"]);
    let file = "upstreams: { a: { kind: http, url: '${A}' } }\nl3: { url: '${A}' }\n\
                routes: [{ name: '${A}', path: '${A}', methods: ['${A}'] }]\n";
    check(file, &[("A", "hunter2 ")], &["upstreams.a.url (from test.yaml, ${A})", "l3.url"]);
}

#[test]
fn an_injected_credential_is_not_offered_to_the_network() {
    let file = "server: { listen: '0.0.0.0:80' }\nupstreams: { a: { set_headers: \
                { Authorization: 'Bearer hunter2' } } }\n";
    check(file, &[], &["server.listen = \"0.0.0.0:80\"", "upstreams.a", "server.open_access"]);
    let open = [("ANTEROOM__SERVER__OPEN_ACCESS", "true")];
    assert!(load_text(file, &open).is_ok());
    let loopback = [("ANTEROOM_LISTEN", "[::ffff:127.0.0.1]:80")];
    assert!(load_text(file, &loopback).is_ok());
    let digest = format!("[{{name: a, digest: 'sha256:{}'}}]", "0".repeat(64));
    assert!(load_text(file, &[("ANTEROOM__AUTH__KEYS", &digest)]).is_ok(), "callers need a key");
    let harmless = file.replace("Authorization", "x-team");
    assert!(load_text(&harmless, &[]).is_ok());
}

#[test]
fn tls_with_postgresql_is_refused_where_the_build_has_none() {
    let url = "postgres://u:hunter2@db.example/x?";
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("{url}sslmode=disable&sslmode={mode}");
        if cfg!(feature = "postgres-tls") {
            assert!(load_text("", &[("DATABASE_URL", &url)]).is_ok());
        } else {
            check("", &[("DATABASE_URL", &url)], &["l3.url", "no TLS", "postgres-tls"]);
        }
    }
    for mode in ["sslmode=prefer", "sslmode=disable", "application_name=sslmode%3Drequire", ""] {
        assert!(load_text("", &[("DATABASE_URL", &format!("{url}{mode}"))]).is_ok(), "{mode}");
    }
}

#[test]
fn traces_go_to_a_url_under_a_name() {
    let file = "traces: { endpoint: 'ftp://h', one_in: 0, service_name: ' ', ca_file: /none.pem, \
                timeout: 2m, set_headers: { host: a } }\n";
    let told =
        ["traces.endpoint = \"ftp://h\"", "traces.one_in", "1–1000000", "traces.service_name"];
    check(file, &[], &told);
    check(file, &[], &["traces.ca_file", "traces.timeout", "100ms–1m", "traces.set_headers.host"]);
    let secret = "traces: { set_headers: { Authorization: ' hunter2' } }\n";
    check(secret, &[], &["traces.set_headers.authorization"]);
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    let settings = load_text("", &[endpoint, ("OTEL_SERVICE_NAME", "a b")]).unwrap().settings;
    assert_eq!(settings.traces.endpoint, endpoint.1);
    assert_eq!(settings.traces.service_name, "a b");
}

#[test]
fn two_client_keys_are_two() {
    let key = |name: &str, digit: &str| {
        format!("{{name: {name}, digest: 'blake3:{}'}}", digit.repeat(64))
    };
    let keys = |keys: &[String]| format!("auth: {{ keys: [{}] }}", keys.join(", "));
    assert!(load_text(&keys(&[key("a", "0"), key("b", "1")]), &[]).is_ok());
    check(&keys(&[key("a", "0"), key("a", "1")]), &[], &["auth.keys[1].name", "auth.keys[0]"]);
    let twice = keys(&[key("a", "a"), key("b", "A")]);
    check(&twice, &[], &["auth.keys[1].digest", "auth.keys[0]"]);
    let said = error_of(&twice, &[]).to_string();
    assert!(!said.contains("aaaa"), "{said}");
}

#[test]
fn a_price_that_is_no_amount_or_of_no_model_is_refused() {
    for (prices, words) in [
        ("currency: ''", &["prices.currency", "1 to 16"][..]),
        ("currency: 'U$'", &["prices.currency = \"U$\"", "as in USD"]),
        ("models: [{}]", &["prices.models[0].model", "beginning"]),
        ("models: [{model: 'a*b'}]", &["prices.models[0].model = \"a*b\"", "last sign"]),
        ("models: [{model: a}, {model: a}]", &["prices.models[1].model = \"a\"", "twice"]),
        ("models: [{model: a, input_per_million: 2.5}]", &["prices.models[0]", "quotes"]),
        (
            "models: [{model: a, input_per_million: '1e3'}]",
            &["prices.models[0].input_per_million = \"1e3\"", "digits", "2.50"],
        ),
        (
            "models: [{model: a, output_per_million: '0.0000001'}]",
            &["prices.models[0].output_per_million = \"0.0000001\"", "six"],
        ),
        ("models: [{model: a, input_per_million: '-1'}]", &["prices.models[0]", "digits"]),
        ("models: [{modle: a}]", &["prices.models[0].modle", "input_per_million"]),
    ] {
        check(&format!("prices: {{{prices}}}"), &[], words);
    }
    let many: String = (0..257).map(|number| format!("{{model: m{number}}}, ")).collect();
    check(&format!("prices: {{models: [{many}]}}"), &[], &["prices.models", "256"]);
}

#[test]
fn port_zero_and_a_token_make_the_listeners_free() {
    let both_zero = "server: { listen: '127.0.0.1:0' }\nadmin: { listen: '127.0.0.1:0' }\n";
    assert!(load_text(both_zero, &[]).is_ok());
    let with_token = "admin: { listen: '0.0.0.0:9901', token: hunter2 }\n";
    assert!(load_text(with_token, &[]).is_ok());
}

#[test]
fn all_mistakes_are_told_at_once() {
    let types = "l1: { max_entries: many, nope: 1 }\nl3: { enabled: 5 }\n";
    let ranges = "l1: { max_entries: 0 }\nl2: { timeout: 50ms, connections: 65 }\nroutes: [{}]\n";
    for (text, at_least) in [(types, 3), (ranges, 6)] {
        let SettingsError::Invalid(problems) = error_of(text, &[]) else { panic!("{text}") };
        assert!(problems.len() >= at_least, "{problems:?}");
        let said = SettingsError::Invalid(problems.clone()).to_string();
        assert!(problems.iter().map(Problem::to_string).all(|line| said.contains(&line)));
    }
}

#[test]
fn a_few_bytes_cannot_grow_into_a_large_tree() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let inner = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", inner.trim_end_matches(", ")));
    }
    assert_eq!(error_of(&bomb, &[]).label(), "syntax");
    for deep in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
        assert_eq!(error_of(&deep, &[]).label(), "syntax");
    }
}

proptest! {
    #[test]
    fn no_file_and_no_variable_makes_the_reader_panic(
        text in "([a-z0-9_]{1,4}|l1|routes|upstreams|: |\n|  |- |\\{|\\}|\\[|\\]|\"|'|&|\\*|#|\\$\\{A\\}){0,24}",
        name in "(L1|ROUTES|UPSTREAMS|DEFAULT|__|URL|SET_HEADERS|A){0,6}",
        value in ".{0,12}",
    ) {
        let name = format!("ANTEROOM__{name}");
        let _ = load_text(&text, &[(&name, &value), ("A", &value)]);
    }
}
