//! What can go wrong with a database, sorted by what has to follow.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};

use crate::error::LevelError;

/// Longest text of a library that is passed on, in characters.
const MAX_REASON_CHARS: usize = 200;

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// A lock or the server held the statement up for this long: another try may help.
    Busy(Duration),
    /// There is no working connection: it has to be opened anew.
    Lost(String),
    /// The database works and said no.
    Refused(String),
    /// The file is no sound SQLite database.
    FileDamaged(String),
    /// The row is there, and its record is not what was written.
    RecordDamaged(LevelError),
}

impl Failure {
    /// Sorts an error of a statement that was allowed to take `at_most`.
    pub(super) fn of_statement(error: &Error, at_most: Duration) -> Self {
        match error {
            Error::DatabaseError(
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
                info,
            ) => Self::Lost(reason(info.message())),
            Error::DatabaseError(_, info) => Self::of_text(info.message(), at_most),
            Error::RollbackErrorOnCommit { commit_error, .. } => {
                Self::of_statement(commit_error, at_most)
            }
            Error::BrokenTransactionManager => Self::Lost("a transaction was cut".to_owned()),
            other => Self::Refused(reason(&other.to_string())),
        }
    }

    /// Sorts by words: diesel passes SQLite's result codes and most of PostgreSQL's on as text
    /// only. The texts are fixed ones of SQLite's `sqlite3_errstr` and PostgreSQL's `postgres.c`.
    pub(super) fn of_text(text: &str, at_most: Duration) -> Self {
        let says = |part: &str| text.contains(part);
        if says("disk image is malformed") || says("file is not a database") {
            Self::FileDamaged(reason(text))
        } else if says("is locked") || says("canceling statement due to") {
            Self::Busy(at_most)
        } else if says("unable to open database file")
            || says("disk I/O error")
            || says("terminating connection")
            || says("server closed the connection")
        {
            Self::Lost(reason(text))
        } else {
            Self::Refused(reason(text))
        }
    }

    /// Returns what the level reports about `what` it tried.
    pub(super) fn into_level_error(self, what: &'static str) -> LevelError {
        match self {
            Self::Busy(waited) => LevelError::TimedOut { what, waited },
            Self::Lost(reason) => LevelError::Unreachable { what, reason },
            Self::Refused(reason) => LevelError::Refused { what, reason },
            // The asker hears of it before the level is off: its words must say it, too.
            Self::FileDamaged(reason) => {
                let reason = format!("the database file is damaged: {reason}");
                LevelError::Refused { what, reason }
            }
            Self::RecordDamaged(error) => error,
        }
    }
}

/// Returns `text` on one line, cut to a bounded length.
pub(super) fn reason(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line.chars().take(MAX_REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_databases_are_sorted_by_what_has_to_follow() {
        let at_most = Duration::from_millis(5);
        let lost = |text: &str| Failure::Lost(text.to_owned());
        let refused = |text: &str| Failure::Refused(text.to_owned());
        for (text, expected) in [
            ("database is locked", Failure::Busy(at_most)),
            ("canceling statement due to statement timeout", Failure::Busy(at_most)),
            (
                "database disk image is malformed",
                Failure::FileDamaged("database disk image is malformed".to_owned()),
            ),
            ("file is not a database", Failure::FileDamaged("file is not a database".to_owned())),
            ("unable to open database file", lost("unable to open database file")),
            ("disk I/O error", lost("disk I/O error")),
            ("database or disk is full", refused("database or disk is full")),
            (
                "attempt to write a readonly database",
                refused("attempt to write a readonly database"),
            ),
        ] {
            assert_eq!(Failure::of_text(text, at_most), expected, "{text}");
        }
    }

    #[test]
    fn a_reason_is_one_short_line() {
        assert_eq!(reason(" two\n  lines \n"), "two lines");
        assert_eq!(reason(&"x".repeat(5_000)).chars().count(), MAX_REASON_CHARS);
    }
}
