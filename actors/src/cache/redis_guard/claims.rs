//! Claims of flights, kept in Redis; none of them waits for a server that is away.

use super::RedisGuard;
use crate::error::LevelError;
use crate::message::{Claim, Claimed, Release, Renew};

impl RedisGuard {
    /// Claims a key for a flight.
    pub(in crate::cache) async fn claim(&self, claim: &Claim) -> Result<Claimed, LevelError> {
        self.may_ask()?;
        let claimed = self.store.claim(claim).await;
        self.judge(&claimed);
        claimed
    }

    /// Lengthens a claim. What fails is noted: the claim ends with its lease.
    pub(in crate::cache) async fn renew(&self, renew: &Renew) {
        if self.may_ask().is_ok() {
            let renewed = self.store.renew(renew).await;
            self.judge(&renewed);
        }
    }

    /// Ends a claim, as a write that a flush waits for. What fails is noted.
    pub(in crate::cache) async fn release(&self, release: &Release) {
        // Past the bound on writes the claim is released all the same: others wait for it.
        let _place = self.writes.try_acquire();
        if self.may_ask().is_ok() {
            let released = self.store.release(release).await;
            self.judge(&released);
        }
    }
}
