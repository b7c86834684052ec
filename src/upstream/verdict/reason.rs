//! Why an answer is not kept: one table for headers, metrics and documents.

/// Why an answer is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its status says that it is no complete success.
    Status,
    /// It is encoded, so that nobody can look inside.
    Encoding,
    /// A stream came where none was asked for.
    Form,
    /// It is not JSON, or not the kind of JSON value the API answers with.
    NotJson,
    /// It says nothing: no content, no calls, no data.
    Empty,
    /// It is an error with a status of success.
    ErrorInSuccess,
    /// It holds no choices.
    NoChoices,
    /// It ended before it was done: a limit, or no reason given.
    Truncated,
    /// A filter or a refusal ended it.
    Filtered,
    /// It is not done yet: in progress, queued or paused.
    Unfinished,
    /// A tool call's arguments are not the JSON they must be.
    ToolArguments,
    /// A stream ended without the event that ends it in its API.
    NoTerminalEvent,
    /// A stream holds an error.
    ErrorEvent,
    /// A rule of the route refuses it.
    Rejected,
    /// It is larger than the route keeps.
    TooLarge,
}

impl Reason {
    /// All reasons, for tables.
    pub const ALL: [Self; 15] = [
        Self::Status,
        Self::Encoding,
        Self::Form,
        Self::NotJson,
        Self::Empty,
        Self::ErrorInSuccess,
        Self::NoChoices,
        Self::Truncated,
        Self::Filtered,
        Self::Unfinished,
        Self::ToolArguments,
        Self::NoTerminalEvent,
        Self::ErrorEvent,
        Self::Rejected,
        Self::TooLarge,
    ];

    /// Returns the token in `Cache-Status` and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Encoding => "encoding",
            Self::Form => "form",
            Self::NotJson => "not-json",
            Self::Empty => "empty",
            Self::ErrorInSuccess => "error-in-200",
            Self::NoChoices => "no-choices",
            Self::Truncated => "truncated",
            Self::Filtered => "filtered",
            Self::Unfinished => "unfinished",
            Self::ToolArguments => "tool-arguments",
            Self::NoTerminalEvent => "no-terminal-event",
            Self::ErrorEvent => "error-event",
            Self::Rejected => "rejected",
            Self::TooLarge => "too-large",
        }
    }
}
