//! What wins over what, how values get their types, and what is shown of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::load::{Text, assemble};
use super::{
    ByteSize, HumanDuration, Loaded, LogLevel, Settings, SettingsError, Source, Taken,
    UpstreamKind, effective, load,
};

/// Loads `text` as the file `test.yaml`, with `variables` as the whole environment.
pub(super) fn load_text(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, SettingsError> {
    let environment: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let file = Text { path: PathBuf::from("test.yaml"), text: text.to_owned() };
    assemble(Some(file), &environment, Taken::default())
}

fn settings(text: &str, variables: &[(&str, &str)]) -> Settings {
    load_text(text, variables).unwrap_or_else(|error| panic!("{error}")).settings
}

#[test]
fn a_file_that_says_nothing_gives_the_defaults() {
    for text in [
        "",
        "\n",
        "# nothing\n",
        "{}",
        "---\n",
        "l2:\n",
        "server:\n  workers:\n",
        "~",
        "\u{feff}{}\r\n",
    ] {
        assert_eq!(settings(text, &[]), Settings::default(), "{text:?}");
    }
    assert_eq!(
        assemble(None, &BTreeMap::new(), Taken::default()).unwrap().settings,
        Settings::default()
    );
}

#[test]
fn the_generic_form_wins_over_the_short_form_and_that_over_the_file() {
    let file = "l1:\n  max_entries: 2\n  residence: 2s\n";
    let short = ("L1_CACHE_SIZE", "3");
    let generic = ("ANTEROOM__L1__MAX_ENTRIES", "4");
    assert_eq!(settings(file, &[]).l1.max_entries, 2);
    assert_eq!(settings(file, &[short]).l1.max_entries, 3);
    let loaded = load_text(file, &[short, generic]).unwrap();
    assert_eq!(loaded.settings.l1.max_entries, 4);
    let source = |key| loaded.sources.of(key).to_string();
    assert_eq!(source("l1.max_entries"), "from ANTEROOM__L1__MAX_ENTRIES");
    assert_eq!(source("l1.residence"), "from test.yaml");
    assert_eq!(loaded.sources.of("l1.max_bytes"), Source::Default);
}

#[test]
fn a_short_form_that_the_generic_form_overrides_is_not_even_read() {
    let variables = [("L1_CACHE_TTL", "soon"), ("ANTEROOM__L1__RESIDENCE", "7s")];
    assert_eq!(settings("", &variables).l1.residence, HumanDuration::from_secs(7));
}

#[test]
fn each_short_form_sets_its_key() {
    let loaded = settings(
        "",
        &[
            ("ANTEROOM_LISTEN", "127.0.0.1:0"),
            ("ANTEROOM_ADMIN_LISTEN", "[::1]:9"),
            ("ANTEROOM_UPSTREAM_URL", "http://host:9/v1/"),
            ("ANTEROOM_SECRET", "0123"),
            ("REDIS_URL", "redis://h"),
            ("DATABASE_URL", "postgres://h/d"),
            ("MEMORY_THRESHOLD_MB", "64"),
            ("OPTIMIZE_JSON_PAYLOAD", "false"),
            ("ENABLE_RESPONSE_COMPRESSION", "0"),
            ("CACHE_WARMING_ENABLED", "no"),
            ("AUTO_SCALING_ENABLED", "False"),
            ("L1_CACHE_SIZE", "7"),
            ("L1_CACHE_TTL", "11"),
            ("L2_CACHE_TTL", "12"),
            ("L3_CACHE_TTL", "13"),
            ("AI_MEMORY_OPTIMIZATION", "off"),
            ("MAX_CONVERSATION_HISTORY", "14"),
            ("MODEL_CACHE_SIZE", "15"),
        ],
    );
    assert_eq!(loaded.server.listen.port(), 0);
    assert_eq!(loaded.admin.listen.to_string(), "[::1]:9");
    let upstream = &loaded.upstreams["default"];
    assert_eq!((upstream.kind, upstream.url.as_str()), (UpstreamKind::Http, "http://host:9"));
    assert_eq!(loaded.cache.secret.expose(), "0123");
    assert_eq!(loaded.l2.url.expose(), "redis://h");
    assert_eq!(loaded.l3.url.expose(), "postgres://h/d");
    assert_eq!(loaded.memory.threshold, ByteSize::from_mib(64));
    assert!(!loaded.response.optimize_json && !loaded.response.compression);
    assert!(!loaded.warming.enabled && !loaded.scaler.enabled && !loaded.memory.optimize);
    assert_eq!(loaded.l1.max_entries, 7);
    assert_eq!(loaded.l1.residence, HumanDuration::from_secs(11));
    assert_eq!(loaded.l2.residence, HumanDuration::from_secs(12));
    assert_eq!(loaded.l3.residence, HumanDuration::from_secs(13));
    assert_eq!((loaded.conversation.max_history, loaded.models.max_loaded), (14, 15));
}

#[test]
fn an_empty_short_form_is_as_if_not_set() {
    let empty: Vec<(&str, &str)> = super::short_forms().map(|name| (name, "")).collect();
    assert_eq!(settings("", &empty), Settings::default());
}

#[test]
fn an_empty_generic_form_is_an_empty_text() {
    let file = "l2:\n  url: redis://h\n";
    assert!(settings(file, &[("ANTEROOM__L2__URL", "")]).l2.url.is_empty());
    // CASES A-9: nothing is not zero.
    assert!(load_text("", &[("ANTEROOM__SERVER__WORKERS", "")]).is_err());
    assert_eq!(settings("", &[("ANTEROOM__SERVER__WORKERS", "0")]).server.workers, 0);
}

#[test]
fn zero_is_a_value_and_absent_is_the_default() {
    // CASES A-9.
    let file = "cache: { recall_entries: 0, recall_lease: 0s }\nflights: { max_orphans: 0 }\n";
    let zero = settings(file, &[]);
    assert_eq!((zero.cache.recall_entries, zero.flights.max_orphans), (0, 0));
    assert_eq!(zero.cache.recall_lease, HumanDuration::from_millis(0));
    let absent = settings("cache:\n  recall_entries:\n", &[]);
    assert_eq!(absent.cache.recall_entries, 16_384);
}

#[test]
fn generic_names_reach_maps_and_lists_in_any_case() {
    let loaded = settings(
        "upstreams: { other: { kind: http, url: 'https://a' } }",
        &[
            ("ANTEROOM__UPSTREAMS__DEFAULT", "{kind: http, url: 'http://b/v1'}"),
            ("ANTEROOM__UPSTREAMS__DEFAULT__CONNECTIONS", "9"),
            ("anteroom__upstreams__other__connect_timeout", "9s"),
            ("ANTEROOM__UPSTREAMS__OTHER__SET_HEADERS__X_API_KEY", "123"),
            ("ANTEROOM__ROUTES", "[{name: a, methods: [GET], path: /a, upstream: other}]"),
            ("ANTEROOM__LOG__LEVEL", "debug"),
            ("ANTEROOM__ADMIN__TOKEN", "{not yaml: ["),
        ],
    );
    let (default, other) = (&loaded.upstreams["default"], &loaded.upstreams["other"]);
    assert_eq!((default.url.as_str(), default.connections), ("http://b", 9));
    assert_eq!(other.connect_timeout, HumanDuration::from_secs(9));
    assert_eq!(other.set_headers["x-api-key"].expose(), "123");
    assert_eq!(loaded.routes.len(), 1);
    assert_eq!((loaded.routes[0].name.as_str(), loaded.log.level), ("a", LogLevel::Debug));
    assert_eq!(loaded.admin.token.expose(), "{not yaml: [");
}

#[test]
fn a_variable_alone_becomes_what_its_key_asks_for() {
    let file = "server: { workers: '${N}', open_access: '${ON}', keep_alive: '${T}' }\n\
                cache: { secret: '${N}', max_entry: '${S}' }\nlog: { level: '${L}' }\n";
    let environment = [("N", "07"), ("ON", "true"), ("T", "9s"), ("S", "1MiB"), ("L", "warn")];
    let loaded = settings(file, &environment);
    assert_eq!((loaded.server.workers, loaded.server.open_access), (7, true));
    assert_eq!(loaded.server.keep_alive, HumanDuration::from_secs(9));
    assert_eq!(loaded.cache.secret.expose(), "07");
    assert_eq!((loaded.cache.max_entry, loaded.log.level), (ByteSize::from_mib(1), LogLevel::Warn));
}

#[test]
fn https_proxy_serves_https_upstreams_that_name_none() {
    let file = "upstreams:\n  default: { kind: http, url: 'https://a', proxy: '' }\n  \
                plain: { kind: http, url: 'http://a' }\n  \
                direct: { kind: http, url: 'https://a', proxy: none }\n  \
                own: { kind: http, url: 'https://a', proxy: 'http://mine:1' }\n";
    let loaded = settings(file, &[("https_proxy", "u:p@corp:3128"), ("HTTPS_PROXY", "")]);
    let proxy = |name: &str| loaded.upstreams[name].proxy.expose();
    assert_eq!(proxy("default"), "http://u:p@corp:3128");
    assert_eq!((proxy("plain"), proxy("direct"), proxy("own")), ("", "", "http://mine:1"));
}

#[test]
fn the_same_address_is_meant_with_and_without_v1() {
    for (given, kept) in [
        ("http://h", "http://h"),
        ("http://h/", "http://h"),
        ("http://h/v1", "http://h"),
        ("http://h/v1/", "http://h"),
        ("http://h/openai/v1", "http://h/openai"),
        ("http://h/v12", "http://h/v12"),
    ] {
        let loaded = settings("", &[("ANTEROOM_UPSTREAM_URL", given)]);
        assert_eq!(loaded.upstreams["default"].url, kept);
    }
}

#[test]
fn what_is_in_effect_is_shown_with_sources_and_without_secrets() {
    let file = "admin: { token: hunter2 }\nupstreams:\n  default:\n    kind: http\n    \
                url: https://a\n    set_headers: { X-Api-Key: 'hunter2 ${K}' }\n\
                routes:\n  - { name: a, methods: [GET, POST], path: '/a${R}' }\n";
    let loaded = load_text(
        file,
        &[
            ("K", "hunter2"),
            ("R", "/b"),
            ("ANTEROOM_SECRET", "hunter2"),
            ("REDIS_URL", "redis://anna:hunter2@host:6379"),
            ("DATABASE_URL", "postgres://anna:hunter2@db/x?password=hunter2"),
            ("HTTPS_PROXY", "http://hunter2@corp:3128"),
        ],
    )
    .unwrap();
    let shown = effective(&loaded);
    for line in [
        "data_dir: data\n",
        "  token: \"***\"  # from test.yaml\n",
        "  secret: \"***\"  # from ANTEROOM_SECRET\n",
        "  url: redis://anna:***@host:6379  # from REDIS_URL\n",
        "  url: postgres://anna:***@db/x?password=***  # from DATABASE_URL\n",
        "    proxy: http://***@corp:3128  # from HTTPS_PROXY\n",
        "      x-api-key: \"***\"  # from test.yaml, ${K}\n",
        "routes:  # from test.yaml\n  - name: a\n    methods: [GET, POST]\n",
        "    path: /a/b  # from test.yaml, ${R}\n",
    ] {
        assert!(shown.contains(line), "{line} in\n{shown}");
    }
    assert!(!shown.contains("hunter2") && !format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn what_is_shown_reads_back_as_the_same_settings() {
    let defaults = assemble(None, &BTreeMap::new(), Taken::default()).unwrap();
    assert!(!effective(&defaults).contains('#'));
    assert_eq!(settings(&effective(&defaults), &[]), Settings::default());
}

#[test]
fn the_address_of_an_open_socket_holds_over_all_and_is_held_to_the_same_rules() {
    let load = |address: &str| {
        let taken = Taken { api: None, operations: Some(address.parse().unwrap()) };
        let environment = [("ANTEROOM_ADMIN_LISTEN".to_owned(), "127.0.0.1:1".to_owned())].into();
        assemble(None, &environment, taken)
    };
    let loaded = load("127.0.0.1:2").unwrap();
    assert_eq!(loaded.settings.admin.listen, "127.0.0.1:2".parse().unwrap());
    assert_eq!(loaded.sources.of("admin.listen").to_string(), "from the inherited socket");
    assert_eq!(loaded.sources.of("server.listen"), Source::Default);
    let refused = load("0.0.0.0:2").unwrap_err().to_string();
    assert!(refused.contains("admin.token") && refused.contains("0.0.0.0:2"), "{refused}");
}

#[test]
fn files_are_found_or_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    fs::write(&path, "server:\n  workers: 3\n").unwrap();
    let loaded = load(Some(&path), Taken::default()).unwrap();
    assert_eq!(loaded.settings.server.workers, 3);

    let gone = folder.path().join("gone.yaml");
    let unreadable = |path: &Path| {
        let error = load(Some(path), Taken::default()).unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        error.label()
    };
    assert_eq!(unreadable(&gone), "unreadable");
    assert_eq!(unreadable(folder.path()), "unreadable");
    fs::write(&path, [b"a: 1\nb: ".as_slice(), &[0xff]].concat()).unwrap();
    assert_eq!(unreadable(&path), "syntax");
    fs::write(&path, " ".repeat(1024 * 1024 + 1)).unwrap();
    assert_eq!(unreadable(&path), "too_large");
}
