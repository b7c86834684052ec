//! JSON for comparison: numbers by their text, members in any order.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

#[derive(Clone, PartialEq)]
pub(super) enum Tree {
    /// A number, `true`, `false` or `null`.
    Word(String),
    Text(String),
    List(Vec<Tree>),
    Object(BTreeMap<String, Tree>),
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.print().replace(['\n', '\r'], ""))
    }
}

impl Tree {
    pub(super) fn read(json: &[u8]) -> Self {
        Self::of(&serde_json::from_slice::<Box<RawValue>>(json).expect("JSON"))
    }

    fn of(raw: &RawValue) -> Self {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => {
                let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).unwrap();
                let is_unique = members.len() == count_names(text);
                assert!(is_unique, "a name comes twice: {text}");
                Self::Object(
                    members.iter().map(|(name, raw)| (name.clone(), Self::of(raw))).collect(),
                )
            }
            Some(b'[') => {
                let elements: Vec<Box<RawValue>> = serde_json::from_str(text).unwrap();
                Self::List(elements.iter().map(|raw| Self::of(raw)).collect())
            }
            // Half of a surrogate pair is no text, and is compared as it is spelled.
            Some(b'"') => {
                Self::Text(serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()))
            }
            _ => Self::Word(text.to_owned()),
        }
    }

    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(super) fn word(word: &str) -> Self {
        Self::Word(word.to_owned())
    }

    pub(super) fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    pub(super) fn members(&self) -> &BTreeMap<String, Self> {
        let Self::Object(members) = self else { panic!("no object: {self:?}") };
        members
    }

    pub(super) fn members_mut(&mut self) -> &mut BTreeMap<String, Self> {
        let Self::Object(members) = self else { panic!("no object: {self:?}") };
        members
    }

    pub(super) fn elements(&self) -> &[Self] {
        let Self::List(elements) = self else { panic!("no array: {self:?}") };
        elements
    }

    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.members().get(name)
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn print(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Text(text) => serde_json::to_string(text).unwrap(),
            Self::List(elements) => {
                let elements: Vec<_> = elements.iter().map(Self::print).collect();
                format!("[{}]", elements.join(","))
            }
            Self::Object(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!("{}: {}", Self::text(name).print(), value.print()))
                    .collect();
                // Some providers lay their objects out.
                format!("{{\n  {}\r\n}}", members.join(" ,\n  "))
            }
        }
    }
}

/// Counts the members of an object, those of one name each.
fn count_names(object: &str) -> usize {
    struct Counter;
    impl<'de> serde::de::Visitor<'de> for Counter {
        type Value = usize;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
            let mut count = 0;
            while map.next_entry::<String, serde::de::IgnoredAny>()?.is_some() {
                count += 1;
            }
            Ok(count)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(object);
    serde::Deserializer::deserialize_map(&mut reader, Counter).unwrap()
}
