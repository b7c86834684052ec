//! Types that are described have a name of their own each: of two with one name, a description shows one.

use std::collections::BTreeMap;

use super::sources::{self, Source};

/// Returns the names of the types of `source` that derive a schema, or write one by hand.
fn described(source: &Source) -> Vec<String> {
    let (mut names, mut derived, mut given) = (Vec::new(), false, None);
    for line in source.lines.iter().map(|line| line.trim()) {
        if line.starts_with("#[derive(") && line.contains("ToSchema") {
            (derived, given) = (true, None);
        } else if let Some(name) = after(line, "#[schema(as = ") {
            given = Some(name);
        } else if let Some(name) = after(line, "struct ").or_else(|| after(line, "enum ")) {
            names.extend(derived.then(|| given.take().unwrap_or(name)));
            derived = false;
        } else if let Some(name) = after(line, "ToSchema for ") {
            names.push(name);
        }
    }
    names
}

fn after(line: &str, word: &str) -> Option<String> {
    let (_, rest) = line.split_once(word)?;
    let name: String = rest.chars().take_while(|sign| sign.is_alphanumeric()).collect();
    (!name.is_empty()).then_some(name)
}

fn twice<'s>(sources: impl Iterator<Item = &'s Source>) -> Vec<String> {
    let mut places = BTreeMap::<String, Vec<&str>>::new();
    for source in sources {
        for name in described(source) {
            places.entry(name).or_default().push(&source.path);
        }
    }
    assert!(!places.is_empty(), "no described type was found");
    let twice = places.into_iter().filter(|(_, places)| places.len() > 1);
    twice.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect()
}

#[test]
fn each_described_type_has_a_name_of_its_own() {
    assert_eq!(twice(sources::all().iter()), Vec::<String>::new());
}

#[test]
fn the_rule_of_names_bites() {
    let one = Source::new("src/a.rs", "#[derive(Serialize, ToSchema)]\npub struct Level {");
    let other =
        "#[derive(Debug, ToSchema)]\n#[serde(untagged)]\n#[schema(as = Level)]\nenum Other {";
    let other = Source::new("src/b.rs", other);
    assert_eq!(twice([&one, &other].into_iter()), ["Level: src/a.rs, src/b.rs"]);
    let by_hand = Source::new("src/c.rs", "struct Level;\nimpl utoipa::ToSchema for Level {}");
    assert_eq!(twice([&one, &by_hand].into_iter()), ["Level: src/a.rs, src/c.rs"]);
    let generic = Source::new("src/d.rs", "impl<T: ToSchema> ToSchema for Level<T> {");
    assert_eq!(twice([&by_hand, &generic].into_iter()), ["Level: src/c.rs, src/d.rs"]);
}
