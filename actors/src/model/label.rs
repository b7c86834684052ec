//! What a purge can name an answer by.

use super::CacheKey;

/// A digest of one name of an answer: its route, model, scope, namespace, a tag, its key.
///
/// 64 bits: two names that share a label are purged together, which costs a call and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(u64);

/// What kind of name a label stands for. Its word is digested, so that a tag called `chat` is not
/// the route `chat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LabelKind {
    /// Every answer there is.
    All,
    /// One answer, by its key.
    Key,
    /// A caller's tag.
    Tag,
    /// The model that was asked.
    Model,
    /// A caller's namespace, in any scope.
    Namespace,
    /// Who shares the answer.
    Scope,
    /// The route of the settings.
    Route,
    /// What was asked for by GET: upstream, path and query.
    Target,
}

impl LabelKind {
    /// Returns the word in requests to the operations API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Key => "key",
            Self::Tag => "tag",
            Self::Model => "model",
            Self::Namespace => "namespace",
            Self::Scope => "scope",
            Self::Route => "route",
            Self::Target => "target",
        }
    }
}

impl Label {
    /// The label that every answer has.
    pub const ALL: Self = Self(0);

    /// Digests a name.
    pub fn new(kind: LabelKind, name: &[u8]) -> Self {
        if kind == LabelKind::All {
            return Self::ALL;
        }
        let mut digest = blake3::Hasher::new();
        digest.update(kind.as_str().as_bytes()).update(&[0]).update(name);
        let mut half = [0; 8];
        for (to, from) in half.iter_mut().zip(digest.finalize().as_bytes()) {
            *to = *from;
        }
        Self::from_u64(u64::from_le_bytes(half))
    }

    /// Returns the label of one answer.
    pub fn of_key(key: &CacheKey) -> Self {
        Self::new(LabelKind::Key, key.as_bytes())
    }

    /// Wraps a stored label.
    pub const fn from_u64(digest: u64) -> Self {
        Self(digest)
    }

    /// Returns the digest.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// The names an answer can be purged by, and since when it exists in terms of purges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// The purge generation that was known when the call for it began.
    pub generation: u64,
    /// Its names, beside [`Label::ALL`] and that of its key, which every answer has.
    pub names: Box<[Label]>,
}

impl Labels {
    /// Most tags of one answer; callers' further ones are refused.
    pub const MAX_TAGS: usize = 16;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_different_kinds_are_different_labels() {
        let kinds = [LabelKind::Tag, LabelKind::Model, LabelKind::Namespace, LabelKind::Route];
        let mut labels: Vec<Label> = kinds.iter().map(|kind| Label::new(*kind, b"chat")).collect();
        labels.push(Label::new(LabelKind::Tag, b"chat "));
        labels.push(Label::ALL);
        labels.sort_unstable();
        assert!(labels.is_sorted_by(|one, other| one < other));
        assert_eq!(Label::new(LabelKind::All, b"anything"), Label::ALL);
    }
}
