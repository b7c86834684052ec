//! Why an answer could not be used item by item.

/// What is wrong with an answer, or with a set of them. Holds nothing of their content.
///
/// The caller's way out is always the same: ask the whole list as it came, and pass the answer on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmbeddingsError {
    /// The body is no JSON object with one `data` array.
    #[error("failed to read an embeddings answer: it is no object with one `data` array")]
    NotAnAnswer,
    /// There are more or fewer embeddings than were asked for.
    #[error("failed to read an embeddings answer: it has not the {expected} embeddings asked for")]
    Count {
        /// How many were asked for.
        expected: usize,
    },
    /// An element of `data` is no object with one `embedding`.
    #[error("failed to read an embeddings answer: an element of `data` has no embedding")]
    NoEmbedding,
    /// An `index` is missing, out of range, there twice, or no whole number.
    #[error("failed to read an embeddings answer: its `index` values are not those asked for")]
    Index,
    /// The known and the fetched items name different models; their vectors must not be mixed.
    #[error("failed to merge embeddings: they are of different models")]
    Models,
    /// An item is neither known nor fetched.
    #[error("failed to merge embeddings: an item is neither known nor fetched")]
    Incomplete,
    /// The merged answer would be larger than this module makes one.
    #[error("failed to merge embeddings: the answer would be too large")]
    TooLarge,
}

impl EmbeddingsError {
    /// Returns the metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotAnAnswer => "not_an_answer",
            Self::Count { .. } => "count",
            Self::NoEmbedding => "no_embedding",
            Self::Index => "index",
            Self::Models => "models",
            Self::Incomplete => "incomplete",
            Self::TooLarge => "too_large",
        }
    }
}
