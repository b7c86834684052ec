//! `docs/configuration.md` is made of `config.yaml`, and of what a running gateway takes on.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;

use super::load_tests::load_text;
use super::overlay::SHORT_FORMS;
use super::tree::{KeyPath, get, values_set};
use super::{Adoption, Settings, adopt};

const FILE: &str = include_str!("../../config.yaml");

/// How the reference is written anew: the test that finds it old leaves the new one.
const COMMAND: &str = "cargo test --workspace --features fault-injection --lib \
                       the_reference_of_the_settings || \
                       cp target/configuration.md docs/configuration.md";

const HEAD: &str = "\
Every key, with what it does, its type, its range and its default: the words of `config.yaml`, which lists
them all with their defaults. Unknown keys are refused; a value out of range is refused with key, value and range.

* Durations are a whole number of `ms`, `s`, `m`, `h` or `d`; sizes of `B`, `KiB`, `MiB`, `GiB`, `TiB` or `PiB`; bare
  numbers are counts. A key without a value counts as absent.
* The environment holds over the file: `ANTEROOM__SECTION__KEY` for any key (`ANTEROOM__L1__MAX_BYTES=256MiB`; lists
  and maps as YAML in one line), and the short forms named below. Where both are set, the former holds.
* `${NAME}` in a value is replaced by the environment variable `NAME`; a missing one is an error. `$${` stands for `${`.
* `anteroom check` prints the settings in effect, with secrets masked, and where each came from.

*Changes* says when a new value in the file holds: `at once` for requests that come from then on, or after a `restart`.
";

/// Values that are tried, to see whether a running gateway takes on another one.
const CANDIDATES: &[&str] = &[
    "1000",
    "50",
    "true",
    "false",
    "0",
    "1",
    "2",
    "5",
    "1s",
    "2s",
    "3s",
    "20s",
    "10m",
    "1d",
    "10ms",
    "30ms",
    "0s",
    "1KiB",
    "300KiB",
    "2MiB",
    "70MiB",
    "3GiB",
    "warn",
    "json",
    "advise",
    "2.00",
    "EUR",
    "127.0.0.1:7",
    "redis://h",
    "[GET]",
    "['https://a.example']",
    "[{name: a, digest: 'sha256:ZEROS'}]",
    "[{model: m}]",
    "[{path: /v1/models}]",
    "{x-a: b}",
];

/// Keys that only go together with others, with a file that changes them.
const TOGETHER: &[(&str, &str)] = &[
    (
        "server.tls.cert_file",
        "server: {tls: {cert_file: src/upstream/tests/server.pem, key_file: src/upstream/tests/server.key}}",
    ),
    (
        "server.tls.key_file",
        "server: {tls: {cert_file: src/upstream/tests/server.pem, key_file: src/upstream/tests/server.key}}",
    ),
    ("upstreams.default.kind", "upstreams: {default: {kind: http, url: 'http://h'}}"),
    ("upstreams.default.url", "upstreams: {default: {kind: http, url: 'http://h'}}"),
    ("data_dir", "data_dir: other"),
    ("traces.endpoint", "traces: {endpoint: 'http://h'}"),
    ("traces.service_name", "traces: {service_name: other}"),
    ("traces.ca_file", "traces: {ca_file: src/upstream/tests/ca.pem}"),
    ("admin.token", "admin: {token: another-token-of-some-length}"),
    ("cache.secret", "cache: {secret: another-secret-of-at-least-32-bytes-in-length}"),
    ("l3.url", "l3: {url: 'sqlite:other.db'}"),
    (
        "upstreams.default.ca_file",
        "upstreams: {default: {kind: http, url: 'http://h', ca_file: src/upstream/tests/ca.pem}}",
    ),
    (
        "upstreams.default.proxy",
        "upstreams: {default: {kind: http, url: 'http://h', proxy: 'http://p:1'}}",
    ),
];

/// A key of the file with the lines of its comment, each without `#` and one blank.
struct Item {
    key: String,
    depth: usize,
    comment: Vec<String>,
    has_value: bool,
}

fn items() -> Vec<Item> {
    let mut found: Vec<Item> = Vec::new();
    let mut outer: Vec<(usize, &str)> = Vec::new();
    let mut comment = Vec::new();
    for line in FILE.lines() {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        if let Some(words) = text.strip_prefix('#') {
            comment.push(words.strip_prefix(' ').unwrap_or(words).to_owned());
            continue;
        }
        let is_in_list = text.starts_with('-') || depth > 0 && outer[0].1 == "routes";
        if let Some((name, value)) = text.split_once(':').filter(|_| !is_in_list) {
            outer.retain(|(other, _)| *other < depth);
            outer.push((depth, name));
            let names: Vec<_> = outer.iter().map(|(_, name)| *name).collect();
            let (key, has_value) = (names.join("."), !value.is_empty() || name == "routes");
            found.push(Item { key, depth, comment: std::mem::take(&mut comment), has_value });
        }
        comment.clear();
    }
    found
}

