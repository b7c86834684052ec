//! The settings as a JSON Schema (draft 7, which editors read): names, types, ranges, defaults, words.
//!
//! Nothing of it is written down twice. Names and defaults come from [`Settings::default`], types from
//! what the types take when they are asked, ranges from the validator's table, words from `config.yaml`.

use serde_json::{Map, Value, json};

use super::comments::{self, Entry};
use super::ranges::{Range, allowed, range};
use super::sources::Sources;
use super::tree::{KeyPath, Step, get};
use super::{ClientKey, CriticalRequest, ModelPrice, Reject, Settings, typed};

/// Lists of things with members of their own, one of each thing, and what must be given of it.
fn items() -> [(&'static str, Value, &'static [&'static str]); 4] {
    let of = |item: Result<Value, serde_json::Error>| item.unwrap_or_default();
    [
        ("/auth/keys", of(serde_json::to_value(ClientKey::default())), &["name", "digest"]),
        ("/prices/models", of(serde_json::to_value(ModelPrice::default())), &["model"]),
        ("/warming/critical", of(serde_json::to_value(CriticalRequest::default())), &["path"]),
        ("/routes/0/reject", of(serde_json::to_value(Reject::default())), &["pattern"]),
    ]
}

/// What must be given of a route.
const OF_A_ROUTE: &[&str] = &["name", "methods", "path"];

/// Maps whose names the deployer chooses, each with such a name.
const MAPS: [(&str, &str); 2] =
    [("upstreams.*.set_headers", "authorization"), ("routes.*.negative", "404")];

/// Returns the schema as text, ready for a file.
pub fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&Writer::new().root()).unwrap_or_default();
    text.push('\n');
    text
}

struct Writer {
    defaults: Value,
    /// The defaults, with one thing in each list.
    full: Value,
    entries: std::collections::BTreeMap<String, Entry>,
}

impl Writer {
    fn new() -> Self {
        let defaults = serde_json::to_value(Settings::default()).unwrap_or_default();
        let mut full = defaults.clone();
        if let Some(Value::Array(routes)) = full.get_mut("routes") {
            routes.truncate(1);
        }
        for (pointer, item, _) in items() {
            if let Some(list) = full.pointer_mut(pointer) {
                *list = Value::Array(vec![item]);
            }
        }
        Self { defaults, full, entries: comments::entries() }
    }

    fn root(&self) -> Value {
        let mut root = self.object(&self.full, &KeyPath::default());
        if let Value::Object(root) = &mut root {
            root.insert("$schema".into(), "http://json-schema.org/draft-07/schema#".into());
            root.insert("title".into(), "Anteroom's settings".into());
            let variable = json!({
                "description": "A text with ${NAME}, which is replaced by the environment variable NAME.",
                "type": "string",
                "pattern": "\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}",
            });
            root.insert("definitions".into(), json!({ "variable": variable }));
        }
        root
    }

    fn object(&self, members: &Value, at: &KeyPath) -> Value {
        let mut properties = Map::new();
        for (name, member) in members.as_object().into_iter().flatten() {
            let path = at.then(Step::Name(name.clone()));
            properties.insert(name.clone(), self.described(member, &path));
        }
        json!({"type": ["object", "null"], "additionalProperties": false, "properties": properties})
    }

    /// Returns the schema of one key with its words and its default.
    fn described(&self, member: &Value, path: &KeyPath) -> Value {
        let mut schema = self.of(member, path);
        let Value::Object(keywords) = &mut schema else { return schema };
        if let Some(words) = self.words(path) {
            keywords.insert("description".into(), words.into());
        }
        let default = get(&self.defaults, path).or_else(|| get(&self.full, path));
        if let Some(default) = default.filter(|default| !default.is_object()) {
            keywords.insert("default".into(), default.clone());
        }
        schema
    }

    fn of(&self, member: &Value, path: &KeyPath) -> Value {
        let key = path.to_string();
        if let Some((_, name)) = MAPS.iter().find(|(pattern, _)| is_at(pattern, path)) {
            let value = self.leaf(&path.then(Step::Name((*name).to_owned())));
            return json!({"type": ["object", "null"], "additionalProperties": value});
        }
        match member {
            Value::Object(upstreams) if key == "upstreams" => {
                let path = path.then(Step::Name("default".to_owned()));
                let upstream = upstreams.get("default").unwrap_or(&Value::Null);
                let upstream = self.object(upstream, &path);
                json!({"type": ["object", "null"], "additionalProperties": upstream})
            }
            Value::Object(_) => self.object(member, path),
            Value::Array(list) => match list.first() {
                Some(item @ Value::Object(_)) => {
                    let mut item = self.object(item, &path.then(Step::Index(0)));
                    if let Value::Object(item) = &mut item {
                        item.insert("type".into(), "object".into());
                        item.insert("required".into(), json!(self.required(&key)));
                    }
                    json!({"type": ["array", "null"], "items": item})
                }
                _ => self.leaf(path),
            },
            _ => self.leaf(path),
        }
    }

