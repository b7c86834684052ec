//! Why an answer is not converted.

/// Why an answer is not converted. None of them says anything of what the answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The API's forms do not convert.
    #[error("failed to convert an answer: its api has no second form")]
    OneForm,
    /// It, or an event of it, is not a JSON object in UTF-8.
    #[error("failed to convert an answer: it is not a json object")]
    NotJson,
    /// It is JSON, and no answer of this API.
    #[error("failed to convert an answer: it is not one of its api")]
    NotOfApi,
    /// It is, or holds, an error.
    #[error("failed to convert an answer: it holds an error")]
    HoldsError,
    /// It ended before it was done.
    #[error("failed to convert an answer: it is not complete")]
    Incomplete,
    /// Its other form would be many times as large.
    #[error("failed to convert an answer: it would grow out of bounds")]
    TooLarge,
}

impl FormError {
    /// Returns the token in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::OneForm => "one-form",
            Self::NotJson => "not-json",
            Self::NotOfApi => "not-of-api",
            Self::HoldsError => "holds-error",
            Self::Incomplete => "incomplete",
            Self::TooLarge => "too-large",
        }
    }
}
