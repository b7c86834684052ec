//! README.md, CONTRIBUTING.md, `docs/` and config.yaml speak of what is there.

use std::fs;
use std::path::Path;

use anteroom::telemetry::names::METRICS;

use super::sources;
use crate::support::documents::{self, Document};

/// Keys that only decide whether the gateway starts: the check of the settings reads them.
const READ_AT_THE_START: [&str; 1] = ["server.open_access"];

const SECTIONS_NOBODY_READS: &str = "no part of this version reads it yet";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns what stands between backticks on one line; fenced examples are left out.
fn quoted(text: &str) -> Vec<&str> {
    let mut is_fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

/// Returns every key of `config.yaml` with its dots, and whether its section is read by nobody yet.
fn keys(config: &str) -> Vec<(String, bool)> {
    let mut path: Vec<(usize, &str)> = Vec::new();
    let mut keys = Vec::new();
    let (mut comment, mut is_unread) = (String::new(), false);
    for line in config.lines() {
        let trimmed = line.trim_start();
        let depth = line.len() - trimmed.len();
        if trimmed.starts_with('#') {
            comment.push_str(trimmed);
            continue;
        }
        if let Some((name, _)) = trimmed.split_once(':').filter(|_| !trimmed.starts_with('-')) {
            if depth == 0 {
                is_unread = comment.contains(SECTIONS_NOBODY_READS);
            }
            path.retain(|(outer, _)| *outer < depth);
            path.push((depth, name));
            let names: Vec<_> = path.iter().map(|(_, name)| *name).collect();
            keys.push((names.join("."), is_unread));
        }
        comment.clear();
    }
    keys
}

#[test]
fn a_metric_that_a_document_names_exists() {
    for Document { path, text } in documents::all() {
        let is_metric = |word: &&str| {
            let is_name = |sign: u8| sign.is_ascii_lowercase() || sign == b'_';
            word.starts_with("anteroom_") && word.bytes().all(is_name)
        };
        for word in quoted(&text).into_iter().filter(is_metric) {
            assert!(METRICS.iter().any(|metric| metric.name == word), "{path}: no metric {word}");
        }
    }
}

#[test]
fn a_metric_that_the_readme_names_exists_and_then_all_are_named() {
    let readme = read("README.md");
    let named: Vec<_> = quoted(&readme)
        .into_iter()
        .filter(|word| word.starts_with("anteroom_") && !word.contains(' '))
        .collect();
    for word in &named {
        assert!(METRICS.iter().any(|metric| metric.name == *word), "README.md: no metric {word}");
    }
    let missing = METRICS.iter().filter(|metric| !named.contains(&metric.name));
    let missing: Vec<_> = missing.map(|metric| metric.name).collect();
    assert!(named.is_empty() || missing.is_empty(), "README.md leaves out {missing:?}");
    for metric in METRICS {
        assert!(metric.help.ends_with('.'), "{}: its help is no sentence", metric.name);
    }
}

#[test]
fn a_key_that_a_document_names_is_in_the_config_file() {
    let config = read("config.yaml");
    let keys = keys(&config);
    let is_section = |word: &str| keys.iter().any(|(key, _)| key == word);
    let is_key = |word: &&str| {
        let (section, key) = word.split_once('.').unwrap_or_default();
        let is_name =
            |text: &str| text.chars().all(|sign| sign.is_ascii_lowercase() || sign == '_');
        is_section(section) && !key.is_empty() && is_name(key)
    };
    let mut num_named = 0;
    for Document { path, text } in documents::all() {
        for word in quoted(&text).into_iter().filter(is_key) {
            num_named += 1;
            assert!(keys.iter().any(|(key, _)| key == word), "{path}: no key {word}");
        }
    }
    assert!(num_named > 100, "the keys were not found");
}

#[test]
fn the_readme_names_the_variables_of_the_config_file_and_no_others() {
    let (readme, config) = (read("README.md"), read("config.yaml"));
    let is_variable = |word: &str| {
        let is_sign =
            |sign: char| sign.is_ascii_uppercase() || sign.is_ascii_digit() || sign == '_';
        word.contains('_') && !word.starts_with('_') && word.chars().all(is_sign)
    };
    let mut known: Vec<_> = config
        .split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_'))
        .filter(|word| is_variable(word) && !word.contains("__"))
        .collect();
    known.sort_unstable();
    known.dedup();
    let known: Vec<_> = known.into_iter().filter(|word| *word != "OPENAI_API_KEY").collect();
    let named: Vec<_> = quoted(&readme).into_iter().filter(|word| is_variable(word)).collect();
    for word in named.iter().filter(|word| !word.contains("__")) {
        assert!(known.contains(word), "README.md: config.yaml knows no variable {word}");
    }
    for word in known {
        assert!(named.contains(&word), "README.md leaves out the variable {word}");
    }
}

fn source_files(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            source_files(&entry.path(), found);
        } else {
            found.push(format!("/{}", entry.path().display()));
        }
    }
}

#[test]
fn files_that_a_document_names_exist() {
    let mut sources = Vec::new();
    for folder in ["src", "actors/src", "tests"] {
        source_files(&documents::root().join(folder), &mut sources);
    }
    for Document { path: document, text } in documents::all() {
        for word in quoted(&text) {
            let folders =
                ["src/", "actors/src/", "scripts/", "tests/", "migrations/", "deploy/", "docs/"];
            let is_path = folders.iter().any(|folder| word.starts_with(folder));
            if word.contains(['{', '*']) {
                continue;
            }
            if is_path {
                assert!(documents::root().join(word).exists(), "{document}: there is no {word}");
            } else if word.ends_with(".rs") {
                let end = format!("/{word}");
                let is_there = sources.iter().any(|path| path.ends_with(&end));
                assert!(is_there, "{document}: there is no {word}");
            }
        }
    }
}

/// A key that nothing reads is a promise that is not kept. Read means: its name stands as a field
/// somewhere outside the files that load and check settings.
#[test]
fn every_key_of_the_config_file_is_read_or_says_that_it_is_not() {
    let config = read("config.yaml");
    let readers: Vec<_> = sources::all()
        .into_iter()
        .filter(|source| {
            !source.path.starts_with("src/settings/") || source.path.ends_with("/for_actors.rs")
        })
        .collect();
    let is_read = |key: &str| {
        let name = key.rsplit('.').next().unwrap_or_default();
        let field = format!(".{name}");
        readers.iter().any(|source| {
            source.lines.iter().any(|line| {
                line.match_indices(&field).any(|(at, _)| {
                    let next = line[at + field.len()..].chars().next();
                    !next.is_some_and(|sign| sign.is_alphanumeric() || sign == '_')
                })
            })
        })
    };
    let keys = keys(&config);
    assert!(keys.len() > 60, "the keys were not found");
    let unread: Vec<_> = keys
        .iter()
        .filter(|(key, is_said)| !is_said && !is_read(key))
        .filter(|(key, _)| !READ_AT_THE_START.contains(&key.as_str()))
        .map(|(key, _)| key)
        .collect();
    assert!(unread.is_empty(), "config.yaml: nothing reads {unread:?}, and no comment says so");
}
