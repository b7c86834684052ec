//! What all workers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anteroom_actors::clock::SharedClock;
use anteroom_actors::wiring::Topology;

use parking_lot::Mutex;

use super::access::{Clients, Cors};
use super::admission::Admission;
use super::memory_scope::MemoryScope;
use super::reshape::Reshaper;
use super::revoked::Revoked;
use super::routes::Routes;
use super::sent_entries::SentEntries;
use crate::canonical::ScopeSecret;
use crate::explain::Sketches;
use crate::savings::Book;
use crate::settings::Settings;
use crate::telemetry::{Metrics, RecorderHandle};
use crate::tokens::TokenCounter;
use crate::upstream::Upstreams;

/// The gateway as its HTTP workers see it.
pub struct Gateway {
    /// The settings in force.
    pub settings: Settings,
    /// The routes of the settings.
    pub routes: Routes,
    /// The actors.
    pub topology: Topology,
    /// Prepared upstreams, for requests that pass the cache by.
    pub upstreams: Arc<Upstreams>,
    /// Makes scopes of credentials.
    pub scope_secret: ScopeSecret,
    /// Outlines of recent requests, to explain others by.
    pub sketches: Sketches,
    /// What becomes of whole answers before they are sent.
    pub reshaper: Arc<Reshaper>,
    /// Credentials that the provider refuses.
    pub revoked: Revoked,
    /// The callers who have keys, where keys are wanted.
    pub clients: Option<Clients>,
    /// Which browsers' pages may call, where any may.
    pub cors: Option<Cors>,
    /// What was saved and spent.
    pub savings: Arc<Book>,
    /// Large kept answers on their way to callers.
    pub sent: SentEntries,
    /// Counts tokens before they are spent.
    pub counter: TokenCounter,
    /// The bound on waiting requests.
    pub admission: Admission,
    /// Takes the workers' samples, and shows what they come to.
    pub recorder: RecorderHandle,
    /// The metrics.
    pub metrics: Metrics,
    /// The time.
    pub clock: SharedClock,
    /// Requests and response bodies under way, one count a worker; shutdown waits for none.
    pub under_way: Mutex<Vec<Arc<AtomicUsize>>>,
    /// Whether the gateway is stopping: connections close after their answer.
    pub draining: AtomicBool,
}

/// A request under way, its response body included.
#[derive(Debug)]
pub struct UnderWay(Arc<AtomicUsize>);

impl Gateway {
    /// Returns how many requests and response bodies are under way.
    pub fn under_way(&self) -> usize {
        self.under_way.lock().iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Begins the memory scope of a request.
    pub fn memory_scope(&self) -> MemoryScope<'_> {
        MemoryScope::new(&self.topology.budget, &self.sent, self.settings.memory.wait.get())
    }

    /// Tells whether the gateway is stopping.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl UnderWay {
    /// Counts a request on `count` until its response has been sent.
    pub fn enter(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
