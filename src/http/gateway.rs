//! What all workers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anteroom_actors::clock::SharedClock;
use anteroom_actors::wiring::Topology;

use parking_lot::Mutex;

use super::admission::Admission;
use super::connections::Connections;
use super::in_force::{Current, InForce};
use super::live::Live;
use super::memory_scope::MemoryScope;
use super::revoked::Revoked;
use super::sent_entries::SentEntries;
use super::workload::Workers;
use crate::canonical::ScopeSecret;
use crate::explain::Sketches;
use crate::reload::Reloads;
use crate::savings::Book;
use crate::telemetry::{AccessLog, Metrics, RecorderHandle, Spans};
use crate::tokens::TokenCounter;
use crate::upstream::Upstreams;

/// The gateway as its HTTP workers see it.
pub struct Gateway {
    /// The settings in force and what is made of them.
    pub current: Arc<Current>,
    /// Takes on changed ones.
    pub reloads: Arc<Reloads>,
    /// The actors.
    pub topology: Topology,
    /// Prepared upstreams, for requests that pass the cache by.
    pub upstreams: Arc<Upstreams>,
    /// Makes scopes of credentials.
    pub scope_secret: ScopeSecret,
    /// Outlines of recent requests, to explain others by.
    pub sketches: Sketches,
    /// Credentials that the provider refuses.
    pub revoked: Revoked,
    /// What was saved and spent.
    pub savings: Arc<Book>,
    /// Large kept answers on their way to callers.
    pub sent: SentEntries,
    /// Counts tokens before they are spent.
    pub counter: TokenCounter,
    /// The bound on waiting requests.
    pub admission: Admission,
    /// The worker threads.
    pub workers: Arc<Workers>,
    /// Takes the workers' samples, and shows what they come to.
    pub recorder: RecorderHandle,
    /// Takes requests down, where that is wanted.
    pub access_log: Option<AccessLog>,
    /// Traces requests, where that is wanted.
    pub spans: Option<Spans>,
    /// Who watches the operators' page.
    pub live: Live,
    /// The metrics.
    pub metrics: Metrics,
    /// The time.
    pub clock: SharedClock,
    /// Requests and response bodies under way, one count a worker; shutdown waits for none.
    pub under_way: Mutex<Vec<Arc<AtomicUsize>>>,
    /// Open connections of the API.
    pub api_connections: Connections,
    /// Open connections of the operations listener.
    pub operations_connections: Connections,
    /// Whether the gateway takes no new connections: those there are close after their answer.
    pub draining: AtomicBool,
    /// Whether that is because another process takes them.
    pub handed_over: AtomicBool,
}

/// A request under way, its response body included.
#[derive(Debug)]
pub struct UnderWay(Arc<AtomicUsize>);

impl Gateway {
    /// Returns how many requests and response bodies are under way.
    pub fn under_way(&self) -> usize {
        self.under_way.lock().iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Returns what is in force. Workers have their own copy, [`Worker::in_force`].
    ///
    /// [`Worker::in_force`]: super::worker::Worker::in_force
    pub fn in_force(&self) -> Arc<InForce> {
        self.current.get()
    }

    /// Begins the memory scope of a request, which waits at most `wait` for memory.
    pub fn memory_scope(&self, wait: Duration) -> MemoryScope<'_> {
        MemoryScope::new(&self.topology.budget, &self.sent, wait)
    }

    /// Returns how many connections are open, on both listeners.
    pub fn connections(&self) -> usize {
        self.api_connections.count().saturating_add(self.operations_connections.count())
    }

    /// Tells whether connections close after their answer.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Tells whether the gateway is stopping, and no other process goes on in its place.
    pub fn is_stopping(&self) -> bool {
        self.is_draining() && !self.handed_over.load(Ordering::Relaxed)
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
