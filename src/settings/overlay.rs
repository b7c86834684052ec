//! The environment, laid over the file: short forms first, then the generic form, which wins.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Settings;
use super::error::Problem;
use super::header_names::{SET_HEADERS, lower_names};
use super::load::{named_twice, parse_yaml};
use super::ranges::allowed;
use super::shown::shown;
use super::sources::{Source, Sources};
use super::tree::{KeyPath, Step, put, values_set};

/// What the generic form begins with.
const GENERIC_PREFIX: &str = "ANTEROOM__";

const UPSTREAM_URL: &str = "ANTEROOM_UPSTREAM_URL";

/// The proxy of `https` upstreams that say nothing of their own; the first that is set counts.
const HTTPS_PROXY: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];

/// Environment variables with a name of their own, the key each sets, and the unit its bare number
/// has (none: written as the key itself).
pub(super) const SHORT_FORMS: &[(&str, &str, Option<Unit>)] = &[
    ("ANTEROOM_LISTEN", "server.listen", None),
    ("ANTEROOM_ADMIN_LISTEN", "admin.listen", None),
    (UPSTREAM_URL, "upstreams.default.url", None),
    ("ANTEROOM_SECRET", "cache.secret", None),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "traces.endpoint", None),
    ("OTEL_SERVICE_NAME", "traces.service_name", None),
    ("REDIS_URL", "l2.url", None),
    ("DATABASE_URL", "l3.url", None),
    ("MEMORY_THRESHOLD_MB", "memory.threshold", Some(Unit::MEBIBYTE)),
    ("OPTIMIZE_JSON_PAYLOAD", "response.optimize_json", None),
    ("ENABLE_RESPONSE_COMPRESSION", "response.compression", None),
    ("CACHE_WARMING_ENABLED", "warming.enabled", None),
    ("AUTO_SCALING_ENABLED", "scaler.enabled", None),
    ("L1_CACHE_SIZE", "l1.max_entries", None),
    ("L1_CACHE_TTL", "l1.residence", Some(Unit::SECOND)),
    ("L2_CACHE_TTL", "l2.residence", Some(Unit::SECOND)),
    ("L3_CACHE_TTL", "l3.residence", Some(Unit::SECOND)),
    ("AI_MEMORY_OPTIMIZATION", "memory.optimize", None),
    ("MAX_CONVERSATION_HISTORY", "conversation.max_history", None),
    ("MODEL_CACHE_SIZE", "models.max_loaded", None),
];

/// The unit of a short form's bare number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    sign: &'static str,
    name: &'static str,
}

impl Unit {
    const SECOND: Self = Self { sign: "s", name: "seconds" };
    const MEBIBYTE: Self = Self { sign: "MiB", name: "MiB" };
}

/// Returns the environment variables that have a name of their own.
pub fn short_forms() -> impl Iterator<Item = &'static str> {
    SHORT_FORMS.iter().map(|(name, ..)| *name).chain(HTTPS_PROXY)
}

/// Tells whether an environment variable sets something by its name alone.
pub(super) fn is_setting(name: &str) -> bool {
    generic_names(name).is_some() || short_forms().any(|short| short == name)
}

/// Lays the environment over `tree`; returns what could not be laid.
pub(super) fn overlay(
    tree: &mut Value,
    environment: &BTreeMap<String, String>,
    sources: &mut Sources,
) -> Vec<Problem> {
    let mut generic = BTreeMap::new();
    let mut layer = Layer { tree, sources, problems: Vec::new() };
    for (variable, value) in environment {
        let Some(names) = generic_names(variable) else { continue };
        if let Some((first, _)) = generic.insert(names, (variable, value)) {
            layer.refuse(variable, variable, None, format!("set twice, also as {first}"));
        }
    }
    for (variable, key, unit) in SHORT_FORMS {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        let value = environment.get(*variable).filter(|value| !value.is_empty());
        if let Some(value) = value.filter(|_| !generic.contains_key(&path)) {
            layer.short(variable, key, *unit, value);
        }
    }
    // In the order of the names: a map comes before the values within it.
    let shape = serde_json::to_value(Settings::default()).unwrap_or_default();
    for (names, (variable, value)) in generic {
        layer.generic(variable, &names, value, &shape);
    }
    layer.https_proxy(environment);
    layer.problems
}

/// Returns the key a generic variable names, in lower case; nothing for other variables.
fn generic_names(variable: &str) -> Option<Vec<String>> {
    let upper = variable.to_ascii_uppercase();
    let names = upper.strip_prefix(GENERIC_PREFIX)?;
    Some(names.split("__").map(str::to_ascii_lowercase).collect())
}

struct Layer<'l> {
    tree: &'l mut Value,
    sources: &'l mut Sources,
    problems: Vec<Problem>,
}

