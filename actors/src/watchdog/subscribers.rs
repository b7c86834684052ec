//! Who is told of pressure, who is asked to clean up, and how it all began. Outlives the watchdog
//! itself.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::message::{CleanUp, PressureChanged, RegisterCleaner, Slot, Subscribe};
use crate::model::{MemoryReading, PressureState};

/// Most of each kind; past it the newest is refused. There is one of each a kind of actor.
const MOST: usize = 64;

/// Names and where their messages go.
type Named<M> = Vec<(&'static str, Slot<M>)>;

/// The list. Cheap to clone; all clones are one list.
#[derive(Debug, Clone, Default)]
pub struct Subscribers {
    told: Arc<Mutex<Named<PressureChanged>>>,
    cleaners: Arc<Mutex<Named<CleanUp>>>,
    last: Arc<Mutex<PressureState>>,
    start: Arc<OnceLock<MemoryReading>>,
}

impl Subscribers {
    /// Adds one that is told, in the place of one with the same name.
    pub fn subscribe(&self, Subscribe { name, changed }: Subscribe) {
        put(&mut self.told.lock(), name, changed);
    }

    /// Adds one that cleans up, in the place of one with the same name.
    pub fn register(&self, RegisterCleaner { name, clean_up }: RegisterCleaner) {
        put(&mut self.cleaners.lock(), name, clean_up);
    }

    /// Tells all of a change; returns how many could not be told.
    pub fn tell(&self, changed: PressureChanged) -> u64 {
        *self.last.lock() = changed.state;
        let told = self.told.lock();
        let lost = told.iter().filter(|(_, slot)| !slot.tell(changed)).count();
        u64::try_from(lost).unwrap_or(u64::MAX)
    }

    /// Returns the state that was told last: a re-created watchdog goes on from there, so that the end
    /// of a pressure that its predecessor told of is told too.
    pub fn last_told(&self) -> PressureState {
        *self.last.lock()
    }

    /// Returns the first reading of all, which is `reading` where there was none.
    pub fn start(&self, reading: MemoryReading) -> MemoryReading {
        *self.start.get_or_init(|| reading)
    }

    /// Returns those who clean up, in the order in which they came.
    pub fn cleaners(&self) -> Vec<(&'static str, Slot<CleanUp>)> {
        self.cleaners.lock().clone()
    }
}

fn put<T>(list: &mut Vec<(&'static str, T)>, name: &'static str, new: T) {
    if let Some((_, old)) = list.iter_mut().find(|(known, _)| *known == name) {
        *old = new;
    } else if list.len() < MOST {
        list.push((name, new));
    } else {
        tracing::warn!(name, "too many want to hear of memory; this one will not");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_there_once_and_there_is_an_end() {
        let subscribers = Subscribers::default();
        for _ in 0..3 {
            subscribers.register(RegisterCleaner { name: "one", clean_up: Slot::empty() });
            subscribers.subscribe(Subscribe { name: "one", changed: Slot::empty() });
        }
        let names: Vec<_> = subscribers.cleaners().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["one"]);
        let changed = PressureChanged::default();
        assert_eq!(subscribers.tell(changed), 1, "nobody is there");

        let mut list = Vec::new();
        for number in 0..2 * MOST {
            put(&mut list, Box::leak(number.to_string().into_boxed_str()), number);
        }
        assert_eq!(list.len(), MOST);
    }
}
