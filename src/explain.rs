//! Which kept answer is nearest to a request that misses, and where do the two differ?
//!
//! * [`outline()`]: the parts of a canonical body, each with its JSON pointer.
//! * [`Outlined`]: a request's parts as pointers and keyed hashes; never values.
//! * [`Sketches`]: those of recent requests, a bounded number a route.
//! * [`differences`]: where two requests differ, in as few pointers as say it.
//!
//! The sketches are shared under a lock that nobody waits for: recording one is worth less than a
//! moment of a worker's time, so where the lock is taken the sketch is dropped. An actor of its own
//! would take the same bytes through a mailbox, and would have to be watched.

mod compare;
mod outline;
mod outlined;
mod sketches;

pub use compare::{MAX_POINTERS_TOLD, differences, num_different};
pub use outline::{MAX_PARTS, outline};
pub use outlined::{HashKey, Outlined};
pub use sketches::{Near, Place, Sketch, Sketches};
