//! The command line, and settings that cannot be used: row "bad config at start" of the faults.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// What a run that ends by itself said.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the binary in `folder` with nothing but `env` in its environment.
fn run_in(folder: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
    command.args(arguments).current_dir(folder).env_clear().envs(env.iter().copied());
    let Output { status, stdout, stderr } = command.output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("its words are text");
    Run { code: status.code(), out: text(stdout), err: text(stderr) }
}

fn run(arguments: &[&str], env: &[(&str, &str)]) -> Run {
    run_in(folder().path(), arguments, env)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn write(folder: &TempDir, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(folder.path().join(name), text).expect("a file");
}

#[test]
fn help_and_version_are_told_and_what_is_not_known_is_refused_with_2() {
    let help = run(&["--help"], &[]);
    assert_eq!(help.code, Some(0), "{}", help.err);
    for word in ["serve", "check", "--config", "ANTEROOM_UPSTREAM_URL", "ANTEROOM__SECTION__KEY"] {
        assert!(help.out.contains(word), "{word} is not in\n{}", help.out);
    }
    let version = run(&["--version"], &[]);
    assert_eq!(version.out, format!("anteroom {}\n", env!("CARGO_PKG_VERSION")));
    for arguments in [&["--confg", "x"][..], &["run"], &["check", "more"], &["--config"]] {
        let refused = run(arguments, &[]);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(refused.err.contains("--help"), "{}", refused.err);
    }
}

#[test]
fn check_prints_the_settings_in_effect_and_where_they_came_from() {
    let folder = folder();
    write(&folder, "config.yaml", "l1:\n  max_entries: 77\n  residence: 11s\n");
    let env = [("L1_CACHE_SIZE", "88"), ("ANTEROOM__L2__RESIDENCE", "12s")];
    let check = run_in(folder.path(), &["check"], &env);
    assert_eq!((check.code, check.err.as_str()), (Some(0), ""), "{}", check.out);
    for (key, source) in [
        ("max_entries: 88", "L1_CACHE_SIZE"),
        ("residence: 11s", "config.yaml"),
        ("residence: 12s", "ANTEROOM__L2__RESIDENCE"),
    ] {
        let line = check.out.lines().find(|line| line.trim_start().starts_with(key));
        let line = line.unwrap_or_else(|| panic!("{key} is not in\n{}", check.out));
        assert!(line.contains(source), "{line}");
    }
    // What it prints is a settings file that means the same.
    write(&folder, "printed.yaml", &check.out);
    let again = run_in(folder.path(), &["check", "--config", "printed.yaml"], &[]);
    let values = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.split(" #").next().unwrap_or_default().trim_end().to_owned())
            .collect()
    };
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert_eq!(values(&again.out), values(&check.out));
}

