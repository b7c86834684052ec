//! Claiming a key before its origin is asked, and holding the claim while it answers.

use std::cell::Cell;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::lookup::Levels;
use super::replica_claim::{Manner, ReplicaClaim, Step};
use super::writer::FlightWriter;
use crate::clock::SharedClock;
use crate::message::{Claim, ClaimToken, Claimed, Release, Renew, Slot};
use crate::model::{CacheKey, Entry, Level, Wants};
use crate::origin::OriginCall;
use crate::settings::FlightSettings;

/// A claim that was asked for. Dropped without a word, it sets those free who wait for it: also where
/// its answer was lost, or nobody was there any more to hear it.
#[derive(Debug)]
pub struct HeldClaim {
    claim: Claim,
    renew: Slot<Renew>,
    release: Slot<Release>,
    is_over: bool,
}

impl HeldClaim {
    pub(super) const fn new(claim: Claim, renew: Slot<Renew>, release: Slot<Release>) -> Self {
        Self { claim, renew, release, is_over: false }
    }

    /// Returns how long to wait from one renewal to the next.
    pub(super) fn renewed_every(&self) -> Duration {
        self.claim.lease / 3
    }

    /// Says that the call goes on.
    pub(super) fn renew(&self) {
        let Claim { key, token, lease } = self.claim;
        self.renew.tell(Renew { key, token, lease });
    }

    /// Says that the call is over; `kept` whether its answer is in L2.
    pub(super) fn release(mut self, kept: bool) {
        self.end(kept);
    }

    /// It was not granted: there is nothing to release.
    fn forget(mut self) {
        self.is_over = true;
    }

    fn end(&mut self, kept: bool) {
        if !std::mem::replace(&mut self.is_over, true) {
            let Claim { key, token, .. } = self.claim;
            self.release.deliver(Release { key, token, kept });
        }
    }
}

impl Drop for HeldClaim {
    fn drop(&mut self) {
        self.end(false);
    }
}

/// How a flight goes on.
pub(super) enum Way {
    /// To the origin, with its claim, if it has one.
    Fetch(Option<HeldClaim>),
    /// With the answer that another gateway fetched.
    Found(Arc<Entry>, Level),
    /// Not at all: nobody reads, or another gateway refreshes.
    Leave,
}

/// What flights did about claims of other gateways.
#[derive(Debug, Default)]
pub(super) struct ClaimCounts {
    /// Waited for another gateway's call.
    pub(super) waited: Cell<u64>,
    /// Waited, and then made the call.
    pub(super) taken_over: Cell<u64>,
}

/// Claims for the flights of one resolver. Clones count together.
#[derive(Clone)]
pub(super) struct Claiming {
    levels: Levels,
    clock: SharedClock,
    lease: Duration,
    patience: Duration,
    resolver: u64,
    flights: Rc<Cell<u64>>,
    pub(super) counts: Rc<ClaimCounts>,
}

impl Claiming {
    pub(super) fn new(settings: &FlightSettings, levels: Levels, clock: SharedClock) -> Self {
        Self {
            levels,
            clock,
            lease: settings.replica_lease,
            patience: settings.replica_wait,
            resolver: random(),
            flights: Rc::default(),
            counts: Rc::default(),
        }
    }

    /// Decides how the flight of `writer` goes on, which has found nothing in the levels; L2 has
    /// answered it. Waits while another gateway asks the origin, and somebody reads.
    pub(super) async fn way(
        &self,
        call: &OriginCall,
        wants: &Wants,
        manner: Manner,
        writer: &FlightWriter,
    ) -> Way {
        let may_claim = call.may_keep && !self.lease.is_zero();
        let begun = ReplicaClaim::begin(manner, self.patience).filter(|_| may_claim);
        let Some(mut decider) = begun else { return Way::Fetch(None) };
        let claim = self.next_claim(call.key);
        let started = self.clock.now();
        loop {
            let held = self.levels.hold(claim);
            let claimed = self.levels.claim(claim).await;
            let held = match claimed {
                Some(Claimed::Held | Claimed::Alone) => {
                    held.forget();
                    None
                }
                Some(Claimed::Granted { .. }) | None => Some(held),
            };
            let elapsed = self.clock.now().duration_since(started);
            let had_waited = decider.has_waited();
            let step = decider.heard(claimed, elapsed, random());
            if decider.has_waited() && !had_waited {
                add_one(&self.counts.waited);
            }
            match step {
                Step::Hold => return self.fetch(held, &decider),
                Step::LookThenHold => {
                    let Some((entry, level)) = self.look(call, wants).await else {
                        return self.fetch(held, &decider);
                    };
                    if let Some(held) = held {
                        held.release(true);
                    }
                    return Way::Found(entry, level);
                }
                Step::GoAlone => return Way::Fetch(None),
                Step::Leave => return Way::Leave,
                Step::Pause(pause) => {
                    if tokio::time::timeout(pause, writer.until_deserted()).await.is_ok() {
                        return Way::Leave;
                    }
                    if let Some((entry, level)) = self.look(call, wants).await {
                        return Way::Found(entry, level);
                    }
                }
            }
        }
    }

    async fn look(&self, call: &OriginCall, wants: &Wants) -> Option<(Arc<Entry>, Level)> {
        self.levels.look_in_l2(call.key, call.form, wants).await
    }

    fn fetch(&self, held: Option<HeldClaim>, decider: &ReplicaClaim) -> Way {
        if decider.has_waited() {
            add_one(&self.counts.taken_over);
        }
        Way::Fetch(held)
    }

    fn next_claim(&self, key: CacheKey) -> Claim {
        add_one(&self.flights);
        let token = ClaimToken { resolver: self.resolver, flight: self.flights.get() };
        Claim { key, token, lease: self.lease }
    }
}

fn add_one(count: &Cell<u64>) {
    count.set(count.get().saturating_add(1));
}

/// The hasher's own seed is the random number at hand.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
