//! What of the settings is in force: made whole, swapped whole at a reload, read without a lock.
//!
//! The guard of a request asks for them once and its handler once; each keeps what it got to its end.
//! Its number goes into the recall digest: what was remembered under other settings is not found.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anteroom_actors::clock::SharedClock;
use arc_swap::ArcSwap;

use super::access::{Clients, Cors};
use super::reshape::Reshaper;
use super::routes::Routes;
use super::shape::redact::RedactError;
use crate::canonical::ScopeSecret;
use crate::settings::Settings;
use crate::telemetry::Metrics;
use crate::upstream::from_settings;
use crate::upstream::spec::RouteSpec;

/// The settings in force, and what is made of them.
pub struct InForce {
    /// How many were in force before.
    pub epoch: u64,
    /// The settings.
    pub settings: Settings,
    /// Their routes.
    pub routes: Routes,
    /// What the origins need to know of them, by position.
    pub specs: Arc<[RouteSpec]>,
    /// What becomes of whole answers before they are sent.
    pub reshaper: Reshaper,
    /// The callers who have keys, where keys are wanted.
    pub clients: Option<Clients>,
    /// Which browsers' pages may call, where any may.
    pub cors: Option<Cors>,
}

/// What the callers' part of it is made with.
pub struct Makings {
    /// Makes scopes of the names of client keys.
    pub scope_secret: ScopeSecret,
    /// Count what callers do.
    pub metrics: Metrics,
    /// The time that rate limits run by.
    pub clock: SharedClock,
}

impl InForce {
    /// Makes what is in force of `settings`, after `before`: limits of keys that are the same go on
    /// from where they are.
    ///
    /// # Errors
    ///
    /// When what is declared sensitive cannot be used.
    pub fn new(
        settings: Settings,
        makings: &Makings,
        before: Option<&Self>,
    ) -> Result<Self, RedactError> {
        let Makings { scope_secret, metrics, clock } = makings;
        let known = before.and_then(|before| before.clients.as_ref());
        Ok(Self {
            epoch: before.map_or(0, |before| before.epoch.saturating_add(1)),
            routes: Routes::new(&settings),
            specs: from_settings::routes(&settings),
            reshaper: Reshaper::new(&settings)?.counting(metrics.payload()),
            clients: Clients::new(&settings.auth.keys, scope_secret, metrics, clock, known),
            cors: Cors::new(&settings.server.cors),
            settings,
        })
    }

    /// Tells whether anything stands before requests on the API listener.
    pub const fn is_guarded(&self) -> bool {
        self.clients.is_some() || self.cors.is_some()
    }
}

/// A thread's own hold of what is in force: its requests share it by a count that no other thread
/// writes to.
pub struct Held(pub Arc<InForce>);

impl Deref for Held {
    type Target = InForce;

    fn deref(&self) -> &InForce {
        &self.0
    }
}

/// The place where what is in force lies.
pub struct Current {
    now: ArcSwap<InForce>,
    /// That of `now`, or of the one before it for a moment; a look at it alone is the cheapest.
    epoch: AtomicU64,
}

impl Current {
    /// Begins with `first`.
    pub fn new(first: InForce) -> Self {
        Self { epoch: AtomicU64::new(first.epoch), now: ArcSwap::from_pointee(first) }
    }

    /// Returns what is in force.
    pub fn get(&self) -> Arc<InForce> {
        self.now.load_full()
    }

    /// Tells whether something else than `held` is in force.
    pub fn has_moved_on(&self, held: &InForce) -> bool {
        self.epoch.load(Ordering::Acquire) != held.epoch
    }

    /// Puts `next` in force for all requests from now on.
    pub fn put(&self, next: InForce) {
        let epoch = next.epoch;
        self.now.store(Arc::new(next));
        self.epoch.store(epoch, Ordering::Release);
    }
}
