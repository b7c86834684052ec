//! Reads the settings: a file, the environment over it, then types, ranges and relations.
//!
//! The only place of the program that reads the environment.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use serde_saphyr::UserMessageFormatter;

use super::error::{Problem, SettingsError};
use super::fill::fill;
use super::header_names::lower_names;
use super::overlay::{is_setting, overlay};
use super::sources::{Source, Sources};
use super::told::{PREDECESSOR, Taken, Told};
use super::tree::{KeyPath, prune, values_set};
use super::validate::validate;
use super::{Settings, typed};

/// The settings file that is read where none is named, if it is there.
pub const DEFAULT_FILE: &str = "config.yaml";
const MAX_FILE_BYTES: usize = 1024 * 1024;

// Far above any real file, far below what a hostile one needs: time and stack stay small.
const MAX_EVENTS: usize = 200_000;
const MAX_ALIAS_EVENTS: usize = 10_000;
const MAX_DEPTH: usize = 32;

/// Settings that hold, and where each value came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Where each value came from.
    pub sources: Sources,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
}

/// Loads the settings: `path`, or `./config.yaml` if it is there; the environment over it; over both the
/// addresses of listeners that are open already.
///
/// Errors: a file that cannot be read or is not YAML; every wrong value with its key, where it
/// came from and what is allowed.
pub fn load(path: Option<&Path>, taken: Taken) -> Result<Loaded, SettingsError> {
    let environment = environment()?;
    let file = match path {
        Some(path) => Some(read(path)?),
        None => match read(Path::new(DEFAULT_FILE)) {
            Err(Failure::Missing(_)) => None,
            read => Some(read?),
        },
    };
    assemble(file, &environment, taken)
}

/// Returns what the environment and the command line tell of how this process was started.
pub fn told() -> Told {
    #[expect(clippy::disallowed_methods, reason = "here the environment is read")]
    let text = |name| std::env::var(name).unwrap_or_default();
    Told {
        socket_names: text("LISTEN_FDNAMES"),
        notify_socket: text("NOTIFY_SOCKET"),
        predecessor: text(PREDECESSOR),
        command: std::env::args_os().collect(),
    }
}

/// A settings file that was read.
#[derive(Debug)]
pub(super) struct Text {
    pub path: PathBuf,
    pub text: String,
}

/// Why a file could not be read.
#[derive(Debug)]
enum Failure {
    Missing(SettingsError),
    Other(SettingsError),
}

impl From<Failure> for SettingsError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Missing(error) | Failure::Other(error) => error,
        }
    }
}

fn read(path: &Path) -> Result<Text, Failure> {
    let unreadable = |error: std::io::Error| {
        let failed = SettingsError::Unreadable { path: path.to_owned(), reason: error.to_string() };
        match error.kind() {
            ErrorKind::NotFound => Failure::Missing(failed),
            _ => Failure::Other(failed),
        }
    };
    let mut bytes = Vec::new();
    let bound = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)
        .and_then(|file| file.take(bound).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() > MAX_FILE_BYTES {
        let limit_bytes = MAX_FILE_BYTES;
        return Err(Failure::Other(SettingsError::TooLarge { path: path.to_owned(), limit_bytes }));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Text { path: path.to_owned(), text }),
        Err(error) => {
            let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
            let lines = good.filter(|byte| **byte == b'\n').count();
            let line = u64::try_from(lines).unwrap_or(u64::MAX).saturating_add(1);
            let reason = "not UTF-8".to_owned();
            Err(Failure::Other(SettingsError::Syntax { path: path.to_owned(), line, reason }))
        }
    }
}

/// Returns the environment as text. What is not text is left out, unless it is a setting.
fn environment() -> Result<BTreeMap<String, String>, SettingsError> {
    let mut environment = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => {
                environment.insert(name, value);
            }
            Err(_) if is_setting(&name) => problems.push(Problem {
                key: name,
                value: None,
                source: Source::Default,
                reason: "not UTF-8".to_owned(),
                allowed: None,
            }),
            Err(_) => {}
        }
    }
    if problems.is_empty() { Ok(environment) } else { Err(SettingsError::Invalid(problems)) }
}

/// Makes settings of a file's text and an environment.
///
/// Errors: as [`load`].
pub(super) fn assemble(
    file: Option<Text>,
    environment: &BTreeMap<String, String>,
    taken: Taken,
) -> Result<Loaded, SettingsError> {
    let mut tree = Value::Object(Map::new());
    let mut sources = Sources::default();
    let mut problems = Vec::new();
    let read = file.as_ref().map(|file| file.path.clone());
    if let Some(Text { path, text }) = file {
        tree = parse_yaml(&text).map_err(|mistake| SettingsError::Syntax {
            path: path.clone(),
            line: mistake.line,
            reason: mistake.reason,
        })?;
        prune(&mut tree);
        let twice = lower_names(&mut tree, &KeyPath::default());
        let path = path.display().to_string();
        let source = Source::File { path: path.clone(), variables: Vec::new() };
        problems.extend(twice.iter().map(|key| named_twice(key, &source)));
        values_set(&tree, &KeyPath::default(), &mut |key, _| {
            sources.set(&key.to_string(), source.clone());
        });
        problems.extend(fill(&mut tree, &path, environment, &mut sources));
    }
    if tree.is_null() {
        tree = Value::Object(Map::new());
    }
    problems.extend(overlay(&mut tree, environment, &mut sources));
    taken.lay(&mut tree, &mut sources);
    prune(&mut tree);
    ensure_default_upstream(&mut tree);
    let mut settings = match typed::read(tree, &sources) {
        Ok(settings) if problems.is_empty() => settings,
        Ok(_) => return Err(SettingsError::Invalid(problems)),
        Err(wrong) => {
            problems.extend(wrong);
            return Err(SettingsError::Invalid(problems));
        }
    };
    problems.extend(validate(&mut settings, &sources));
    if problems.is_empty() {
        Ok(Loaded { settings, sources, file: read })
    } else {
        Err(SettingsError::Invalid(problems))
    }
}

/// Says that a header is set twice, in different cases.
pub(super) fn named_twice(key: &KeyPath, source: &Source) -> Problem {
    Problem {
        key: key.to_string(),
        value: None,
        source: source.clone(),
        reason: "set twice".to_owned(),
        allowed: Some("each header once, in any case".to_owned()),
    }
}

/// Upstreams that are named stand beside the default one, they do not replace it.
fn ensure_default_upstream(tree: &mut Value) {
    if let Some(Value::Object(upstreams)) = tree.get_mut("upstreams") {
        upstreams.entry("default").or_insert_with(|| Value::Object(Map::new()));
    }
}

/// Where and why a text is not YAML, or more than it may be.
#[derive(Debug)]
pub(super) struct YamlMistake {
    pub line: u64,
    pub reason: String,
}

/// Parses one YAML document, within bounds; nothing but comments is null.
pub(super) fn parse_yaml(text: &str) -> Result<Value, YamlMistake> {
    let options = serde_saphyr::options! {
        // A snippet would show values, and values may be secrets.
        with_snippet: false,
        emit_comments: false,
        // `no` and `off` stay texts; the key decides what they are.
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_events: MAX_EVENTS,
            max_nodes: MAX_EVENTS,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_ALIAS_EVENTS,
        },
    };
    match serde_saphyr::from_str_with_options(text, options) {
        Ok(value) => Ok(value),
        Err(error) => {
            let line = error.location().map_or(0, |location| location.line());
            Err(YamlMistake {
                line,
                reason: error.without_snippet().render_with_formatter(&UserMessageFormatter),
            })
        }
    }
}
