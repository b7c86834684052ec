use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::canonicalise;

fn canonical(body: &str) -> String {
    let canonical = canonicalise(body.as_bytes(), &[]).unwrap_or_else(|error| {
        panic!("{body} was refused: {error}");
    });
    String::from_utf8(canonical.as_bytes().to_vec()).unwrap()
}

/// A JSON value that knows no rounding, for comparison.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Word(&'static str),
    /// Sign, digits without zeros at either end, power of ten.
    Number(bool, u64, i32),
    Text(Vec<u16>),
    Array(Vec<Tree>),
    Object(BTreeMap<Vec<u16>, Tree>),
}

/// Trees of many kinds.
fn tree() -> impl Strategy<Value = Tree> {
    let odd = vec![0x22, 0x5c, 0x2f, 0x7f, 0xe9, 0xfb33, 0xd83d, 0xde00, 0xd800, 0xffff];
    let unit = prop_oneof![
        4 => 0x20_u16..0x7f,
        1 => 0_u16..0x20,
        1 => prop::sample::select(odd),
        1 => any::<u16>(),
    ];
    tree_of(unit, prop_oneof![0_u64..20, any::<u64>()], -30..30)
}

/// Trees of so few kinds that two of them are often equal, or nearly.
fn small_tree() -> impl Strategy<Value = Tree> {
    tree_of(prop::sample::select(vec![0x61, 0x22, 0xd83d, 0xde00]), 0_u64..2, -1..2)
}

fn tree_of(
    unit: impl Strategy<Value = u16> + 'static,
    digits: impl Strategy<Value = u64> + 'static,
    power: std::ops::Range<i32>,
) -> impl Strategy<Value = Tree> {
    let text = prop::collection::vec(unit.boxed(), 0..5);
    let leaf = prop_oneof![
        prop::sample::select(vec!["true", "false", "null"]).prop_map(Tree::Word),
        (any::<bool>(), digits, power).prop_map(|(sign, mut digits, mut power)| {
            while digits != 0 && digits % 10 == 0 {
                (digits, power) = (digits / 10, power + 1);
            }
            Tree::Number(sign, digits, if digits == 0 { 0 } else { power })
        }),
        text.clone().prop_map(Tree::Text),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::Array),
            prop::collection::btree_map(text.clone(), inner, 0..6).prop_map(Tree::Object),
        ]
    })
}

/// Prints a tree in one of its many spellings, chosen by `choose`.
fn spell(tree: &Tree, choose: &mut dyn FnMut(usize) -> usize, out: &mut String) {
    let space = |choose: &mut dyn FnMut(usize) -> usize| ["", "", " ", "\n\t", "\r\n  "][choose(5)];
    *out += space(choose);
    match tree {
        Tree::Word(word) => *out += word,
        Tree::Number(sign, digits, power) => {
            let sign = if *sign { "-" } else { "" };
            let zeros = if *digits == 0 { 0 } else { choose(4) };
            let shifted = format!("{digits}{}", "0".repeat(zeros));
            let power = power - zeros as i32;
            *out += &match choose(4) {
                0 if (0..20).contains(&power) => {
                    format!("{sign}{shifted}{}", "0".repeat(power as usize))
                }
                1 => format!(
                    "{sign}0.{}{shifted}E{:+04}",
                    "0".repeat(zeros),
                    power + (zeros + shifted.len()) as i32
                ),
                2 => format!("{sign}{shifted}.000e{power}"),
                _ => format!("{sign}{shifted}e{power}"),
            };
        }
        Tree::Text(units) => spell_text(units, choose, out),
        Tree::Array(elements) => {
            out.push('[');
            for (position, element) in elements.iter().enumerate() {
                *out += if position == 0 { "" } else { "," };
                spell(element, choose, out);
            }
            out.push(']');
        }
        Tree::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            for position in (1..members.len()).rev() {
                members.swap(position, choose(position + 1));
            }
            out.push('{');
            for (position, (name, value)) in members.into_iter().enumerate() {
                *out += if position == 0 { "" } else { "," };
                *out += space(choose);
                spell_text(name, choose, out);
                *out += space(choose);
                out.push(':');
                spell(value, choose, out);
            }
            out.push('}');
        }
    }
    *out += space(choose);
}

fn spell_text(units: &[u16], choose: &mut dyn FnMut(usize) -> usize, out: &mut String) {
    out.push('"');
    for decoded in char::decode_utf16(units.iter().copied()) {
        let needs_escape = !matches!(&decoded, Ok(c) if *c >= ' ' && *c != '"' && *c != '\\');
        if !needs_escape && choose(3) > 0 {
            out.push(decoded.unwrap());
            continue;
        }
        match decoded {
            Ok('/') => *out += "\\/",
            Ok('\n') if choose(2) == 0 => *out += "\\n",
            Ok('"') if choose(2) == 0 => *out += "\\\"",
            Ok('\\') if choose(2) == 0 => *out += "\\\\",
            Ok(character) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    *out += &if choose(2) == 0 {
                        format!("\\u{unit:04x}")
                    } else {
                        format!("\\u{unit:04X}")
                    };
                }
            }
            Err(lone) => *out += &format!("\\u{:04X}", lone.unpaired_surrogate()),
        }
    }
    out.push('"');
}

fn spelled(tree: &Tree, mut seed: u64) -> String {
    let mut out = String::new();
    let mut choose = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    };
    spell(tree, &mut choose, &mut out);
    out
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1_000_000_i64..1_000_000).prop_map(|scaled| Value::from(scaled as f64 + 0.5)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..5).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn all_spellings_of_a_value_are_canonically_one(tree in tree(), one in any::<u64>(), other in any::<u64>()) {
        let first = canonical(&spelled(&tree, one));
        prop_assert_eq!(&first, &canonical(&spelled(&tree, other)));
        prop_assert_eq!(&first, &canonical(&first));
    }

    #[test]
    fn different_values_never_share_a_spelling(one in small_tree(), other in small_tree(), seed in any::<u64>()) {
        let is_same_spelling = canonical(&spelled(&one, seed)) == canonical(&spelled(&other, seed));
        prop_assert_eq!(is_same_spelling, one == other);
    }

    #[test]
    fn the_canonical_form_is_still_the_same_value_to_another_parser(value in json_value()) {
        for body in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
            let read_back: Value = serde_json::from_str(&canonical(&body)).unwrap();
            prop_assert_eq!(&read_back, &value);
        }
    }

    #[test]
    fn what_another_parser_refuses_is_refused(body in r#"[\[\]{}",:0-9eE.+\-truefalsn \\/]{0,24}"#) {
        let is_read = canonicalise(body.as_bytes(), &[]).is_ok();
        let is_read_elsewhere = serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
        prop_assert!(!is_read || is_read_elsewhere, "{}", body);
    }

    #[test]
    fn any_bytes_are_read_without_harm(body in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Err(error) = canonicalise(&body, &[]) {
            prop_assert!(error.offset <= body.len());
        }
    }
}
