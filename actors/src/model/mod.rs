//! Values that flow between the parts. No actix, no I/O.

mod entry;
mod freshness;
mod key;
mod level;
mod outcome;
mod sample;
mod usage;

pub use entry::{Entry, Header};
pub use freshness::Freshness;
pub use key::{BuildKeyHasher, CacheKey, KeyHasher};
pub use level::Level;
pub use outcome::{Outcome, Verdict};
pub use sample::{Sample, SampleBatch};
pub use usage::Usage;
