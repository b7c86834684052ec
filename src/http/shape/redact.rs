//! What must not leave: members by name, and secrets by their shape.

mod patterns;

use std::ops::Range;

use patterns::Patterns;

use super::events::change_data;
use super::json::{Kind, NotJson, Walker, meaning, spell};

/// What stands in the place of what was removed.
const REMOVED: &[u8] = b"[redacted]";

/// The same as a JSON string.
const REMOVED_TEXT: &[u8] = b"\"[redacted]\"";

/// Most names, and most patterns.
const MAX_RULES: usize = 64;

/// Longest name, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// Longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 1_024;

/// Names of members that hold secrets.
pub const DEFAULT_NAMES: [&str; 6] =
    ["api_key", "apikey", "password", "secret", "token", "authorization"];

/// A pattern for keys that look like `$shape`, where a word begins or after an escape of a string
/// that is searched as it is spelled.
macro_rules! key {
    ($shape:literal) => {
        concat!(r"(?:^|(?-u:[^A-Za-z0-9_])|\\[bfnrt]|\\u[0-9A-Fa-f]{4})(?<secret>", $shape, ")")
    };
}

/// Shapes of secrets: the keys of the known providers, and what follows `Bearer`.
///
/// `*` is in them because providers mask the middle of a key that they show. After `sk-` and
/// `Bearer` there is a digit, or much: «bearer authentication» is no secret, and «sk-learn» no key.
pub const DEFAULT_PATTERNS: [&str; 6] = [
    key!("sk-(?:[A-Za-z_-]*[0-9*][A-Za-z0-9_*-]*|[A-Za-z_-]{20,})"),
    key!("AIza[A-Za-z0-9_*-]{16,}"),
    key!("xai-[A-Za-z0-9*]{16,}"),
    key!("gsk_[A-Za-z0-9*]{16,}"),
    key!("hf_[A-Za-z0-9*]{16,}"),
    r"(?i:bearer)\s+(?<secret>[A-Za-z._~+/*-]*[0-9][A-Za-z0-9._~+/*-]*=*|[A-Za-z._~+/*-]{20,}=*)",
];

/// Why rules cannot be used. The texts show the deployer's own patterns, nothing of any body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// More than 64 names or patterns.
    #[error("more than {MAX_RULES} {what}")]
    TooMany {
        /// `names` or `patterns`.
        what: &'static str,
    },
    /// A name or pattern that is empty or longer than may be.
    #[error("{what} number {number} is empty or longer than {most} bytes")]
    Length {
        /// `name` or `pattern`.
        what: &'static str,
        /// Its place in the list, from 1.
        number: usize,
        /// The bound, in bytes.
        most: usize,
    },
    /// A pattern that is no regular expression, or one too large.
    #[error("pattern number {number} cannot be used: {reason}")]
    Pattern {
        /// Its place in the list, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl RedactError {
    /// Returns the metric label.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::TooMany { .. } => "too_many_rules",
            Self::Length { .. } => "rule_length",
            Self::Pattern { .. } => "bad_pattern",
        }
    }
}

/// Removes what its rules name. `Debug` shows counts.
pub struct Redactor {
    /// In lower case.
    names: Vec<Vec<u8>>,
    patterns: Patterns,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor")
            .field("num_names", &self.names.len())
            .field("num_patterns", &self.patterns.len())
            .finish()
    }
}

impl Redactor {
    /// Makes a redactor of exactly these rules; [`DEFAULT_NAMES`] and [`DEFAULT_PATTERNS`] are the
    /// settings' defaults.
    ///
    /// Names are compared whole, without regard to ASCII case. Patterns are in the syntax of the
    /// crate regex; where one has a group named `secret`, only that part is replaced.
    ///
    /// Errors: more than 64 of either, one that is empty or longer than 128 bytes (a name) or 1 KiB
    /// (a pattern), a pattern that is no regular expression or a very large one.
    pub fn new(names: &[String], patterns: &[String]) -> Result<Self, RedactError> {
        check("name", "names", MAX_NAME_BYTES, names)?;
        check("pattern", "patterns", MAX_PATTERN_BYTES, patterns)?;
        Ok(Self {
            names: names.iter().map(|name| name.to_ascii_lowercase().into_bytes()).collect(),
            patterns: Patterns::new(names, patterns)?,
        })
    }

