//! Where each value came from.

use std::collections::BTreeMap;
use std::fmt;

/// Where a value came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    #[default]
    Default,
    /// The settings file.
    File {
        /// The file, as it was named.
        path: String,
        /// The environment variables its `${NAME}` named.
        variables: Vec<String>,
    },
    /// An environment variable, by name.
    Environment(String),
    /// A socket that a service manager has opened.
    Socket,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment(name) => write!(f, "from {name}"),
            Self::Socket => f.write_str("from the inherited socket"),
            Self::File { path, variables } => {
                write!(f, "from {path}")?;
                for name in variables {
                    write!(f, ", ${{{name}}}")?;
                }
                Ok(())
            }
        }
    }
}

/// The source of every value that is not a default, by key path (`l2.url`, `routes[0].path`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    by_key: BTreeMap<String, Source>,
}

impl Sources {
    /// Returns the source of `key`: its own, or that of the list or map it lies in.
    pub fn of(&self, key: &str) -> Source {
        let mut key = key;
        loop {
            if let Some(source) = self.by_key.get(key) {
                return source.clone();
            }
            match key.rsplit_once(['.', '[']) {
                Some((outer, _)) => key = outer,
                None => return Source::Default,
            }
        }
    }

    /// Remembers the source of `key` and forgets what was known below it.
    pub(super) fn set(&mut self, key: &str, source: Source) {
        self.by_key.retain(|known, _| !is_below(known, key));
        self.by_key.insert(key.to_owned(), source);
    }
}

fn is_below(key: &str, outer: &str) -> bool {
    key.strip_prefix(outer).is_some_and(|rest| rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_within_a_list_has_the_source_of_the_list() {
        let mut sources = Sources::default();
        sources.set("routes", Source::Environment("A".into()));
        sources.set("l2.url", Source::Environment("B".into()));
        assert_eq!(sources.of("routes[3].path"), Source::Environment("A".into()));
        assert_eq!(sources.of("l2.url"), Source::Environment("B".into()));
        assert_eq!(sources.of("l2.timeout"), Source::Default);
    }

    #[test]
    fn a_new_list_forgets_the_sources_within_the_old_one() {
        let mut sources = Sources::default();
        sources.set("routes[0].path", Source::Environment("A".into()));
        sources.set("routes_of_mine", Source::Environment("B".into()));
        sources.set("routes", Source::Environment("C".into()));
        assert_eq!(sources.of("routes[0].path"), Source::Environment("C".into()));
        assert_eq!(sources.of("routes_of_mine"), Source::Environment("B".into()));
    }
}
