//! Why the settings cannot be used. Never holds a secret.

use std::fmt;
use std::path::PathBuf;

use anteroom_actors::error::Fault;

use super::sources::Source;

/// Why the settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The file is not there, or may not be read.
    #[error("failed to read settings from {}: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The file is larger than settings can be.
    #[error("failed to read settings from {}: larger than {limit_bytes} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound, in bytes.
        limit_bytes: usize,
    },
    /// The file is not YAML, or more than a settings file may be.
    #[error("failed to read settings from {}, line {line}: {reason}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1; 0 where it is not known.
        line: u64,
        /// The parser's words, without the line's text.
        reason: String,
    },
    /// Values that are missing, unknown, of the wrong type, out of range or at odds.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
}

impl SettingsError {
    /// Returns the metric label.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::TooLarge { .. } => "too_large",
            Self::Syntax { .. } => "syntax",
            Self::Invalid(_) => "invalid",
        }
    }

    /// Returns who is at fault: always us, in the person of the deployer.
    pub const fn fault(&self) -> Fault {
        Fault::Ours
    }

    /// Tells whether another try can help: not before somebody changes something.
    pub const fn is_retryable(&self) -> bool {
        false
    }
}

/// One value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key's path, such as `l1.max_entries`, or the environment variable where no key fits.
    pub key: String,
    /// The value as it may be shown, where it may.
    pub value: Option<String>,
    /// Where the value came from.
    pub source: Source,
    /// What is wrong.
    pub reason: String,
    /// What would be right: a range or a form.
    pub allowed: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        if self.source != Source::Default {
            write!(f, " ({})", self.source)?;
        }
        write!(f, ": {}", self.reason)?;
        match &self.allowed {
            Some(allowed) => write!(f, "; allowed: {allowed}"),
            None => Ok(()),
        }
    }
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    match lines.as_slice() {
        [line] => format!("invalid setting: {line}"),
        _ => format!("{} invalid settings:\n  {}", lines.len(), lines.join("\n  ")),
    }
}
