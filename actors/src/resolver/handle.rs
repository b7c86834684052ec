//! Where the resolver is reached.

use super::resolver_actor::{Encode, FlightEnded, KeyUnshareable, Refresh, Resolve};
use crate::message::{Flush, Promote, Slot, Warm};

/// The addresses of the resolver.
#[derive(Debug, Clone)]
pub struct ResolverHandle {
    /// Takes [`Resolve`].
    pub resolve: Slot<Resolve>,
    /// Takes [`Refresh`].
    pub refresh: Slot<Refresh>,
    /// Takes [`Encode`].
    pub encode: Slot<Encode>,
    /// Takes [`Warm`].
    pub warm: Slot<Warm>,
    /// Takes [`Promote`].
    pub promote: Slot<Promote>,
    /// Takes [`FlightEnded`].
    pub ended: Slot<FlightEnded>,
    /// Takes [`KeyUnshareable`].
    pub unshareable: Slot<KeyUnshareable>,
    /// Takes [`Flush`].
    pub flush: Slot<Flush>,
}

impl ResolverHandle {
    /// Creates a handle with empty slots.
    pub fn new() -> Self {
        Self {
            resolve: Slot::empty(),
            refresh: Slot::empty(),
            encode: Slot::empty(),
            warm: Slot::empty(),
            promote: Slot::empty(),
            ended: Slot::empty(),
            unshareable: Slot::empty(),
            flush: Slot::empty(),
        }
    }
}

impl Default for ResolverHandle {
    fn default() -> Self {
        Self::new()
    }
}
