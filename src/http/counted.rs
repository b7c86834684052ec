//! From answers to the book: what each one saved, or cost.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use anteroom_actors::model::Entry;

use super::gateway::Gateway;
use crate::savings::{Book, Call, Ledger};
use crate::tokens::Usage;

/// What each hit by a lease saves, and how many there were: such a hit only counts up.
#[derive(Debug)]
pub struct Spared {
    route: usize,
    model: Option<Box<str>>,
    call: Call,
    unwritten: Cell<u64>,
}

impl Spared {
    /// Returns what hits of `entry` on `route` save, without any yet.
    pub fn by(route: usize, entry: &Entry, book: &Book) -> Self {
        let call = book.call_of(entry);
        Self { route, model: entry.model.clone(), call, unwritten: Cell::new(0) }
    }

    /// Counts a hit; tells whether it is the first one that is not written down.
    pub fn hit(&self) -> bool {
        let before = self.unwritten.get();
        self.unwritten.set(before.saturating_add(1));
        before == 0
    }

    /// Writes down what was counted since the last time.
    pub fn write(&self, ledger: &mut Ledger) {
        let model = self.model.as_deref().unwrap_or_default();
        ledger.hits(self.route, model, &self.call, self.unwritten.take());
    }
}

/// An answer that goes by, looked at for what it says of its cost.
pub struct Watched {
    gateway: Arc<Gateway>,
    route: usize,
    model: Option<Arc<str>>,
    usage: Usage,
}

impl Watched {
    /// Begins with an answer of `model` on `route`.
    pub fn begin(gateway: &Arc<Gateway>, route: usize, model: Option<Arc<str>>) -> Self {
        Self { gateway: Arc::clone(gateway), route, model, usage: Usage::default() }
    }

    /// Looks at the next piece, as the upstream sent it.
    pub fn observe(&mut self, piece: &[u8]) {
        self.usage.observe(piece);
    }

    /// Writes down that it came by another request's call, which took `took`.
    pub fn spared(&self, took: Duration) {
        let model = self.model.as_deref();
        let call = self.gateway.savings.call(model, self.usage.counts(), took);
        self.gateway.savings.spare(self.route, model, &call);
    }
}

/// An answer to a call past the cache. Written down when it is dropped: also where the caller left, it
/// is paid.
pub struct Billed(pub Watched);

impl Drop for Billed {
    fn drop(&mut self) {
        let Watched { gateway, route, model, usage } = &self.0;
        gateway.savings.charge(*route, model.as_deref(), usage.counts());
    }
}
