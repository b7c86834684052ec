//! What became of the latest reloads.

use std::collections::VecDeque;

use crate::settings::{Change, SettingsError};

/// Most reloads remembered.
pub const MOST_REMEMBERED: usize = 50;

/// Why the settings were read anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// SIGHUP.
    Signal,
    /// The file changed.
    File,
    /// An operator asked.
    Operator,
}

impl Trigger {
    /// Returns its name.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::File => "file",
            Self::Operator => "operator",
        }
    }
}

/// What became of a reload.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// What could change without a restart changed.
    Applied {
        /// What changed; nothing where all of it was in force.
        changed: Vec<Change>,
        /// What waits for a restart.
        needs_restart: Vec<Change>,
    },
    /// The settings are right, and nothing of them can change before a restart.
    Apart {
        /// What waits.
        needs_restart: Vec<Change>,
        /// Why that which could have changed alone does not fit.
        problems: SettingsError,
    },
    /// The settings cannot be used; those in force stayed.
    Refused(SettingsError),
}

impl Outcome {
    /// Returns its name; the metric label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Applied { changed, .. } if changed.is_empty() => "unchanged",
            Self::Applied { .. } => "applied",
            Self::Apart { .. } => "needs_restart",
            Self::Refused(_) => "refused",
        }
    }

    /// Returns what changed.
    pub fn changed(&self) -> &[Change] {
        match self {
            Self::Applied { changed, .. } => changed,
            Self::Apart { .. } | Self::Refused(_) => &[],
        }
    }

    /// Returns what waits for a restart.
    pub fn needs_restart(&self) -> &[Change] {
        match self {
            Self::Applied { needs_restart, .. } | Self::Apart { needs_restart, .. } => {
                needs_restart
            }
            Self::Refused(_) => &[],
        }
    }

    /// Returns why not all of it was put in force, if it could not be.
    pub const fn error(&self) -> Option<&SettingsError> {
        match self {
            Self::Applied { .. } => None,
            Self::Apart { problems, .. } | Self::Refused(problems) => Some(problems),
        }
    }
}

/// One reload.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When, in wall milliseconds.
    pub at_ms: u64,
    /// Why.
    pub trigger: Trigger,
    /// The number of the settings in force after it.
    pub epoch: u64,
    /// What became of it.
    pub outcome: Outcome,
}

impl Record {
    /// Logs it: keys, never values that may not be shown.
    pub fn log(&self) {
        let trigger = self.trigger.label();
        let keys = |changes: &[Change]| -> String {
            changes.iter().map(|change| change.key.as_str()).collect::<Vec<_>>().join(", ")
        };
        let changed = keys(self.outcome.changed());
        match &self.outcome {
            Outcome::Refused(error) => {
                tracing::error!(trigger, %error, "the settings were refused; those in force stay");
            }
            Outcome::Apart { problems, .. } => {
                tracing::warn!(trigger, reason = %problems, "the settings wait for a restart");
            }
            Outcome::Applied { .. } if changed.is_empty() => {
                tracing::info!(trigger, "the settings in force are these already");
            }
            Outcome::Applied { .. } => {
                tracing::info!(trigger, epoch = self.epoch, changed, "settings put in force");
            }
        }
        let needs_restart = keys(self.outcome.needs_restart());
        if !needs_restart.is_empty() {
            tracing::warn!(keys = needs_restart, "settings that need a restart");
        }
    }
}

/// The latest reloads, oldest first.
#[derive(Debug, Clone, Default)]
pub struct History(VecDeque<Record>);

impl History {
    /// Adds one; past the bound the oldest goes.
    pub fn add(&mut self, record: Record) {
        if self.0.len() >= MOST_REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(record);
    }

    /// Returns them, latest first.
    pub fn latest(&self) -> impl Iterator<Item = &Record> {
        self.0.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_bounded_and_told_from_its_end() {
        let mut history = History::default();
        for epoch in 0..60 {
            let outcome = Outcome::Applied { changed: Vec::new(), needs_restart: Vec::new() };
            history.add(Record { at_ms: 0, trigger: Trigger::File, epoch, outcome });
        }
        let epochs: Vec<u64> = history.latest().map(|record| record.epoch).collect();
        assert_eq!(
            (epochs.len(), epochs.first(), epochs.last()),
            (MOST_REMEMBERED, Some(&59), Some(&10))
        );
    }
}