/// Returns the words about a key, and those about members of what its list holds, by name.
fn parts(comment: &[String]) -> (String, Vec<(String, String)>) {
    let (mut own, mut members) = (Vec::new(), Vec::<(String, String)>::new());
    for line in comment {
        let member = line.strip_prefix("  ").filter(|text| !text.starts_with(' '));
        let named = member
            .and_then(|text| text.split_once(": "))
            .filter(|(name, _)| name.bytes().all(|sign| sign.is_ascii_lowercase() || sign == b'_'));
        match (named, line.strip_prefix("    "), members.last_mut()) {
            (Some((name, text)), ..) => members.push((name.to_owned(), text.to_owned())),
            (None, Some(more), Some((_, text))) => *text = format!("{text} {}", more.trim()),
            (None, ..) => own.push(line.trim()),
        }
    }
    (own.join(" "), members)
}

/// Tells whether `text` may be another value of a key with this default: each try takes its time.
fn may_fit(default: &Value, text: &str) -> bool {
    match default {
        Value::Bool(_) => text.parse::<bool>().is_ok(),
        Value::Number(_) => text.parse::<u64>().is_ok(),
        _ => text.parse::<u64>().is_err(),
    }
}

/// Tells whether a gateway that runs takes on another value of `key`. The environment can set any key.
fn changes_at_once(key: &str) -> bool {
    if key == "routes" {
        return true;
    }
    let before = Settings::default();
    let defaults = serde_json::to_value(&before).unwrap();
    let default = get(&defaults, &KeyPath::of_names(key.split('.'))).cloned().unwrap_or_default();
    let variable = format!("ANTEROOM__{}", key.replace('.', "__").to_uppercase());
    let zeros = "0".repeat(64);
    let one = TOGETHER.iter().find(|(name, _)| *name == key);
    let loaded = match one {
        Some((_, file)) => load_text(file, &[]).ok(),
        None => CANDIDATES.iter().filter(|text| may_fit(&default, text)).find_map(|value| {
            let value = value.replace("ZEROS", &zeros);
            let loaded = load_text("", &[(&variable, &value)]).ok()?;
            (loaded.settings != before).then_some(loaded)
        }),
    };
    let loaded = loaded.unwrap_or_else(|| panic!("no other value is known of {key}"));
    match adopt(&before, &loaded) {
        Adoption::Adopted { needs_restart, .. } => needs_restart.is_empty(),
        _ => false,
    }
}

fn cell(text: &str) -> String {
    // `|` ends a cell, `<` begins a tag, and `*` may be taken for emphasis.
    text.replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*")
}

static REFERENCE: LazyLock<String> = LazyLock::new(reference);

fn reference() -> String {
    let mut page = format!(
        "# Settings\n\n<!-- Made of config.yaml; do not edit. Write it anew by: {COMMAND} -->\n\n{HEAD}\n\
         ## Short forms in the environment\n\n| variable | key |\n|---|---|\n"
    );
    for (variable, key, _) in SHORT_FORMS {
        writeln!(page, "| `{variable}` | `{key}` |").unwrap();
    }
    for item in items() {
        let (own, members) = parts(&item.comment);
        if item.depth == 0 {
            write!(page, "\n## {}\n\n", item.key).unwrap();
        }
        if !item.has_value {
            if !own.is_empty() && item.depth > 0 {
                writeln!(page, "| **`{}`** | {} | |", item.key, cell(&own)).unwrap();
            } else if item.depth == 0 {
                write!(page, "{own}\n\n| key | meaning | changes |\n|---|---|---|\n").unwrap();
            }
            continue;
        }
        if item.depth == 0 {
            page.push_str("| key | meaning | changes |\n|---|---|---|\n");
        }
        let when = if changes_at_once(&item.key) { "at once" } else { "restart" };
        writeln!(page, "| `{}` | {} | {when} |", item.key, cell(&own)).unwrap();
        for (name, text) in members {
            writeln!(page, "| `{}[].{name}` | {} | {when} |", item.key, cell(&text)).unwrap();
        }
    }
    page.push_str(
        "\nRoutes that are added, removed, renamed or moved wait for a restart; what else changes in them \
         holds at once.\n",
    );
    page
}

fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

#[test]
fn the_reference_of_the_settings_says_what_the_config_file_says() {
    let written = fs::read_to_string(path("docs/configuration.md")).unwrap_or_default();
    if written != *REFERENCE {
        fs::create_dir_all(path("target")).unwrap();
        fs::write(path("target/configuration.md"), &*REFERENCE).unwrap();
        panic!("docs/configuration.md is not what config.yaml says; write it anew by: {COMMAND}");
    }
}

#[test]
fn the_reference_names_every_key_once_and_every_member_of_a_list() {
    let page = &*REFERENCE;
    let defaults = serde_json::to_value(Settings::default()).unwrap();
    values_set(&defaults, &KeyPath::default(), &mut |path, _| {
        assert_eq!(page.matches(&format!("\n| `{path}` |")).count(), 1, "{path}");
    });
    for member in ["routes[].stale_if_error", "auth.keys[].digest", "prices.models[].model"] {
        assert_eq!(page.matches(&format!("\n| `{member}` |")).count(), 1, "{member}");
    }
}
