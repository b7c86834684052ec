//! JSON of every kind for property tests, and a reader that keeps what filters must keep.

use proptest::prelude::*;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A value that knows numbers by their text and members by their order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    /// A number, `true`, `false` or `null`.
    Plain(String),
    /// A string as it is spelled, with its quotes.
    Text(String),
    Array(Vec<Tree>),
    /// Names are spelled too.
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads a whole body by way of serde_json.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let raw: &RawValue = serde_json::from_slice(body).ok()?;
        Some(match raw.get().as_bytes().first()? {
            b'{' => {
                let members: Members = serde_json::from_str(raw.get()).ok()?;
                let read = |(name, value): (String, Box<RawValue>)| {
                    Some((serde_json::to_string(&name).ok()?, Self::read(value.get().as_bytes())?))
                };
                Self::Object(members.0.into_iter().map(read).collect::<Option<_>>()?)
            }
            b'[' => {
                let elements: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
                let read = |element: &RawValue| Self::read(element.get().as_bytes());
                Self::Array(elements.into_iter().map(read).collect::<Option<_>>()?)
            }
            b'"' => Self::Text(raw.get().to_owned()),
            _ => Self::Plain(raw.get().to_owned()),
        })
    }

    /// Spells the value, with what `space` returns between any two tokens.
    pub(crate) fn spell(&self, space: &mut dyn FnMut() -> &'static str) -> String {
        let mut out = space().to_owned();
        match self {
            Self::Plain(text) | Self::Text(text) => out += text,
            Self::Array(elements) => {
                let elements: Vec<_> =
                    elements.iter().map(|element| element.spell(space)).collect();
                out += &format!("[{}{}]", elements.join(","), space());
            }
            Self::Object(members) => {
                let mut member = |(name, value): &(String, Self)| {
                    format!("{}{name}{}:{}", space(), space(), value.spell(space))
                };
                let members: Vec<_> = members.iter().map(&mut member).collect();
                out += &format!("{{{}{}}}", members.join(","), space());
            }
        }
        out + space()
    }

    /// Spells the value without white space.
    pub(crate) fn compact(&self) -> String {
        self.spell(&mut || "")
    }
}

struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Trees whose members are often named alike.
pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    let plain = prop_oneof![
        3 => Just("null".to_owned()),
        1 => prop::sample::select(vec!["true", "false"]).prop_map(str::to_owned),
        3 => "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?",
    ];
    let text = "([ -!#-\\[\\]-~é😀]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-f]{4}){0,6}";
    let leaf = prop_oneof![
        plain.prop_map(Tree::Plain),
        text.prop_map(|text| Tree::Text(format!("\"{text}\""))),
    ];
    let name = prop_oneof![4 => "[a-d]", 1 => "[a-d\\\\]?u0061", 1 => Just("token".to_owned())];
    let name = name.prop_map(|name| serde_json::to_string(&name).unwrap_or_default());
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Tree::Array),
            prop::collection::vec((name.clone(), inner), 0..5).prop_map(Tree::Object),
        ]
    })
}

/// A tree, and one of its spellings with much white space.
pub(crate) fn spaced() -> impl Strategy<Value = (Tree, String)> {
    (tree(), prop::collection::vec(0_usize..5, 1..20)).prop_map(|(tree, choices)| {
        let mut choices = choices.into_iter().cycle();
        let spaces = ["", " ", "\n\t", "\r\n  ", ""];
        let spelled = tree.spell(&mut || choices.next().and_then(|i| spaces.get(i)).unwrap_or(&""));
        (tree, spelled)
    })
}