    fn required(&self, key: &str) -> &'static [&'static str] {
        let pointer = format!("/{}", key.replace("[0]", "/0").replace('.', "/"));
        let item = items().into_iter().find(|(own, ..)| *own == pointer);
        item.map_or(OF_A_ROUTE, |(_, _, required)| required)
    }

    /// Returns the schema of a value that holds no others but texts.
    fn leaf(&self, path: &KeyPath) -> Value {
        let filled = |schema: Value| json!({"anyOf": [schema, {"$ref": "#/definitions/variable"}]});
        if let Some(range) = range(&path.to_string()) {
            return filled(of_range(range));
        }
        if let Some(names) = self.choices(path) {
            let mut names: Vec<Value> = names.into_iter().map(Value::from).collect();
            names.push(Value::Null);
            return filled(json!({ "enum": names }));
        }
        let is_text = self.takes(path, &json!("x"));
        if is_text && self.takes(path, &json!({"x": 1})) {
            return json!({});
        }
        if is_text || self.full_text(path) {
            return json!({"type": ["string", "null"]});
        }
        if self.takes(path, &json!(true)) {
            return filled(json!({"type": ["boolean", "null"]}));
        }
        if self.takes(path, &json!(["x"])) || self.takes(path, &json!(["GET"])) {
            return json!({"type": ["array", "null"], "items": {"type": "string"}});
        }
        filled(json!({"type": ["number", "null"]}))
    }

    /// Tells whether the default is a text: one of a form that `x` has not.
    fn full_text(&self, path: &KeyPath) -> bool {
        get(&self.full, path).is_some_and(Value::is_string)
    }

    /// Tells whether the settings' types take `sample` at `path`.
    fn takes(&self, path: &KeyPath, sample: &Value) -> bool {
        self.read(path, sample).is_ok()
    }

    /// Returns the names that a key may have as its value, if it is one of some names.
    fn choices(&self, path: &KeyPath) -> Option<Vec<String>> {
        let problems = self.read(path, &json!("?")).err()?;
        let names = problems.first()?.reason.strip_prefix("not one of ")?;
        Some(names.split(", ").map(str::to_owned).collect())
    }

    fn read(&self, path: &KeyPath, sample: &Value) -> Result<Settings, Vec<super::Problem>> {
        let mut tree = self.full.clone();
        place(&mut tree, path, sample);
        typed::read(tree, &Sources::default())
    }

    /// Returns what `config.yaml` says of a key, and what it may hold.
    fn words(&self, path: &KeyPath) -> Option<String> {
        let key = path.to_string();
        let words = match key.rsplit_once("[0].") {
            Some((list, name)) if !name.contains('.') => {
                let names: Vec<&String> =
                    get(&self.full, &path.parent()?)?.as_object()?.keys().collect();
                // Of a list within a list the words stand with the outer one.
                let list = if list.starts_with("routes") { "routes" } else { list };
                comments::of_member(&self.entries.get(list)?.comment, name, &names)?.to_owned()
            }
            _ => self.entries.get(&key)?.comment.clone(),
        };
        let allowed = allowed(&key).filter(|allowed| !words.contains(allowed));
        let allowed = allowed.map(|allowed| format!("\nAllowed: {allowed}."));
        (!words.is_empty()).then(|| words + allowed.as_deref().unwrap_or_default())
    }
}

fn of_range(range: Range) -> Value {
    match range {
        Range::Count(low, high) => {
            json!({"type": ["integer", "null"], "minimum": low, "maximum": high})
        }
        // No keyword compares quantities with units; the range is told in keywords of ours.
        Range::Time(low, high) => json!({
            "type": ["string", "null"], "pattern": "^[0-9]+(ms|s|m|h|d)$",
            "x-minimum": low.to_string(), "x-maximum": high.to_string(),
        }),
        Range::Size(low, high) => json!({
            "type": ["string", "null"], "pattern": "^[0-9]+([KMGTP]i)?B$",
            "x-minimum": low.to_string(), "x-maximum": high.to_string(),
        }),
    }
}

fn is_at(pattern: &str, path: &KeyPath) -> bool {
    let mut wanted = pattern.split('.');
    let fits = path.0.iter().all(|step| match (wanted.next(), step) {
        (Some("*"), _) => true,
        (Some(name), Step::Name(own)) => name == own,
        _ => false,
    });
    fits && wanted.next().is_none()
}

fn place(tree: &mut Value, path: &KeyPath, sample: &Value) {
    let mut here = tree;
    for step in &path.0 {
        let next = match (step, here) {
            (Step::Name(name), Value::Object(map)) => {
                map.entry(name.clone()).or_insert(Value::Null)
            }
            (Step::Index(index), Value::Array(list)) => match list.get_mut(*index) {
                Some(item) => item,
                None => return,
            },
            _ => return,
        };
        here = next;
    }
    *here = sample.clone();
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
