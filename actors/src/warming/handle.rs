//! Where warming is reached.

use super::warming_actor::{ObserveWarming, Remember, Rest, WarmNow, WarmStart};
use crate::message::{BudgetShare, Flush, PressureChanged, Slot};
use crate::model::SampleBatch;

/// The addresses of warming. Where it is off its slots are empty.
#[derive(Debug, Clone)]
pub struct WarmingHandle {
    /// Takes `SampleBatch`.
    pub samples: Slot<SampleBatch>,
    /// Takes [`Remember`].
    pub remember: Slot<Remember>,
    /// Takes `PressureChanged`.
    pub pressure: Slot<PressureChanged>,
    /// Takes [`Rest`].
    pub rest: Slot<Rest>,
    /// Takes [`WarmStart`].
    pub start: Slot<WarmStart>,
    /// Takes [`WarmNow`].
    pub now: Slot<WarmNow>,
    /// Takes `BudgetShare`.
    pub share: Slot<BudgetShare>,
    /// Takes [`ObserveWarming`].
    pub observe: Slot<ObserveWarming>,
    /// Takes `Flush`.
    pub flush: Slot<Flush>,
}

impl WarmingHandle {
    /// Creates a handle with empty slots.
    pub fn new() -> Self {
        Self {
            samples: Slot::empty(),
            remember: Slot::empty(),
            pressure: Slot::empty(),
            rest: Slot::empty(),
            start: Slot::empty(),
            now: Slot::empty(),
            share: Slot::empty(),
            observe: Slot::empty(),
            flush: Slot::empty(),
        }
    }
}

impl WarmingHandle {
    /// Returns how many asks wait for an answer.
    pub fn in_flight(&self) -> usize {
        self.start.in_flight() + self.now.in_flight() + self.observe.in_flight()
    }
}

impl Default for WarmingHandle {
    fn default() -> Self {
        Self::new()
    }
}