#[test]
fn the_file_beside_the_working_folder_is_found_and_a_named_one_holds_over_it() {
    let folder = folder();
    write(&folder, "config.yaml", "l1: {max_entries: 77}\n");
    write(&folder, "other.yaml", "l1: {max_entries: 99}\n");
    let entries = |arguments: &[&str]| {
        let check = run_in(folder.path(), arguments, &[]);
        let line = check.out.lines().find(|line| line.contains("max_entries")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{}{}", check.out, check.err))
    };
    assert!(entries(&["check"]).contains("77"));
    assert!(entries(&["check", "--config", "other.yaml"]).contains("99"));
    assert!(entries(&["--config", "other.yaml", "check"]).contains("99"));
    let missing = run_in(folder.path(), &["check", "--config", "missing.yaml"], &[]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("missing.yaml"), "{}", missing.err);
}

/// A file, and the words by which its reader finds what is wrong.
const BAD_FILES: [(&str, &[&str]); 26] = [
    ("l1: {max_entries: 0}", &["l1.max_entries", "0", "1–100000000"]),
    ("l1: {max_entries: -1}", &["l1.max_entries", "-1", "1–100000000"]),
    ("l1: {max_entries: many}", &["l1.max_entries", "many"]),
    ("l1: {residence: 5}", &["l1.residence", "5", "1s–30d"]),
    ("l1: {residence: 0s}", &["l1.residence", "0s", "1s–30d"]),
    ("l1: {residence: -3s}", &["l1.residence", "-3s"]),
    ("l1: {max_bytes: 12XB}", &["l1.max_bytes", "12XB", "1MiB–1TiB"]),
    ("l9: {max_entries: 1}", &["l9", "no such setting"]),
    ("l1: {max_entires: 1}", &["l1.max_entires", "no such setting"]),
    ("server: {listen: nowhere}", &["server.listen", "nowhere"]),
    ("server: {listen: 127.0.0.1:70000}", &["server.listen", "70000"]),
    ("l2: {url: 'http://a'}", &["l2.url", "redis://"]),
    ("l2: {url: 'redis://:${REDIS_PASSWORD}@h'}", &["l2.url", "REDIS_PASSWORD"]),
    ("upstreams: {default: {kind: http}}", &["upstreams.default.url"]),
    ("upstreams: {default: {kind: http, url: 'ftp://a'}}", &["upstreams.default.url", "http"]),
    ("routes: [{name: a, methods: [GET], path: /v1/a, upstream: none}]", &["upstream", "none"]),
    (
        "routes: [{name: a, methods: [GET], path: /v1/a}, {name: a, methods: [GET], path: /v1/b}]",
        &["routes", "name"],
    ),
    ("admin: {listen: 0.0.0.0:9901}", &["admin.token"]),
    ("cache: {max_entry: 200MiB}", &["cache.max_entry", "l1.max_bytes"]),
    ("l1:\n  max_entries: 5\n x: [", &["config.yaml", "line"]),
    ("l1:\n\tmax_entries: 5\n", &["config.yaml", "line 2"]),
    ("server: {workers: two}", &["server.workers", "two", "0–1024"]),
    ("server: {listen: '127.0.0.1'}", &["server.listen", "127.0.0.1"]),
    ("models: {max_loaded: 0}", &["models.max_loaded", "0", "1–1000"]),
    ("conversation: {max_history: 0}", &["conversation.max_history", "0", "1–10000"]),
    ("a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n", &["no such setting"]),
];

#[test]
fn settings_that_cannot_be_used_end_the_start_with_2_and_words_that_help() {
    for (text, words) in BAD_FILES {
        let folder = folder();
        write(&folder, "config.yaml", text);
        for command in ["check", "serve"] {
            let refused = run_in(folder.path(), &[command], &[]);
            assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{text}");
            for word in words {
                assert!(refused.err.contains(word), "{word} is not in: {}", refused.err);
            }
            assert!(!refused.err.contains("panicked"), "{}", refused.err);
        }
        assert!(!folder.path().join("data").exists(), "{text}: it had begun to start");
    }
}

#[test]
fn files_that_are_no_settings_are_refused() {
    for (bytes, word) in [
        (&b"\xff\xfe\x00"[..], "UTF-8"),
        (b"just words", "config.yaml"),
        (b"- a\n- b\n", "config.yaml"),
        (b"l1: {max_entries: 1}\nl1: {max_entries: 2}\n", "l1"),
    ] {
        let folder = folder();
        write(&folder, "config.yaml", bytes);
        let refused = run_in(folder.path(), &["check"], &[]);
        assert_eq!(refused.code, Some(2), "{}{}", refused.out, refused.err);
        assert!(refused.err.contains(word), "{word} is not in: {}", refused.err);
    }
    // Each line ten times the one before: a thousand million words, were they written out.
    let mut bomb = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let before = format!("*l{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("l{level}: &l{level} [{before}]\n"));
    }
    let folder = folder();
    write(&folder, "config.yaml", bomb);
    let refused = run_in(folder.path(), &["serve"], &[]);
    assert_eq!(refused.code, Some(2), "{}{}", refused.out, refused.err);
    // One that cannot be read: also by root, who may read all files.
    let unreadable = run_in(folder.path(), &["serve", "--config", "."], &[]);
    assert_eq!(unreadable.code, Some(2), "{}{}", unreadable.out, unreadable.err);
    assert!(!unreadable.err.contains("panicked"), "{}", unreadable.err);
    // An empty file sets nothing.
    let folder = self::folder();
    write(&folder, "config.yaml", "");
    assert_eq!(run_in(folder.path(), &["check"], &[]).code, Some(0));
}

#[test]
fn wrong_environment_is_refused_by_the_variables_name() {
    for (name, value, words) in [
        ("L1_CACHE_SIZE", "0", &["L1_CACHE_SIZE", "l1.max_entries", "1–100000000"][..]),
        ("L1_CACHE_TTL", "5m", &["L1_CACHE_TTL", "5m"]),
        ("MEMORY_THRESHOLD_MB", "1", &["MEMORY_THRESHOLD_MB", "memory.threshold"]),
        ("CACHE_WARMING_ENABLED", "maybe", &["CACHE_WARMING_ENABLED", "maybe"]),
        ("ANTEROOM__L1__NOTHING", "1", &["ANTEROOM__L1__NOTHING"]),
        ("ANTEROOM_UPSTREAM_URL", "no url", &["ANTEROOM_UPSTREAM_URL", "upstreams.default.url"]),
        ("REDIS_URL", "memcached://h", &["REDIS_URL", "l2.url"]),
        ("DATABASE_URL", "mysql://h/d", &["DATABASE_URL", "l3.url"]),
    ] {
        let refused = run(&["check"], &[(name, value)]);
        assert_eq!(refused.code, Some(2), "{name}: {}{}", refused.out, refused.err);
        for word in words {
            assert!(refused.err.contains(word), "{word} is not in: {}", refused.err);
        }
    }
}

/// Every mistake of a kind is told at once: nobody starts it five times to find five.
#[test]
fn all_that_is_wrong_is_told_at_once() {
    for (file, ttl, keys) in [
        ("l1: {max_entries: many}\nl9: {}\n", "x", ["l1.max_entries", "l9", "L2_CACHE_TTL"]),
        (
            "l1: {max_entries: 0, residence: 0s}\n",
            "0",
            ["l1.max_entries", "l1.residence", "L2_CACHE_TTL"],
        ),
    ] {
        let folder = folder();
        write(&folder, "config.yaml", file);
        let refused = run_in(folder.path(), &["check"], &[("L2_CACHE_TTL", ttl)]);
        for key in keys {
            assert!(refused.err.contains(key), "{key} is not in: {}", refused.err);
        }
    }
}

#[test]
fn a_taken_port_ends_the_start_with_words_that_name_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for (variable, key) in
        [("ANTEROOM_LISTEN", "server.listen"), ("ANTEROOM_ADMIN_LISTEN", "admin.listen")]
    {
        let mut env =
            [("ANTEROOM_LISTEN", "127.0.0.1:0"), ("ANTEROOM_ADMIN_LISTEN", "127.0.0.1:0")];
        for pair in &mut env {
            if pair.0 == variable {
                pair.1 = &address;
            }
        }
        let refused = run(&["serve"], &env);
        assert_eq!(refused.code, Some(1), "{}", refused.err);
        assert!(refused.err.contains(&address) && refused.err.contains(key), "{}", refused.err);
    }
}

