//! Which models stay loaded: those used of late, at most so many; one is loaded at a time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::error::LoadError;

/// A model stays at least this long: a load takes a good part of a second of a core, and two models that
/// take turns on one place would cost one for each use.
const STAY: Duration = Duration::from_secs(10);

/// How long after memory was short no model is loaded: one that came back at once would have gone for
/// nothing.
const SHORT_FOR: Duration = Duration::from_secs(30);

/// How long a model that could not be loaded is not tried again.
const RETRY_AFTER: Duration = Duration::from_secs(60);

type Name = &'static str;

/// A loaded model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resident {
    /// Its name.
    pub name: Name,
    /// Bytes of memory.
    pub bytes: u64,
    /// When it was loaded.
    pub since: Instant,
}

/// What comes of somebody's want of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// It is loaded.
    There,
    /// It is being loaded, or will be.
    Awaited,
    /// It is not loaded now.
    Refused(LoadError),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The model to load.
    pub name: Name,
    /// The models that go first to make room.
    pub unload: Vec<Name>,
}

/// Which models are loaded, and which come next.
///
/// Law: least recently used out first, by the last use that the caller tells. At most `most` models are
/// loaded or being loaded at any time; the queue holds each name once.
#[derive(Debug)]
pub struct Residency {
    most: usize,
    residents: Vec<Resident>,
    loading: Option<Name>,
    queue: VecDeque<Name>,
    failed: Vec<(Name, Instant)>,
    /// When memory was short last.
    short_at: Option<Instant>,
}

impl Residency {
    /// Creates one without models; `most` below 1 is 1.
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            residents: Vec::new(),
            loading: None,
            queue: VecDeque::new(),
            failed: Vec::new(),
            short_at: None,
        }
    }

    /// Says that a model is wanted.
    pub fn want(&mut self, name: Name, now: Instant) -> Wanted {
        if self.residents.iter().any(|resident| resident.name == name) {
            return Wanted::There;
        }
        if self.loading == Some(name) || self.queue.contains(&name) {
            return Wanted::Awaited;
        }
        self.failed.retain(|(_, at)| now.saturating_duration_since(*at) < RETRY_AFTER);
        if self.failed.iter().any(|(failed, _)| *failed == name) {
            return Wanted::Refused(LoadError::FailedBefore { name });
        }
        let is_short =
            self.short_at.is_some_and(|at| now.saturating_duration_since(at) < SHORT_FOR);
        if is_short {
            return Wanted::Refused(LoadError::MemoryShort { name });
        }
        let coming = self.queue.len() + usize::from(self.loading.is_some());
        let staying = self.residents.iter().filter(|resident| !may_go(resident, now)).count();
        if staying.saturating_add(coming) >= self.most {
            return Wanted::Refused(LoadError::NoRoom { name, most: self.most });
        }
        self.queue.push_back(name);
        Wanted::Awaited
    }

    /// Begins the next load, where one waits and none is under way.
    pub fn start(&mut self, last_use: impl Fn(Name) -> u64) -> Option<Start> {
        if self.loading.is_some() {
            return None;
        }
        let name = self.queue.pop_front()?;
        self.loading = Some(name);
        let mut unload = Vec::new();
        while self.residents.len() >= self.most {
            let Some(gone) = self.pop_coldest(&last_use) else { break };
            unload.push(gone.name);
        }
        Some(Start { name, unload })
    }

    /// Says that the load under way has ended: with the model's bytes, or without it.
    pub fn landed(&mut self, bytes: Option<u64>, now: Instant) {
        let Some(name) = self.loading.take() else { return };
        match bytes {
            Some(bytes) => self.residents.push(Resident { name, bytes, since: now }),
            None => self.failed.push((name, now)),
        }
    }

    /// Unloads models because memory is short, least recently used first, until `bytes` are freed or none
    /// is left. None is loaded for a while after.
    pub fn free(
        &mut self,
        bytes: u64,
        now: Instant,
        last_use: impl Fn(Name) -> u64,
    ) -> Vec<Resident> {
        if bytes > 0 {
            self.short_at = Some(now);
        }
        let (mut gone, mut freed) = (Vec::new(), 0_u64);
        while freed < bytes {
            let Some(resident) = self.pop_coldest(&last_use) else { break };
            freed = freed.saturating_add(resident.bytes);
            gone.push(resident);
        }
        gone
    }

    /// Returns the loaded models.
    pub fn residents(&self) -> &[Resident] {
        &self.residents
    }

    /// Returns how many loads wait or are under way.
    pub fn coming(&self) -> usize {
        self.queue.len() + usize::from(self.loading.is_some())
    }

    fn pop_coldest(&mut self, last_use: &impl Fn(Name) -> u64) -> Option<Resident> {
        let all = self.residents.iter().enumerate();
        let (at, _) = all.min_by_key(|(_, resident)| last_use(resident.name))?;
        Some(self.residents.remove(at))
    }
}

fn may_go(resident: &Resident, now: Instant) -> bool {
    now.saturating_duration_since(resident.since) >= STAY
}

#[cfg(test)]
#[path = "residency_tests.rs"]
mod tests;
