//! In which keys do two settings differ?

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Settings;
use super::secret::mask_url;
use super::shown::shown;
use super::sources::Source;
use super::tree::leaves;

/// A key whose value changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Change {
    /// The key, such as `routes[chat].lifetime`: things in lists go by their names.
    pub key: String,
    /// The value before, where it may be shown and there was one.
    #[schema(required)]
    pub from: Option<String>,
    /// The value after, likewise.
    #[schema(required)]
    pub to: Option<String>,
}

/// The key of a change that no key is known for.
const UNKNOWN: &str = "a secret";

/// Returns the keys in which `after` differs from `before`, in their order.
pub fn difference(before: &Settings, after: &Settings) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", &comparable(before), &comparable(after), &mut changes);
    if changes.is_empty() && before != after {
        changes.push(Change { key: UNKNOWN.to_owned(), from: None, to: None });
    }
    changes
}

/// Returns the settings as a tree in which no secret can be read.
pub fn masked(settings: &Settings) -> Value {
    let mut tree = serde_json::to_value(settings).unwrap_or_default();
    for (pointer, secret) in urls(settings) {
        if let Some(value) = tree.pointer_mut(&pointer) {
            *value = Value::String(mask_url(secret));
        }
    }
    tree
}

/// Returns the tree with a digest in place of each secret: equal where they are equal.
fn comparable(settings: &Settings) -> Value {
    let mut tree = serde_json::to_value(settings).unwrap_or_default();
    for (pointer, secret) in secrets(settings) {
        if let Some(value) = tree.pointer_mut(&pointer) {
            *value = Value::String(format!("#{}", blake3::hash(secret.as_bytes())));
        }
    }
    named(&mut tree);
    tree
}

/// Turns lists of things that have names into maps by these names. Where the order of things counts,
/// their position is one of their members.
fn named(tree: &mut Value) {
    match tree {
        Value::Object(map) => map.values_mut().for_each(named),
        Value::Array(list) => {
            let name = |item: &Value| Some(format!("[{}]", item.get("name")?.as_str()?));
            let names: Option<Vec<String>> = list.iter().map(name).collect();
            let Some(names) = names.filter(|names| !names.is_empty()) else { return };
            let items = std::mem::take(list).into_iter().enumerate().map(|(position, mut item)| {
                if let Value::Object(item) = &mut item {
                    item.insert("position".to_owned(), Value::from(position));
                }
                item
            });
            *tree = Value::Object(names.into_iter().zip(items).collect());
        }
        _ => {}
    }
}

fn compare(key: &str, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    if before == after {
        return;
    }
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        let told = |value: &Value| shown_at(key, value);
        changes.push(Change { key: key.to_owned(), from: told(before), to: told(after) });
        return;
    };
    let names: BTreeMap<&String, ()> = old.keys().chain(new.keys()).map(|key| (key, ())).collect();
    for name in names.into_keys() {
        let inner = match name.strip_prefix('[') {
            Some(_) => format!("{key}{name}"),
            None if key.is_empty() => name.clone(),
            None => format!("{key}.{name}"),
        };
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => compare(&inner, old, new, changes),
            (old, new) => {
                let told = |value: Option<&Value>| value.and_then(|value| shown_at(&inner, value));
                changes.push(Change { from: told(old), to: told(new), key: inner.clone() });
            }
        }
    }
}

fn shown_at(key: &str, value: &Value) -> Option<String> {
    if value.as_str().is_some_and(|text| text.starts_with('#')) {
        return None;
    }
    match value {
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => {
            Some(value.to_string())
        }
        value => shown(key, value, &Source::Default),
    }
}

/// Returns every secret with the JSON pointer of its key.
fn secrets(settings: &Settings) -> Vec<(String, &str)> {
    let mut secrets = urls(settings);
    secrets.push(("/admin/token".to_owned(), settings.admin.token.expose()));
    secrets.push(("/cache/secret".to_owned(), settings.cache.secret.expose()));
    for (name, upstream) in &settings.upstreams {
        for (header, value) in &upstream.set_headers {
            let header = header.replace('~', "~0").replace('/', "~1");
            secrets.push((format!("/upstreams/{name}/set_headers/{header}"), value.expose()));
        }
    }
    for (position, key) in settings.auth.keys.iter().enumerate() {
        secrets.push((format!("/auth/keys/{position}/digest"), key.digest.expose()));
    }
    for (position, critical) in settings.warming.critical.iter().enumerate() {
        secrets.push((format!("/warming/critical/{position}/body"), critical.body.expose()));
    }
    secrets
}

