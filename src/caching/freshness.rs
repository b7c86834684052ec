//! How old is a stored answer, how long is it fresh, and what may be done with it now? (RFC 9111
//! §4.2, RFC 5861)
//!
//! * [`Exchange`], [`initial_age_ms`]: how old an answer is when it comes.
//! * [`Lifetime`], [`Heuristic`]: how long it is fresh.
//! * [`Rules`], [`Life`]: what is kept of both with a stored answer.
//! * [`Standing`], [`stand_in`]: what a request may do with it.

mod age;
mod life;
mod lifetime;
mod standing;

pub use age::{Exchange, initial_age_ms};
pub use life::{Life, Rules};
pub use lifetime::{Heuristic, Lifetime, LifetimeSource};
pub use standing::{Cause, StaleUse, StaleWindows, Standing, stand_in};