impl Layer<'_> {
    fn set(&mut self, path: &KeyPath, value: Value, variable: &str) {
        values_set(&value, path, &mut |path, value| {
            // An empty map adds nothing: what it is laid over keeps its sources.
            if value.is_object() {
                return;
            }
            self.sources.set(&path.to_string(), Source::Environment(variable.to_owned()));
        });
        put(self.tree, path, value);
    }

    fn refuse(&mut self, variable: &str, key: &str, value: Option<&str>, reason: String) {
        let source = Source::Environment(variable.to_owned());
        let value = value.and_then(|text| shown(key, &Value::String(text.to_owned()), &source));
        let allowed = allowed(key);
        self.problems.push(Problem { key: key.to_owned(), value, source, reason, allowed });
    }

    fn short(&mut self, variable: &str, key: &str, unit: Option<Unit>, value: &str) {
        let is_whole = value.bytes().all(|digit| digit.is_ascii_digit());
        let text = match unit {
            None => value.to_owned(),
            Some(unit) if is_whole => format!("{value}{}", unit.sign),
            Some(unit) => {
                let reason = format!("not a whole number of {}", unit.name);
                return self.refuse(variable, key, Some(value), reason);
            }
        };
        self.set(&KeyPath::of_names(key.split('.')), Value::String(text), variable);
        if variable == UPSTREAM_URL {
            let kind = KeyPath::of_names(["upstreams", "default", "kind"]);
            self.set(&kind, Value::String("http".to_owned()), variable);
        }
    }

    fn generic(&mut self, variable: &str, names: &[String], text: &str, shape: &Value) {
        let mut value = match place(shape, names) {
            Place::Unknown(reason) => return self.refuse(variable, variable, None, reason),
            // A list that is absent by default looks like any other value that is.
            Place::Scalar => Value::String(text.to_owned()),
            Place::Absent if !text.starts_with('[') => Value::String(text.to_owned()),
            Place::Absent | Place::Container => match parse_yaml(text) {
                Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
                // Not what belongs here: reading it by type says what does.
                Ok(_) => Value::String(text.to_owned()),
                Err(mistake) => {
                    let reason = format!("not a YAML list or map: {}", mistake.reason);
                    return self.refuse(variable, &names.join("."), None, reason);
                }
            },
        };
        let in_headers = names.iter().position(|name| name == SET_HEADERS);
        let steps = names.iter().enumerate().map(|(position, name)| {
            // A variable's name cannot hold the hyphen that header names are written with.
            match in_headers {
                Some(outer) if position > outer => name.replace('_', "-"),
                _ => name.clone(),
            }
        });
        let path = KeyPath(steps.map(Step::Name).collect());
        let source = Source::Environment(variable.to_owned());
        let twice = lower_names(&mut value, &path);
        self.problems.extend(twice.iter().map(|key| named_twice(key, &source)));
        self.set(&path, value, variable);
    }

    /// Gives `HTTPS_PROXY` to every `https` upstream that does not name a proxy, not even `none`.
    fn https_proxy(&mut self, environment: &BTreeMap<String, String>) {
        let found = HTTPS_PROXY
            .iter()
            .find_map(|name| environment.get_key_value(*name).filter(|(_, url)| !url.is_empty()));
        let Some((variable, url)) = found else { return };
        let url = if url.contains("://") { url.clone() } else { format!("http://{url}") };
        let upstreams = self.tree.get("upstreams").and_then(Value::as_object);
        let without: Vec<String> = upstreams
            .into_iter()
            .flatten()
            .filter(|(_, upstream)| is_https_without_proxy(upstream))
            .map(|(name, _)| name.clone())
            .collect();
        for name in without {
            let path = KeyPath::of_names(["upstreams", &name, "proxy"]);
            self.set(&path, Value::String(url.clone()), variable);
        }
    }
}

fn is_https_without_proxy(upstream: &Value) -> bool {
    let text = |key: &str| upstream.get(key).and_then(Value::as_str).unwrap_or_default();
    text("kind") == "http" && text("url").starts_with("https://") && text("proxy").is_empty()
}

/// What lies at a key.
enum Place {
    Scalar,
    /// Nothing by default: a scalar or a list.
    Absent,
    Container,
    Unknown(String),
}

/// Finds `names` in the tree of the defaults; an upstream of any name has the keys of `default`.
fn place(shape: &Value, names: &[String]) -> Place {
    let mut here = shape;
    let mut outer = "";
    for name in names {
        let Value::Object(map) = here else {
            let reason = format!("{outer} has no keys below it; set it whole");
            return Place::Unknown(reason);
        };
        let found = match outer {
            _ if name.is_empty() => None,
            "upstreams" => map.get("default"),
            SET_HEADERS => return Place::Scalar,
            _ => map.get(name),
        };
        let Some(found) = found else {
            let known: Vec<&str> = map.keys().map(String::as_str).collect();
            let reason =
                format!("there is no setting {}; known: {}", names.join("."), known.join(", "));
            return Place::Unknown(reason);
        };
        (here, outer) = (found, name);
    }
    match here {
        Value::Object(_) | Value::Array(_) => Place::Container,
        Value::Null => Place::Absent,
        _ => Place::Scalar,
    }
}
