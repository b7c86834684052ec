//! From answers to the book: what each one saved, or cost.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anteroom_actors::model::Entry;

use super::gateway::Gateway;
use crate::savings::{Book, Call, Ledger, Saved};
use crate::tokens::Usage;

/// What was saved on answers of one model of one route since it was last written down. One for many
/// leases: what is counted in each of them costs each hit, and each writing down, a look at memory of
/// its own.
#[derive(Debug)]
pub struct Tab {
    route: usize,
    model: Box<str>,
    saved: Cell<Saved>,
}

impl PartialEq for Tab {
    fn eq(&self, other: &Self) -> bool {
        self.route == other.route && self.model == other.model
    }
}

impl Tab {
    /// Writes down what was saved since the last time.
    pub fn write(&self, ledger: &mut Ledger) {
        ledger.add(self.route, &self.model, &self.saved.take());
    }
}

/// What each hit by a lease saves.
#[derive(Debug)]
pub struct Spared {
    /// Where it is counted.
    pub tab: Rc<Tab>,
    call: Call,
}

impl Spared {
    /// Returns what hits of `entry` on `route` save, on a tab of their own.
    pub fn by(route: usize, entry: &Entry, book: &Book) -> Self {
        let model = entry.model.clone().unwrap_or_default();
        let tab = Tab { route, model, saved: Cell::default() };
        Self { tab: Rc::new(tab), call: book.call_of(entry) }
    }

    /// Counts a hit; tells whether it is the first on its tab that is not written down.
    pub fn hit(&self) -> bool {
        let mut saved = self.tab.saved.get();
        let is_first = saved.calls == 0;
        saved.add(&Saved::of_hit(&self.call));
        self.tab.saved.set(saved);
        is_first
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