/// A key of the gateway's own is not to be spent by strangers unless someone says so.
#[test]
fn a_key_of_its_own_on_an_open_address_is_refused_unless_it_is_wanted() {
    let env = [
        ("ANTEROOM_LISTEN", "0.0.0.0:0"),
        ("ANTEROOM_UPSTREAM_URL", "https://api.example.com"),
        ("ANTEROOM__UPSTREAMS__DEFAULT__SET_HEADERS", "{authorization: Bearer x}"),
    ];
    let refused = run(&["check"], &env);
    assert_eq!(refused.code, Some(2), "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("server.open_access"), "{}", refused.err);
    let mut wanted = env.to_vec();
    wanted.push(("ANTEROOM__SERVER__OPEN_ACCESS", "true"));
    assert_eq!(run(&["check"], &wanted).code, Some(0));
    assert_eq!(run(&["check"], &env[..2]).code, Some(0), "callers bring their own keys");
}

#[test]
fn a_replay_tells_what_the_cache_would_have_done_with_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = "timestamp_ms,user,key,size_bytes\n0,u,a,10\n1000,u,a,10\n400000,u,a,10\n";
    write(&folder, "log.csv", log);
    let replay = run_in(folder.path(), &["replay", "log.csv", "--l1-entries", "1", "--json"], &[]);
    assert_eq!((replay.code, replay.err.as_str()), (Some(0), ""));
    let json: serde_json::Value = serde_json::from_str(&replay.out).unwrap();
    assert_eq!(json["hits"], serde_json::json!({"l1": 1, "l2": 1, "l3": 0}));
    let text = run_in(folder.path(), &["replay", "log.csv"], &[]).out;
    assert!(
        text.lines().any(|line| line.starts_with("hits") && line.contains("66.67 %")),
        "{text}"
    );

    write(&folder, "bad.csv", format!("{log}now,u,a,10\n"));
    let bad = run_in(folder.path(), &["replay", "bad.csv"], &[]);
    assert_eq!((bad.code, bad.out.as_str()), (Some(1), ""));
    assert!(bad.err.contains("line 5") && bad.err.contains("timestamp_ms"), "{}", bad.err);
    let absent = run_in(folder.path(), &["replay", "absent.csv"], &[]);
    assert_eq!(absent.code, Some(1));
}