/// Returns every URL that may hold a password, with the JSON pointer of its key.
fn urls(settings: &Settings) -> Vec<(String, &str)> {
    let mut urls = vec![
        ("/l2/url".to_owned(), settings.l2.url.expose()),
        ("/l3/url".to_owned(), settings.l3.url.expose()),
    ];
    for (name, upstream) in &settings.upstreams {
        urls.push((format!("/upstreams/{name}/proxy"), upstream.proxy.expose()));
    }
    urls
}

/// Returns the source of every key of `settings` that is not a default.
pub fn sources_told(settings: &Settings, sources: &super::Sources) -> BTreeMap<String, String> {
    let mut told = BTreeMap::new();
    let tree = serde_json::to_value(settings).unwrap_or_default();
    leaves(&tree, &mut |path, _| {
        let key = path.to_string();
        let source = sources.of(&key);
        if source != Source::Default {
            told.insert(key, source.to_string());
        }
    });
    told
}

#[cfg(test)]
mod tests {
    use super::super::{ClientKey, CriticalRequest, HumanDuration, Secret};
    use super::*;

    /// Settings with something in every place of a secret.
    fn secretive() -> Settings {
        let mut settings = Settings::default();
        let secret = || Secret::new("postgres://user:hunter2@host/");
        settings.admin.token = secret();
        settings.cache.secret = secret();
        settings.l2.url = secret();
        settings.l3.url = secret();
        let upstream = settings.upstreams.get_mut("default").unwrap();
        upstream.proxy = secret();
        upstream.set_headers.insert("a/b~c".into(), secret());
        settings.auth.keys.push(ClientKey { digest: secret(), ..ClientKey::default() });
        settings.warming.critical.push(CriticalRequest { body: secret(), ..Default::default() });
        settings
    }

    /// The number of `Secret` fields in the settings, each once in `secretive`.
    const SECRETS: usize = 8;

    #[test]
    fn every_secret_is_compared_and_none_is_told() {
        let settings = secretive();
        assert_eq!(secrets(&settings).len(), SECRETS);
        let tree = comparable(&settings).to_string();
        assert!(!tree.contains("***") && !tree.contains("hunter2"), "{tree}");
        assert_eq!(tree.matches("\"#").count(), SECRETS, "{tree}");
        let told = masked(&settings).to_string();
        assert!(!told.contains("hunter2") && told.contains("postgres://user:***@host/"), "{told}");
        let changes = difference(&Settings::default(), &settings);
        let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
        for key in ["admin.token", "cache.secret", "l2.url", "l3.url", "upstreams.default.proxy"] {
            assert!(keys.contains(&key), "{key} in {keys:?}");
        }
        assert!(!format!("{changes:?}").contains("hunter2"));
    }

    #[test]
    fn changes_are_told_by_key_with_both_values() {
        let mut after = Settings::default();
        after.routes[0].lifetime = HumanDuration::from_secs(60);
        after.server.cors.origins = vec!["https://a.example".to_owned()];
        after.log.level = super::super::LogLevel::Debug;
        let told: Vec<String> = difference(&Settings::default(), &after)
            .into_iter()
            .map(|Change { key, from, to }| {
                format!("{key} {} {}", from.unwrap_or_default(), to.unwrap_or_default())
            })
            .collect();
        let expected = [
            "log.level \"info\" \"debug\"",
            "routes[chat].lifetime \"2h\" \"1m\"",
            "server.cors.origins [] [\"https://a.example\"]",
        ];
        assert_eq!(told, expected);
        assert_eq!(difference(&after, &after.clone()), []);
    }

    #[test]
    fn what_comes_goes_or_moves_in_a_list_is_told_once() {
        let key = |name: &str| ClientKey { name: name.into(), ..ClientKey::default() };
        let (mut before, mut after) = (Settings::default(), Settings::default());
        before.auth.keys = vec![key("a"), key("b")];
        after.auth.keys = vec![key("b"), key("c")];
        let changes = difference(&before, &after);
        let told: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
        assert_eq!(told, ["auth.keys[a]", "auth.keys[b].position", "auth.keys[c]"]);
    }
}