    /// Returns `body` with `[redacted]` where a rule applies; `None` where none does.
    ///
    /// In JSON: the whole value of a named member, unless it is `null`, and what a pattern finds in
    /// a string's meaning or a name's. In strings and in all text that is not JSON: the quoted
    /// value of a named member as it is written in JSON and its like, cut off or quoted once more
    /// though it may be. All else stays byte by byte.
    /// Cost: linear in the body for the default patterns, one search a pattern and string.
    pub fn apply(&self, body: &[u8]) -> Option<Vec<u8>> {
        self.in_json(body).unwrap_or_else(|NotJson| self.patterns.replace(body, REMOVED))
    }

    /// Does the same for the data of each server-sent event of `body`, which is whole events.
    /// Other lines stay.
    pub fn apply_events(&self, body: &[u8]) -> Option<Vec<u8>> {
        change_data(body, |data| self.apply(data))
    }

    fn in_json(&self, body: &[u8]) -> Result<Option<Vec<u8>>, NotJson> {
        let mut walker = Walker::new(body);
        let mut edits = Edits { body, copied: 0, out: None };
        let mut is_secret = false;
        while let Some(token) = walker.step()? {
            let range = token.start..token.end();
            match token.kind {
                Kind::Mark | Kind::Close => {}
                Kind::Null => is_secret = false,
                Kind::Name => {
                    is_secret = self.names(token.text);
                    self.in_string(token.text, range, &mut edits);
                }
                Kind::Open if is_secret => {
                    is_secret = false;
                    let close = walker.skip_to_close()?;
                    edits.replace(range.start..close.end(), REMOVED_TEXT);
                }
                Kind::Text | Kind::Plain if is_secret => {
                    is_secret = false;
                    if token.text != REMOVED_TEXT {
                        edits.replace(range, REMOVED_TEXT);
                    }
                }
                Kind::Text => self.in_string(token.text, range, &mut edits),
                Kind::Open | Kind::Plain => {}
            }
        }
        Ok(edits.into_changed())
    }

    /// Tells whether the rules name the member of this spelled name.
    fn names(&self, name: &[u8]) -> bool {
        let name = meaning(name);
        self.names.iter().any(|secret| secret.eq_ignore_ascii_case(&name))
    }

    fn in_string(&self, text: &[u8], range: Range<usize>, edits: &mut Edits<'_>) {
        if let Some(meant) = self.patterns.replace(&meaning(text), REMOVED) {
            let mut spelled = Vec::with_capacity(meant.len() + 2);
            spell(&meant, &mut spelled);
            edits.replace(range, &spelled);
        }
    }
}

fn check(
    what: &'static str,
    plural: &'static str,
    most: usize,
    rules: &[String],
) -> Result<(), RedactError> {
    if rules.len() > MAX_RULES {
        return Err(RedactError::TooMany { what: plural });
    }
    match rules.iter().position(|rule| rule.is_empty() || rule.len() > most) {
        Some(place) => Err(RedactError::Length { what, number: place + 1, most }),
        None => Ok(()),
    }
}

/// Pieces of a body replaced from its start to its end.
struct Edits<'a> {
    body: &'a [u8],
    /// How much of the body is in `out`, or was replaced there.
    copied: usize,
    out: Option<Vec<u8>>,
}

impl Edits<'_> {
    fn replace(&mut self, range: Range<usize>, with: &[u8]) {
        let out = self.out.get_or_insert_with(|| Vec::with_capacity(self.body.len()));
        out.extend_from_slice(self.body.get(self.copied..range.start).unwrap_or_default());
        out.extend_from_slice(with);
        self.copied = range.end;
    }

    fn into_changed(self) -> Option<Vec<u8>> {
        let mut out = self.out?;
        out.extend_from_slice(self.body.get(self.copied..).unwrap_or_default());
        Some(out)
    }
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
