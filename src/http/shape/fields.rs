//! `X-Fields`: which part of an answer a caller wants.

use super::events::change_data;
use super::json::{Compact, Kind, Token, Walker, meaning};

/// Most paths of a mask: one bit of [`Alive`] each.
const MAX_PATHS: usize = 64;

/// Most parts of a path.
const MAX_PARTS: usize = 16;

/// Longest text of a mask, in bytes.
const MAX_TEXT_BYTES: usize = 1_024;

/// Why a text is not a mask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// No path in it.
    #[error("no field is named")]
    Empty,
    /// Longer than 1 KiB.
    #[error("the fields' text has {length} bytes; at most {MAX_TEXT_BYTES} are read")]
    TooLong {
        /// Its length, in bytes.
        length: usize,
    },
    /// More than 64 paths.
    #[error("more than {MAX_PATHS} fields, from {path:?} on")]
    TooMany {
        /// The first path too many.
        path: String,
    },
    /// A path of more than 16 parts.
    #[error("the field {path:?} has more than {MAX_PARTS} parts")]
    TooDeep {
        /// The path.
        path: String,
    },
    /// Nothing before, after or between two dots.
    #[error("the field {path:?} has an empty part")]
    EmptyPart {
        /// The path.
        path: String,
    },
}

impl FieldError {
    /// Returns the metric label, which is the error's `code` too.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Empty => "fields_empty",
            Self::TooLong { .. } => "fields_too_long",
            Self::TooMany { .. } => "fields_too_many",
            Self::TooDeep { .. } => "field_too_deep",
            Self::EmptyPart { .. } => "field_empty_part",
        }
    }
}

/// The parts of answers that are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldMask {
    paths: Vec<Vec<Part>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Any,
    Named(Box<[u8]>),
}

impl Part {
    fn of(text: &str) -> Self {
        if text == "*" { Self::Any } else { Self::Named(text.as_bytes().into()) }
    }

    fn covers(&self, name: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Named(wanted) => **wanted == *name,
        }
    }
}

/// Paths that agree with all members so far, a bit each, and by how many members.
#[derive(Debug, Clone, Copy)]
struct Alive {
    paths: u64,
    depth: usize,
}

/// What is wanted of a value.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    All,
    Some(Alive),
    Nothing,
}

impl FieldMask {
    /// Reads paths separated by commas; their parts are member names separated by dots.
    ///
    /// `*` is any member. Arrays are no part: a path goes on in each of their elements. White
    /// space around a path and empty places between commas do not count. A path's names cannot
    /// hold commas and dots.
    ///
    /// Errors: no path, more than 64, more than 16 parts in one, an empty part, more than 1 KiB.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(FieldError::TooLong { length: text.len() });
        }
        let mut paths = Vec::new();
        for path in text.split(',').map(str::trim).filter(|path| !path.is_empty()) {
            let parts: Vec<Part> = path.split('.').map(Part::of).collect();
            if parts.contains(&Part::of("")) {
                return Err(FieldError::EmptyPart { path: path.to_owned() });
            }
            if parts.len() > MAX_PARTS {
                return Err(FieldError::TooDeep { path: path.to_owned() });
            }
            if paths.len() == MAX_PATHS {
                return Err(FieldError::TooMany { path: path.to_owned() });
            }
            paths.push(parts);
        }
        if paths.is_empty() { Err(FieldError::Empty) } else { Ok(Self { paths }) }
    }

    /// Returns what is wanted of the JSON object or array `body`, without white space.
    ///
    /// Numbers' text, order and escapes stay. An object or array on the way to a wanted member
    /// stays even if it holds none; a value of another kind there goes. `None` where all of `body`
    /// is wanted, and where it is not JSON or neither object nor array: it goes on as it is.
    /// Cost: one pass, at most 64 comparisons a member.
    pub fn apply(&self, body: &[u8]) -> Option<Vec<u8>> {
        let mut pass = Pass {
            mask: self,
            out: Compact::new(body.len()),
            open: Vec::new(),
            named: None,
            is_changed: false,
        };
        let mut walker = Walker::new(body);
        while let Some(token) = walker.step().ok()? {
            if pass.open.is_empty() && !matches!(token.kind, Kind::Open | Kind::Close) {
                return None;
            }
            pass.take(token);
        }
        pass.is_changed.then(|| pass.out.into_bytes())
    }

    /// Does the same for the data of each server-sent event of `body`, which is whole events.
    pub fn apply_events(&self, body: &[u8]) -> Option<Vec<u8>> {
        change_data(body, |data| self.apply(data))
    }

    /// Returns what is wanted of the member `name` of an object of which `alive` is wanted.
    fn wanted(&self, alive: Alive, name: &[u8]) -> Wanted {
        let name = meaning(name);
        let mut goes_on = 0;
        for (number, path) in self.paths.iter().enumerate() {
            let bit = 1 << number;
            let is_alive = alive.paths & bit != 0;
            if !is_alive || !path.get(alive.depth).is_some_and(|part| part.covers(&name)) {
                continue;
            }
            if path.len() == alive.depth + 1 {
                return Wanted::All;
            }
            goes_on |= bit;
        }
        if goes_on == 0 {
            return Wanted::Nothing;
        }
        Wanted::Some(Alive { paths: goes_on, depth: alive.depth + 1 })
    }
}

struct Pass<'a> {
    mask: &'a FieldMask,
    out: Compact,
    /// What is wanted of the open containers, the innermost last; at most 128.
    open: Vec<Wanted>,
    /// The member whose value comes next.
    named: Option<(&'a [u8], Wanted)>,
    is_changed: bool,
}

impl<'a> Pass<'a> {
    fn take(&mut self, token: Token<'a>) {
        match token.kind {
            Kind::Mark => {}
            Kind::Name => {
                let wanted = match self.innermost() {
                    Wanted::Some(alive) => self.mask.wanted(alive, token.text),
                    same => same,
                };
                self.named = Some((token.text, wanted));
            }
            Kind::Open => {
                let wanted = self.value(token.text, true);
                self.open.push(wanted);
            }
            Kind::Close => {
                if !matches!(self.open.pop(), None | Some(Wanted::Nothing)) {
                    self.out.close(token.text);
                }
            }
            Kind::Text | Kind::Plain | Kind::Null => {
                self.value(token.text, false);
            }
        }
    }

    /// Writes a value, or a container's bracket, where it is wanted; returns what is wanted of it.
    fn value(&mut self, text: &[u8], is_container: bool) -> Wanted {
        let (name, wanted) = match self.named.take() {
            Some((name, wanted)) => (Some(name), wanted),
            None => (None, self.innermost()),
        };
        match wanted {
            Wanted::Nothing => self.is_changed = true,
            Wanted::Some(_) if !is_container => self.is_changed = true,
            Wanted::Some(_) | Wanted::All => {
                if let Some(name) = name {
                    self.out.name(name);
                }
                self.out.value(text);
            }
        }
        wanted
    }

    fn innermost(&self) -> Wanted {
        let all_paths = u64::MAX;
        self.open.last().copied().unwrap_or(Wanted::Some(Alive { paths: all_paths, depth: 0 }))
    }
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
