//! Secrets found by their shape in any text.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

use super::{Edits, RedactError};

/// Most memory a compiled pattern may take, in bytes.
const MAX_PATTERN_MEMORY: usize = 2 << 20;

/// The group of a pattern that is replaced, where it has one of this name.
const GROUP: &str = "secret";

/// Compiled patterns.
pub(super) struct Patterns {
    patterns: Vec<Pattern>,
}

struct Pattern {
    regex: Regex,
    has_group: bool,
}

impl Patterns {
    /// Compiles `patterns`, and one more for quoted values of members named `names`.
    pub fn new(names: &[String], patterns: &[String]) -> Result<Self, RedactError> {
        let mut compiled = Vec::with_capacity(patterns.len() + 1);
        for (place, pattern) in patterns.iter().enumerate() {
            compiled.push(Pattern::new(pattern, place + 1)?);
        }
        if !names.is_empty() {
            compiled.push(Pattern::new(&named(names), patterns.len() + 1)?);
        }
        Ok(Self { patterns: compiled })
    }

    pub const fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Returns `text` with `with` where a pattern is found; `None` where that changes nothing.
    ///
    /// Patterns see the text as it came, not what another has left of it.
    pub fn replace(&self, text: &[u8], with: &[u8]) -> Option<Vec<u8>> {
        let found = self.patterns.iter().flat_map(|pattern| pattern.find(text));
        let mut found: Vec<_> = found
            .filter(|range| text.get(range.clone()).is_some_and(|part| part != with))
            .collect();
        found.sort_unstable_by_key(|range| (range.start, range.end));
        let mut edits = Edits { body: text, copied: 0, out: None };
        let mut found = found.into_iter().peekable();
        while let Some(mut range) = found.next() {
            while let Some(next) = found.next_if(|next| next.start < range.end) {
                range.end = range.end.max(next.end);
            }
            edits.replace(range, with);
        }
        edits.into_changed()
    }
}

impl Pattern {
    fn new(pattern: &str, number: usize) -> Result<Self, RedactError> {
        let regex = RegexBuilder::new(pattern).size_limit(MAX_PATTERN_MEMORY).build();
        let regex =
            regex.map_err(|error| RedactError::Pattern { number, reason: error.to_string() })?;
        let has_group = regex.capture_names().flatten().any(|name| name == GROUP);
        Ok(Self { regex, has_group })
    }

    /// Returns where it is found, without places where nothing is between start and end.
    fn find(&self, text: &[u8]) -> Vec<Range<usize>> {
        let found: Vec<Range<usize>> = if self.has_group {
            let groups = self.regex.captures_iter(text);
            groups.filter_map(|groups| Some(groups.name(GROUP)?.range())).collect()
        } else {
            self.regex.find_iter(text).map(|whole| whole.range()).collect()
        };
        found.into_iter().filter(|range| !range.is_empty()).collect()
    }
}

/// Returns the pattern of quoted values after one of `names` in quotes and a colon or `=`.
///
/// Any number of backslashes before a quote: JSON in a string of JSON. A value ends at a quote
/// or at the end of the text, and may be no UTF-8.
fn named(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| regex::escape(name)).collect();
    let names = names.join("|");
    format!(r#"(?i-u)["'](?:{names})\\*["']\s*[:=]\s*\\*["'](?<secret>(?:[^"'\\]|\\+[^"'\\])+)"#)
}
