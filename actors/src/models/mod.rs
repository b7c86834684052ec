//! Models that run in this process: loaded when they are used, at most so many at once.

mod model_cache_actor;
mod residency;
mod shelf;

pub use model_cache_actor::ModelCacheActor;
pub use residency::{Residency, Resident, Start, Wanted};
pub use shelf::LocalModels;
