//! Taking on changed settings while the gateway runs: read and checked whole, then put in force at once
//! or not at all.
//!
//! [`Watched`] says when the file is worth reading, [`History`] what became of it; the decision what can
//! change without a restart is [`adopt`]'s.

mod apart;
mod follow;
mod history;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anteroom_actors::settings::KeepFor;
use parking_lot::Mutex;

use self::apart::Apart;
pub use self::follow::follow;
pub use self::history::{History, MOST_REMEMBERED, Outcome, Record, Trigger};
pub use self::watched::{Stamp, Watched};
use crate::http::admission::Admission;
use crate::http::in_force::{Current, InForce, Makings};
use crate::settings::{
    self, Adoption, Change, Loaded, Problem, Settings, SettingsError, Source, Sources, Taken, adopt,
};
use crate::telemetry::Verbosity;

/// Longest wait for the settings file: it may lie on a server that has gone.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// What changes with the settings, beside what workers read of them.
pub struct Reach {
    /// What is in force.
    pub current: Arc<Current>,
    /// What it is made with.
    pub makings: Makings,
    /// The bound on waiting requests.
    pub admission: Admission,
    /// How long purges are remembered.
    pub keep_purges: KeepFor,
    /// How much is logged.
    pub verbosity: Verbosity,
}

/// What is known of the settings' sources and of what became of changes.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Where each value came from.
    pub sources: Sources,
    /// What waits for a restart.
    pub needs_restart: Vec<Change>,
    /// What became of the latest reloads.
    pub history: History,
}

/// Takes on changed settings.
pub struct Reloads {
    /// The file that was read at the start; without one, the default file may come.
    file: Option<PathBuf>,
    /// What holds over it.
    taken: Taken,
    reach: Reach,
    /// One at a time.
    turn: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
    watched: Mutex<Watched>,
    apart: Apart,
}

impl Reloads {
    /// Begins with the settings that were loaded at the start, by their file, their sources, and the
    /// addresses that hold over both.
    pub fn new(file: Option<PathBuf>, sources: Sources, taken: Taken, reach: Reach) -> Self {
        let known = Mutex::new(Known { sources, ..Known::default() });
        // Seen now, so that a change during the start is noticed after it.
        let watched = Mutex::new(Watched::new(follow::stamp(&path(file.as_deref()))));
        let (turn, apart) = (tokio::sync::Mutex::default(), Apart::new(READ_WITHIN));
        Self { file, taken, reach, turn, known, watched, apart }
    }

    /// Returns what is known of settings and reloads.
    pub fn known(&self) -> Known {
        self.known.lock().clone()
    }

    /// Returns the file that the settings are read from, if there was one at the start.
    pub fn file(&self) -> Option<PathBuf> {
        self.file.clone()
    }

    /// Looks at the file; tells whether it is to be read.
    async fn has_changed(&self) -> bool {
        let seen = self.stamp().await;
        self.watched.lock().look(seen)
    }

    async fn stamp(&self) -> Option<Stamp> {
        let file = path(self.file.as_deref());
        self.apart.run(move || follow::stamp(&file)).await.flatten()
    }

    /// Returns how often the file is to be looked at; `None`: never.
    fn watch_every(&self) -> Option<Duration> {
        let every = self.reach.current.get().settings.admin.watch_config.get();
        (!every.is_zero()).then_some(every)
    }

    /// Reads the settings anew and puts in force what can be; tells what became of it. Where they
    /// cannot be used, those in force stay, all of them.
    pub async fn reload(&self, trigger: Trigger) -> Record {
        let _turn = self.turn.lock().await;
        let stamp = self.stamp().await;
        self.watched.lock().was_read(stamp);
        let outcome = match self.read().await {
            Ok(wanted) => self.take_on(&wanted),
            Err(error) => Outcome::Refused(error),
        };
        let epoch = self.reach.current.get().epoch;
        let record = Record { at_ms: self.reach.makings.clock.wall_ms(), trigger, epoch, outcome };
        record.log();
        let metrics = &self.reach.makings.metrics;
        let mut known = self.known.lock();
        if !matches!(record.outcome, Outcome::Refused(_)) {
            known.needs_restart = record.outcome.needs_restart().to_vec();
        }
        metrics.reloaded(record.outcome.label(), known.needs_restart.len());
        known.history.add(record.clone());
        record
    }

    async fn read(&self) -> Result<Loaded, SettingsError> {
        let (file, taken) = (self.file.clone(), self.taken);
        let loaded = self.apart.run(move || settings::load(file.as_deref(), taken)).await;
        loaded.unwrap_or_else(|| {
            let reason = "it takes too long".to_owned();
            Err(SettingsError::Unreadable { path: path(self.file.as_deref()), reason })
        })
    }

    fn take_on(&self, wanted: &Loaded) -> Outcome {
        let in_force = self.reach.current.get();
        match adopt(&in_force.settings, wanted) {
            Adoption::Unchanged { needs_restart } => {
                self.known.lock().sources.clone_from(&wanted.sources);
                Outcome::Applied { changed: Vec::new(), needs_restart }
            }
            Adoption::Apart { needs_restart, problems } => {
                Outcome::Apart { needs_restart, problems }
            }
            Adoption::Adopted { settings, changed, needs_restart } => {
                match self.put_in_force(*settings, &in_force) {
                    Ok(()) => {
                        self.known.lock().sources.clone_from(&wanted.sources);
                        Outcome::Applied { changed, needs_restart }
                    }
                    Err(error) => Outcome::Refused(error),
                }
            }
        }
    }

    /// What can fail comes first: then all of it is in force.
    fn put_in_force(&self, settings: Settings, before: &InForce) -> Result<(), SettingsError> {
        let Reach { current, makings, admission, keep_purges, verbosity } = &self.reach;
        let next = InForce::new(settings, makings, Some(before)).map_err(|error| {
            SettingsError::Invalid(vec![Problem {
                key: "response.redact".to_owned(),
                value: None,
                source: Source::Default,
                reason: error.to_string(),
                allowed: None,
            }])
        })?;
        admission.bound(next.settings.server.max_in_flight);
        keep_purges.at_least(Duration::from_millis(next.settings.purge().keep_for.as_millis()));
        verbosity.set(next.settings.log.level);
        current.put(next);
        Ok(())
    }
}

/// Returns the file that is read: without one named at the start, the default one may come.
fn path(file: Option<&Path>) -> PathBuf {
    file.unwrap_or(Path::new(settings::DEFAULT_FILE)).to_owned()
}
