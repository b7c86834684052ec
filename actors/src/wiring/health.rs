//! What `/health/actors` shows.

use std::time::Duration;

use crate::message::ActorState;

/// One actor, as the sentinel sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorHealth {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: ActorState,
    /// Asks that wait for its answer, and work it has accepted and not finished.
    pub pending: u64,
    /// How often it was re-created.
    pub restarts: u64,
    /// Time since it last answered a ping; `None` before the first answer and when it is off.
    pub heartbeat_age: Option<Duration>,
    /// Its last error.
    pub last_error: Option<String>,
    /// Its own numbers, in a fixed order.
    pub counters: Vec<(&'static str, u64)>,
}

/// All actors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemHealth {
    /// In the order of the settings: levels, resolver, fetching threads, recorder, sentinel.
    pub actors: Vec<ActorHealth>,
}

impl SystemHealth {
    /// Returns a counter of the actor called `name`; 0 where there is none.
    pub fn counter(&self, name: &str, counter: &str) -> u64 {
        self.actors
            .iter()
            .find(|actor| actor.name == name)
            .and_then(|actor| actor.counters.iter().find(|(key, _)| *key == counter))
            .map_or(0, |(_, value)| *value)
    }
}
