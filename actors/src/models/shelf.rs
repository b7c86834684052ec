//! Where loaded models stand for those who use them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::message::{CleanUp, Load, Slot};
use crate::model::LocalModel;

/// The local models, as their users see them. Cheap to clone; all clones are one shelf.
///
/// Only the models' actor puts models here and takes them out. A user never waits: a model that is not
/// here is asked for, and is here for a later use.
#[derive(Clone)]
pub struct LocalModels {
    places: Arc<[Place]>,
    /// Uses so far: the time by which their order is told.
    uses: Arc<AtomicU64>,
    load: Slot<Load>,
    clean_up: Slot<CleanUp>,
}

struct Place {
    name: &'static str,
    model: Mutex<Option<Arc<dyn LocalModel>>>,
    last_use: AtomicU64,
}

impl LocalModels {
    /// Creates a shelf for models of these names, with none on it.
    pub fn new(names: &[&'static str]) -> Self {
        let place = |name| Place { name, model: Mutex::default(), last_use: AtomicU64::default() };
        Self {
            places: names.iter().copied().map(place).collect(),
            uses: Arc::default(),
            load: Slot::empty(),
            clean_up: Slot::empty(),
        }
    }

    /// Returns a model for one use; where it is not loaded, has it loaded and returns nothing.
    pub fn get(&self, name: &'static str) -> Option<Arc<dyn LocalModel>> {
        let place = self.place(name)?;
        place.last_use.store(self.uses.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        let model = place.model.lock().clone();
        if model.is_none() {
            self.load.tell(Load { name });
        }
        model
    }

    /// Returns where [`Load`] is asked.
    pub const fn load(&self) -> &Slot<Load> {
        &self.load
    }

    /// Returns where models are asked to leave memory.
    pub const fn clean_up(&self) -> &Slot<CleanUp> {
        &self.clean_up
    }

    /// Returns the names of all models, loaded or not.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.places.iter().map(|place| place.name)
    }

    /// Returns when a model was used last, in uses of any since the start; 0 for never.
    pub(super) fn last_use(&self, name: &str) -> u64 {
        self.place(name).map_or(0, |place| place.last_use.load(Ordering::Relaxed))
    }

    /// Puts a model here, or takes it out. One that is in use stays in memory until that use is over.
    pub(super) fn put(&self, name: &str, model: Option<Arc<dyn LocalModel>>) {
        if let Some(place) = self.place(name) {
            *place.model.lock() = model;
        }
    }

    fn place(&self, name: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.name == name)
    }
}

impl fmt::Debug for LocalModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
