//! The settings in effect, as YAML in the order of `config.yaml`, with the source of what is not a
//! default behind it and without secrets.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::load::{Loaded, parse_yaml};
use super::secret::mask_url;
use super::sources::{Source, Sources};
use super::tree::{KeyPath, Step};

/// Returns the settings in effect as YAML; secrets are masked, each value that is not a default
/// is followed by `# from …`.
pub fn effective(loaded: &Loaded) -> String {
    let json = serde_json::to_string(&loaded.settings).unwrap_or_default();
    let mut writer = Writer { loaded, text: String::new() };
    if let Ok(tree) = serde_json::from_str::<Ordered>(&json) {
        writer.members(&tree, &KeyPath::default(), "", "");
    }
    writer.text
}

/// A tree that keeps the order of its members.
enum Ordered {
    Map(Vec<(String, Ordered)>),
    List(Vec<Ordered>),
    Scalar(Value),
}

struct Writer<'w> {
    loaded: &'w Loaded,
    text: String,
}

impl Writer<'_> {
    /// Writes the members of a map, the first one behind `first`, the others behind `indent`.
    fn members(&mut self, tree: &Ordered, at: &KeyPath, first: &str, indent: &str) {
        let Ordered::Map(members) = tree else { return };
        for (position, (name, value)) in members.iter().enumerate() {
            let path = at.then(Step::Name(name.clone()));
            let before = if position == 0 { first } else { indent };
            self.text.push_str(before);
            self.text.push_str(&scalar(&Value::String(name.clone())));
            self.text.push(':');
            self.member(value, &path, indent);
        }
    }

    fn member(&mut self, value: &Ordered, path: &KeyPath, indent: &str) {
        let deeper = format!("{indent}  ");
        match value {
            Ordered::Map(members) if !members.is_empty() => {
                self.text.push('\n');
                self.members(value, path, &deeper, &deeper);
            }
            Ordered::List(items) if items.iter().any(|item| matches!(item, Ordered::Map(_))) => {
                self.end_line(path);
                for (index, item) in items.iter().enumerate() {
                    let item_path = path.then(Step::Index(index));
                    let dash = format!("{deeper}- ");
                    self.members(item, &item_path, &dash, &format!("{deeper}  "));
                }
            }
            value => {
                self.text.push(' ');
                self.text.push_str(&self.in_line(value, path));
                self.end_line(path);
            }
        }
    }

    fn in_line(&self, value: &Ordered, path: &KeyPath) -> String {
        match value {
            Ordered::Map(_) => "{}".to_owned(),
            Ordered::List(items) => {
                let items: Vec<String> =
                    items.iter().map(|item| self.in_line(item, path)).collect();
                format!("[{}]", items.join(", "))
            }
            Ordered::Scalar(value) => match self.masked_url(&path.to_string()) {
                Some(url) => scalar(&Value::String(url)),
                None => scalar(value),
            },
        }
    }

    /// Returns the URL of `key`, if it is a secret one, so that the host can be seen.
    fn masked_url(&self, key: &str) -> Option<String> {
        let settings = &self.loaded.settings;
        let proxy = || {
            let name = key.strip_prefix("upstreams.")?.strip_suffix(".proxy")?;
            settings.upstreams.get(name).map(|upstream| &upstream.proxy)
        };
        let url = match key {
            "l2.url" => &settings.l2.url,
            "l3.url" => &settings.l3.url,
            _ => proxy()?,
        };
        Some(mask_url(url.expose()))
    }

    fn end_line(&mut self, path: &KeyPath) {
        let source = own_source(&self.loaded.sources, path);
        if source != Source::Default {
            let comment = source.to_string().replace(|letter: char| letter.is_control(), "?");
            self.text.push_str("  # ");
            self.text.push_str(&comment);
        }
        self.text.push('\n');
    }
}

/// Returns the source of `path`, unless it is that of the whole list it lies in.
fn own_source(sources: &Sources, path: &KeyPath) -> Source {
    let source = sources.of(&path.to_string());
    let list = path.0.iter().position(|step| matches!(step, Step::Index(_)));
    let of_list = list.map(|end| KeyPath(path.0.iter().take(end).cloned().collect()));
    match of_list {
        Some(list) if sources.of(&list.to_string()) == source => Source::Default,
        _ => source,
    }
}

/// Writes a scalar so that it reads back as the same one, within lists too.
fn scalar(value: &Value) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let is_plain = !text.contains([',', '[', ']', '{', '}'])
        && matches!(parse_yaml(text), Ok(Value::String(read)) if read == *text);
    if is_plain { text.clone() } else { value.to_string() }
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Ordered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E>(self) -> Result<Ordered, E> {
                Ok(Ordered::Scalar(Value::Null))
            }

            fn visit_bool<E>(self, on: bool) -> Result<Ordered, E> {
                Ok(Ordered::Scalar(Value::Bool(on)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Ordered, E> {
                Ok(Ordered::Scalar(Value::from(number)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Ordered, E> {
                Ok(Ordered::Scalar(Value::from(text)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Ordered, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Ordered::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Ordered, A::Error> {
                let mut map = Vec::new();
                while let Some(member) = members.next_entry()? {
                    map.push(member);
                }
                Ok(Ordered::Map(map))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
