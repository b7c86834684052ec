//! `${NAME}` in the values of the file, filled from the environment after parsing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::Problem;
use super::sources::{Source, Sources};
use super::tree::{KeyPath, Step};

/// Fills `${NAME}` in every text of `tree`; `$${` stands for `${` itself. What is filled in is not
/// looked at again, and never becomes structure: a text stays one text.
pub(super) fn fill(
    tree: &mut Value,
    path: &str,
    environment: &BTreeMap<String, String>,
    sources: &mut Sources,
) -> Vec<Problem> {
    let mut filler = Filler { path, environment, sources, problems: Vec::new() };
    filler.walk(tree, &KeyPath::default());
    filler.problems
}

struct Filler<'f> {
    path: &'f str,
    environment: &'f BTreeMap<String, String>,
    sources: &'f mut Sources,
    problems: Vec<Problem>,
}

impl Filler<'_> {
    fn walk(&mut self, value: &mut Value, at: &KeyPath) {
        match value {
            Value::String(text) if text.contains("${") => *value = self.filled(text, at),
            Value::Object(map) => {
                for (name, member) in map {
                    self.walk(member, &at.then(Step::Name(name.clone())));
                }
            }
            Value::Array(list) => {
                for (index, item) in list.iter_mut().enumerate() {
                    self.walk(item, &at.then(Step::Index(index)));
                }
            }
            _ => {}
        }
    }

    /// Returns the text filled; where that fails nothing, so that nothing else is said of it.
    fn filled(&mut self, text: &str, at: &KeyPath) -> Value {
        let key = at.to_string();
        let source = |variables| Source::File { path: self.path.to_owned(), variables };
        match expand(text, |name| self.environment.get(name).cloned()) {
            Ok((filled, variables)) => {
                if !variables.is_empty() {
                    self.sources.set(&key, source(variables));
                }
                Value::String(filled)
            }
            Err(reason) => {
                let source = source(Vec::new());
                self.problems.push(Problem { key, value: None, source, reason, allowed: None });
                Value::Null
            }
        }
    }
}

/// Returns `text` filled, and the names that were used.
///
/// Errors: which name is missing or is no name; never a value.
fn expand(
    text: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<(String, Vec<String>), String> {
    let mut filled = String::new();
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            filled.push_str(before);
            filled.push_str("${");
            rest = after;
            continue;
        }
        let name = after.split_once('}').filter(|(name, _)| is_name(name));
        let Some((name, after)) = name else {
            return Err("`${` is not followed by a variable's name and `}`; \
                        `$${` stands for `${` itself"
                .to_owned());
        };
        let value = lookup(name)
            .ok_or_else(|| format!("the environment variable {name} is not set, or no text"))?;
        filled.push_str(before);
        filled.push_str(&value);
        names.push(name.to_owned());
        rest = after;
    }
    filled.push_str(rest);
    Ok((filled, names))
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expand_with(text: &str) -> Result<String, String> {
        let lookup = |name: &str| match name {
            "KEY" => Some("sk-${OTHER}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        expand(text, lookup).map(|(filled, _)| filled)
    }

    #[test]
    fn a_name_is_replaced_by_its_value_once() {
        for (text, filled) in [
            ("Bearer ${KEY}", "Bearer sk-${OTHER}"),
            ("${EMPTY}", ""),
            ("${KEY}${EMPTY}x", "sk-${OTHER}x"),
            ("$${KEY}", "${KEY}"),
            ("$${${EMPTY}}", "${}"),
            ("$KEY {KEY} $", "$KEY {KEY} $"),
        ] {
            assert_eq!(expand_with(text).as_deref(), Ok(filled), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_is_named() {
        assert!(expand_with("a ${MISSING} b").unwrap_err().contains("MISSING"));
        for text in ["${", "${}", "${KEY", "${1A}", "${A B}", "${A-B}", "${KEY:-x}"] {
            assert!(expand_with(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_without_the_sign_stays_and_no_text_panics(text in "[${}KEYa]{0,20}") {
            let filled = expand_with(&text);
            if !text.contains("${") {
                prop_assert_eq!(filled, Ok(text));
            }
        }
    }
}
