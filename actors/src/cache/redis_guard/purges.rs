//! Purges that gateways on one Redis tell each other.

use super::RedisGuard;
use crate::error::LevelError;
use crate::message::{HeardPurges, PurgesChanged, RecordPurges, RecordedPurges, Slot};
use crate::store::redis::Subscription;

impl RedisGuard {
    /// Returns the purges recorded since the last call, after a new contact all of them. Before the
    /// server has been reached or found away for the first time, waits for that.
    pub(in crate::cache) async fn hear(&self) -> Result<HeardPurges, LevelError> {
        let known = self.first_contact.notified();
        if self.is_up.get().is_none() {
            known.await;
        }
        self.may_ask()?;
        let contact = self.contact.get();
        let read = self.store.purges_since(self.purges_read.get()).await;
        self.judge(&read);
        let (records, cursor) = read?;
        // Another contact has begun meanwhile: its cursor is not this one.
        if contact == self.contact.get() {
            self.purges_read.set(cursor);
        }
        Ok(HeardPurges { contact, records })
    }

    /// Records purges for other gateways and later starts.
    pub(in crate::cache) async fn record(
        &self,
        purges: &RecordPurges,
    ) -> Result<RecordedPurges, LevelError> {
        self.may_ask()?;
        let contact = self.contact.get();
        let recorded = self.store.record_purges(&purges.records, purges.forget_before).await;
        self.judge(&recorded);
        Ok(RecordedPurges { contact, latest: recorded? })
    }

    pub(super) fn may_ask(&self) -> Result<(), LevelError> {
        if self.breaker.borrow().allows() {
            Ok(())
        } else {
            Err(LevelError::Skipped("Redis is away"))
        }
    }

    /// Tells `changed` whenever another gateway calls out that it purged something. Ends only by
    /// being dropped.
    pub(in crate::cache) async fn listen(&self, changed: &Slot<PurgesChanged>) {
        let (first, longest) =
            (self.settings.breaker.probe_after, self.settings.breaker.probe_at_most);
        let mut wait = first;
        loop {
            if let Ok(mut subscription) = Subscription::open(&self.settings).await {
                wait = first;
                // Something may have been called out before this.
                let mut is_open = true;
                while is_open {
                    changed.tell(PurgesChanged);
                    is_open = tokio::select! {
                        next = subscription.next() => next,
                        () = self.disconnected.notified() => false,
                    };
                }
            }
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2).min(longest.max(first));
        }
    }
}
