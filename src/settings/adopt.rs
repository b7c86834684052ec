//! What of new settings can be put in force while the gateway runs, and what waits for a restart?

use super::difference::{Change, difference};
use super::error::{Problem, SettingsError};
use super::load::Loaded;
use super::validate::validate;
use super::{Route, Settings};

/// What becomes of new settings.
#[derive(Debug, Clone, PartialEq)]
pub enum Adoption {
    /// They are those in force, but for what waits for a restart.
    Unchanged {
        /// What waits.
        needs_restart: Vec<Change>,
    },
    /// They are put in force.
    Adopted {
        /// What is in force from now on.
        settings: Box<Settings>,
        /// What changes now.
        changed: Vec<Change>,
        /// What waits for a restart.
        needs_restart: Vec<Change>,
    },
    /// What could change now does not fit what cannot: nothing changes before a restart.
    Apart {
        /// What waits.
        needs_restart: Vec<Change>,
        /// What does not fit.
        problems: SettingsError,
    },
}

/// Decides what of `wanted` is put in force after `in_force`.
pub fn adopt(in_force: &Settings, wanted: &Loaded) -> Adoption {
    let mut settings = laid_over(in_force, &wanted.settings);
    let changed = difference(in_force, &settings);
    if changed.is_empty() {
        let needs_restart = difference(in_force, &wanted.settings);
        return Adoption::Unchanged { needs_restart };
    }
    let problems: Vec<Problem> = validate(&mut settings, &wanted.sources);
    if !problems.is_empty() {
        let needs_restart = difference(in_force, &wanted.settings);
        return Adoption::Apart { needs_restart, problems: SettingsError::Invalid(problems) };
    }
    let needs_restart = difference(&settings, &wanted.settings);
    Adoption::Adopted { settings: Box::new(settings), changed, needs_restart }
}

/// Returns `in_force` with all of `wanted` that a running gateway can take on. The rest belongs to
/// what is made once: sockets, threads, connections, actors and their stores.
fn laid_over(in_force: &Settings, wanted: &Settings) -> Settings {
    let mut next = in_force.clone();
    next.auth.clone_from(&wanted.auth);
    next.log.level = wanted.log.level;
    next.admin.token.clone_from(&wanted.admin.token);
    next.admin.watch_config = wanted.admin.watch_config;
    next.server.max_in_flight = wanted.server.max_in_flight;
    next.server.max_body = wanted.server.max_body;
    next.server.body_timeout = wanted.server.body_timeout;
    next.server.drain_timeout = wanted.server.drain_timeout;
    next.server.handover_timeout = wanted.server.handover_timeout;
    next.server.open_access = wanted.server.open_access;
    next.server.cors.clone_from(&wanted.server.cors);
    next.cache.recall_entries = wanted.cache.recall_entries;
    next.cache.recall_lease = wanted.cache.recall_lease;
    next.memory.wait = wanted.memory.wait;
    next.conversation.turn_timeout = wanted.conversation.turn_timeout;
    next.response.live_level = wanted.response.live_level;
    next.response.optimize_json = wanted.response.optimize_json;
    next.response.redact.clone_from(&wanted.response.redact);
    // Metrics, sums and sketches are kept by a route's position.
    let names = |routes: &[Route]| -> Vec<String> {
        routes.iter().map(|route| route.name.clone()).collect()
    };
    if names(&in_force.routes) == names(&wanted.routes) {
        next.routes.clone_from(&wanted.routes);
    }
    next
}

#[cfg(test)]
#[path = "adopt_tests.rs"]
mod tests;
